//! Calls of the data path as a client, the way that a request takes.

use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use sluice_admin::DataPath;
use sluice_core::Services;
use sluice_proxy::Dialer;

/// The data path by a connection to oneself.
pub(crate) struct Loopback {
    pub(crate) services: Arc<Services>,
    pub(crate) dialer: Dialer,
    /// What the proxy is called.
    pub(crate) host: String,
}

impl DataPath for Loopback {
    fn call<'a>(
        &'a self,
        client: &'a str,
        request: Request<Body>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Body>, String>> + Send + 'a>> {
        Box::pin(self.send(client, request))
    }
}

impl Loopback {
    async fn send(&self, client: &str, mut request: Request<Body>) -> Result<Response<Body>, String> {
        let key = self.services.impersonation.mint(client);
        let key = key.ok_or("too many such calls are just being begun")?;
        let bearer = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|error| error.to_string())?;
        let host = HeaderValue::from_str(&self.host).map_err(|error| error.to_string())?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        request.headers_mut().insert(header::HOST, host);
        let stream = self.dialer.dial().await.ok_or("the proxy has stopped")?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("the proxy cannot be reached: {error}"))?;
        // Ends with the answer's body, or when whoever reads it goes away.
        tokio::spawn(connection);
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| format!("the call broke off: {error}"))?;
        Ok(answer.map(Body::new))
    }
}
