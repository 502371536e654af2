//! Calls of the data path as a client, through the proxy's own listener.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::header::{self, HeaderValue};
use http::{Request, Response};
use hyper_util::rt::TokioIo;
use sluice_admin::DataPath;
use sluice_core::Services;
use tokio::net::TcpStream;

/// The own listener accepts at once, or something is wrong.
const CONNECT: Duration = Duration::from_secs(5);

/// The data path by a connection to oneself.
pub(crate) struct Loopback {
    pub(crate) services: Arc<Services>,
    /// Where the proxy speaks plain HTTP.
    pub(crate) proxy: Option<SocketAddr>,
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
        let addr = self
            .proxy
            .map(reachable)
            .ok_or("the proxy has no listener without TLS, through which such calls go")?;
        let key = self.services.impersonation.mint(client);
        let key = key.ok_or("too many such calls are just being begun")?;
        let bearer = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|error| error.to_string())?;
        let host = HeaderValue::from_str(&addr.to_string()).map_err(|error| error.to_string())?;
        request.headers_mut().insert(header::AUTHORIZATION, bearer);
        request.headers_mut().insert(header::HOST, host);
        let unreachable = |error: &dyn std::fmt::Display| format!("the proxy cannot be reached: {error}");
        let stream = tokio::time::timeout(CONNECT, TcpStream::connect(addr))
            .await
            .map_err(|error| unreachable(&error))?
            .map_err(|error| unreachable(&error))?;
        stream.set_nodelay(true).map_err(|error| unreachable(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| unreachable(&error))?;
        // Ends with the answer's body, or when whoever reads it goes away.
        tokio::spawn(connection);
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| format!("the call broke off: {error}"))?;
        Ok(answer.map(Body::new))
    }
}

/// A listener on all addresses is reached by loopback.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}
