//! What a client asks.

use serde_json::Number;

use super::{Extension, Json, Part, Tool, ToolChoice};

/// A request for the next turn of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChatRequest {
    /// The model asked for, wherever the protocol names it.
    pub(crate) model: Option<String>,
    /// The conversation so far, system messages included, in the client's order.
    pub(crate) turns: Vec<Turn>,
    /// Tools on offer.
    pub(crate) tools: Vec<Tool>,
    /// Which of them may or must be called; the provider's default without one.
    pub(crate) tool_choice: Option<ToolChoice>,
    /// Whether several tools may be called at once; the provider's default without one.
    pub(crate) parallel_tool_calls: Option<bool>,
    /// The form of the answer's text.
    pub(crate) format: Option<OutputFormat>,
    /// How much is to be thought, and what of it is to be shown.
    pub(crate) reasoning: Option<ReasoningRequest>,
    /// Limits and dials of generation.
    pub(crate) sampling: Sampling,
    /// Whether the answer is to be streamed.
    pub(crate) stream: bool,
    /// Whether the client asked for usage in a stream, in a protocol where it must be asked for.
    pub(crate) stream_usage: bool,
    /// The end user that the client names.
    pub(crate) end_user: Option<String>,
    /// Class of service, in the protocol's word.
    pub(crate) service_tier: Option<String>,
    /// Names and values that are stored with the request and mean nothing to the model.
    pub(crate) metadata: Option<Json>,
    /// The stored answer that this turn continues (OpenAI Responses).
    pub(crate) previous_response: Option<String>,
    /// Whether the answer is to be stored so that a later turn can continue it (OpenAI Responses, chat).
    pub(crate) store: Option<bool>,
    /// What only the client's protocol says.
    pub(crate) extension: Extension,
}

impl ChatRequest {
    /// A request that says nothing yet, `extension` naming the protocol.
    pub(crate) fn new(extension: Extension) -> Self {
        Self {
            model: None,
            turns: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tool_calls: None,
            format: None,
            reasoning: None,
            sampling: Sampling::default(),
            stream: false,
            stream_usage: false,
            end_user: None,
            service_tier: None,
            metadata: None,
            previous_response: None,
            store: None,
            extension,
        }
    }
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// The operator of the application.
    System,
    /// The same in OpenAI's newer word.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// Tools: such a turn holds [`ToolResult`](super::PartKind::ToolResult)s only. Protocols whose results stand in user
    /// turns decode to a tool turn and, for the rest, a user turn behind it.
    Tool,
}

/// What one party says in one go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Turn {
    /// Who speaks.
    pub(crate) role: Role,
    /// What is said, in order. May be empty.
    pub(crate) parts: Vec<Part>,
    /// Which of several participants of that role speaks.
    pub(crate) name: Option<String>,
    /// What only the client's protocol says.
    pub(crate) extension: Extension,
}

impl Turn {
    /// A turn of those parts.
    pub(crate) fn new(role: Role, parts: Vec<Part>, extension: Extension) -> Self {
        Self {
            role,
            parts,
            name: None,
            extension,
        }
    }
}

/// Limits and dials of generation, each absent unless the client set it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Sampling {
    /// Most tokens of the answer, reasoning included.
    pub(crate) max_tokens: Option<u64>,
    /// Temperature, as the client spelled it.
    pub(crate) temperature: Option<Number>,
    /// Nucleus sampling.
    pub(crate) top_p: Option<Number>,
    /// Number of candidate tokens.
    pub(crate) top_k: Option<Number>,
    /// Texts that end the answer.
    pub(crate) stop: Vec<String>,
    /// For repeatable answers.
    pub(crate) seed: Option<Number>,
    /// Penalty by how often a token occurred.
    pub(crate) frequency_penalty: Option<Number>,
    /// Penalty for tokens that occurred.
    pub(crate) presence_penalty: Option<Number>,
    /// Number of alternative answers.
    pub(crate) choices: Option<u64>,
    /// Whether the probabilities of tokens are wanted.
    pub(crate) logprobs: Option<bool>,
    /// Number of alternatives per token whose probabilities are wanted.
    pub(crate) top_logprobs: Option<u64>,
}

/// The form of the answer's text.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OutputFormat {
    /// Anything; what a client says that names the default.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that a schema describes.
    JsonSchema {
        /// Name of the schema; protocols that need one and were given none take `answer`.
        name: Option<String>,
        /// What it is for.
        description: Option<String>,
        /// The JSON Schema.
        schema: Json,
        /// Whether the provider is to enforce it.
        strict: Option<bool>,
    },
}

/// How much is to be thought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ReasoningRequest {
    /// By a word.
    pub(crate) effort: Option<Effort>,
    /// By a number of tokens. Wins over `effort` where a protocol can say both.
    pub(crate) budget: Option<u64>,
    /// The model decides how much (Anthropic's `adaptive`, Gemini's budget of −1).
    pub(crate) adaptive: bool,
    /// Whether thoughts are to be shown; the provider's default without one.
    pub(crate) show: Option<bool>,
    /// In which detail they are summarised, in the client's word (OpenAI Responses).
    pub(crate) summary: Option<String>,
}

/// How hard a model thinks. The order is the strength.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Effort {
    /// Not at all.
    None,
    /// As little as it can.
    Minimal,
    /// A little.
    Low,
    /// The usual.
    Medium,
    /// Hard.
    High,
    /// Harder.
    XHigh,
    /// As hard as it can.
    Max,
}

impl Effort {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::None, "none"),
        (Self::Minimal, "minimal"),
        (Self::Low, "low"),
        (Self::Medium, "medium"),
        (Self::High, "high"),
        (Self::XHigh, "xhigh"),
        (Self::Max, "max"),
    ];

    /// OpenAI's word for it, which Anthropic and Ollama share as far as they have one.
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(effort, _)| *effort == self)
            .map_or("medium", |(_, name)| name)
    }

    /// The effort of that name, in any case of letters.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
            .map(|(effort, _)| *effort)
    }

    /// The budget of thinking that stands for it where only a number can be said (llm-protocols §14.1).
    pub(crate) fn budget(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Minimal | Self::Low => 1024,
            Self::Medium => 4096,
            Self::High => 16_384,
            Self::XHigh | Self::Max => 32_768,
        }
    }

    /// The effort that a budget stands for where only a word can be said (llm-protocols §14.2).
    pub(crate) fn of_budget(budget: u64) -> Self {
        match budget {
            0 => Self::None,
            1..4096 => Self::Low,
            4096..16_384 => Self::Medium,
            _ => Self::High,
        }
    }
}

impl ReasoningRequest {
    /// The effort that is meant, where only a word can be said.
    pub(crate) fn as_effort(&self) -> Option<Effort> {
        self.effort.or_else(|| self.budget.map(Effort::of_budget))
    }

    /// The budget that is meant, where only a number can be said.
    pub(crate) fn as_budget(&self) -> Option<u64> {
        self.budget.or_else(|| self.effort.map(Effort::budget))
    }
}
