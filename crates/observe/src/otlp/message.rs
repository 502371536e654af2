//! The messages of OTLP that traces need (opentelemetry-proto 1.x, `trace.proto`, `common.proto`, `resource.proto`).

use prost::{Message, Oneof};

use super::{Attribute, AttributeValue, SpanKind};

/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

#[derive(Clone, PartialEq, Message)]
pub(super) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<Span>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Float(f64),
}

impl ExportRequest {
    pub(super) fn new(resource: &[Attribute], spans: &[super::Span]) -> Self {
        let scope = Scope {
            name: "sluice".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let scope_spans = ScopeSpans {
            scope: Some(scope),
            spans: spans.iter().map(Span::from).collect(),
        };
        let resource = Resource {
            attributes: resource.iter().map(KeyValue::from).collect(),
        };
        Self {
            resource_spans: vec![ResourceSpans {
                resource: Some(resource),
                scope_spans: vec![scope_spans],
            }],
        }
    }
}

impl From<&super::Span> for Span {
    fn from(span: &super::Span) -> Self {
        let nanos = |micros: i64| u64::try_from(micros).unwrap_or(0).saturating_mul(1000);
        let id = |id: u64| id.to_be_bytes().to_vec();
        Self {
            trace_id: span.trace_id.to_be_bytes().to_vec(),
            span_id: id(span.span_id),
            parent_span_id: span.parent.map(id).unwrap_or_default(),
            name: span.name.clone(),
            kind: match span.kind {
                SpanKind::Server => 2,
                SpanKind::Client => 3,
            },
            start_time_unix_nano: nanos(span.started_us),
            end_time_unix_nano: nanos(span.ended_us),
            attributes: span.attributes.iter().map(KeyValue::from).collect(),
            status: span.failed.then_some(Status { code: ERROR }),
        }
    }
}

impl From<&Attribute> for KeyValue {
    fn from(attribute: &Attribute) -> Self {
        let value = match &attribute.value {
            AttributeValue::Text(text) => Value::Text(text.clone()),
            AttributeValue::Int(number) => Value::Int(*number),
            AttributeValue::Float(number) => Value::Float(*number),
            AttributeValue::Bool(flag) => Value::Bool(*flag),
        };
        Self {
            key: attribute.name.clone(),
            value: Some(AnyValue { value: Some(value) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fields by hand, from the `.proto` files: tag and wire type, then the content.
    #[test]
    fn the_wire_format() {
        let span = super::super::Span {
            trace_id: 1,
            span_id: 2,
            parent: None,
            kind: SpanKind::Server,
            name: "n".to_owned(),
            started_us: 1,
            ended_us: 2,
            attributes: vec![Attribute::int("a", 3)],
            failed: true,
        };
        let mut expected = vec![0x0a, 16];
        expected.extend(1_u128.to_be_bytes());
        expected.extend([0x12, 8]);
        expected.extend(2_u64.to_be_bytes());
        expected.extend([0x2a, 1, b'n', 0x30, 2, 0x39]);
        expected.extend(1000_u64.to_le_bytes());
        expected.push(0x41);
        expected.extend(2000_u64.to_le_bytes());
        expected.extend([0x4a, 7, 0x0a, 1, b'a', 0x12, 2, 0x18, 3, 0x7a, 2, 0x18, 2]);
        assert_eq!(Span::from(&span).encode_to_vec(), expected);
    }
}
