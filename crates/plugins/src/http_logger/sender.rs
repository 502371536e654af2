//! Sends batches of log entries by HTTP.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Request, Uri, header};
use serde::Deserialize;
use sluice_core::{CompileError, Services};
use sluice_net::{
    Body, ClientTls, Origin, OriginConfig, Pool, Replay, Resolver, Scheme, SendError, Timeouts,
};
use sluice_observe::BatchSender;

use super::Config;

/// Bytes of an answer that are read so that its connection can be used again.
const ANSWER_MAX: u64 = 64 << 10;

/// How entries become one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Concat {
    /// An array.
    Json,
    /// Lines.
    NewLine,
}

/// Sends batches to one address, over connections of its own: those of the data plane belong to its threads.
#[derive(Clone)]
pub(super) struct HttpSender {
    pool: Pool,
    origin: Arc<Origin>,
    target: PathAndQuery,
    authorization: Option<HeaderValue>,
    concat: Concat,
    /// Batches hold one entry, which is sent without anything around it.
    single: bool,
    timeout: Duration,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpSendError {
    #[error("server returned status code[{0}]")]
    Status(u16),
    #[error(transparent)]
    Unanswered(#[from] SendError),
}

impl HttpSender {
    pub(super) fn compile(config: &Config, services: &Services) -> Result<Self, CompileError> {
        let unusable = |reason: &dyn std::fmt::Display| CompileError(format!("uri cannot be used: {reason}"));
        let uri: Uri = config.uri.parse().map_err(|error| unusable(&error))?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(unusable(&"its scheme is neither http nor https")),
        };
        let host = uri.host().ok_or_else(|| unusable(&"it has no host"))?;
        let port = uri.port_u16().unwrap_or_else(|| scheme.default_port());
        let target = OriginConfig {
            tls: ClientTls {
                verify: config.ssl_verify,
                ..ClientTls::default()
            },
            // An entry that comes twice is better than one that never comes.
            replay: Replay::Any,
            ..OriginConfig::new(scheme, host, port)
        };
        let resolver =
            Resolver::system(services.background.clone()).map_err(|e| CompileError(e.to_string()))?;
        let authorization = config
            .auth_header
            .as_deref()
            .map(HeaderValue::from_str)
            .transpose();
        let mut authorization =
            authorization.map_err(|_| CompileError("auth_header cannot be a header value".to_owned()))?;
        authorization
            .iter_mut()
            .for_each(|value| value.set_sensitive(true));
        Ok(Self {
            pool: Pool::new(resolver),
            origin: services.origins.get(target).map_err(|error| unusable(&error))?,
            target: uri
                .path_and_query()
                .cloned()
                .unwrap_or_else(|| PathAndQuery::from_static("/")),
            authorization,
            concat: config.concat_method,
            single: config.batch_max_size == 1,
            timeout: Duration::from_secs(config.timeout),
        })
    }

    pub(super) fn request(&self, entries: &[Vec<u8>]) -> Request<Body> {
        let content_type = match self.concat {
            Concat::Json => HeaderValue::from_static("application/json"),
            Concat::NewLine => HeaderValue::from_static("text/plain"),
        };
        let mut request = Request::new(Body::from(self.body(entries)));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.target.clone().into();
        request.headers_mut().insert(header::CONTENT_TYPE, content_type);
        if let Some(authorization) = &self.authorization {
            request
                .headers_mut()
                .insert(header::AUTHORIZATION, authorization.clone());
        }
        request
    }

    fn body(&self, entries: &[Vec<u8>]) -> Vec<u8> {
        match (self.concat, entries) {
            (_, [entry]) if self.single => entry.clone(),
            (Concat::NewLine, entries) => entries.join(&b'\n'),
            (Concat::Json, entries) => [b"[", &*entries.join(&b','), b"]"].concat(),
        }
    }
}

impl BatchSender<Vec<u8>> for HttpSender {
    type Error = HttpSendError;

    async fn send(&self, entries: &[Vec<u8>]) -> Result<(), HttpSendError> {
        let limits = Timeouts {
            connect: self.timeout,
            send: self.timeout,
            read: self.timeout,
        };
        let answer = self
            .pool
            .send(&self.origin, self.request(entries), limits)
            .await?;
        let (head, body) = answer.response.into_parts();
        // Whatever becomes of the body, the status has said it all.
        let _ = tokio::time::timeout(self.timeout, body.collect_limited(ANSWER_MAX)).await;
        match head.status.as_u16() {
            status @ 400.. => Err(HttpSendError::Status(status)),
            _ => Ok(()),
        }
    }
}
