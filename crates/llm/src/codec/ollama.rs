//! Ollama `/api/chat` and `/api/generate` (llm-protocols §11): one codec in two forms.
//!
//! Extensions of both forms are called [`Protocol::OllamaChat`], since most members are common to them.

mod answer_in;
mod answer_out;
mod clock;
mod format;
mod options;
mod request_in;
mod request_out;
mod stream_in;
mod stream_out;
#[cfg(test)]
mod tests;
mod tools;

use super::{Ask, ChatCodec, ReplyFacts, StreamDecoder, StreamEncoder, TargetRules};
use crate::chat::{ChatAnswer, ChatRequest, Drops, Json, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;

/// What extensions of both forms are called.
const PROTOCOL: Protocol = Protocol::OllamaChat;

/// The codec.
pub(super) struct Ollama(Form);

impl Ollama {
    /// `/api/chat`.
    pub(super) const CHAT: Self = Self(Form::Chat);
    /// `/api/generate`.
    pub(super) const GENERATE: Self = Self(Form::Generate);
}

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Chat,
    Generate,
}

impl ChatCodec for Ollama {
    fn protocol(&self) -> Protocol {
        match self.0 {
            Form::Chat => Protocol::OllamaChat,
            Form::Generate => Protocol::OllamaGenerate,
        }
    }

    fn decode_request(&self, body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
        request_in::decode(self.0, body, ask)
    }

    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &TargetRules<'_>,
        drops: &mut Drops,
    ) -> Result<Json, Unsayable> {
        request_out::encode(self.0, request, target.model, drops)
    }

    fn decode_answer(&self, body: &[u8]) -> Result<ChatAnswer, AnswerError> {
        answer_in::decode(body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
        answer_out::encode(self.0, answer, facts)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::<stream_in::Decoder>::default()
    }

    fn stream_encoder(&self, facts: ReplyFacts) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(self.0, facts))
    }
}
