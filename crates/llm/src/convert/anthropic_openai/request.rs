//! The request's body (compat §5.4).

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::messages::{ChatMessage, convert_messages};
use super::schema::convert_format;
use super::tools::{ChatTool, ChatToolChoice, ToolNames, convert_tool_choice, convert_tools};
use crate::convert::ConversionRefused;
use crate::lenient::{Count, Text};
use crate::request::RequestView;

/// Every member that is converted, as raw text: what does not have the expected type is dropped, not refused.
#[derive(Deserialize)]
struct MessagesRequest<'a> {
    #[serde(borrow)]
    model: Option<&'a RawValue>,
    messages: Option<&'a RawValue>,
    system: Option<&'a RawValue>,
    stream: Option<&'a RawValue>,
    max_tokens: Option<&'a RawValue>,
    temperature: Option<&'a RawValue>,
    top_p: Option<&'a RawValue>,
    service_tier: Option<&'a RawValue>,
    stop_sequences: Option<&'a RawValue>,
    metadata: Option<&'a RawValue>,
    thinking: Option<&'a RawValue>,
    output_config: Option<&'a RawValue>,
    output_format: Option<&'a RawValue>,
    tool_choice: Option<&'a RawValue>,
    tools: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct ChatRequest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a RawValue>,
    messages: Vec<ChatMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tier: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_effort: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<ChatTool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<ChatToolChoice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parallel_tool_calls: Option<bool>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Metadata<'a> {
    #[serde(default)]
    user_id: Text<'a>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Thinking<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
    #[serde(default)]
    budget_tokens: Count,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct OutputConfig<'a> {
    #[serde(default)]
    effort: Text<'a>,
    format: Option<&'a RawValue>,
}

pub(super) fn convert(request: &RequestView, names: &mut ToolNames) -> Result<Bytes, ConversionRefused> {
    let object = request.object().ok_or(ConversionRefused::NotAnObject)?;
    let body: MessagesRequest<'_> =
        serde_json::from_slice(object.bytes()).map_err(|_| ConversionRefused::NotAnObject)?;
    let messages: Option<Vec<&RawValue>> = read(body.messages);
    let messages = messages.ok_or(ConversionRefused::NoMessages)?;
    let output_config: Option<OutputConfig<'_>> = read(body.output_config);
    let tools = convert_tools(body.tools, names);
    let (mut tool_choice, mut one_call_at_a_time) = convert_tool_choice(body.tool_choice, names);
    if tools.is_empty() {
        tool_choice = None;
        one_call_at_a_time = false;
    }
    let formats = [
        body.output_format,
        output_config.as_ref().and_then(|config| config.format),
    ];
    let chat = ChatRequest {
        model: string(body.model),
        messages: convert_messages(body.system, &messages, names)?,
        stream: body.stream,
        stream_options: body
            .stream
            .filter(|stream| stream.get() == "true")
            .map(|_| StreamOptions { include_usage: true }),
        max_completion_tokens: body.max_tokens,
        temperature: body.temperature,
        top_p: body.top_p,
        service_tier: string(body.service_tier),
        stop: body.stop_sequences,
        user: read::<Metadata<'_>>(body.metadata).and_then(|metadata| metadata.user_id.0),
        reasoning_effort: reasoning_effort(read(body.thinking), output_config),
        response_format: formats.into_iter().flatten().find_map(convert_format),
        tools,
        tool_choice,
        parallel_tool_calls: one_call_at_a_time.then_some(false),
    };
    serde_json::to_vec(&chat)
        .map(Bytes::from)
        .map_err(|_| ConversionRefused::NotAnObject)
}

fn reasoning_effort<'a>(
    thinking: Option<Thinking<'a>>,
    config: Option<OutputConfig<'a>>,
) -> Option<Cow<'a, str>> {
    let thinking = thinking?;
    match thinking.kind.as_str()? {
        "enabled" => Some(Cow::Borrowed(match thinking.budget_tokens.0 {
            4096.. => "high",
            2048.. => "medium",
            1024.. => "low",
            _ => "minimal",
        })),
        "adaptive" => Some(
            config
                .and_then(|config| config.effort.0)
                .unwrap_or(Cow::Borrowed("medium")),
        ),
        _ => None,
    }
}

fn read<'a, T: Deserialize<'a>>(value: Option<&'a RawValue>) -> Option<T> {
    serde_json::from_str(value?.get()).ok()
}

fn string(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| value.get().starts_with('"'))
}
