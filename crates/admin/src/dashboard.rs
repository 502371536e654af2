//! The dashboard's files, as they were built into the binary.
//!
//! Texts are kept compressed. The pages are one application: every path below `/admin/` that is no file is its index.

use std::io::Read;

use axum::body::Body;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

/// Where the dashboard is.
const BASE: &str = "/admin";

/// Where the page that starts the application wants its nonce.
const PLACEHOLDER: &str = "__CSP_NONCE__";

/// What is shown where the binary was built without its dashboard.
const NOT_BUILT: &str = "<!doctype html><title>Sluice</title><h1>The dashboard is not part of this build</h1>\
                         <p><code>make build</code> builds it with the binary. The API is at \
                         <a href=\"/api/v1/openapi.json\">/api/v1</a>, the Admin API at /apisix/admin.</p>";

#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Files;

/// A file, or the way to it.
enum Found {
    File(EmbeddedFile),
    Compressed(EmbeddedFile),
}

/// The answer to a request that is for the dashboard; `None` where it is not.
pub(crate) fn answer(parts: &Parts) -> Option<Response> {
    if parts.method != Method::GET && parts.method != Method::HEAD {
        return None;
    }
    let path = parts.uri.path();
    if path == "/" || path == BASE {
        return Some(redirect());
    }
    let below = path.strip_prefix(BASE)?.strip_prefix('/')?;
    // A missing script is missing: a page in its place would only confuse.
    let is_page = below == "index.html" || (!below.starts_with("assets/") && find(below).is_none());
    let nonce = is_page.then(|| STANDARD.encode(rand::random::<[u8; 16]>()));
    let mut response = match (&nonce, find(below)) {
        (Some(nonce), _) => page(nonce),
        (None, Some(found)) => file(below, found, &parts.headers),
        (None, None) => status(StatusCode::NOT_FOUND),
    };
    protect(response.headers_mut(), nonce.as_deref());
    Some(response)
}

/// What a browser may load. Scripts, styles and pictures come from here alone; the style elements that the application
/// makes carry the nonce of its page.
fn policy(nonce: Option<&str>) -> String {
    let nonce = nonce.map(|nonce| format!(" 'nonce-{nonce}'")).unwrap_or_default();
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'{nonce}; img-src 'self' data: blob:; font-src 'self'; \
         connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )
}

/// The page that starts the application. It differs with every answer, so nobody may keep it.
fn page(nonce: &str) -> Response {
    let text = match find("index.html") {
        Some(Found::File(file)) => file.data.into_owned(),
        Some(Found::Compressed(file)) => inflated(&file.data),
        None => NOT_BUILT.as_bytes().to_vec(),
    };
    let mut response = Response::new(Body::from(
        String::from_utf8_lossy(&text).replace(PLACEHOLDER, nonce),
    ));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(content_type("index.html")),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn find(name: &str) -> Option<Found> {
    if let Some(file) = Files::get(name) {
        return Some(Found::File(file));
    }
    Files::get(&format!("{name}.gz")).map(Found::Compressed)
}

fn file(name: &str, found: Found, headers: &HeaderMap) -> Response {
    let (file, compressed) = match found {
        Found::File(file) => (file, false),
        Found::Compressed(file) => (file, true),
    };
    let tag: String = file
        .metadata
        .sha256_hash()
        .iter()
        .take(12)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let tag = format!("\"{tag}\"");
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes() == tag.as_bytes());
    if known {
        return status(StatusCode::NOT_MODIFIED);
    }
    let accepts = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let as_it_is = compressed && accepts.is_some_and(|accepts| accepts.contains("gzip"));
    let body = match compressed && !as_it_is {
        true => Body::from(inflated(&file.data)),
        false => Body::from(file.data.into_owned()),
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(name)));
    if as_it_is {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    // Names of assets change with their content.
    let cache = if name.starts_with("assets/") {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    response
}

/// Empty where it cannot be: what is embedded was compressed by our own build.
fn inflated(data: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match GzDecoder::new(data).read_to_end(&mut plain) {
        Ok(_) => plain,
        Err(_) => Vec::new(),
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "webmanifest") => "application/json",
        Some("woff2") => "font/woff2",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn redirect() -> Response {
    let mut response = status(StatusCode::FOUND);
    response
        .headers_mut()
        .insert(header::LOCATION, HeaderValue::from_static("/admin/"));
    response
}

fn protect(headers: &mut HeaderMap, nonce: Option<&str>) {
    if let Ok(policy) = HeaderValue::from_str(&policy(nonce)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let mut say =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::REFERRER_POLICY, "no-referrer");
    say(
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=()",
    );
}
