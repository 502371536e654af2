//! Replies of all our endpoints, and how they look on the wire (compat §0).

use std::borrow::Cow;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sluice_resource::CheckError;
use sluice_store::StoreError;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// An answer.
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
}

enum Content {
    /// No body; from status 300 on nginx's page.
    None,
    Json(Value),
    Text(Cow<'static, str>),
    Html(String),
}

impl Reply {
    /// A status and nothing else: nginx's page from 300 on.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::new(status, Content::None)
    }

    /// JSON, followed by a line feed.
    pub(crate) fn json(status: StatusCode, value: Value) -> Self {
        Self::new(status, Content::Json(value))
    }

    /// `{"error_msg": …}`.
    pub(crate) fn error(status: StatusCode, message: impl Into<String>) -> Self {
        Self::json(status, json!({ "error_msg": message.into() }))
    }

    /// Text as it is.
    pub(crate) fn text(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(status, Content::Text(text.into()))
    }

    /// A page of our own.
    pub(crate) fn html(page: String) -> Self {
        Self::new(StatusCode::OK, Content::Html(page))
    }

    /// What the store says about a key that is not there.
    pub(crate) fn absent() -> Self {
        Self::json(StatusCode::NOT_FOUND, json!({"message": "Key not found"}))
    }

    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What it says went wrong.
    pub(crate) fn message(&self) -> Option<String> {
        match &self.content {
            Content::Json(value) => value["error_msg"].as_str().map(str::to_owned),
            _ => None,
        }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    fn new(status: StatusCode, content: Content) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            content,
        }
    }
}

/// A JSON object of members that are values already. (`json!` would copy them.)
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members.into_iter();
    members.map(|(name, value)| (name.to_owned(), value)).collect()
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let (content_type, body) = match self.content {
            Content::None => match sluice_wire::html_page(self.status.as_u16()) {
                Some(page) => (Some(HTML), Body::from(page)),
                None => (None, Body::empty()),
            },
            Content::Json(value) => (Some(JSON), Body::from(format!("{value}\n"))),
            Content::Text(text) => (Some(TEXT), Body::from(text)),
            Content::Html(page) => (Some(HTML), Body::from(page)),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        if let Some(content_type) = content_type {
            response
                .headers_mut()
                .entry(header::CONTENT_TYPE)
                .or_insert(content_type);
        }
        response
    }
}

/// Why a call of the Admin API was refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// What was sent does not hold.
    Check(CheckError),
    /// The store failed.
    Store(StoreError),
    /// What the path names is not there.
    Absent,
    /// Plain text.
    Text(&'static str),
    /// It is another version than the caller read; this is what is there, without secrets.
    Changed(Box<Value>),
}

impl From<CheckError> for Refusal {
    fn from(error: CheckError) -> Self {
        Self::Check(error)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Check(CheckError { status, message }) => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
                Self::error(status, message)
            }
            Refusal::Store(StoreError::Conflict { .. }) => Self::error(
                StatusCode::SERVICE_UNAVAILABLE,
                "value changed before overwritten",
            ),
            Refusal::Store(error) => {
                tracing::error!(%error, "the configuration store failed");
                Self::error(StatusCode::SERVICE_UNAVAILABLE, error.to_string())
            }
            Refusal::Absent => Self::absent(),
            Refusal::Changed(_) => Self::error(StatusCode::CONFLICT, "value changed before overwritten"),
            Refusal::Text(text) => Self::text(StatusCode::BAD_REQUEST, text),
        }
    }
}
