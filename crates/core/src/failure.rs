//! What a plugin or the gateway answers instead of an upstream, and how failures are described.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;
use sluice_llm::ErrorKind;
use sluice_net::Body;
use sluice_record::ResponseSource;

/// Who has to change something so that the request can succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller sent something wrong, or too much of it.
    Client,
    /// The gateway: its configuration or a defect.
    Gateway,
    /// The server behind the gateway.
    Upstream,
}

/// Whether another attempt makes sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request fails everywhere.
    Never,
    /// Another target may do better.
    NextTarget,
}

/// The body of an answer that the gateway makes.
#[derive(Debug, Default)]
pub enum ReplyBody {
    /// Nothing given: statuses from 300 get APISIX's HTML page, others stay empty (compat §0).
    #[default]
    Page,
    /// Text as it stands.
    Text(Cow<'static, str>),
    /// JSON, followed by one newline (compat §0).
    Json(Value),
    /// Bytes or a stream, sent as they are.
    Raw(Body),
}

/// An answer that ends the request.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Headers beside those that follow from the body.
    pub headers: HeaderMap,
    /// Its body.
    pub body: ReplyBody,
    /// Who made it.
    pub source: ResponseSource,
}

impl Reply {
    /// An answer with a status alone.
    #[must_use]
    pub fn status(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: ReplyBody::Page,
            source: ResponseSource::Apisix,
        }
    }

    /// An answer with a JSON body.
    #[must_use]
    pub fn json(status: StatusCode, body: Value) -> Self {
        Self {
            body: ReplyBody::Json(body),
            ..Self::status(status)
        }
    }

    /// An answer with a text body.
    #[must_use]
    pub fn text(status: StatusCode, body: impl Into<Cow<'static, str>>) -> Self {
        Self {
            body: ReplyBody::Text(body.into()),
            ..Self::status(status)
        }
    }

    /// An answer with bytes of the given content type.
    #[must_use]
    pub fn bytes(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Self {
        let mut reply = Self {
            body: ReplyBody::Raw(Body::from(body)),
            ..Self::status(status)
        };
        reply.headers.insert(header::CONTENT_TYPE, content_type);
        reply
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.append(name, value);
        self
    }
}

/// A failed request: who is at fault, whether to try elsewhere, what the client may see, what the log sees.
///
/// Rendered once, at the edge: with `reply` on routes of the `apisix` profile, in the client's dialect from `kind` and
/// `message` on native ones.
#[derive(Debug)]
pub struct Failure {
    /// Who is at fault.
    pub fault: Fault,
    /// Whether another target may be tried.
    pub retry: Retry,
    /// Class of the error in every LLM dialect.
    pub kind: ErrorKind,
    /// Short machine-readable code, for dialects that have one and for the record.
    pub code: &'static str,
    /// What the client may read. Never a secret, never an internal address.
    pub message: Cow<'static, str>,
    /// The member of the request that is at fault, for dialects that name it.
    pub param: Option<Cow<'static, str>>,
    /// What APISIX answers in this place.
    pub reply: Reply,
    /// For the log only.
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure whose APISIX form is the status alone.
    #[must_use]
    pub fn new(
        status: StatusCode,
        kind: ErrorKind,
        code: &'static str,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        let fault = if status.is_client_error() {
            Fault::Client
        } else {
            Fault::Gateway
        };
        Self {
            fault,
            retry: Retry::Never,
            kind,
            code,
            message: message.into(),
            param: None,
            reply: Reply::status(status),
            source: None,
        }
    }

    /// Sets the JSON body that APISIX answers with.
    #[must_use]
    pub fn apisix_json(mut self, body: Value) -> Self {
        self.reply.body = ReplyBody::Json(body);
        self
    }

    /// Sets the text body that APISIX answers with.
    #[must_use]
    pub fn apisix_text(mut self, body: impl Into<Cow<'static, str>>) -> Self {
        self.reply.body = ReplyBody::Text(body.into());
        self
    }

    /// Names the member of the request that is at fault.
    #[must_use]
    pub fn about(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Adds a header that both forms carry.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.reply.headers.append(name, value);
        self
    }

    /// Says that the upstream is at fault and whether to try another one.
    #[must_use]
    pub fn upstream(mut self, retry: Retry) -> Self {
        self.fault = Fault::Upstream;
        self.retry = retry;
        self
    }

    /// Attaches the cause, for the log.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The status of both forms.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.reply.status
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}): {}",
            self.reply.status.as_u16(),
            self.code,
            self.message
        )?;
        if let Some(source) = &self.source {
            write!(f, ": {source}")?;
        }
        Ok(())
    }
}
