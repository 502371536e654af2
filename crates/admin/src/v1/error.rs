//! What goes wrong, as every endpoint tells it.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sluice_store::StoreError;

use super::fault;
use crate::reply::{Refusal, Reply};

/// `{"error": {"code", "message", "fields"?, "current"?}}` with its status.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    /// Which field is wrong, and how.
    fields: Vec<(String, String)>,
    /// What a write would have overwritten.
    current: Option<Box<Value>>,
    retry_after: Option<u64>,
}

impl ApiError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            fields: Vec::new(),
            current: None,
            retry_after: None,
        }
    }

    /// What was sent does not hold.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "validation", message)
    }

    /// One field does not hold.
    pub(crate) fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        let mut error = Self::invalid(format!("{field}: {message}"));
        error.fields.push((field, message));
        error
    }

    /// What a check says of a resource, with the member of which it says it, as a dotted path.
    pub(crate) fn of_check(message: impl Into<String>) -> Self {
        let mut error = Self::invalid(message);
        error.fields.extend(fault::located(&error.message));
        error
    }

    /// With fields named as a form has them.
    pub(crate) fn at_fields(mut self, name: impl Fn(&str) -> String) -> Self {
        for (field, _) in &mut self.fields {
            *field = name(field);
        }
        self
    }

    pub(crate) fn not_signed_in(message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not_signed_in", message)
    }

    pub(crate) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }

    pub(crate) fn not_found(what: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", what)
    }

    /// Somebody has changed it since it was read.
    pub(crate) fn conflict(current: Value) -> Self {
        let mut error = Self::new(
            StatusCode::CONFLICT,
            "conflict",
            "somebody has changed this since you read it: look at what is there, and try again",
        );
        error.current = Some(Box::new(current));
        error
    }

    /// The name is somebody else's.
    pub(crate) fn taken(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "taken", message)
    }

    pub(crate) fn too_many(seconds: u64) -> Self {
        let message = format!("too many wrong passwords or keys: try again in {seconds} seconds");
        let mut error = Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", message);
        error.retry_after = Some(seconds);
        error
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", message)
    }

    /// Whether something of ours is away, and not what was asked wrong.
    pub(crate) fn is_unavailable(&self) -> bool {
        self.status == StatusCode::SERVICE_UNAVAILABLE
    }

    pub(crate) fn bad_gateway(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "bad_gateway", message)
    }

    /// What went wrong, for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// A defect of ours. What happened goes to the log.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "this went wrong inside the gateway; its log says how",
        )
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Conflict { .. }) {
            return Self::conflict(Value::Null);
        }
        tracing::error!(%error, "the configuration store failed");
        Self::unavailable(error.to_string())
    }
}

/// What the Admin API refuses, it refuses here.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Absent => Self::not_found("there is no such resource"),
            Refusal::Store(error) => error.into(),
            Refusal::Text(text) => Self::invalid(text),
            Refusal::Check(error) => {
                let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
                match status {
                    StatusCode::BAD_REQUEST => Self::of_check(error.message),
                    status => Self::new(status, "refused", error.message),
                }
            }
            Refusal::Changed(current) => Self::conflict(*current),
        }
    }
}

/// Bodies that cannot be read.
impl From<Reply> for ApiError {
    fn from(reply: Reply) -> Self {
        let status = reply.status();
        let message = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
            StatusCode::REQUEST_TIMEOUT => "the body took too long",
            _ => "the body cannot be read",
        };
        Self::new(status, "body", message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut error = json!({ "code": self.code, "message": self.message });
        if !self.fields.is_empty() {
            let field = |(field, message): (String, String)| json!({ "field": field, "message": message });
            error["fields"] = self.fields.into_iter().map(field).collect();
        }
        if let Some(current) = self.current {
            error["current"] = *current;
        }
        let mut response = super::call::json_response(self.status, &json!({ "error": error }));
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
