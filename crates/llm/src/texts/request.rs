//! Texts of requests (llm-protocols §3–§6; compat §4.7).

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::json::{Body, Members, items, members, objects, string};
use super::{PromptMessage, TextKind, stored};
use crate::client_call::ClientCall;
use crate::protocol::Protocol;

struct Reader<'a> {
    body: Body<'a>,
}

pub(super) fn messages(protocol: Protocol, body: &[u8]) -> Option<Vec<PromptMessage<'_>>> {
    let reader = Reader { body: Body(body) };
    if protocol == Protocol::OpenAiObjects {
        let records = stored::records(reader.body)?;
        return Some(records.iter().flat_map(|record| reader.record(record)).collect());
    }
    Some(reader.request(protocol, &reader.body.members()?))
}

impl<'a> Reader<'a> {
    /// What a line of a batch asks for, or the input of a moderation.
    fn record(&self, record: &Members<'a>) -> Vec<PromptMessage<'a>> {
        match stored::batched(record) {
            Some((url, request)) => self.request(ClientCall::of(&url, None).protocol, &request),
            None => self.inputs(record),
        }
    }

    fn request(&self, protocol: Protocol, request: &Members<'a>) -> Vec<PromptMessage<'a>> {
        match protocol {
            Protocol::OpenAiChat | Protocol::OllamaChat => self.turns(request, None),
            Protocol::CohereChat => self.cohere(request),
            Protocol::GeminiGenerate => self.gemini(request),
            Protocol::GeminiCountTokens => {
                match request.get("generateContentRequest").and_then(|r| members(r)) {
                    Some(request) => self.gemini(&request),
                    None => self.gemini(request),
                }
            }
            Protocol::GeminiEmbed => self.gemini_inputs(std::slice::from_ref(request)),
            Protocol::GeminiBatchEmbed => self.gemini_inputs(&objects(request.get("requests"))),
            Protocol::CohereEmbed => self.together(request, &["texts"]),
            Protocol::OllamaEmbed => self.together(request, &["input"]),
            Protocol::OllamaEmbeddings => self.together(request, &["prompt"]),
            Protocol::CohereRerank | Protocol::JinaRerank => self.together(request, &["query", "documents"]),
            Protocol::OpenAiMedia => self.together(request, &["prompt", "input", "instructions"]),
            Protocol::OllamaGenerate => self.prompts(
                request,
                &[("system", "system"), ("prompt", "user"), ("suffix", "user")],
            ),
            Protocol::OpenAiCompletions => self.prompts(request, &[("prompt", "user"), ("suffix", "user")]),
            Protocol::AnthropicMessages | Protocol::AnthropicCountTokens | Protocol::BedrockConverse => {
                self.turns(request, Some("system"))
            }
            Protocol::OpenAiResponses | Protocol::OpenAiInputTokens => self.responses(request),
            Protocol::OpenAiEmbeddings | Protocol::OpenAiObjects => self.inputs(request),
            _ => Vec::new(),
        }
    }

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
            if let Some(arguments) = function.get("arguments") {
                self.arguments(arguments, &mut message);
            }
        }
        for (name, kind) in [
            ("thinking", TextKind::Reasoning),
            ("reasoning_content", TextKind::Reasoning),
            ("reasoning", TextKind::Reasoning),
            ("tool_plan", TextKind::Said),
            ("refusal", TextKind::Said),
        ] {
            let text = turn.get(name);
            message
                .spans
                .extend(text.and_then(|text| self.body.span(text, kind)));
        }
        message
    }

    /// Arguments of a call: JSON in a string, or (Ollama) an object.
    fn arguments(&self, arguments: &'a RawValue, message: &mut PromptMessage<'a>) {
        match self.body.span(arguments, TextKind::ToolArguments) {
            Some(span) => message.spans.push(span),
            None => self
                .body
                .strings(arguments, TextKind::ToolArguments, &mut message.spans),
        }
    }

