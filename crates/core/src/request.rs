//! The request as plugins see it.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::sync::OnceLock;

use bytes::{Bytes, BytesMut};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue, Method, Uri, Version};
use http_body::Frame;
use http_body_util::StreamBody;
use sluice_net::{Body, BodyError};
use sluice_record::Text;
use sluice_wire::JsonView;

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
    /// Copies the headers out of the buffer that they were read into, so that it can be freed. For requests whose
    /// answer takes long: it saves the 8 KB that a connection reads at once.
    pub fn detach_headers(&mut self) {
        let bytes = self.headers.values().map(HeaderValue::len).sum();
        let mut copies = BytesMut::with_capacity(bytes);
        for value in self.headers.values() {
            copies.extend_from_slice(value.as_bytes());
        }
        let mut copies = copies.freeze();
        for value in self.headers.values_mut() {
            let copy = copies.split_to(value.len());
            if let Ok(mut copy) = HeaderValue::from_maybe_shared(copy) {
                copy.set_sensitive(value.is_sensitive());
                *value = copy;
            }
        }
    }

    /// The first value of a header, if it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The first value of a query argument, percent-decoded.
    #[must_use]
    pub fn query_arg(&self, name: &str) -> Option<String> {
        form_field(self.query.as_deref()?, name)
    }

    /// Removes every occurrence of a query argument.
    pub fn remove_query_arg(&mut self, name: &str) {
        let Some(query) = &self.query else { return };
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| decode(pair.split('=').next().unwrap_or_default()) != name)
            .collect();
        self.query = if kept.is_empty() {
            None
        } else {
            Some(kept.join("&"))
        };
    }

    /// All query arguments in the order they stand, percent-decoded; `None` for one without `=`.
    pub fn query_args(&self) -> impl Iterator<Item = (String, Option<String>)> + '_ {
        let pairs = self
            .query
            .as_deref()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty());
        pairs.map(|pair| match pair.split_once('=') {
            Some((name, value)) => (decode(name).into_owned(), Some(decode(value).into_owned())),
            None => (decode(pair).into_owned(), None),
        })
    }

    /// The value of a cookie.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let values = self.headers.get_all(COOKIE);
        let pairs = values
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(';'));
        pairs
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }

    /// Removes every occurrence of a cookie.
    pub fn remove_cookie(&mut self, name: &str) {
        let is_meant = |pair: &[u8]| {
            let key = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
            key.trim_ascii() == name.as_bytes()
        };
        let without = |value: &HeaderValue| {
            let pairs = value.as_bytes().split(|byte| *byte == b';');
            let pairs = pairs.map(<[u8]>::trim_ascii).filter(|pair| !is_meant(pair));
            pairs.collect::<Vec<_>>().join(&b"; "[..])
        };
        let kept: Vec<_> = self.headers.get_all(COOKIE).iter().map(without).collect();
        self.headers.remove(COOKIE);
        for value in kept.iter().filter(|value| !value.is_empty()) {
            if let Ok(value) = HeaderValue::from_bytes(value) {
                self.headers.append(COOKIE, value);
            }
        }
    }
}

/// The first field of that name in a form-encoded text, such as a query.
pub(crate) fn form_field(form: &str, name: &str) -> Option<String> {
    query_pairs(form)
        .find(|(key, _)| decode(key) == name)
        .map(|(_, value)| decode(value).into_owned())
}

fn query_pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// Form decoding. Borrowed when there is nothing to decode, as in nearly all names.
pub(crate) fn decode(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Cow::Borrowed(text);
    }
    let spaced = text.replace('+', " ");
    Cow::Owned(
        percent_encoding::percent_decode_str(&spaced)
            .decode_utf8_lossy()
            .into_owned(),
    )
}

/// What plugins want of the upstream request instead of the client's own (`proxy-rewrite`).
#[derive(Default)]
pub struct UpstreamOverrides {
    /// Path, percent-encoded, perhaps with a query of its own. The client's query follows it, as it is when the
    /// request is sent.
    pub path: Option<String>,
    /// Method.
    pub method: Option<Method>,
    /// `Host` header.
    pub host: Option<HeaderValue>,
}

/// A request body that is read at most once and then shared.
pub struct RequestBody {
    state: BodyState,
    changed: bool,
    /// Of the bytes at hand, once somebody looked into them.
    json: OnceLock<Option<Box<JsonView>>>,
}

enum BodyState {
    Pending(Body),
    Ready(Bytes),
    /// Given away, or lost while it was read.
    Gone,
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
    /// It was forwarded, or an earlier attempt to read it failed halfway.
    #[error("request body is not there any more")]
    Gone,
}

impl RequestBody {
    /// A body that has not been read.
    #[must_use]
    pub fn new(body: Body) -> Self {
        Self {
            state: BodyState::Pending(body),
            changed: false,
            json: OnceLock::new(),
        }
    }

    /// Reads the body whole; later calls return the same bytes.
    ///
    /// # Errors
    /// When it is larger than `limit` bytes, or the client does not send it whole. A body that announced its size
    /// stays there to be read with a higher limit.
    pub async fn read(&mut self, limit: u64) -> Result<Bytes, ReadBodyError> {
        match &self.state {
            BodyState::Ready(bytes) => {
                check_size(bytes.len() as u64, limit)?;
                return Ok(bytes.clone());
            }
            BodyState::Pending(body) => {
                let announced = http_body::Body::size_hint(body).exact();
                announced.map_or(Ok(()), |size| check_size(size, limit))?;
            }
            BodyState::Gone => {}
        }
        let BodyState::Pending(body) = std::mem::replace(&mut self.state, BodyState::Gone) else {
            return Err(ReadBodyError::Gone);
        };
        let bytes = body.collect_limited(limit).await.map_err(|error| match error {
            BodyError::TooLarge { read, limit } => ReadBodyError::TooLarge { size: read, limit },
            other => ReadBodyError::Broken(other),
        })?;
        self.state = BodyState::Ready(bytes.clone());
        Ok(bytes)
    }

    /// The body, if it has been read.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.state {
            BodyState::Ready(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The body as JSON, if it has been scanned as such before.
    #[must_use]
    pub fn scanned_json(&self) -> Option<&JsonView> {
        self.json.get()?.as_deref()
    }

    /// The body as JSON, if it has been read and is JSON. Scanned once, whoever asks.
    #[must_use]
    pub fn json(&self) -> Option<&JsonView> {
        let bytes = self.bytes()?;
        self.json
            .get_or_init(|| JsonView::parse(bytes.clone()).ok().map(Box::new))
            .as_deref()
    }

    /// Replaces the body with what a plugin made of it.
    pub fn replace(&mut self, bytes: Bytes) {
        self.state = BodyState::Ready(bytes);
        self.changed = true;
        self.json = OnceLock::new();
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

    /// Takes the body to send it upstream; what was read stays readable. A body that is not there any more comes as one
    /// that fails: to send nothing in its place would change the request.
    pub fn take(&mut self) -> Body {
        if let BodyState::Ready(bytes) = &self.state {
            return Body::from(bytes.clone());
        }
        match std::mem::replace(&mut self.state, BodyState::Gone) {
            BodyState::Pending(body) => body,
            _ => failing_body(),
        }
    }
}

fn failing_body() -> Body {
    let failure = Err::<Frame<Bytes>, _>(BodyError::other(ReadBodyError::Gone));
    Body::boxed(StreamBody::new(futures_util::stream::iter([failure])))
}

fn check_size(size: u64, limit: u64) -> Result<(), ReadBodyError> {
    if size > limit {
        Err(ReadBodyError::TooLarge { size, limit })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
