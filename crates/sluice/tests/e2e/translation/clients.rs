//! A small client for each protocol.

mod anthropic;
mod bedrock;
mod chat;
mod cohere;
mod completions;
mod gemini;
mod ollama;
mod responses;

use bytes::Bytes;
use serde_json::Value;
use sluice_testkit::{Call, Gateway};
use sluice_wire::EventStreamSplitter;

use super::neutral::{Ask, Seen};

/// A client of one protocol.
pub(super) trait Client: Sync {
    /// Its name on the page.
    fn name(&self) -> &'static str;

    /// Where it calls.
    fn path(&self, streams: bool) -> String;

    /// The request; `None` where the protocol has no word for it.
    fn body(&self, ask: &Ask) -> Option<Value>;

    /// Reads a whole answer.
    fn whole(&self, answer: &Value) -> Seen;

    /// Reads a stream.
    fn stream(&self, bytes: &Bytes) -> Seen;

    /// The message of an error that is a whole answer.
    fn error(&self, body: &Value) -> Option<String>;

    /// Whether it learns what a model thought.
    fn shows_thoughts(&self) -> bool {
        true
    }

    /// Whether what it keeps of an answer has a place for signatures.
    fn keeps_signatures(&self) -> bool {
        true
    }
}

/// What a client says of a stream that cannot be read to its end.
const UNREADABLE: &str = "unreadable";

/// All of them.
pub(super) const CLIENTS: [&dyn Client; 10] = [
    &chat::Chat,
    &completions::Completions,
    &responses::Responses,
    &anthropic::Anthropic,
    &gemini::Gemini { sse: true },
    &gemini::Gemini { sse: false },
    &bedrock::Bedrock,
    &cohere::Cohere,
    &ollama::Ollama,
    &ollama::Generate,
];

/// A call of that body with that key.
pub(super) fn call(gateway: &Gateway, client: &dyn Client, key: &str, streams: bool, body: &Value) -> Call {
    let call = gateway.client().post(&client.path(streams));
    call.header("authorization", &format!("Bearer {key}")).json(body)
}

/// Names and data of server-sent events.
fn events(bytes: &Bytes) -> Vec<(String, String)> {
    // Gemini ends its lines with CRLF.
    let text = String::from_utf8(bytes.to_vec()).unwrap().replace("\r\n", "\n");
    let mut events = Vec::new();
    for block in text.split("\n\n") {
        let (mut name, mut data) = (String::new(), None);
        for line in block.lines() {
            if let Some(value) = line.strip_prefix("event: ") {
                value.clone_into(&mut name);
            } else if let Some(value) = line.strip_prefix("data: ") {
                data = Some(value.to_owned());
            }
        }
        events.extend(data.map(|data| (name, data)));
    }
    events
}

/// The data of events that are JSON, and whether `[DONE]` came last. Half an event is passed over.
fn json_events(bytes: &Bytes) -> (Vec<Value>, bool) {
    let events = events(bytes);
    let done = events.last().is_some_and(|(_, data)| data == "[DONE]");
    let json = events
        .iter()
        .filter_map(|(_, data)| serde_json::from_str(data).ok());
    (json.collect(), done)
}

/// Lines of JSON. Half a line is passed over.
fn lines(bytes: &Bytes) -> Vec<Value> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Names and payloads of the events of a binary stream; exceptions have names that end in `Exception`.
fn binary_events(bytes: &Bytes) -> Vec<(String, Value)> {
    let mut splitter = EventStreamSplitter::new();
    splitter.push(bytes);
    let mut events = Vec::new();
    while let Some(message) = splitter.next_message() {
        let name = message
            .header(":event-type")
            .or(message.header(":exception-type"));
        let payload = serde_json::from_slice(message.payload()).unwrap();
        events.push((name.unwrap_or_default().to_owned(), payload));
    }
    if !splitter.take_rest().is_empty() {
        events.push((UNREADABLE.to_owned(), Value::from(UNREADABLE)));
    }
    events
}
