//! Server-sent events, each with the instant it arrived.

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use crate::client::Answer;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event:` field.
    pub name: Option<String>,
    /// The `data:` fields, joined by newlines. Empty for comments.
    pub data: String,
    /// Lines that begin with a colon, without it: what keep-alives are made of.
    pub comment: Option<String>,
    /// When its last byte arrived.
    pub at: Instant,
}

impl Event {
    /// The data as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn json(&self) -> Value {
        match serde_json::from_str(&self.data) {
            Ok(value) => value,
            Err(error) => panic!("the event's data is not JSON: {error}: {self:?}"),
        }
    }

    fn parse(block: &[u8], at: Instant) -> Self {
        let mut event = Self {
            name: None,
            data: String::new(),
            comment: None,
            at,
        };
        let mut data = Vec::new();
        for line in String::from_utf8_lossy(block).lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "" => event.comment = Some(value.to_owned()),
                "event" => event.name = Some(value.to_owned()),
                "data" => data.push(value.to_owned()),
                _ => {}
            }
        }
        event.data = data.join("\n");
        event
    }
}

/// The events of an answer, as they arrive. Dropping it closes the connection, as a client that leaves does.
#[derive(Debug)]
pub struct Events {
    answer: Answer,
    read: BytesMut,
    read_at: Instant,
    end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    Broken,
}

impl Events {
    pub(crate) fn new(answer: Answer) -> Self {
        Self {
            answer,
            read: BytesMut::new(),
            read_at: Instant::now(),
            end: None,
        }
    }

    /// The next event, once it is complete; `None` at the end of the answer, be it whole or broken off.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((length, separator)) = block_end(&self.read) {
                let block = self.read.split_to(length + separator);
                return Some(Event::parse(&block[..length], self.read_at));
            }
            if self.end.is_some() {
                return None;
            }
            match self.answer.chunk().await {
                Ok(Some(chunk)) => self.read.extend_from_slice(&chunk),
                Ok(None) => self.end = Some(End::Whole),
                Err(_) => self.end = Some(End::Broken),
            }
            self.read_at = Instant::now();
        }
    }

    /// Reads to the end.
    pub async fn finish(mut self) -> Finished {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        Finished {
            events,
            broken: self.end == Some(End::Broken),
            rest: self.read.freeze(),
        }
    }
}

/// All events of an answer that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The events in order.
    pub events: Vec<Event>,
    /// Whether the connection broke before the body's end.
    pub broken: bool,
    /// Bytes after the last complete event.
    pub rest: Bytes,
}

impl Finished {
    /// The data of all events but comments.
    #[must_use]
    pub fn data(&self) -> Vec<&str> {
        self.events
            .iter()
            .filter(|event| event.comment.is_none())
            .map(|event| &*event.data)
            .collect()
    }

    /// The names of all events but comments; empty where an event has none.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let named = self.events.iter().filter(|event| event.comment.is_none());
        named
            .map(|event| event.name.as_deref().unwrap_or_default())
            .collect()
    }

    /// The events that are JSON: all but comments and `[DONE]`.
    #[must_use]
    pub fn json(&self) -> Vec<Value> {
        self.events
            .iter()
            .filter_map(|event| serde_json::from_str(&event.data).ok())
            .collect()
    }

    /// The text that the stream spells out, in chat completions, completions, responses or messages.
    #[must_use]
    pub fn text(&self) -> String {
        self.json()
            .iter()
            .filter_map(text_of)
            .map(ToOwned::to_owned)
            .collect()
    }

    /// Time between the first and the last event: a relay that buffers delivers all at once.
    #[must_use]
    pub fn spread(&self) -> Duration {
        match (self.events.first(), self.events.last()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => Duration::ZERO,
        }
    }
}

fn text_of(event: &Value) -> Option<&str> {
    let choice = &event["choices"][0];
    let candidates = [
        &choice["delta"]["content"],
        &choice["text"],
        &event["delta"]["text"],
    ];
    if event["type"] == "response.output_text.delta" {
        return event["delta"].as_str();
    }
    candidates.into_iter().find_map(Value::as_str)
}

/// Length of the first complete block, and of the blank line that ends it.
fn block_end(read: &[u8]) -> Option<(usize, usize)> {
    (0..read.len()).find_map(|at| match &read[at..] {
        [b'\n', b'\n', ..] => Some((at, 2)),
        [b'\r', b'\n', b'\r', b'\n', ..] => Some((at, 4)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_fields_and_comments() {
        let at = Instant::now();
        let event = Event::parse(b"event: ping\ndata: one\ndata:two", at);
        assert_eq!(
            (event.name.as_deref(), event.data.as_str()),
            (Some("ping"), "one\ntwo")
        );
        let comment = Event::parse(b": keep-alive", at);
        assert_eq!(
            (comment.comment.as_deref(), comment.data.as_str()),
            (Some("keep-alive"), "")
        );
    }

    #[test]
    fn finds_both_kinds_of_blank_line() {
        assert_eq!(block_end(b"data: x\n\nrest"), Some((7, 2)));
        assert_eq!(block_end(b"data: x\r\n\r\n"), Some((7, 4)));
        assert_eq!(block_end(b"data: x\n"), None);
    }
}
