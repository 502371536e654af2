//! Texts of whole answers (llm-protocols §3–§6).

use serde_json::value::RawValue;

use super::json::{Body, Members, items, members, number, objects, string};
use super::{TextKind, TextSpan, stored};
use crate::protocol::Protocol;

pub(super) fn texts(protocol: Protocol, body: &[u8]) -> Option<Vec<TextSpan<'_>>> {
    let body = Body(body);
    let mut found = Found {
        body,
        spans: Vec::new(),
    };
    if protocol == Protocol::OpenAiObjects {
        for record in stored::records(body)? {
            found.stored(&record);
        }
        return Some(found.sorted());
    }
    let answer = body.members()?;
    match protocol {
        Protocol::OpenAiChat => found.choices(&answer),
        Protocol::OpenAiResponses => found.output(&answer),
        Protocol::OpenAiCompletions => found.completions(&answer),
        Protocol::GeminiGenerate => found.candidates(&answer),
        Protocol::CohereChat => found.cohere(&answer),
        Protocol::OllamaChat | Protocol::OllamaGenerate => found.ollama(&answer),
        Protocol::AnthropicMessages => found.blocks(answer.get("content")),
        Protocol::BedrockConverse => {
            let output = answer.get("output").and_then(|output| members(output));
            let message = output.and_then(|output| members(output.get("message")?));
            found.blocks(
                message
                    .and_then(|message| message.get("content").copied())
                    .as_ref(),
            );
        }
        _ => {}
    }
    Some(found.sorted())
}

/// Number of what Cohere's models say before they call tools, which has none.
pub(super) const PLAN: u32 = u32::MAX;

/// Texts found so far.
pub(super) struct Found<'a> {
    pub(super) body: Body<'a>,
    pub(super) spans: Vec<TextSpan<'a>>,
}

