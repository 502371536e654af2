//! Gemini `generateContent` and `streamGenerateContent` (llm-protocols §7, §14.1, §14.4).
//!
//! Requests: one [`request_in`] and one [`request_out`], with what they are made of in `parts_*`, `config_*` and `tools`.
//! Answers: [`answer_in`] and [`answer_out`]. Streams: [`stream_in`] reads server-sent events and JSON arrays alike,
//! [`stream_out`] writes either.

mod answer_in;
mod answer_out;
mod config_in;
mod config_out;
mod finish;
mod logprobs;
mod model;
mod parts_in;
mod parts_out;
mod request_in;
mod request_out;
mod schema;
mod signature;
mod stream_in;
mod stream_out;
#[cfg(test)]
mod tests;
mod tools;

use super::{Ask, ChatCodec, ReplyFacts, StreamDecoder, StreamEncoder, TargetRules};
use crate::chat::{ChatAnswer, ChatRequest, Drops, Json, Signature, SignatureOrigin, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;

/// What extensions of this protocol are called.
const PROTOCOL: Protocol = Protocol::GeminiGenerate;

/// The codec.
pub(super) struct Gemini;

/// The signature that a text stands for.
pub(super) fn signature(text: &str) -> Signature {
    let (signature, _) = signature::read(text.to_owned());
    match signature.origin {
        // OpenAI's chat has them packed without base64.
        SignatureOrigin::Gemini => Signature::unpack(&signature.data, SignatureOrigin::Gemini),
        _ => signature,
    }
}

impl ChatCodec for Gemini {
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
