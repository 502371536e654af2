//! Ids of answers that later requests may go on with (llm-protocols §4).

use std::borrow::Cow;

use serde::Deserialize;

use crate::protocol::Protocol;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
}

/// The id of a whole answer of OpenAI Responses. Answers of other protocols cannot be gone on with.
///
/// ```
/// use sluice_llm::{Protocol, answer_id};
///
/// let body = br#"{"id":"resp_1","object":"response","output":[]}"#;
/// assert_eq!(answer_id(Protocol::OpenAiResponses, body).as_deref(), Some("resp_1"));
/// assert_eq!(answer_id(Protocol::OpenAiChat, body), None);
/// ```
#[must_use]
pub fn answer_id(protocol: Protocol, body: &[u8]) -> Option<String> {
    if protocol != Protocol::OpenAiResponses {
        return None;
    }
    let answer: Answer<'_> = serde_json::from_slice(body).ok()?;
    answer.id.map(Cow::into_owned)
}

/// The same for the beginning of a stream. Its first event, `response.created`, repeats the request and may come in
/// several pieces; the id stands at its front.
#[must_use]
pub fn stream_id(protocol: Protocol, beginning: &[u8]) -> Option<String> {
    if protocol != Protocol::OpenAiResponses {
        return None;
    }
    let response = after(beginning, b"\"response\"")?;
    let id = after(response, b"\"id\"")?.trim_ascii_start();
    let text = id.strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', text)?;
    (text[end] == b'"')
        .then(|| std::str::from_utf8(&text[..end]).ok().map(str::to_owned))
        .flatten()
}

/// What follows the first occurrence of a text.
fn after<'b>(bytes: &'b [u8], text: &[u8]) -> Option<&'b [u8]> {
    let at = memchr::memmem::find(bytes, text)?;
    Some(&bytes[at + text.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_event_names_the_answer_even_in_pieces() {
        let id = |text: &str| stream_id(Protocol::OpenAiResponses, text.as_bytes());
        let event = "event: response.created\ndata: {\"type\":\"response.created\",\"response\": {\"id\" : \"resp_1\",\"instr";
        assert_eq!(id(event).as_deref(), Some("resp_1"));
        assert_eq!(id(&event[..event.len() - 10]), None);
        assert_eq!(id("data: {}\n\n"), None);
        assert_eq!(stream_id(Protocol::OpenAiChat, event.as_bytes()), None);
    }
}
