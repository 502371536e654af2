//! What a streamed answer is made of.

use super::{Extension, Json, Signature, StopReason};
use crate::error::PublicError;
use crate::usage::Usage;

/// One event of a streamed answer.
///
/// Decoders keep to this order, encoders rely on it: one `Start` first; per choice, parts numbered from 0 in the order
/// in which they start, each with one `PartStart`, any number of `Delta`s and one `PartEnd`; one `Stop` per choice behind
/// its last part; any number of `Usage`, each the whole so far (the last counts); and at last either `End` or `Error`,
/// nothing behind it. Parts of one choice may overlap; [`Sequencer`](super::turns) is for protocols in which they cannot.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ChatEvent {
    /// The answer begins.
    Start {
        /// The provider's id for it.
        id: Option<String>,
        /// The model that answers.
        model: Option<String>,
        /// What only the provider's protocol says.
        extension: Extension,
    },
    /// A part begins.
    PartStart {
        /// The alternative that it belongs to.
        choice: u32,
        /// Its number there.
        part: u32,
        /// What it is.
        start: PartStart,
    },
    /// A part goes on.
    Delta {
        /// The alternative that it belongs to.
        choice: u32,
        /// Its number there.
        part: u32,
        /// What comes.
        delta: PartDelta,
    },
    /// A part is complete.
    PartEnd {
        /// The alternative that it belongs to.
        choice: u32,
        /// Its number there.
        part: u32,
    },
    /// Probabilities of tokens, as OpenAI chat writes `logprobs`.
    Logprobs {
        /// The alternative that they belong to.
        choice: u32,
        /// The object.
        logprobs: Json,
    },
    /// An alternative ends.
    Stop {
        /// Which.
        choice: u32,
        /// Why.
        reason: StopReason,
        /// The text that ended it, where the provider says.
        stop_sequence: Option<String>,
    },
    /// What it took so far, as a whole.
    Usage(Usage),
    /// The answer is complete.
    End,
    /// It broke off.
    Error(PublicError),
}

/// What begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PartStart {
    /// Text.
    Text,
    /// That the model refuses.
    Refusal,
    /// Thoughts.
    Reasoning {
        /// Whether a summary of them comes.
        is_summary: bool,
        /// Whether they are hidden: a signature comes, and no text.
        is_redacted: bool,
        /// The provider's name for them.
        id: Option<String>,
    },
    /// A call of a tool.
    ToolCall {
        /// Its id, never empty.
        id: String,
        /// The tool.
        name: String,
        /// Whether it is a custom tool.
        is_custom: bool,
    },
    /// A part that only the provider's protocol has, complete.
    Foreign(Extension),
}

/// What comes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum PartDelta {
    /// More text, refusal or thought, by the kind of the part. Never cut within a character.
    Text(String),
    /// More of a call's arguments: any piece of the text.
    Arguments(String),
    /// The signature of a thought or a call, whole.
    Signature(Signature),
    /// An annotation of the text, such as a source, as the provider's protocol writes it.
    Annotation(Extension),
}
