//! Texts of requests (llm-protocols §3–§6; compat §4.7).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::{Body, Members, items, members, objects, string};
use super::{PromptMessage, TextKind};
use crate::protocol::Protocol;

pub(super) fn messages(protocol: Protocol, body: &[u8]) -> Option<Vec<PromptMessage<'_>>> {
    let body = Body(body);
    let request = body.members()?;
    let reader = Reader { body };
    Some(match protocol {
        Protocol::OpenAiChat => reader.turns(&request, None),
        Protocol::AnthropicMessages | Protocol::BedrockConverse => reader.turns(&request, Some("system")),
        Protocol::OpenAiResponses => reader.responses(&request),
        Protocol::OpenAiEmbeddings => reader.inputs(&request),
        _ => Vec::new(),
    })
}

struct Reader<'a> {
    body: Body<'a>,
}

impl<'a> Reader<'a> {
    /// `messages`, after what stands under `system`.
    fn turns(&self, request: &Members<'a>, system: Option<&str>) -> Vec<PromptMessage<'a>> {
        let system = system.and_then(|name| request.get(name)).map(|content| {
            let mut message = empty(Cow::Borrowed("system"));
            self.content(content, &mut message);
            message
        });
        let turns = objects(request.get("messages"))
            .into_iter()
            .map(|turn| self.message(&turn));
        system.into_iter().chain(turns).collect()
    }

    fn message(&self, turn: &Members<'a>) -> PromptMessage<'a> {
        let mut message = empty(string(turn, "role").unwrap_or_default());
        if let Some(content) = turn.get("content") {
            self.content(content, &mut message);
        }
        let calls = objects(turn.get("tool_calls"));
        let functions = calls.iter().filter_map(|call| members(call.get("function")?));
        let functions: Vec<_> = functions
            .chain(turn.get("function_call").and_then(|call| members(call)))
            .collect();
        message.has_others |= !calls.is_empty() || !functions.is_empty();
        for function in functions {
            let arguments = function.get("arguments");
            message
                .spans
                .extend(arguments.and_then(|value| self.body.span(value, TextKind::ToolArguments)));
        }
        message
    }

    /// A string, or a list of parts (OpenAI) or blocks (Anthropic, Bedrock).
    fn content(&self, content: &'a RawValue, message: &mut PromptMessage<'a>) {
        let Some(parts) = items(content) else {
            message.spans.extend(self.body.span(content, TextKind::Said));
            return;
        };
        for part in parts {
            match members(part) {
                Some(part) => self.part(&part, message),
                None => message.spans.extend(self.body.span(part, TextKind::Said)),
            }
        }
    }

    fn part(&self, part: &Members<'a>, message: &mut PromptMessage<'a>) {
        let kind = string(part, "type");
        match kind.as_deref() {
            None | Some("text" | "input_text" | "output_text") if part.contains_key("text") => {
                let text = part.get("text");
                message
                    .spans
                    .extend(text.and_then(|text| self.body.span(text, TextKind::Said)));
            }
            Some("thinking") => {
                message.has_others = true;
                let text = part.get("thinking");
                message
                    .spans
                    .extend(text.and_then(|text| self.body.span(text, TextKind::Reasoning)));
            }
            Some("tool_use") => self.strings(part.get("input"), TextKind::ToolArguments, message),
            Some("tool_result") => self.result(part.get("content"), message),
            _ => {
                message.has_others = true;
                if let Some(call) = part.get("toolUse").and_then(|call| members(call)) {
                    self.strings(call.get("input"), TextKind::ToolArguments, message);
                }
                let thought = part.get("reasoningContent").and_then(|thought| members(thought));
                if let Some(thought) = thought.and_then(|thought| members(thought.get("reasoningText")?)) {
                    let text = thought.get("text");
                    message
                        .spans
                        .extend(text.and_then(|text| self.body.span(text, TextKind::Reasoning)));
                }
                if let Some(result) = part.get("toolResult").and_then(|result| members(result)) {
                    self.result(result.get("content"), message);
                }
            }
        }
    }

    fn strings(&self, value: Option<&&'a RawValue>, kind: TextKind, message: &mut PromptMessage<'a>) {
        message.has_others = true;
        if let Some(value) = value {
            self.body.strings(value, kind, &mut message.spans);
        }
    }

    /// What a tool returned: a string, or blocks of text, or (Bedrock) of JSON.
    fn result(&self, content: Option<&&'a RawValue>, message: &mut PromptMessage<'a>) {
        message.has_others = true;
        let Some(content) = content else { return };
        let Some(blocks) = items(content) else {
            message
                .spans
                .extend(self.body.span(content, TextKind::ToolResult));
            return;
        };
        for block in blocks.into_iter().filter_map(members) {
            for name in ["text", "json"] {
                if let Some(value) = block.get(name) {
                    self.body.strings(value, TextKind::ToolResult, &mut message.spans);
                }
            }
        }
    }

    fn responses(&self, request: &Members<'a>) -> Vec<PromptMessage<'a>> {
        let instructions = request.get("instructions").map(|text| {
            let mut message = empty(Cow::Borrowed("system"));
            message.spans.extend(self.body.span(text, TextKind::Said));
            message
        });
        let Some(input) = request.get("input") else {
            return instructions.into_iter().collect();
        };
        let turns = match items(input) {
            None => {
                let mut message = empty(Cow::Borrowed("user"));
                message.spans.extend(self.body.span(input, TextKind::Said));
                vec![message]
            }
            Some(_) => objects(Some(input)).iter().map(|item| self.item(item)).collect(),
        };
        instructions.into_iter().chain(turns).collect()
    }

    /// An item of `input` (llm-protocols §4).
    fn item(&self, item: &Members<'a>) -> PromptMessage<'a> {
        match string(item, "type").as_deref() {
            Some("function_call" | "custom_tool_call") => {
                let mut message = empty(Cow::Borrowed("assistant"));
                message.has_others = true;
                let arguments = item.get("arguments").or_else(|| item.get("input"));
                message
                    .spans
                    .extend(arguments.and_then(|value| self.body.span(value, TextKind::ToolArguments)));
                message
            }
            Some("function_call_output" | "custom_tool_call_output") => {
                let mut message = empty(Cow::Borrowed("tool"));
                if let Some(output) = item.get("output") {
                    self.content(output, &mut message);
                }
                message.has_others = true;
                message
            }
            _ => self.message(item),
        }
    }

    fn inputs(&self, request: &Members<'a>) -> Vec<PromptMessage<'a>> {
        let Some(input) = request.get("input") else {
            return Vec::new();
        };
        let inputs = items(input).unwrap_or_else(|| vec![*input]);
        let spans = inputs
            .into_iter()
            .filter_map(|input| self.body.span(input, TextKind::Said));
        spans
            .map(|span| PromptMessage {
                spans: vec![span],
                ..empty(Cow::Borrowed("user"))
            })
            .collect()
    }
}

fn empty(role: Cow<'_, str>) -> PromptMessage<'_> {
    PromptMessage {
        role,
        spans: Vec::new(),
        has_others: false,
    }
}
