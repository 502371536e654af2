//! The request as plugins see it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use sluice_net::{Body, BodyError};
use sluice_record::Text;

/// What the client sent, and what plugins made of it.
pub struct Request {
    /// Its method.
    pub method: Method,
    /// The request target as received.
    pub uri: Uri,
    /// Its protocol version.
    pub version: Version,
    /// Its headers. Plugins edit them in place; the edited form goes upstream.
    pub headers: HeaderMap,
    /// Its body.
    pub body: RequestBody,
    /// Normalised path (compat §2.1).
    pub path: Text,
    /// Query as received; plugins may edit it.
    pub query: Option<String>,
    /// `Host` in lower case, without its port; empty when the client sent none.
    pub host: Text,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The client's address.
    pub peer: SocketAddr,
    /// The address it connected to.
    pub local: SocketAddr,
    /// Size of its head, as nearly as it is known.
    pub head_bytes: u64,
    /// The client's connection after it leaves HTTP, if it asked to.
    pub upgrade: Option<hyper::upgrade::OnUpgrade>,
}

impl Request {
    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first value of a query argument, percent-decoded.
    #[must_use]
    pub fn query_arg(&self, name: &str) -> Option<String> {
        query_pairs(self.query.as_deref()?).find(|(key, _)| decode(key) == name).map(|(_, value)| decode(value))
    }

    /// Removes every occurrence of a query argument.
    pub fn remove_query_arg(&mut self, name: &str) {
        let Some(query) = &self.query else { return };
        let kept: Vec<&str> =
            query.split('&').filter(|pair| decode(pair.split('=').next().unwrap_or_default()) != name).collect();
        self.query = if kept.is_empty() { None } else { Some(kept.join("&")) };
    }

    /// All query arguments in the order they stand, percent-decoded; `None` for one without `=`.
    pub fn query_args(&self) -> impl Iterator<Item = (String, Option<String>)> + '_ {
        let pairs = self.query.as_deref().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        pairs.map(|pair| match pair.split_once('=') {
            Some((name, value)) => (decode(name), Some(decode(value))),
            None => (decode(pair), None),
        })
    }

    /// The value of a cookie.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let values = self.headers.get_all(http::header::COOKIE);
        let pairs = values.iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
        pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// The first field of that name in a form-encoded body.
pub(crate) fn form_field(form: &str, name: &str) -> Option<String> {
    query_pairs(form).find(|(key, _)| decode(key) == name).map(|(_, value)| decode(value))
}

fn query_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

pub(crate) fn decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}

/// What plugins want of the upstream request instead of the client's own (`proxy-rewrite`).
#[derive(Default)]
pub struct UpstreamOverrides {
    /// Path and query, percent-encoded.
    pub path_and_query: Option<String>,
    /// Method.
    pub method: Option<Method>,
    /// `Host` header.
    pub host: Option<HeaderValue>,
}

/// A request body that is read at most once and then shared.
pub struct RequestBody {
    state: BodyState,
    changed: bool,
}

enum BodyState {
    Pending(Body),
    Ready(Bytes),
    Taken,
}

/// Why a request body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadBodyError {
    /// It is larger than allowed. The text is APISIX's (compat §4.2).
    #[error("request size {size} is greater than the maximum size {limit} allowed")]
    TooLarge {
        /// Announced size, or the bytes that arrived before the limit was passed.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The client broke off or sent a malformed body.
    #[error("request body could not be read: {0}")]
    Broken(#[from] BodyError),
    /// Somebody else took the body: a defect of the gateway.
    #[error("request body was already forwarded")]
    Taken,
}

impl RequestBody {
    /// A body that has not been read.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self { state: BodyState::Pending(body), changed: false }
    }

    /// Reads the body whole; later calls return the same bytes.
    ///
    /// # Errors
    /// When it is larger than `limit` bytes, or the client does not send it whole.
    pub async fn read(&mut self, limit: u64) -> Result<Bytes, ReadBodyError> {
        match std::mem::replace(&mut self.state, BodyState::Taken) {
            BodyState::Ready(bytes) => {
                self.state = BodyState::Ready(bytes.clone());
                check_size(bytes.len() as u64, limit)?;
                Ok(bytes)
            }
            BodyState::Taken => Err(ReadBodyError::Taken),
            BodyState::Pending(body) => {
                if let Some(announced) = http_body::Body::size_hint(&body).exact() {
                    check_size(announced, limit)?;
                }
                let bytes = body.collect_limited(limit).await.map_err(|error| match error {
                    BodyError::TooLarge { read, limit } => ReadBodyError::TooLarge { size: read, limit },
                    other => ReadBodyError::Broken(other),
                })?;
                self.state = BodyState::Ready(bytes.clone());
                Ok(bytes)
            }
        }
    }

    /// The body, if it has been read.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.state {
            BodyState::Ready(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Replaces the body with what a plugin made of it.
    pub fn replace(&mut self, bytes: Bytes) {
        self.state = BodyState::Ready(bytes);
        self.changed = true;
    }

    /// Puts something between the client and whoever reads the body. A body that was read already stays as it is.
    pub fn wrap(&mut self, wrap: impl FnOnce(Body) -> Body) {
        if let BodyState::Pending(body) = &mut self.state {
            *body = wrap(std::mem::take(body));
        }
    }

    /// Whether a plugin replaced the body.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        self.changed
    }

    /// Takes the body to send it upstream; what was read stays readable.
    pub fn take(&mut self) -> Body {
        match std::mem::replace(&mut self.state, BodyState::Taken) {
            BodyState::Pending(body) => body,
            BodyState::Ready(bytes) => {
                self.state = BodyState::Ready(bytes.clone());
                Body::from(bytes)
            }
            BodyState::Taken => Body::empty(),
        }
    }
}

fn check_size(size: u64, limit: u64) -> Result<(), ReadBodyError> {
    if size > limit { Err(ReadBodyError::TooLarge { size, limit }) } else { Ok(()) }
}
