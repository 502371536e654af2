//! `/live`: what happens right now, over a WebSocket.
//!
//! A socket has no queue: twice a second it takes what is new and sends it. A slow reader is asked again when it has taken
//! what it got, and then gets the latest.

mod messages;
mod socket;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

pub(super) use self::messages::tiles;
use self::socket::Socket;
use crate::api::Api;
use crate::v1::dispatch::is_own_page;
use crate::v1::{ApiError, Call, Route, route};

/// Sockets that are open at once.
pub(crate) const MAX_SOCKETS: usize = 256;

/// Longest message that a page may send: a list of topics.
const MAX_MESSAGE: usize = 16 << 10;

pub(super) fn routes() -> Vec<Route> {
    vec![route!(GET "/live", Viewer, "What happens right now (WebSocket)", live)]
}

async fn live(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    // A cookie goes along with sockets of other sites, too.
    if !is_own_page(call.headers()) {
        return Err(ApiError::forbidden("this request comes from another site"));
    }
    let accept = accept(call.headers())?;
    let upgrade = call.parts.extensions.remove::<OnUpgrade>();
    let upgrade = upgrade.ok_or_else(|| ApiError::invalid("this connection cannot become a WebSocket"))?;
    let places = Arc::clone(&api.sockets);
    let place = places
        .try_acquire_owned()
        .map_err(|_| ApiError::unavailable(format!("{MAX_SOCKETS} pages are open already")))?;
    tokio::spawn(async move {
        match upgrade.await {
            Ok(connection) => {
                let config = WebSocketConfig::default()
                    .max_message_size(Some(MAX_MESSAGE))
                    .max_frame_size(Some(MAX_MESSAGE));
                let io = TokioIo::new(connection);
                let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
                Socket::new(api, call, stream).run().await;
            }
            Err(error) => tracing::debug!(%error, "a connection did not become a WebSocket"),
        }
        drop(place);
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// The answer to a handshake (RFC 6455 §4.2).
fn accept(headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    let has = |name, wanted: &str| {
        let values = headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok());
        let mut tokens = values.flat_map(|value| value.split(','));
        tokens.any(|token| token.trim().eq_ignore_ascii_case(wanted))
    };
    let key = headers.get(header::SEC_WEBSOCKET_KEY);
    match key {
        Some(key)
            if has(header::UPGRADE, "websocket")
                && has(header::CONNECTION, "upgrade")
                && has(header::SEC_WEBSOCKET_VERSION, "13") =>
        {
            HeaderValue::from_str(&derive_accept_key(key.as_bytes())).map_err(|_| ApiError::internal())
        }
        _ => Err(ApiError::invalid("this is for WebSockets, version 13")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_handshakes_are_accepted() {
        let mut headers = HeaderMap::new();
        assert!(accept(&headers).is_err());
        headers.insert("upgrade", HeaderValue::from_static("WebSocket"));
        headers.insert("connection", HeaderValue::from_static("keep-alive, Upgrade"));
        headers.insert("sec-websocket-version", HeaderValue::from_static("13"));
        headers.insert(
            "sec-websocket-key",
            HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ=="),
        );
        assert_eq!(accept(&headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        headers.insert("sec-websocket-version", HeaderValue::from_static("8"));
        assert!(accept(&headers).is_err());
    }
}
