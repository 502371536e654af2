//! What a model answers.

use super::{Extension, Json, Part};
use crate::usage::Usage;

/// A whole answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ChatAnswer {
    /// The provider's id for it.
    pub(crate) id: Option<String>,
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// When, in seconds since 1970.
    pub(crate) created: Option<u64>,
    /// The alternatives; at least one unless the provider blocked the prompt.
    pub(crate) choices: Vec<Choice>,
    /// What it took, where the provider says.
    pub(crate) usage: Option<Usage>,
    /// Class of service, in the protocol's word.
    pub(crate) service_tier: Option<String>,
    /// What only the provider's protocol says.
    pub(crate) extension: Extension,
}

/// One alternative of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Choice {
    /// What it says, in order.
    pub(crate) parts: Vec<Part>,
    /// Why it ends.
    pub(crate) stop: StopReason,
    /// The text that ended it, where the provider says.
    pub(crate) stop_sequence: Option<String>,
    /// Probabilities of its tokens, as OpenAI chat writes `logprobs`.
    pub(crate) logprobs: Option<Json>,
    /// What only the provider's protocol says.
    pub(crate) extension: Extension,
}

impl Choice {
    /// Whether a tool is called.
    pub(crate) fn calls_tools(&self) -> bool {
        self.parts
            .iter()
            .any(|part| matches!(part.kind, super::PartKind::ToolCall(_)))
    }
}

/// Why an answer ends (llm-protocols §15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StopReason {
    /// It is complete.
    Stop,
    /// A text that the client named came up.
    StopSequence,
    /// The limit of tokens.
    Length,
    /// The model's context is full.
    ContextWindow,
    /// Tools are to be called. Decoders say so whenever the answer calls one, whatever the provider says.
    ToolCalls,
    /// A filter of the provider.
    ContentFilter,
    /// The model refuses.
    Refusal,
    /// The provider paused a long turn, to be continued.
    Pause,
    /// The provider failed within the answer, or the model wrote what cannot be read.
    Failed,
}
