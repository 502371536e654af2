//! OpenAI Responses (llm-protocols §4, §14.1–14.3, §18).
//!
//! The items of a request become turns: what the model said in a row is one turn, however many items it took, and how
//! the items were cut is [kept](crate::chat::Extension::keep) with the parts. Text parts that follow each other are one
//! message unless they were several.

mod answer_in;
mod answer_out;
mod content;
mod envelope;
mod items_in;
mod items_out;
mod marks;
mod opaque;
mod output;
mod outputs;
mod request_in;
mod request_out;
mod stream_in;
mod stream_out;
mod tools_in;
mod tools_out;

#[cfg(test)]
mod tests;

use self::opaque::Opaque;
use super::{Ask, ChatCodec, ReplyFacts, StreamDecoder, StreamEncoder, TargetRules};
use crate::chat::{ChatAnswer, ChatRequest, Drops, Json, Signature, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;

const PROTOCOL: Protocol = Protocol::OpenAiResponses;

/// The codec.
pub(super) struct OpenAiResponses;

/// The signature that `encrypted_content` stands for.
pub(super) fn signature(text: &str) -> Signature {
    match Opaque::read(text) {
        Opaque::Thought { signature, .. } | Opaque::Call { signature, .. } => signature,
    }
}

impl ChatCodec for OpenAiResponses {
    fn protocol(&self) -> Protocol {
        PROTOCOL
    }

    fn decode_request(&self, body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
        request_in::read(body, ask)
    }

    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &TargetRules<'_>,
        drops: &mut Drops,
    ) -> Result<Json, Unsayable> {
        request_out::write(request, target, drops)
    }

    fn decode_answer(&self, body: &[u8]) -> Result<ChatAnswer, AnswerError> {
        answer_in::read(body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
        answer_out::write(answer, facts)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::<stream_in::Decoder>::default()
    }

    fn stream_encoder(&self, facts: ReplyFacts) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(facts))
    }
}
