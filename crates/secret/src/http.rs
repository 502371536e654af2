//! Asking a secret manager over HTTP.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sluice_net::{Body, Origin, OriginConfig, Origins, Pool, Replay, Scheme, Timeouts};

use crate::manager::SecretReadError;

/// Largest answer that is read.
const ANSWER_MAX: u64 = 1 << 20;

/// What stays as it is in a path.
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// Limits of one exchange; reading a document has one of its own over all.
const TIMEOUTS: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    send: Duration::from_secs(5),
    read: Duration::from_secs(5),
};

/// Connections to secret managers.
pub(crate) struct Http {
    pub(crate) pool: Pool,
    pub(crate) origins: Origins,
}

/// The server that a URL names.
pub(crate) struct Server {
    http: Arc<Http>,
    origin: Arc<Origin>,
    /// The URL's path, without a slash at its end.
    pub(crate) path: String,
}

impl Server {
    pub(crate) fn new(http: &Arc<Http>, url: &str, verify: bool) -> Result<Self, String> {
        let invalid = || "its address is not an http or https URL".to_owned();
        let uri: Uri = url.parse().map_err(|_| invalid())?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(invalid()),
        };
        let host = uri.host().ok_or_else(invalid)?;
        let port = uri.port_u16().unwrap_or_else(|| scheme.default_port());
        let mut origin = OriginConfig::new(scheme, host, port);
        origin.tls.verify = verify;
        origin.replay = Replay::Any;
        Ok(Self {
            http: http.clone(),
            origin: http.origins.get(origin).map_err(|error| error.to_string())?,
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The `Host` that it is asked for.
    pub(crate) fn host(&self) -> &HeaderValue {
        self.origin.host_header()
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.http.pool
    }

    /// Status and body of its answer.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Result<(StatusCode, Bytes), SecretReadError> {
        let answer = self.http.pool.send(&self.origin, request, TIMEOUTS).await;
        let (head, body) = answer.map_err(SecretReadError::failed)?.response.into_parts();
        let body = body.collect_limited(ANSWER_MAX).await;
        Ok((head.status, body.map_err(SecretReadError::failed)?))
    }
}

/// A path as it goes over the wire; empty segments are dropped.
pub(crate) fn encoded(path: &str) -> String {
    let segments: Vec<_> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    utf8_percent_encode(&segments.join("/"), PATH).to_string()
}

/// A request that cannot be made out of what is configured.
pub(crate) fn unsendable<E>(_: E) -> SecretReadError {
    SecretReadError::Failed("its configuration does not make a valid request".to_owned())
}

/// An answer that is none of those that mean something.
pub(crate) fn unexpected(status: StatusCode) -> SecretReadError {
    SecretReadError::Failed(format!("it answered {status}"))
}

/// An answer that means success and holds no secret.
pub(crate) fn meaningless<E>(_: E) -> SecretReadError {
    SecretReadError::Failed("its answer is not understood".to_owned())
}

/// A header that shows in no log.
pub(crate) fn hidden(value: &str) -> Result<HeaderValue, String> {
    let mut value =
        HeaderValue::from_str(value).map_err(|_| "its token cannot be sent in a header".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}
