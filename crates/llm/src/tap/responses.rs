//! OpenAI Responses streams (compat §5.6, llm-protocols §4).

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{FrameKind, StreamEnd, StreamTap, event};
use crate::lenient::{BatchTier, Text};
use crate::usage::ResponsesUsage;

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Closing<'a> {
    response: Option<Response<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Response<'a> {
    #[serde(default)]
    model: Text<'a>,
    usage: Option<ResponsesUsage>,
    #[serde(default)]
    service_tier: BatchTier,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    delta: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Added<'a> {
    item: Option<Item<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Item<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
}

impl StreamTap {
    pub(super) fn observe_responses(&mut self, frame: &[u8]) -> FrameKind {
        let (name, data) = event(frame);
        self.last_number = number(&data).or(self.last_number);
        match &*name {
            "response.completed" | "response.incomplete" => {
                self.read_closing(&data, name == "response.completed");
                self.ended(StreamEnd::Complete)
            }
            "response.failed" => {
                self.read_closing(&data, false);
                self.ended(StreamEnd::Failed)
            }
            "error" => self.ended(StreamEnd::Failed),
            "response.output_item.added" => {
                let added = serde_json::from_slice::<Added<'_>>(&data).ok();
                let item = added.and_then(|added| added.item);
                if item.is_some_and(|item| {
                    matches!(item.kind.as_str(), Some("function_call" | "custom_tool_call"))
                }) {
                    self.has_tool_calls = true;
                    return self.content();
                }
                FrameKind::Plain
            }
            name if name.ends_with(".delta") => {
                if self.reads_text()
                    && let Ok(delta) = serde_json::from_slice::<Delta<'_>>(&data)
                {
                    self.generated(delta.delta, name == "response.output_text.delta");
                }
                self.content()
            }
            _ => FrameKind::Plain,
        }
    }

    /// Reads the event that ends a response. APISIX takes usage from `response.completed` only.
    fn read_closing(&mut self, data: &[u8], counted_by_apisix: bool) {
        let closing = serde_json::from_slice::<Closing<'_>>(data).ok();
        let Some(response) = closing.and_then(|closing| closing.response) else {
            return;
        };
        self.name_model(&response.model);
        if let Some(usage) = &response.usage {
            self.report(&usage.tally().in_tier(response.service_tier), counted_by_apisix);
        }
    }
}

/// `sequence_number` of an event. It stands before or behind what the event says, in which the quotes would be escaped.
fn number(data: &[u8]) -> Option<u64> {
    static NAME: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("\"sequence_number\""));
    let at = NAME.find(data)? + NAME.needle().len();
    let value = data
        .get(at..)?
        .trim_ascii_start()
        .strip_prefix(b":")?
        .trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(value.get(..digits)?).ok()?.parse().ok()
}
