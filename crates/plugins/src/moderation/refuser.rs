//! Saying no in the client's protocol.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use sluice_core::{AiCall, Progress, Reply, WholeAnswer};
use sluice_llm::{Protocol, Refusal};
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
    pub(crate) fn reply(&self, status: StatusCode, text: &str) -> Reply {
        let (content_type, body) = if self.stream {
            ("text/event-stream", self.stream(text))
        } else {
            ("application/json", self.body(text))
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

    /// The events of a refusal, to their end.
    pub(crate) fn stream(&self, text: &str) -> Bytes {
        self.write(text, |refusal| refusal.stream())
    }

    fn body(&self, text: &str) -> Bytes {
        self.write(text, |refusal| refusal.body())
    }

    fn write(&self, text: &str, write: impl FnOnce(&Refusal<'_>) -> Bytes) -> Bytes {
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
