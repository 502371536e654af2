//! Cohere v2 chat (llm-protocols §12).

mod answer_in;
mod answer_out;
mod finish;
mod logprobs;
mod messages_in;
mod messages_out;
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

/// What extensions of this protocol are called.
const PROTOCOL: Protocol = Protocol::CohereChat;

/// The codec.
pub(super) struct Cohere;

impl ChatCodec for Cohere {
    fn protocol(&self) -> Protocol {
        PROTOCOL
    }

    fn decode_request(&self, body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
        request_in::decode(body, ask)
    }

    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &TargetRules<'_>,
        drops: &mut Drops,
    ) -> Result<Json, Unsayable> {
        request_out::encode(request, target.model, drops)
    }

    fn decode_answer(&self, body: &[u8]) -> Result<ChatAnswer, AnswerError> {
        answer_in::decode(body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
        answer_out::encode(answer, facts)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::<stream_in::Decoder>::default()
    }

    fn stream_encoder(&self, facts: ReplyFacts) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(facts))
    }
}
