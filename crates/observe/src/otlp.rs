//! Spans to an OpenTelemetry collector, by OTLP over HTTP in protobuf.
//!
//! The SDK is not used: it brings a runtime, a global provider and an HTTP client of its own, for one message type.

mod message;

use std::sync::Arc;

use prost::Message;

use crate::batch::{BatchEntry, BatchSender, Delivered};
use crate::remote::{HttpTarget, RemoteError};

/// A finished span.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its trace.
    pub trace_id: u128,
    /// Itself.
    pub span_id: u64,
    /// The span that it is part of.
    pub parent: Option<u64>,
    /// Which side of a call it is.
    pub kind: SpanKind,
    /// What was done.
    pub name: String,
    /// Start, microseconds since the epoch.
    pub started_us: i64,
    /// End, likewise.
    pub ended_us: i64,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
    /// Whether it failed.
    pub failed: bool,
}

/// Which side of a call a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpanKind {
    /// The side that is called.
    Server,
    /// The side that calls.
    Client,
}

/// A fact about a span, or about who sends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// What it says.
    pub value: AttributeValue,
}

/// What an attribute says.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

impl Attribute {
    /// An attribute that says text.
    #[must_use]
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: AttributeValue::Text(value.into()),
        }
    }

    /// An attribute that says a whole number.
    #[must_use]
    pub fn int(name: impl Into<String>, value: i64) -> Self {
        Self {
            name: name.into(),
            value: AttributeValue::Int(value),
        }
    }

    fn bytes(&self) -> usize {
        let value = match &self.value {
            AttributeValue::Text(text) => text.len(),
            _ => size_of::<i64>(),
        };
        self.name.len() + value
    }
}

impl BatchEntry for Span {
    fn bytes(&self) -> usize {
        let attributes: usize = self.attributes.iter().map(Attribute::bytes).sum();
        size_of::<Self>() + self.name.len() + attributes
    }
}

/// Sends spans to a collector.
#[derive(Clone)]
pub struct SpanExporter {
    target: HttpTarget,
    /// Who sends.
    resource: Arc<[Attribute]>,
}

/// Why spans were not taken.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The collector refused them.
    #[error("collector returned status: {0}")]
    Status(u16),
    /// It cannot be reached, or did not answer.
    #[error(transparent)]
    Remote(#[from] RemoteError),
}

impl SpanExporter {
    /// An exporter that posts to `target`, in the name of `resource`.
    #[must_use]
    pub fn new(target: HttpTarget, resource: Vec<Attribute>) -> Self {
        Self {
            target,
            resource: resource.into(),
        }
    }
}

impl BatchSender<Span> for SpanExporter {
    type Error = ExportError;

    async fn send(&self, spans: &[Span]) -> Result<Delivered, ExportError> {
        let request = message::ExportRequest::new(&self.resource, spans);
        let answer = self.target.post(request.encode_to_vec().into()).await?;
        if answer.status.is_success() {
            Ok(Delivered::default())
        } else {
            Err(ExportError::Status(answer.status.as_u16()))
        }
    }
}