    /// Messages, after the documents that the model is to rely on.
    fn cohere(&self, request: &Members<'a>) -> Vec<PromptMessage<'a>> {
        let documents = request.get("documents").map(|documents| {
            let mut message = empty(Cow::Borrowed("user"));
            self.body.strings(documents, TextKind::Said, &mut message.spans);
            message
        });
        documents.into_iter().chain(self.turns(request, None)).collect()
    }

    /// `contents` after `systemInstruction`. Names may be written with underscores, too; where both stand, both are seen,
    /// whichever the reader takes.
    fn gemini(&self, request: &Members<'a>) -> Vec<PromptMessage<'a>> {
        let spellings = ["systemInstruction", "system_instruction"];
        let system = spellings
            .iter()
            .filter_map(|name| request.get(*name))
            .map(|content| {
                let message = match members(content) {
                    Some(content) => self.gemini_content(&content),
                    None => {
                        let mut message = empty(Cow::Borrowed("system"));
                        message.spans.extend(self.body.span(content, TextKind::Said));
                        message
                    }
                };
                PromptMessage {
                    role: Cow::Borrowed("system"),
                    ..message
                }
            });
        let contents = request.get("contents");
        let contents = match contents.and_then(|contents| members(contents)) {
            Some(one) => vec![one],
            None => objects(contents),
        };
        let turns = contents.iter().map(|content| self.gemini_content(content));
        system.chain(turns).collect()
    }

    fn gemini_content(&self, content: &Members<'a>) -> PromptMessage<'a> {
        let role = match string(content, "role") {
            Some(role) if role == "model" => Cow::Borrowed("assistant"),
            Some(role) if role == "function" => Cow::Borrowed("tool"),
            Some(role) => role,
            None => Cow::Borrowed("user"),
        };
        let mut message = empty(role);
        for part in objects(content.get("parts")) {
            let kind = match part.get("thought").map(|thought| thought.get()) {
                Some("true") => TextKind::Reasoning,
                _ => TextKind::Said,
            };
            let text = part.get("text");
            message.has_others |= text.is_none() || kind == TextKind::Reasoning;
            message
                .spans
                .extend(text.and_then(|text| self.body.span(text, kind)));
            for (names, member, kind) in [
                (["functionCall", "function_call"], "args", TextKind::ToolArguments),
                (
                    ["functionResponse", "function_response"],
                    "response",
                    TextKind::ToolResult,
                ),
            ] {
                let found = names.iter().filter_map(|name| members(part.get(*name)?));
                for value in found.filter_map(|found| found.get(member).copied()) {
                    self.body.strings(value, kind, &mut message.spans);
                }
            }
        }
        message
    }

    /// Members that are texts, or lists of texts, each said by a role.
    fn prompts(&self, request: &Members<'a>, places: &[(&str, &'static str)]) -> Vec<PromptMessage<'a>> {
        let mut messages = Vec::new();
        for (name, role) in places {
            let Some(value) = request.get(*name) else { continue };
            let texts = items(value).unwrap_or_else(|| vec![*value]);
            let spans = texts
                .into_iter()
                .filter_map(|text| self.body.span(text, TextKind::Said));
            messages.extend(spans.map(|span| PromptMessage {
                spans: vec![span],
                ..empty(Cow::Borrowed(*role))
            }));
        }
        messages
    }

    /// The contents of requests for embeddings, as one message: none of them is older than another.
    fn gemini_inputs(&self, requests: &[Members<'a>]) -> Vec<PromptMessage<'a>> {
        let mut whole = empty(Cow::Borrowed("user"));
        for content in requests
            .iter()
            .filter_map(|request| members(request.get("content")?))
        {
            let message = self.gemini_content(&content);
            whole.spans.extend(message.spans);
            whole.has_others |= message.has_others;
        }
        vec![whole]
    }

    /// All strings within these members, as one message: none of them is older than another.
    fn together(&self, request: &Members<'a>, names: &[&str]) -> Vec<PromptMessage<'a>> {
        let mut message = empty(Cow::Borrowed("user"));
        for value in names.iter().filter_map(|name| request.get(*name)) {
            self.body.strings(value, TextKind::Said, &mut message.spans);
        }
        vec![message]
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
                self.document(part, TextKind::Said, message);
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

    /// What stands in a document (Anthropic, Bedrock, Cohere), in results of a search, or in a refusal.
    fn document(&self, part: &Members<'a>, kind: TextKind, message: &mut PromptMessage<'a>) {
        for name in ["title", "context", "refusal"] {
            let text = part.get(name);
            message
                .spans
                .extend(text.and_then(|text| self.body.span(text, kind)));
        }
        match part.get("document").map(|document| (document, members(document))) {
            Some((_, Some(document))) if document.contains_key("source") => {
                self.source(&document, kind, message)
            }
            Some((document, _)) => self.body.strings(document, kind, &mut message.spans),
            None => self.source(part, kind, message),
        }
        let cited = part.get("citationsContent").and_then(|cited| members(cited));
        let cited = cited.and_then(|cited| cited.get("content").copied());
        for content in part.get("content").copied().into_iter().chain(cited) {
            self.body.strings(content, kind, &mut message.spans);
        }
    }

    /// The text of a source, which may as well be an address or bytes.
    fn source(&self, part: &Members<'a>, kind: TextKind, message: &mut PromptMessage<'a>) {
        let Some(source) = part.get("source").and_then(|source| members(source)) else {
            return;
        };
        let is_text = string(&source, "type").is_some_and(|kind| kind == "text");
        for name in ["text", "content"].into_iter().chain(is_text.then_some("data")) {
            if let Some(text) = source.get(name) {
                self.body.strings(text, kind, &mut message.spans);
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
            self.document(&block, TextKind::ToolResult, message);
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
            Some("reasoning") => {
                let mut message = empty(Cow::Borrowed("assistant"));
                message.has_others = true;
                let texts = ["summary", "content"].map(|name| objects(item.get(name)));
                for text in texts.iter().flatten().filter_map(|text| text.get("text")) {
                    message.spans.extend(self.body.span(text, TextKind::Reasoning));
                }
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
