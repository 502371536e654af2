//! How providers differ from the protocol that they are compatible with (llm-protocols §13).

/// What sets a provider apart when a conversation is translated for it. Bytes that pass through are never changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quirks {
    /// Member of OpenAI chat that limits the answer: `max_tokens`, or `max_completion_tokens`.
    pub max_tokens: &'static str,
    /// Members of requests that the provider refuses. They are left out, and the client is told.
    pub refuses: &'static [&'static str],
    /// Where OpenAI chat takes the thoughts of earlier turns back.
    pub reasoning_back: ReasoningBack,
    /// How OpenAI chat is asked for usage in a stream.
    pub stream_usage: StreamUsageAsk,
    /// Its word for a forced tool call of any tool; `None` where it cannot be forced.
    pub required: Option<&'static str>,
    /// Its member for the seed.
    pub seed: &'static str,
    /// What it takes as ids of tool calls.
    pub call_ids: CallIds,
    /// Whether it knows the role `developer`; else such messages are sent as `system`.
    pub developer_role: bool,
    /// Whether it takes `response_format` of type `json_schema`; else a schema is asked for as `json_object`.
    pub json_schema: bool,
    /// Whether it takes `response_format` of type `json_object`.
    pub json_object: bool,
    /// Whether it takes tools of type `custom`; else they are sent as functions with one text argument `input`.
    pub custom_tools: bool,
    /// Whether it reads the depth of thinking as `reasoning_effort`, as `reasoning: {effort}`, or not at all.
    pub effort: EffortMember,
}

/// Where thoughts of earlier turns go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReasoningBack {
    /// Nowhere.
    Never,
    /// `reasoning_content` of the message.
    Content,
    /// `reasoning_details` of the message, verbatim.
    Details,
}

/// How usage in a stream is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamUsageAsk {
    /// `stream_options.include_usage`
    Options,
    /// Not at all: it always comes, and `stream_options` would be refused.
    Unasked,
}

/// What a provider takes as the id of a tool call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallIds {
    /// Any text.
    Any,
    /// Letters, digits, `_` and `-`, at most 64.
    Word,
    /// Nine letters or digits (Mistral).
    Nine,
}

/// Where the depth of thinking is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffortMember {
    /// `reasoning_effort`
    ReasoningEffort,
    /// `reasoning.effort` (OpenRouter).
    Reasoning,
    /// Nowhere.
    Nowhere,
}

impl Quirks {
    /// Whether it has OpenAI's own rules, which refuse what they do not know.
    #[must_use]
    pub const fn is_openai(&self) -> bool {
        self.developer_role
    }

    /// None at all: OpenAI's own rules.
    pub const NONE: Self = Self {
        max_tokens: "max_completion_tokens",
        refuses: &[],
        reasoning_back: ReasoningBack::Never,
        stream_usage: StreamUsageAsk::Options,
        required: Some("required"),
        seed: "seed",
        call_ids: CallIds::Any,
        developer_role: true,
        json_schema: true,
        json_object: true,
        custom_tools: true,
        effort: EffortMember::ReasoningEffort,
    };

    /// What most compatible servers have in common.
    pub const COMPATIBLE: Self = Self {
        max_tokens: "max_tokens",
        developer_role: false,
        custom_tools: false,
        ..Self::NONE
    };
}
