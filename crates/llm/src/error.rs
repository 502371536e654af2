//! Errors as clients see them: one value, rendered in the dialect that the client speaks.

mod class;
mod dialect;
mod provider;
mod render;
mod within;

use std::borrow::Cow;

use http::StatusCode;

pub use self::class::ErrorClass;
pub use self::dialect::Dialect;
pub use self::provider::ProviderMessage;
pub(crate) use self::within::{error_in, says_something};

/// What kind of error a client is shown. Every dialect has a word for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request is malformed, or asks for what cannot be done.
    InvalidRequest,
    /// No credential, or one that is not known.
    Authentication,
    /// The credential does not allow this.
    Permission,
    /// No such route, model or object.
    NotFound,
    /// The body is over a limit.
    RequestTooLarge,
    /// A rate, quota or budget is used up.
    RateLimit,
    /// The upstream did not answer in time.
    Timeout,
    /// The upstream could not be reached, or failed.
    Upstream,
    /// Upstream or gateway take no more work at present.
    Overloaded,
    /// A defect of the gateway.
    Internal,
}

impl ErrorKind {
    /// The status that goes with it unless another is given (llm-protocols §17).
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::Authentication => StatusCode::UNAUTHORIZED,
            Self::Permission => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::RequestTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::RateLimit => StatusCode::TOO_MANY_REQUESTS,
            Self::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Self::Upstream => StatusCode::BAD_GATEWAY,
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

/// An error with nothing in it that a client must not see.
///
/// ```
/// use sluice_llm::{Dialect, ErrorKind, PublicError};
///
/// let error = PublicError::new(ErrorKind::NotFound, "no such model").with_code("model_not_found");
/// assert_eq!(
///     error.body(Dialect::OpenAi, None),
///     r#"{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicError {
    status: StatusCode,
    kind: ErrorKind,
    message: Cow<'static, str>,
    code: Option<Cow<'static, str>>,
    param: Option<Cow<'static, str>>,
}

impl PublicError {
    /// An error with the status of its kind.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status: kind.status(),
            kind,
            message: message.into(),
            code: None,
            param: None,
        }
    }

    /// What the client is told of a provider's error answer (llm-protocols §17).
    ///
    /// The provider's message is kept where the client can do something about it. That the provider refuses the
    /// gateway's own credentials or account is no business of the client's: it sees a bad gateway.
    #[must_use]
    pub fn from_upstream(status: StatusCode, body: &[u8]) -> Self {
        let hidden = match status.as_u16() {
            401 | 403 => Some(("the provider refused the gateway's credentials", "upstream_auth")),
            402 => Some(("the provider refused the gateway's account", "upstream_billing")),
            _ => None,
        };
        if let Some((message, code)) = hidden {
            return Self::new(ErrorKind::Upstream, message).with_code(code);
        }
        let said = ProviderMessage::read(body);
        let message = match &said {
            Some(said) => Cow::Owned(said.message.clone()),
            None => Cow::Owned(format!("the provider answered with status {}", status.as_u16())),
        };
        let (kind, status) = match status.as_u16() {
            404 => (ErrorKind::NotFound, status),
            408 | 504 => (ErrorKind::Timeout, ErrorKind::Timeout.status()),
            413 => (ErrorKind::RequestTooLarge, status),
            429 => (ErrorKind::RateLimit, status),
            503 | 529 => (ErrorKind::Overloaded, ErrorKind::Overloaded.status()),
            400..=499 => (ErrorKind::InvalidRequest, status),
            _ => (ErrorKind::Upstream, ErrorKind::Upstream.status()),
        };
        let (code, param) = said.map(|said| (said.code, said.param)).unwrap_or_default();
        Self {
            status,
            kind,
            message,
            code: code.map(Cow::Owned),
            param: param.map(Cow::Owned),
        }
    }

    /// The error that a provider put into an answer whose status is a success.
    ///
    /// ```
    /// use sluice_llm::PublicError;
    ///
    /// let error = PublicError::in_answer(br#"{"error":{"code":429,"message":"slow down"}}"#).unwrap();
    /// assert_eq!(error.message(), "slow down");
    /// assert_eq!(PublicError::in_answer(br#"{"choices":[],"error":null}"#), None);
    /// ```
    #[must_use]
    pub fn in_answer(body: &[u8]) -> Option<Self> {
        // Most answers have no such word.
        memchr::memmem::find(body, b"error\"")?;
        error_in(body)
    }

    /// Sets the machine-readable code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<Cow<'static, str>>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Names the member of the request that is at fault.
    #[must_use]
    pub fn with_param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Sets another status than the kind's.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The machine-readable code.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The status to answer with. Anthropic's clients know overload by a status of their own.
    #[must_use]
    pub fn status(&self, dialect: Dialect) -> StatusCode {
        const SITE_IS_OVERLOADED: u16 = 529;
        if dialect == Dialect::Anthropic && self.status == StatusCode::SERVICE_UNAVAILABLE {
            return StatusCode::from_u16(SITE_IS_OVERLOADED).unwrap_or(self.status);
        }
        self.status
    }
}

#[cfg(test)]
mod tests;
