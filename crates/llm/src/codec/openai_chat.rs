//! OpenAI Chat Completions (llm-protocols §3), and what the providers that are compatible with it make of it (§13).

mod answer_in;
mod answer_out;
mod citations;
mod custom;
mod details;
mod format;
mod media_out;
mod message_in;
mod messages_in;
mod messages_out;
mod reader;
mod request_in;
mod request_out;
mod stream_in;
mod stream_out;
#[cfg(test)]
mod tests;
mod tools_in;
mod tools_out;
mod usage_out;
mod wire;

pub(super) use self::answer_out::finish_reason;
pub(super) use self::request_in::{stop, stream_options};
pub(super) use self::request_out::{Body, end_user, sampling, stream};
pub(super) use self::stream_in::Decoder;
pub(super) use self::stream_out::{put, put_json};
pub(super) use self::usage_out::UsageOut;
pub(super) use self::wire::{stop_reason, tally};
use super::{Ask, ChatCodec, ReplyFacts, StreamDecoder, StreamEncoder, TargetRules};
use crate::chat::{ChatAnswer, ChatRequest, Drops, Json, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;

/// The codec.
///
/// `functions` and `function_call`, which tools have replaced, are read as tools and sent as tools; a client that uses
/// them reads its answers in the same words. `max_tokens` is sent as what the provider calls it, and a `content` of one
/// plain text as a string.
pub(super) struct OpenAiChat;

impl ChatCodec for OpenAiChat {
    fn protocol(&self) -> Protocol {
        Protocol::OpenAiChat
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
        request_out::encode(request, target, drops)
    }

    fn decode_answer(&self, body: &[u8]) -> Result<ChatAnswer, AnswerError> {
        answer_in::decode(body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
        answer_out::encode(answer, facts)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(Decoder::new(answer_in::decode))
    }

    fn stream_encoder(&self, facts: ReplyFacts) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(facts))
    }
}
