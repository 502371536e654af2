//! The canonical conversation: what every chat protocol decodes to and encodes from, so that N protocols need N codecs
//! and not N².
//!
//! Nothing a client says is lost on the way: numbers keep their spelling, JSON documents stay text, and what the model
//! has no word for travels as an [`Extension`] of the protocol that it came in, and comes back out where the same
//! protocol is encoded. What another protocol cannot say is refused ([`Unsayable`]) or noted among the [`Drops`].

mod answer;
mod assemble;
mod drops;
mod event;
mod extension;
mod json;
mod media;
mod part;
mod request;
mod signature;
mod tool;
mod turns;

pub(crate) use self::answer::{ChatAnswer, Choice, StopReason};
pub(crate) use self::assemble::{Assembler, replay};
pub(crate) use self::drops::Drops;
pub use self::drops::Unsayable;
pub(crate) use self::event::{ChatEvent, PartDelta, PartStart};
pub(crate) use self::extension::Extension;
pub(crate) use self::json::{Fields, Json, Object, array, items};
pub(crate) use self::media::{Media, MediaKind, Source};
pub(crate) use self::part::{CacheMark, Part, PartKind, Reasoning, ToolCall, ToolResult};
pub(crate) use self::request::{ChatRequest, Effort, OutputFormat, ReasoningRequest, Role, Sampling, Turn};
pub(crate) use self::signature::{Signature, SignatureOrigin};
pub(crate) use self::tool::{Tool, ToolChoice, ToolKind};
pub(crate) use self::turns::Sequencer;
