//! The answer's body (compat §5.4).

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::chat::{Completion, Said};
use super::tools::ToolNames;
use crate::convert::AnswerError;
use crate::lenient::Text;
use crate::usage::ChatUsage;

#[derive(Serialize)]
struct Message<'a> {
    id: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: &'static str,
    role: &'static str,
    model: &'a str,
    content: Vec<Block<'a>>,
    stop_reason: &'static str,
    usage: UsageOut,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Thinking {
        thinking: &'a RawValue,
        signature: &'static str,
    },
    Text {
        text: TextOut<'a>,
    },
    ToolUse {
        id: &'a str,
        name: &'a str,
        input: Input<'a>,
    },
}

#[derive(Serialize)]
#[serde(untagged)]
enum TextOut<'a> {
    Raw(&'a RawValue),
    Empty(&'static str),
}

#[derive(Serialize)]
#[serde(untagged)]
enum Input<'a> {
    Raw(Cow<'a, RawValue>),
    Empty {},
}

/// Usage as Anthropic reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct UsageOut {
    input_tokens: u64,
    output_tokens: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_read_input_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_creation_input_tokens: Option<u64>,
}

/// An error as Anthropic reports it, in a body or as an event's data.
#[derive(Serialize)]
pub(super) struct ErrorOut<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    error: ErrorBody<'a>,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    message: Cow<'a, str>,
}

#[derive(Default, Deserialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct ChatError<'a> {
    #[serde(rename = "type")]
    kind: Text<'a>,
    code: Option<&'a RawValue>,
    message: Text<'a>,
}

impl UsageOut {
    pub(super) fn new(usage: &ChatUsage) -> Self {
        let cache = usage.prompt_cache();
        let cached = cache.as_ref().map(|cache| cache.read);
        Self {
            input_tokens: usage.prompt().saturating_sub(cached.unwrap_or(0)),
            output_tokens: usage.completion(),
            cache_read_input_tokens: cached,
            cache_creation_input_tokens: cache.and_then(|cache| cache.created),
        }
    }
}

impl<'a> ErrorOut<'a> {
    /// Converts the `error` member of an answer or a chunk: an object or a string.
    pub(super) fn new(error: &'a RawValue) -> Self {
        let (kind, message) = match serde_json::from_str::<Text<'a>>(error.get()) {
            Ok(Text(Some(message))) => (None, Some(message)),
            _ => {
                let error: ChatError<'a> = serde_json::from_str(error.get()).unwrap_or_default();
                let code = error.code.map(|code| Cow::Borrowed(code.get().trim_matches('"')));
                (error.kind.0.or(code), error.message.0)
            }
        };
        let body = ErrorBody {
            kind: kind.unwrap_or(Cow::Borrowed("api_error")),
            message: message.unwrap_or(Cow::Borrowed("unknown error")),
        };
        Self {
            kind: "error",
            error: body,
        }
    }
}

/// The stop reason for a finish reason.
pub(super) fn stop_reason(finish_reason: &str) -> &'static str {
    match finish_reason {
        "length" => "max_tokens",
        "tool_calls" | "function_call" => "tool_use",
        _ => "end_turn",
    }
}

/// The id of a message whose provider gave none.
pub(super) fn new_message_id() -> String {
    format!("msg_{}", Uuid::new_v4().simple())
}

pub(super) fn convert(
    names: &ToolNames,
    status: StatusCode,
    model: Option<&str>,
    body: &Bytes,
) -> Result<Bytes, AnswerError> {
    let Ok(answer) = serde_json::from_slice::<Completion<'_>>(body) else {
        return unconverted(status, body);
    };
    if let Some(error) = answer.error {
        return Ok(encode(&ErrorOut::new(error), body));
    }
    let Some(choice) = answer.choices.as_ref().and_then(|choices| choices.first()) else {
        return if status.is_success() {
            Err(AnswerError::NoChoices)
        } else {
            Ok(body.clone())
        };
    };
    let message = Message {
        id: answer
            .id
            .0
            .clone()
            .unwrap_or_else(|| Cow::Owned(new_message_id())),
        kind: "message",
        role: "assistant",
        model: model.or(answer.model.as_str()).unwrap_or_default(),
        content: content(names, choice.message.as_ref()),
        stop_reason: stop_reason(choice.finish_reason.as_str().unwrap_or_default()),
        usage: answer.usage.as_ref().map(UsageOut::new).unwrap_or_default(),
    };
    Ok(encode(&message, body))
}

/// What becomes of a body that is not what the protocol says: JSON in a success is a defect, anything else is relayed.
fn unconverted(status: StatusCode, body: &Bytes) -> Result<Bytes, AnswerError> {
    let is_json = serde_json::from_slice::<&RawValue>(body).is_ok();
    if is_json && status.is_success() {
        Err(AnswerError::NoChoices)
    } else {
        Ok(body.clone())
    }
}

fn content<'a>(names: &'a ToolNames, message: Option<&'a Said<'a>>) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    if let Some(message) = message {
        if let Some(thinking) = message.thinking() {
            blocks.push(Block::Thinking {
                thinking,
                signature: "",
            });
        }
        if let Some(text) = message.text() {
            blocks.push(Block::Text {
                text: TextOut::Raw(text),
            });
        }
        blocks.extend(message.tool_calls().map(|call| Block::ToolUse {
            id: call.id.as_str().unwrap_or_default(),
            name: names.restore(call.name()),
            input: input(call.arguments()),
        }));
    }
    if blocks.is_empty() {
        blocks.push(Block::Text {
            text: TextOut::Empty(""),
        });
    }
    blocks
}

/// A tool's input: the object that the arguments are the text of, or that they are themselves, as some providers
/// send them; otherwise an empty one.
fn input(arguments: Option<&RawValue>) -> Input<'_> {
    let is_object = |value: &RawValue| value.get().starts_with('{');
    let Some(arguments) = arguments else {
        return Input::Empty {};
    };
    if is_object(arguments) {
        return Input::Raw(Cow::Borrowed(arguments));
    }
    let text = serde_json::from_str::<Text<'_>>(arguments.get())
        .ok()
        .and_then(|text| text.0);
    let value = text.and_then(|text| serde_json::from_str::<Box<RawValue>>(&text).ok());
    match value.filter(|value| is_object(value)) {
        Some(object) => Input::Raw(Cow::Owned(object)),
        None => Input::Empty {},
    }
}

/// Serialises what cannot fail to be serialised; the original stands in for it all the same.
fn encode(value: &impl Serialize, original: &Bytes) -> Bytes {
    serde_json::to_vec(value).map_or_else(|_| original.clone(), Bytes::from)
}
