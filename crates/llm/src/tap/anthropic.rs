//! Anthropic Messages streams (compat §5.6, llm-protocols §6).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{FrameKind, StreamEnd, StreamTap, event};
use crate::lenient::Text;
use crate::usage::AnthropicUsage;

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Start<'a> {
    message: Option<Message<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Message<'a> {
    #[serde(default)]
    model: Text<'a>,
    usage: Option<AnthropicUsage>,
}

#[derive(Deserialize)]
struct MessageDelta {
    usage: Option<AnthropicUsage>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct BlockStart<'a> {
    content_block: Option<Block<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Block<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
}

#[derive(Deserialize)]
struct BlockDelta<'a> {
    #[serde(borrow)]
    delta: Option<Delta<'a>>,
}

#[derive(Deserialize)]
struct Delta<'a> {
    #[serde(borrow)]
    text: Option<&'a RawValue>,
    thinking: Option<&'a RawValue>,
    partial_json: Option<&'a RawValue>,
}

impl StreamTap {
    pub(super) fn observe_anthropic(&mut self, frame: &[u8]) -> FrameKind {
        let (name, data) = event(frame);
        match &*name {
            "content_block_delta" => {
                self.read_block_delta(&data);
                self.content()
            }
            "content_block_start" => {
                let start = serde_json::from_slice::<BlockStart<'_>>(&data).ok();
                let block = start.and_then(|start| start.content_block);
                if block.is_some_and(|block| block.kind.as_str() == Some("tool_use")) {
                    self.has_tool_calls = true;
                    return self.content();
                }
                FrameKind::Plain
            }
            "message_start" => {
                let start = serde_json::from_slice::<Start<'_>>(&data).ok();
                if let Some(message) = start.and_then(|start| start.message) {
                    self.name_model(&message.model);
                    self.report_anthropic(message.usage.as_ref());
                }
                FrameKind::Plain
            }
            "message_delta" => {
                let delta = serde_json::from_slice::<MessageDelta>(&data).ok();
                self.report_anthropic(delta.and_then(|delta| delta.usage).as_ref());
                FrameKind::Plain
            }
            "message_stop" => self.ended(StreamEnd::Complete),
            "error" => self.ended(StreamEnd::Failed),
            _ => FrameKind::Plain,
        }
    }

    fn report_anthropic(&mut self, usage: Option<&AnthropicUsage>) {
        if let Some(usage) = usage {
            self.report(&usage.tally(), true);
        }
    }

    fn read_block_delta(&mut self, data: &[u8]) {
        if !self.reads_text() {
            return;
        }
        let parsed = serde_json::from_slice::<BlockDelta<'_>>(data).ok();
        if let Some(delta) = parsed.and_then(|parsed| parsed.delta) {
            self.generated(delta.text, true);
            self.generated(delta.thinking, false);
            self.generated(delta.partial_json, false);
        }
    }
}
