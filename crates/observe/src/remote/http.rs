//! HTTP servers.

use std::sync::Arc;
use std::time::Duration;

use ::http::uri::PathAndQuery;
use ::http::{HeaderMap, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use sluice_net::{
    Body, ClientTls, Origin, OriginConfig, OriginError, Origins, Pool, PoolSettings, Replay, Scheme,
    SendError, Timeouts,
};

/// An address to post to, and how.
#[derive(Clone, Debug)]
pub struct HttpTargetConfig<'a> {
    /// `http` or `https`, host, port, path and query.
    pub uri: &'a str,
    /// Whether the server's certificate must hold.
    pub verify: bool,
    /// Limit for connecting, and for each send and read.
    pub timeout: Duration,
    /// Idle connections.
    pub pool: PoolSettings,
    /// Sent with every request.
    pub headers: HeaderMap,
    /// Bytes of an answer that are read.
    pub max_answer: u64,
}

impl<'a> HttpTargetConfig<'a> {
    /// Verified, three seconds, and answers that nobody looks at.
    #[must_use]
    pub fn new(uri: &'a str) -> Self {
        Self {
            uri,
            verify: true,
            timeout: Duration::from_secs(3),
            pool: PoolSettings::default(),
            headers: HeaderMap::new(),
            max_answer: 64 << 10,
        }
    }
}

/// Why an address cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HttpTargetError {
    /// Not an address.
    #[error(transparent)]
    Uri(#[from] ::http::uri::InvalidUri),
    /// Not HTTP.
    #[error("its scheme is neither http nor https")]
    Scheme,
    /// No host in it.
    #[error("it has no host")]
    NoHost,
    /// The host is none, or TLS cannot be set up.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

/// A compiled [`HttpTargetConfig`]. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct HttpTarget {
    pool: Pool,
    origin: Arc<Origin>,
    target: PathAndQuery,
    headers: HeaderMap,
    timeout: Duration,
    max_answer: u64,
}

/// What the server said.
#[derive(Debug)]
pub struct HttpAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its body; empty when it is longer than was to be read, or broke off.
    pub body: Bytes,
}

impl HttpTarget {
    /// Compiles an address. Connections are those of `pool`.
    ///
    /// # Errors
    /// When the address is none, or not for HTTP.
    pub fn new(
        config: HttpTargetConfig<'_>,
        pool: &Pool,
        origins: &Origins,
    ) -> Result<Self, HttpTargetError> {
        let uri: Uri = config.uri.parse()?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(HttpTargetError::Scheme),
        };
        let host = uri.host().ok_or(HttpTargetError::NoHost)?;
        let port = uri.port_u16().unwrap_or_else(|| scheme.default_port());
        let origin = OriginConfig {
            tls: ClientTls {
                verify: config.verify,
                ..ClientTls::default()
            },
            // An entry that comes twice is better than one that never comes.
            replay: Replay::Any,
            pool: config.pool,
            ..OriginConfig::new(scheme, host, port)
        };
        let root = || PathAndQuery::from_static("/");
        Ok(Self {
            pool: pool.clone(),
            origin: origins.get(origin)?,
            target: uri.path_and_query().cloned().unwrap_or_else(root),
            headers: config.headers,
            timeout: config.timeout,
            max_answer: config.max_answer,
        })
    }

    /// The request that [`post`](Self::post) sends.
    #[must_use]
    pub fn request(&self, body: Bytes) -> Request<Body> {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.clone().into();
        *request.headers_mut() = self.headers.clone();
        request
    }

    /// Posts `body`, and waits for the answer.
    ///
    /// # Errors
    /// When there is none in time.
    pub async fn post(&self, body: Bytes) -> Result<HttpAnswer, super::RemoteError> {
        let limits = Timeouts {
            connect: self.timeout,
            send: self.timeout,
            read: self.timeout,
        };
        let sent: Result<_, SendError> = self.pool.send(&self.origin, self.request(body), limits).await;
        let (head, body) = sent?.response.into_parts();
        // Whatever becomes of the body, the status has said it all.
        let body = tokio::time::timeout(self.timeout, body.collect_limited(self.max_answer)).await;
        Ok(HttpAnswer {
            status: head.status,
            body: body.ok().and_then(Result::ok).unwrap_or_default(),
        })
    }
}
