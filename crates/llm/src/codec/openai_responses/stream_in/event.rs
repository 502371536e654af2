//! The members of events that are read.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::chat::Json;
use crate::lenient::{Count, Text};

/// An event.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Event<'a> {
    #[serde(default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(default)]
    pub(super) item_id: Text<'a>,
    #[serde(default)]
    pub(super) output_index: Option<Count>,
    #[serde(default)]
    pub(super) content_index: Count,
    #[serde(default)]
    pub(super) summary_index: Count,
    #[serde(borrow, default)]
    pub(super) delta: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) item: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) part: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) response: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) annotation: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) logprobs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

/// The response in the first and the last event.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Response<'a> {
    #[serde(default)]
    pub(super) id: Text<'a>,
    #[serde(default)]
    pub(super) model: Text<'a>,
    #[serde(default)]
    pub(super) status: Text<'a>,
    #[serde(borrow, default)]
    pub(super) output: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) incomplete_details: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) error: Option<&'a RawValue>,
}

/// An item, as far as it is read for itself.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ItemHead<'a> {
    #[serde(default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(default)]
    pub(super) id: Text<'a>,
    #[serde(default)]
    pub(super) call_id: Text<'a>,
    #[serde(default)]
    pub(super) name: Text<'a>,
    #[serde(default)]
    pub(super) namespace: Text<'a>,
    #[serde(borrow, default)]
    pub(super) content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) arguments: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) input: Option<&'a RawValue>,
}

/// A content part.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct ContentPart<'a> {
    #[serde(default, rename = "type")]
    pub(super) kind: Text<'a>,
    #[serde(default)]
    pub(super) text: Text<'a>,
    #[serde(default)]
    pub(super) refusal: Text<'a>,
    #[serde(default)]
    pub(super) annotations: Option<Vec<Json>>,
    #[serde(default)]
    pub(super) logprobs: Option<Vec<Json>>,
}

impl<'a> ItemHead<'a> {
    /// Reads an item.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }
}

impl<'a> Response<'a> {
    /// Reads a response.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }
}

impl<'a> ContentPart<'a> {
    /// Reads a content part.
    pub(super) fn read(json: &'a RawValue) -> Option<Self> {
        serde_json::from_str(json.get()).ok()
    }

    /// Whether the model refuses in it; `None` for parts that are neither text nor refusal.
    pub(super) fn is_refusal(&self) -> Option<bool> {
        match self.kind.as_str() {
            Some("output_text" | "text") => Some(false),
            Some("refusal") => Some(true),
            _ => None,
        }
    }

    /// What it says.
    pub(super) fn said(&self) -> &str {
        self.text.as_str().or(self.refusal.as_str()).unwrap_or_default()
    }
}