impl<'a> Found<'a> {
    fn sorted(mut self) -> Vec<TextSpan<'a>> {
        self.spans.sort_by_key(|span| span.range.start);
        self.spans
    }

    pub(super) fn add(&mut self, value: Option<&&'a RawValue>, kind: TextKind, channel: (u32, u32)) {
        let span = value.and_then(|value| self.body.span(value, kind));
        self.spans.extend(span.map(|span| TextSpan { channel, ..span }));
    }

    fn strings(&mut self, value: Option<&&'a RawValue>, kind: TextKind, channel: (u32, u32)) {
        let start = self.spans.len();
        if let Some(value) = value {
            self.body.strings(value, kind, &mut self.spans);
        }
        for span in &mut self.spans[start..] {
            span.channel = channel;
        }
    }

    pub(super) fn choices(&mut self, answer: &Members<'a>) {
        for (index, choice) in (0..).zip(objects(answer.get("choices"))) {
            if let Some(message) = choice.get("message").and_then(|message| members(message)) {
                self.message(&message, index);
            }
        }
    }

    /// A message of a chat answer, or the delta of a chunk.
    pub(super) fn message(&mut self, message: &Members<'a>, choice: u32) {
        match message.get("content").and_then(|content| items(content)) {
            None => self.add(message.get("content"), TextKind::Said, (choice, 0)),
            Some(_) => {
                for part in objects(message.get("content")) {
                    self.add(part.get("text"), TextKind::Said, (choice, 0));
                }
            }
        }
        self.add(message.get("refusal"), TextKind::Said, (choice, 1));
        for name in ["reasoning_content", "reasoning"] {
            self.add(message.get(name), TextKind::Reasoning, (choice, 0));
        }
        for (position, call) in (0..).zip(objects(message.get("tool_calls"))) {
            let index = call.get("index").and_then(|index| index.get().parse().ok());
            let function = call.get("function").and_then(|function| members(function));
            let arguments = function.and_then(|function| function.get("arguments").copied());
            self.add(
                arguments.as_ref(),
                TextKind::ToolArguments,
                (choice, index.unwrap_or(position)),
            );
        }
    }

    /// The choices of a completion, or of one of its chunks.
    pub(super) fn completions(&mut self, answer: &Members<'a>) {
        for choice in objects(answer.get("choices")) {
            self.add(choice.get("text"), TextKind::Said, (number(&choice, "index"), 0));
        }
    }

    /// The candidates of an answer of Gemini, or of a piece of one: parts go on where those before them ended, calls are
    /// there whole.
    pub(super) fn candidates(&mut self, answer: &Members<'a>) {
        for candidate in objects(answer.get("candidates")) {
            let channel = (number(&candidate, "index"), 0);
            let content = candidate.get("content").and_then(|content| members(content));
            for part in objects(content.as_ref().and_then(|content| content.get("parts"))) {
                let kind = match part.get("thought").map(|thought| thought.get()) {
                    Some("true") => TextKind::Reasoning,
                    _ => TextKind::Said,
                };
                self.add(part.get("text"), kind, channel);
                let call = part.get("functionCall").and_then(|call| members(call));
                self.whole(call.as_ref().and_then(|call| call.get("args")), channel);
            }
        }
    }

    fn cohere(&mut self, answer: &Members<'a>) {
        let Some(message) = answer.get("message").and_then(|message| members(message)) else {
            return;
        };
        self.add(message.get("tool_plan"), TextKind::Said, (PLAN, 0));
        for (index, part) in (0..).zip(objects(message.get("content"))) {
            self.add(part.get("text"), TextKind::Said, (index, 0));
            self.add(part.get("thinking"), TextKind::Reasoning, (index, 0));
        }
        for (index, call) in (0..).zip(objects(message.get("tool_calls"))) {
            let function = call.get("function").and_then(|function| members(function));
            let arguments = function.as_ref().and_then(|function| function.get("arguments"));
            self.add(arguments, TextKind::ToolArguments, (index, 0));
        }
    }

    /// An answer of Ollama, or a line of one: calls are there whole.
    pub(super) fn ollama(&mut self, answer: &Members<'a>) {
        self.add(answer.get("response"), TextKind::Said, (0, 0));
        self.add(answer.get("thinking"), TextKind::Reasoning, (0, 0));
        let Some(message) = answer.get("message").and_then(|message| members(message)) else {
            return;
        };
        self.add(message.get("content"), TextKind::Said, (0, 0));
        self.add(message.get("thinking"), TextKind::Reasoning, (0, 0));
        for call in objects(message.get("tool_calls")) {
            let function = call.get("function").and_then(|function| members(function));
            self.whole(
                function.as_ref().and_then(|function| function.get("arguments")),
                (0, 0),
            );
        }
    }

    /// Arguments that no pieces bring.
    fn whole(&mut self, arguments: Option<&&'a RawValue>, channel: (u32, u32)) {
        let start = self.spans.len();
        self.strings(arguments, TextKind::ToolArguments, channel);
        for span in &mut self.spans[start..] {
            span.repeats = true;
        }
    }

    /// `output` of a response.
    pub(super) fn output(&mut self, response: &Members<'a>) {
        for (index, item) in (0..).zip(objects(response.get("output"))) {
            self.item(&item, index);
        }
    }

    /// An item of a response's output.
    pub(super) fn item(&mut self, item: &Members<'a>, index: u32) {
        for (part_index, part) in (0..).zip(objects(item.get("content"))) {
            let kind = match string(item, "type").as_deref() {
                Some("reasoning") => TextKind::Reasoning,
                _ => TextKind::Said,
            };
            self.add(part.get("text"), kind, (index, part_index));
            self.add(part.get("refusal"), TextKind::Said, (index, part_index));
        }
        for (part_index, part) in (0..).zip(objects(item.get("summary"))) {
            self.add(part.get("text"), TextKind::Reasoning, (index, part_index));
        }
        match string(item, "type").as_deref() {
            Some("function_call") => self.add(item.get("arguments"), TextKind::ToolArguments, (index, 0)),
            Some("custom_tool_call") => self.add(item.get("input"), TextKind::ToolArguments, (index, 0)),
            _ => {}
        }
    }

    /// Blocks of an Anthropic or Bedrock answer.
    fn blocks(&mut self, content: Option<&&'a RawValue>) {
        for (index, block) in (0..).zip(objects(content)) {
            let channel = (index, 0);
            self.add(block.get("text"), TextKind::Said, channel);
            self.add(block.get("thinking"), TextKind::Reasoning, channel);
            self.strings(block.get("input"), TextKind::ToolArguments, channel);
            if let Some(call) = block.get("toolUse").and_then(|call| members(call)) {
                self.strings(call.get("input"), TextKind::ToolArguments, channel);
            }
            let thought = block.get("reasoningContent").and_then(|thought| members(thought));
            let thought = thought.and_then(|thought| members(thought.get("reasoningText")?));
            if let Some(thought) = thought {
                self.add(thought.get("text"), TextKind::Reasoning, channel);
            }
        }
    }
}
