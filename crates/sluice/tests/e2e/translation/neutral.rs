//! What clients ask and what they get, in no protocol.

use serde_json::{Value, json};

/// A picture of one pixel.
pub(super) const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// A document, as far as anybody looks.
pub(super) const PDF: &str = "JVBERi0xLjQKJcOkw7zDtsOfCg==";
/// A sound, as far as anybody looks.
pub(super) const WAV: &str = "UklGRiQAAABXQVZFZm10IBAAAAABAAEA";
/// Where another picture is.
pub(super) const PICTURE: &str = "https://pictures.example/cat.png";

/// A request.
#[derive(Clone, Debug, Default)]
pub(super) struct Ask {
    pub(super) system: Option<&'static str>,
    pub(super) turns: Vec<Say>,
    /// Names of tools that take a city.
    pub(super) tools: Vec<String>,
    /// Whether the answer is to be an object with a member `town`.
    pub(super) structured: bool,
    pub(super) stop: Option<&'static str>,
    pub(super) logprobs: bool,
    pub(super) thinks: bool,
    /// Whether the prompt is to be cached up to the end of the system text.
    pub(super) cached: bool,
    pub(super) streams: bool,
}

/// A turn.
#[derive(Clone, Debug)]
pub(super) enum Say {
    User(Vec<Piece>),
    /// An answer that came before, in the client's protocol.
    Model(Value),
    /// Id and name of a call, and what the tool gave.
    Results(Vec<(String, String, Vec<Piece>)>),
}

/// What a turn is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(&'static str),
    Image,
    LinkedImage,
    Document,
    Audio,
}

impl Ask {
    /// A question of one turn.
    pub(super) fn of(pieces: &[Piece]) -> Self {
        Self {
            turns: vec![Say::User(pieces.to_vec())],
            ..Self::default()
        }
    }

    /// The text of the only turn, where that is all there is of a conversation.
    pub(super) fn only_text(&self) -> Option<&'static str> {
        match self.turns.as_slice() {
            [Say::User(pieces)] => match pieces.as_slice() {
                [Piece::Text(text)] => Some(text),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn schema() -> Value {
        json!({
            "type": "object", "properties": { "town": { "type": "string" } }, "required": ["town"],
            "additionalProperties": false,
        })
    }

    pub(super) fn parameters() -> Value {
        json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] })
    }
}

/// An answer, as the client reads it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) text: String,
    pub(super) thoughts: String,
    pub(super) calls: Vec<Call>,
    pub(super) stop: Stopped,
    pub(super) usage: Option<Tokens>,
    pub(super) logprobs: bool,
    /// The turn as the client keeps it and sends it back.
    pub(super) history: Value,
    /// What went wrong within a stream.
    pub(super) error: Option<String>,
    /// Whether a stream came to the end that its protocol has.
    pub(super) is_ended: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) arguments: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stopped {
    #[default]
    Unknown,
    End,
    Sequence,
    Length,
    Tools,
}

/// All that was read, what of it came from a cache, and all that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) prompt: u64,
    /// Unknown where the protocol has no word for it.
    pub(super) cached: Option<u64>,
    pub(super) completion: u64,
}

/// A number of a usage.
pub(super) fn number(value: &Value) -> u64 {
    // Cohere counts in fractions.
    value.as_f64().map_or(0, |count| count as u64)
}

/// A text; an empty one of anything else.
pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The items of a list; none of anything else.
pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Appends a text to another.
pub(super) fn append(to: &mut Value, more: &str) {
    let joined = format!("{}{more}", text(to));
    *to = joined.into();
}
