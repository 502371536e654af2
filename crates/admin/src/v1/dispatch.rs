//! From a request to its endpoint: who calls, whether that is enough, whether it comes from our own page.

use std::sync::{Arc, LazyLock, Mutex};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::percent_decode_str;

use super::call::Signed;
use super::{ApiError, BASE, Call, Least, Route, session};
use crate::allow;
use crate::api::Api;
use crate::query::Query;

/// The header that proves that a write comes from our own page.
const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(super::routes);

/// Answers a request below [`BASE`]. `path` is normalised.
pub(crate) async fn serve(api: Arc<Api>, parts: Parts, path: &str, body: Body) -> Response {
    let below = path.strip_prefix(BASE).unwrap_or_default().to_owned();
    let mut response = answer(api, parts, &below, body)
        .await
        .unwrap_or_else(IntoResponse::into_response);
    protect(response.headers_mut());
    response
}

async fn answer(api: Arc<Api>, parts: Parts, below: &str, body: Body) -> Result<Response, ApiError> {
    let (route, params) = find(&parts, below)?;
    let peer = allow::peer(&parts.extensions);
    let signed = session::signed(&api, &parts.headers, peer).await?;
    check(route, signed.as_ref(), &parts.headers)?;
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    (route.run)(
        api,
        Call {
            parts,
            query,
            body: Mutex::new(body),
            params,
            signed,
            peer,
        },
    )
    .await
}

/// What stands for the names in a path.
type Params = Vec<(&'static str, String)>;

fn find(parts: &Parts, below: &str) -> Result<(&'static Route, Params), ApiError> {
    let mut other_method = false;
    for route in ROUTES.iter() {
        let Some(params) = matched(route.path, below) else {
            continue;
        };
        if route.method == parts.method {
            return Ok((route, params));
        }
        other_method = true;
    }
    Err(match other_method {
        true => ApiError::not_found(format!("{} is not for this path", parts.method)),
        false => ApiError::not_found("there is no such endpoint; /api/v1/openapi.json lists them all"),
    })
}

/// What stands for the names in a pattern, if the path fits.
fn matched(pattern: &'static str, path: &str) -> Option<Params> {
    let mut params = Vec::new();
    let mut segments = path.split('/');
    for wanted in pattern.split('/') {
        let segment = segments.next()?;
        if let Some(name) = wanted.strip_prefix('{').and_then(|name| name.strip_suffix("*}")) {
            params.push((name, path.to_owned()));
            return Some(params);
        }
        match wanted.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
            Some(name) if !segment.is_empty() => {
                params.push((name, percent_decode_str(segment).decode_utf8_lossy().into_owned()));
            }
            None if wanted == segment => {}
            _ => return None,
        }
    }
    segments.next().is_none().then_some(params)
}

/// Deny is what is left.
fn check(route: &Route, signed: Option<&Signed>, headers: &HeaderMap) -> Result<(), ApiError> {
    match (route.least, signed) {
        (Least::Anybody, _) => {}
        (_, None) => {
            return Err(ApiError::not_signed_in(
                "sign in first, or send a token: Authorization: Bearer …",
            ));
        }
        (least, Some(signed)) if signed.may(least) => {}
        (least, Some(signed)) => {
            let role = signed.role_name();
            return Err(ApiError::forbidden(format!(
                "this needs the role {}; you are {role}",
                name(least)
            )));
        }
    }
    if route.method.is_safe() {
        return Ok(());
    }
    if !is_own_page(headers) {
        return Err(ApiError::forbidden("this request comes from another site"));
    }
    // A token is sent on purpose; a cookie goes along by itself.
    let wanted = signed.and_then(|signed| signed.csrf.as_deref());
    match wanted {
        Some(wanted) if headers.get(CSRF).map(HeaderValue::as_bytes) != Some(wanted.as_bytes()) => Err(
            ApiError::forbidden("the header x-csrf-token is missing or wrong: GET /api/v1/session tells it"),
        ),
        _ => Ok(()),
    }
}

/// Whether a browser says that the request comes from another site.
pub(crate) fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if text(&FETCH_SITE).is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    match text(&header::ORIGIN) {
        None => true,
        Some(origin) => origin.split_once("://").map(|(_, host)| host) == text(&header::HOST),
    }
}

fn name(least: Least) -> &'static str {
    match least {
        Least::Anybody => "anybody",
        Least::Holder => "holder (a client's own key)",
        Least::Viewer => "viewer",
        Least::Admin => "admin",
        Least::Owner => "owner",
    }
}

/// What every answer of the API says to browsers.
fn protect(headers: &mut HeaderMap) {
    let mut say =
        |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    say(header::CACHE_CONTROL, "no-store");
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::X_FRAME_OPTIONS, "DENY");
    say(header::REFERRER_POLICY, "no-referrer");
    say(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        assert_eq!(matched("/clients", "/clients"), Some(vec![]));
        assert_eq!(
            matched("/clients/{id}", "/clients/a%2Fb"),
            Some(vec![("id", "a/b".to_owned())])
        );
        assert_eq!(matched("/clients/{id}", "/clients/"), None);
        assert_eq!(matched("/clients/{id}", "/clients/a/b"), None);
        assert!(matched("/playground/{client}/{path*}", "/playground/a/v1/models").is_some());
        assert_eq!(matched("/playground/{client}/{path*}", "/playground/a"), None);
        assert_eq!(
            matched("/clients/{id}/keys", "/clients/a/keys"),
            Some(vec![("id", "a".to_owned())])
        );
    }

    #[test]
    fn other_sites_are_told_apart() {
        let own = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_own_page(&headers)
        };
        assert!(own(&[("host", "a:1")]));
        assert!(own(&[
            ("host", "a:1"),
            ("origin", "http://a:1"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(!own(&[("host", "a:1"), ("origin", "http://b:1")]));
        assert!(!own(&[("host", "a:1"), ("origin", "null")]));
        assert!(!own(&[("host", "a:1"), ("sec-fetch-site", "cross-site")]));
    }
}
