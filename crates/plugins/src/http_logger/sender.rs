//! Sends batches of log entries by HTTP.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use sluice_core::{CompileError, Services};
use sluice_observe::{BatchSender, Delivered, HttpTarget, HttpTargetConfig, RemoteError};

use super::Config;
use crate::logger::json_of;

/// How entries become one body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Concat {
    /// An array.
    Json,
    /// Lines.
    NewLine,
}

/// Sends batches to one address.
#[derive(Clone)]
pub(super) struct HttpSender {
    target: HttpTarget,
    concat: Concat,
    /// Batches hold one entry, which is sent without anything around it.
    single: bool,
}

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpSendError {
    #[error("server returned status code[{0}]")]
    Status(u16),
    #[error(transparent)]
    Unanswered(#[from] RemoteError),
}

impl HttpSender {
    pub(super) fn compile(config: &Config, services: &Services) -> Result<Self, CompileError> {
        let content_type = match config.concat_method {
            Concat::Json => "application/json",
            Concat::NewLine => "text/plain",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if let Some(authorization) = &config.auth_header {
            let mut value = HeaderValue::from_str(authorization)
                .map_err(|_| CompileError("auth_header cannot be a header value".to_owned()))?;
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        let target = HttpTargetConfig {
            verify: config.ssl_verify,
            timeout: Duration::from_secs(config.timeout),
            headers,
            ..HttpTargetConfig::new(&config.uri)
        };
        let target = HttpTarget::new(target, &services.background_pool, &services.origins)
            .map_err(|error| CompileError(format!("uri cannot be used: {error}")))?;
        Ok(Self {
            target,
            concat: config.concat_method,
            single: config.batch_max_size == 1,
        })
    }

    #[cfg(test)]
    pub(super) fn request(&self, entries: &[Vec<u8>]) -> http::Request<sluice_net::Body> {
        self.target.request(self.body(entries))
    }

    fn body(&self, entries: &[Vec<u8>]) -> Bytes {
        match self.concat {
            Concat::NewLine => entries.join(&b'\n').into(),
            Concat::Json => json_of(entries, self.single).into(),
        }
    }
}

impl BatchSender<Vec<u8>> for HttpSender {
    type Error = HttpSendError;

    async fn send(&self, entries: &[Vec<u8>]) -> Result<Delivered, HttpSendError> {
        match self.target.post(self.body(entries)).await?.status.as_u16() {
            status @ 400.. => Err(HttpSendError::Status(status)),
            _ => Ok(Delivered::default()),
        }
    }
}
