//! Tests of the codec.

mod across;
mod answers;
mod foreign;
mod requests;
mod streams_in;
mod streams_out;

use crate::chat::{Extension, Part, PartKind, ToolCall};
use crate::codec::TargetRules;
use crate::protocol::Protocol;
use crate::provider::Quirks;

fn target(model: &str) -> TargetRules<'_> {
    TargetRules {
        model,
        quirks: &Quirks::NONE,
    }
}

/// What an OpenAI client says beside what everybody says: nothing.
fn openai() -> Extension {
    Extension::of(Protocol::OpenAiChat)
}

fn part(kind: PartKind) -> Part {
    Part::new(kind, openai())
}

fn text(text: &str) -> Part {
    part(PartKind::Text(text.to_owned()))
}

fn call(id: &str, arguments: &str) -> Part {
    part(PartKind::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "get_weather".to_owned(),
        arguments: arguments.to_owned(),
        is_custom: false,
        signature: None,
    }))
}
