//! The dashboard's files, as they were built into the binary.
//!
//! Texts are kept compressed. The pages are one application: every path below `/admin/` that is no file is its index.

use std::io::Read;

use axum::body::Body;
use axum::response::Response;
use flate2::read::GzDecoder;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use rust_embed::{EmbeddedFile, RustEmbed};

/// Where the dashboard is.
const BASE: &str = "/admin";

/// Scripts, styles and pictures come from here alone. Mantine sets sizes and colours by style attributes.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; \
                      font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

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
    let found = find(below).map(|found| (below, found));
    // A missing script is missing: a page in its place would only confuse.
    let index = || {
        find("index.html")
            .filter(|_| !below.starts_with("assets/"))
            .map(|found| ("index.html", found))
    };
    let mut response = match found.or_else(index) {
        Some((name, found)) => file(name, found, &parts.headers),
        None if below.starts_with("assets/") => status(StatusCode::NOT_FOUND),
        None => html(NOT_BUILT),
    };
    protect(response.headers_mut());
    Some(response)
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
        true => inflated(&file.data),
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

fn inflated(data: &[u8]) -> Body {
    let mut plain = Vec::new();
    match GzDecoder::new(data).read_to_end(&mut plain) {
        Ok(_) => Body::from(plain),
        Err(_) => Body::empty(),
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

fn html(page: &'static str) -> Response {
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
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

fn protect(headers: &mut HeaderMap) {
    let mut say =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    say(header::CONTENT_SECURITY_POLICY, POLICY);
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::REFERRER_POLICY, "no-referrer");
    say(
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=()",
    );
}
