//! The events of an Anthropic stream (llm-protocols §6).

use bytes::BytesMut;
use serde::Serialize;
use serde_json::value::RawValue;
use sluice_wire::write_frame;

use super::{ErrorOut, UsageOut};

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Event<'a> {
    MessageStart {
        message: Message<'a>,
    },
    ContentBlockStart {
        index: u64,
        content_block: BlockStart<'a>,
    },
    ContentBlockDelta {
        index: u64,
        delta: Delta<'a>,
    },
    ContentBlockStop {
        index: u64,
    },
    MessageDelta {
        delta: StopDelta,
        #[serde(skip_serializing_if = "Option::is_none")]
        usage: Option<UsageOut>,
    },
    MessageStop {},
    /// Brings its own `type`.
    #[serde(untagged)]
    Error(ErrorOut<'a>),
}

#[derive(Serialize)]
pub(super) struct Message<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: [(); 0],
    stop_reason: Option<&'static str>,
    stop_sequence: Option<&'static str>,
    usage: UsageOut,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum BlockStart<'a> {
    Thinking {
        thinking: &'static str,
        signature: &'static str,
    },
    Text {
        text: &'static str,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: NoInput,
    },
}

/// `{}`
#[derive(Serialize)]
pub(super) struct NoInput {}

#[derive(Serialize)]
#[serde(tag = "type")]
pub(super) enum Delta<'a> {
    #[serde(rename = "thinking_delta")]
    Thinking { thinking: &'a RawValue },
    #[serde(rename = "text_delta")]
    Text { text: &'a RawValue },
    #[serde(rename = "input_json_delta")]
    InputJson { partial_json: &'a RawValue },
    /// Arguments that came as an object instead of its text.
    #[serde(rename = "input_json_delta")]
    WholeInput { partial_json: &'a str },
}

#[derive(Serialize)]
pub(super) struct StopDelta {
    stop_reason: &'static str,
}

impl BlockStart<'_> {
    pub(super) const THINKING: Self = Self::Thinking {
        thinking: "",
        signature: "",
    };
    pub(super) const TEXT: Self = Self::Text { text: "" };
}

impl<'a> BlockStart<'a> {
    pub(super) fn tool_use(id: &'a str, name: &'a str) -> Self {
        Self::ToolUse {
            id,
            name,
            input: NoInput {},
        }
    }
}

impl<'a> Event<'a> {
    pub(super) fn message_start(id: &'a str, model: &'a str) -> Self {
        Self::MessageStart {
            message: Message {
                id,
                kind: "message",
                role: "assistant",
                model,
                content: [],
                stop_reason: None,
                stop_sequence: None,
                usage: UsageOut::default(),
            },
        }
    }

    pub(super) fn message_delta(stop_reason: &'static str, usage: Option<UsageOut>) -> Self {
        Self::MessageDelta {
            delta: StopDelta { stop_reason },
            usage,
        }
    }

    /// Appends the event as a frame.
    pub(super) fn write(&self, out: &mut BytesMut) {
        if let Ok(data) = serde_json::to_vec(self) {
            write_frame(out, Some(self.name()), &data);
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::MessageStart { .. } => "message_start",
            Self::ContentBlockStart { .. } => "content_block_start",
            Self::ContentBlockDelta { .. } => "content_block_delta",
            Self::ContentBlockStop { .. } => "content_block_stop",
            Self::MessageDelta { .. } => "message_delta",
            Self::MessageStop {} => "message_stop",
            Self::Error(_) => "error",
        }
    }
}
