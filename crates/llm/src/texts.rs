//! Where text stands in requests, answers and stream events: found, read and replaced in place.
//!
//! Guards and moderators work on texts, whatever the protocol. A [`TextSpan`] says what a text is and where its JSON
//! string stands, so that a changed text is put back without touching another byte.

mod answer;
mod event;
mod json;
mod request;
mod stored;

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use crate::protocol::Protocol;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextKind {
    /// What somebody says.
    Said,
    /// What the model thinks before it speaks.
    Reasoning,
    /// Arguments of a tool call: JSON in a string, or one string within the JSON.
    ToolArguments,
    /// What a tool returned, where it is not a message of its own.
    ToolResult,
}

/// A text in a JSON body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextSpan<'a> {
    /// What it is.
    pub kind: TextKind,
    /// Which of several texts that grow in parallel: choice, output item or content block, and what is counted within
    /// it. Pieces of one text come in events of the same channel and kind.
    pub channel: (u32, u32),
    /// Whether it is there whole, in a stream: it says again what earlier events brought in pieces, or is an argument
    /// that no pieces bring.
    pub repeats: bool,
    /// Where its JSON string stands in the body, quotes included.
    pub range: Range<usize>,
    /// The text.
    pub text: Cow<'a, str>,
}

/// A message of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptMessage<'a> {
    /// Its role; `system` for what protocols keep outside of the messages.
    pub role: Cow<'a, str>,
    /// Its texts, in order.
    pub spans: Vec<TextSpan<'a>>,
    /// Whether it has parts that are not text: images, documents, tool calls, tool results.
    pub has_others: bool,
}

impl PromptMessage<'_> {
    /// What it says: its text parts joined by a blank.
    #[must_use]
    pub fn said(&self) -> String {
        let said = self.spans.iter().filter(|span| span.kind == TextKind::Said);
        said.map(|span| &*span.text).collect::<Vec<_>>().join(" ")
    }
}

/// The messages of a request, instructions first. Empty for passthrough and for bodies that are not what the protocol
/// says.
///
/// ```
/// use sluice_llm::{Protocol, prompt_messages};
///
/// let body = br#"{"system":"Be brief.","messages":[{"role":"user","content":"Hi"}]}"#;
/// let messages = prompt_messages(Protocol::AnthropicMessages, body);
/// let said: Vec<_> = messages.iter().map(|m| (&*m.role, m.said())).collect();
/// assert_eq!(said, [("system", "Be brief.".to_owned()), ("user", "Hi".to_owned())]);
/// ```
#[must_use]
pub fn prompt_messages(protocol: Protocol, body: &[u8]) -> Vec<PromptMessage<'_>> {
    request::messages(protocol, body).unwrap_or_default()
}

/// Whether the texts of a body can be found. Files have none that anybody knows of, unless they are lines of JSON.
#[must_use]
pub fn has_known_texts(protocol: Protocol, body: &[u8]) -> bool {
    protocol != Protocol::OpenAiObjects || stored::is_readable(body)
}

/// The texts of a whole answer.
#[must_use]
pub fn answer_texts(protocol: Protocol, body: &[u8]) -> Vec<TextSpan<'_>> {
    answer::texts(protocol, body).unwrap_or_default()
}

/// The texts that one event of a stream brings; `data` is the event's JSON.
#[must_use]
pub fn event_texts(protocol: Protocol, data: &[u8]) -> Vec<TextSpan<'_>> {
    event::texts(protocol, data).unwrap_or_default()
}

/// The body with other texts at the given places. The ranges are those of [`TextSpan`]s of this body, ascending.
#[must_use]
pub fn replace_texts<'t>(body: &[u8], edits: impl IntoIterator<Item = (Range<usize>, &'t str)>) -> Bytes {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    for (range, text) in edits {
        if range.start < at || range.end > body.len() {
            continue;
        }
        out.extend_from_slice(&body[at..range.start]);
        out.extend_from_slice(serde_json::Value::from(text).to_string().as_bytes());
        at = range.end;
    }
    out.extend_from_slice(&body[at..]);
    out.into()
}

#[cfg(test)]
mod tests;
