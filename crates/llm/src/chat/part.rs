//! What turns and answers are made of.

use super::{Extension, Json, Media, Signature};

/// A piece of a turn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// What it is.
    pub(crate) kind: PartKind,
    /// Whether the prompt up to here is to be cached.
    pub(crate) cache: Option<CacheMark>,
    /// What only the client's protocol says.
    pub(crate) extension: Extension,
}

impl Part {
    /// A part with nothing beside.
    pub(crate) fn new(kind: PartKind, extension: Extension) -> Self {
        Self {
            kind,
            cache: None,
            extension,
        }
    }
}

/// The kinds of pieces.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PartKind {
    /// Text.
    Text(String),
    /// That the model refuses, in its words.
    Refusal(String),
    /// An image, a sound, a film or a document.
    Media(Media),
    /// What the model thought.
    Reasoning(Reasoning),
    /// That the model calls a tool.
    ToolCall(ToolCall),
    /// What a tool answered.
    ToolResult(ToolResult),
    /// What only the protocol of the extension has: the block or item as a whole, its `type` included, is there.
    Foreign,
}

/// What a model thought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reasoning {
    /// The thoughts, or a summary of them; empty where they are hidden.
    pub(crate) text: String,
    /// Whether `text` is a summary (OpenAI Responses).
    pub(crate) is_summary: bool,
    /// By which the provider knows them again. With an empty text: the whole of a hidden thought.
    pub(crate) signature: Option<Signature>,
    /// Whether the provider hid the thought (Anthropic's `redacted_thinking`); the signature then holds its data.
    pub(crate) is_redacted: bool,
    /// The provider's name for it (OpenAI Responses).
    pub(crate) id: Option<String>,
}

/// A call of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ToolCall {
    /// By which the result refers to it. Never empty: decoders of protocols without ids make some.
    pub(crate) id: String,
    /// The tool.
    pub(crate) name: String,
    /// The arguments as the model wrote them: JSON for functions (an empty text stands for none), any text for custom
    /// tools. Not checked; see [`ToolCall::object`].
    pub(crate) arguments: String,
    /// Whether a custom tool is called, whose input is text.
    pub(crate) is_custom: bool,
    /// By which the provider knows the thought behind the call again (Gemini).
    pub(crate) signature: Option<Signature>,
}

impl ToolCall {
    /// The arguments as a JSON object, for protocols that need one: none are `{}`, and what is no object stands in one
    /// under `_raw`, or under `input` for a custom tool.
    pub(crate) fn object(&self) -> Json {
        if self.is_custom {
            return super::Object::new().set("input", &self.arguments).finish();
        }
        let arguments = self.arguments.trim();
        if arguments.is_empty() {
            return super::Object::new().finish();
        }
        match Json::parse(arguments) {
            Some(json) if json.is_object() => json,
            _ => super::Object::new().set("_raw", &self.arguments).finish(),
        }
    }
}

/// What a tool answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ToolResult {
    /// The call that it answers.
    pub(crate) call_id: String,
    /// The tool, where the protocol says so. Filled in from the call by [`ChatRequest::name_results`].
    ///
    /// [`ChatRequest::name_results`]: super::ChatRequest::name_results
    pub(crate) name: Option<String>,
    /// Text and media only.
    pub(crate) content: Vec<Part>,
    /// Whether the tool failed, where the protocol says so.
    pub(crate) is_error: Option<bool>,
    /// Whether a custom tool answered.
    pub(crate) is_custom: bool,
}

impl ToolResult {
    /// All text of the answer, pieces on lines of their own.
    pub(crate) fn text(&self) -> String {
        let texts: Vec<_> = self
            .content
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::Text(text) => Some(text.as_str()),
                _ => None,
            })
            .collect();
        texts.join("\n")
    }
}

/// A mark up to which a prompt is to be cached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CacheMark {
    /// Seconds that it is to be kept; the provider's default without.
    pub(crate) ttl: Option<u32>,
}
