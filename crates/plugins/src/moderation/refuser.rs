//! Saying no in the client's protocol.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use sluice_core::{AiCall, Profile, Progress, Reply, WholeAnswer};
use sluice_llm::{Framing, Protocol, Refusal, StreamEvent};
use sluice_record::Text;

/// Writes refusals for one call, with the usage that its provider has reported by then.
pub(crate) struct Refuser {
    protocol: Protocol,
    stream: bool,
    model: Text,
    progress: Arc<Progress>,
}

impl Refuser {
    pub(crate) fn of(ai: &AiCall) -> Self {
        Self {
            protocol: ai.protocol,
            stream: ai.stream,
            model: ai.model_asked.clone(),
            progress: ai.progress.clone(),
        }
    }

    /// The protocol of the client.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// A refusal in place of the whole request.
    pub(crate) fn reply(&self, framing: Framing, profile: Profile, status: StatusCode, text: &str) -> Reply {
        let frames = || -> Bytes {
            let events = self.events(text);
            let frames: Vec<_> = events.iter().map(|event| &event.frame()[..]).collect();
            frames.concat().into()
        };
        let (content_type, body) = match (self.stream, framing) {
            (false, _) => ("application/json", self.body(text)),
            (true, Framing::Lines) => ("application/x-ndjson", frames()),
            (true, Framing::JsonArray) => (
                "application/json",
                [b"[", &self.body(text)[..], b"]"].concat().into(),
            ),
            // APISIX sends a whole answer here, which the clients of such streams cannot read.
            (true, Framing::EventStream) if profile == Profile::Native => {
                ("application/vnd.amazon.eventstream", frames())
            }
            (true, _) => ("text/event-stream", self.write(text, |refusal| refusal.stream())),
        };
        Reply::bytes(status, HeaderValue::from_static(content_type), body)
    }

    /// A refusal in place of a whole answer.
    pub(crate) fn replace(&self, answer: &mut WholeAnswer, status: StatusCode, text: &str) {
        answer.status = status;
        answer.body = self.body(text);
        let json = HeaderValue::from_static("application/json");
        answer.headers.insert(header::CONTENT_TYPE, json);
    }

    /// The events of a refusal in a stream that has begun, to their end.
    pub(crate) fn events(&self, text: &str) -> Vec<StreamEvent> {
        self.write(text, |refusal| refusal.events())
    }

    fn body(&self, text: &str) -> Bytes {
        self.write(text, |refusal| refusal.body())
    }

    fn write<T>(&self, text: &str, write: impl FnOnce(&Refusal<'_>) -> T) -> T {
        let raw = self.progress.read(|state| state.raw_usage.clone());
        let usage: Option<Value> = raw.and_then(|raw| serde_json::from_str(&raw).ok());
        write(&Refusal {
            protocol: self.protocol,
            id: &uuid::Uuid::new_v4().to_string(),
            model: &self.model,
            text,
            usage: usage.as_ref(),
        })
    }
}
