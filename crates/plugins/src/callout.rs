//! Asking an HTTP service in the middle of a request: moderators, embeddings, searches, authorisation.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri, header};
use serde_json::Value;
use sluice_core::{CompileError, Services};
use sluice_net::{
    Body, BodyError, ClientTls, Origin, OriginConfig, Pool, PoolSettings, Replay, Scheme, SendError, Timeouts,
};

/// Where a service is, and how it is to be called. Times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CalloutConfig<'a> {
    /// `http` or `https`, with path and query if need be.
    pub(crate) url: &'a str,
    pub(crate) ssl_verify: bool,
    /// For connecting, sending and each read, and for the answer's body as a whole.
    pub(crate) timeout: u64,
    /// Connections that wait for the next call, per thread; 0 closes each after its call.
    pub(crate) keepalive_pool: usize,
    pub(crate) keepalive_timeout: u64,
    /// Most bytes of an answer.
    pub(crate) answer_max: u64,
}

impl<'a> CalloutConfig<'a> {
    /// A service with the usual settings.
    pub(crate) fn new(url: &'a str) -> Self {
        Self {
            url,
            ssl_verify: true,
            timeout: 10_000,
            keepalive_pool: 30,
            keepalive_timeout: 60_000,
            answer_max: 16 << 20,
        }
    }
}

/// A service that can be called.
pub(crate) struct Callout {
    origin: Arc<Origin>,
    target: PathAndQuery,
    authority: HeaderValue,
    timeout: Duration,
    answer_max: u64,
}

/// What a service answered.
#[derive(Debug)]
pub(crate) struct CalloutAnswer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Why a service did not answer. The texts name no address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CalloutError {
    #[error("cannot be reached: {0}")]
    Unanswered(#[from] SendError),
    #[error("its answer breaks off: {0}")]
    Broken(#[from] BodyError),
    #[error("its answer takes too long")]
    Slow,
}

impl Callout {
    pub(crate) fn compile(config: CalloutConfig<'_>, services: &Services) -> Result<Self, CompileError> {
        // Without the address itself, whose query may hold a key.
        let unusable =
            |reason: &dyn std::fmt::Display| CompileError(format!("endpoint cannot be used: {reason}"));
        let uri: Uri = config.url.parse().map_err(|error| unusable(&error))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(unusable(&"its scheme is neither http nor https")),
        };
        let host = uri.host().ok_or_else(|| unusable(&"it has no host"))?;
        let port = uri.port_u16().unwrap_or_else(|| scheme.default_port());
        let authority = match uri.port_u16() {
            Some(port) if port != scheme.default_port() => format!("{host}:{port}"),
            _ => host.to_owned(),
        };
        let origin = OriginConfig {
            tls: ClientTls {
                verify: config.ssl_verify,
                ..ClientTls::default()
            },
            pool: PoolSettings {
                max_idle: config.keepalive_pool,
                idle_timeout: Duration::from_millis(config.keepalive_timeout),
                ..PoolSettings::default()
            },
            // To ask twice changes nothing.
            replay: Replay::Any,
            ..OriginConfig::new(scheme, host, port)
        };
        let target = uri.path_and_query().cloned();
        Ok(Self {
            origin: services.origins.get(origin).map_err(|error| unusable(&error))?,
            target: target.unwrap_or_else(|| PathAndQuery::from_static("/")),
            authority: HeaderValue::from_str(&authority).map_err(|error| unusable(&error))?,
            timeout: Duration::from_millis(config.timeout),
            answer_max: config.answer_max,
        })
    }

    /// `host[:port]` as the `Host` header says it, which signatures cover.
    pub(crate) fn authority(&self) -> &HeaderValue {
        &self.authority
    }

    /// Path and query that are called.
    pub(crate) fn target(&self) -> &PathAndQuery {
        &self.target
    }

    /// Sends a request; its target is set here.
    pub(crate) async fn ask(
        &self,
        pool: &Pool,
        mut request: Request<Body>,
    ) -> Result<CalloutAnswer, CalloutError> {
        let limits = Timeouts {
            connect: self.timeout,
            send: self.timeout,
            read: self.timeout,
        };
        *request.uri_mut() = self.target.clone().into();
        let answer = pool.send(&self.origin, request, limits).await?;
        let (head, body) = answer.response.into_parts();
        let body = tokio::time::timeout(self.timeout, body.collect_limited(self.answer_max))
            .await
            .map_err(|_| CalloutError::Slow)??;
        Ok(CalloutAnswer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// POSTs a JSON body.
    pub(crate) async fn post_json(
        &self,
        pool: &Pool,
        mut headers: HeaderMap,
        body: &Value,
    ) -> Result<CalloutAnswer, CalloutError> {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::HOST, self.authority.clone());
        let mut request = Request::new(Body::from(Bytes::from(body.to_string())));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        self.ask(pool, request).await
    }
}
