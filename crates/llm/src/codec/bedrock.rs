//! AWS Bedrock Converse (llm-protocols §8).
//!
//! What other protocols say is fitted to what Converse takes:
//!
//! * turns of one side become one message, tool results first; empty text is left out; the user begins;
//! * the tools stay where the conversation has calls, even if none may be called: Converse refuses it without them;
//! * marks of the prompt cache are sent to models that know them;
//! * thinking and `top_k` of Claude models are `additionalModelRequestFields`, and follow [`Claude`](super::claude);
//! * a schema for the answer is enforced by models that can, and else asked for in `system`, as is `json_object`;
//! * media must be in the request or in S3: Bedrock fetches no addresses.

mod answer;
mod blocks_in;
mod blocks_out;
mod formats;
mod model;
mod request_in;
mod request_out;
mod signatures;
mod stop;
mod stream_in;
mod stream_out;
#[cfg(test)]
mod tests;
mod tools_out;

use super::{Ask, ChatCodec, ReplyFacts, StreamDecoder, StreamEncoder, TargetRules};
use crate::chat::{ChatAnswer, ChatRequest, Drops, Json, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;

/// The protocol of this codec.
const HERE: Protocol = Protocol::BedrockConverse;

/// AWS Bedrock Converse.
pub(super) struct Bedrock;

impl ChatCodec for Bedrock {
    fn protocol(&self) -> Protocol {
        HERE
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
        answer::decode(body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, _facts: &ReplyFacts) -> Json {
        answer::encode(answer)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream_in::Decoder::default())
    }

    fn stream_encoder(&self, _facts: ReplyFacts) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::default())
    }
}
