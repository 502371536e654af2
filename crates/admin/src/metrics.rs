//! Metrics for Prometheus (compat §7).

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::api::Api;
use crate::reply::Reply;

/// User and password of basic authentication. Keeps a digest only.
#[derive(Clone)]
pub struct BasicAuth {
    /// SHA-256 of the base64 text that clients send.
    digest: [u8; 32],
}

impl BasicAuth {
    /// These, and no others.
    pub fn new(username: &str, password: &str) -> Self {
        let sent = STANDARD.encode(format!("{username}:{password}"));
        Self {
            digest: Sha256::digest(sent).into(),
        }
    }

    /// Whether a request brings them, in constant time.
    fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return false;
        };
        let mut parts = value.as_bytes().splitn(2, |byte| *byte == b' ');
        let (Some(scheme), Some(sent)) = (parts.next(), parts.next()) else {
            return false;
        };
        let digest: [u8; 32] = Sha256::digest(sent.trim_ascii()).into();
        scheme.eq_ignore_ascii_case(b"basic") && digest.ct_eq(&self.digest).into()
    }
}

/// Shows nothing.
impl fmt::Debug for BasicAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BasicAuth")
    }
}

impl Api {
    pub(crate) fn metrics(&self, headers: &HeaderMap) -> Reply {
        let auth = self.state.options.metrics_auth.as_ref();
        if auth.is_some_and(|auth| !auth.admits(headers)) {
            let challenge = HeaderValue::from_static("Basic realm=\"metrics\"");
            return Reply::empty(StatusCode::UNAUTHORIZED).with_header(header::WWW_AUTHENTICATE, challenge);
        }
        let content_type = HeaderValue::from_static(sluice_observe::CONTENT_TYPE);
        Reply::text(StatusCode::OK, self.state.metrics.encode())
            .with_header(header::CONTENT_TYPE, content_type)
    }

    /// Whether metrics are at a path.
    pub(crate) fn has_metrics_at(&self, path: &str) -> bool {
        path == "/metrics" || path == self.state.options.metrics_path
    }

    /// What a listener for metrics alone serves. Whoever reaches it may ask: it has no allow list.
    pub(crate) fn metrics_router(self: &Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(Arc::clone(self))
    }
}

async fn answer(State(api): State<Arc<Api>>, request: Request) -> Response {
    let reading = matches!(*request.method(), Method::GET | Method::HEAD);
    let reply = match request.uri().path() {
        path if reading && api.has_metrics_at(path) => api.metrics(request.headers()),
        _ => Reply::empty(StatusCode::NOT_FOUND),
    };
    reply.into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_credentials_pass() {
        let auth = BasicAuth::new("prom", "s3:cret");
        let admits = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
            auth.admits(&headers)
        };
        let right = STANDARD.encode("prom:s3:cret");
        assert!(admits(&format!("Basic {right}")));
        assert!(admits(&format!("basic  {right}")));
        for wrong in [
            "",
            "Basic",
            "Basic ",
            &right,
            &format!("Bearer {right}"),
            "Basic cHJvbQ==",
        ] {
            assert!(!admits(wrong), "{wrong}");
        }
        assert!(!auth.admits(&HeaderMap::new()));
        assert_eq!(format!("{auth:?}"), "BasicAuth");
    }
}
