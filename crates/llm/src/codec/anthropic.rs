//! Anthropic Messages (llm-protocols §6, §14.2).
//!
//! What other protocols say is fitted to what Anthropic takes:
//!
//! * the system messages that lead the conversation are `system`, one block per part; later ones are the user's text;
//! * turns of one side become one message, tool results first; empty text is left out; a conversation without a user's
//!   turn gets one;
//! * a request without a limit of tokens gets one, see [`Claude`](super::claude::Claude);
//! * a schema for the answer is enforced by models that can, and else asked for in `system`, as is `json_object`;
//! * thoughts without a signature of Anthropic's are left out, since the provider refuses them.

mod answer;
mod blocks_in;
mod blocks_out;
mod request_in;
mod request_out;
mod stop;
mod stream_in;
mod stream_out;
#[cfg(test)]
mod tests;
mod wire;

use super::{Ask, ChatCodec, ReplyFacts, StreamDecoder, StreamEncoder, TargetRules};
use crate::chat::{ChatAnswer, ChatRequest, Drops, Json, SignatureOrigin, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;

/// The protocol of this codec.
const HERE: Protocol = Protocol::AnthropicMessages;
/// Whose signatures stand in it as they are.
const NATIVE: SignatureOrigin = SignatureOrigin::Anthropic;

/// Anthropic Messages.
pub(super) struct Anthropic;

impl ChatCodec for Anthropic {
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

    fn encode_answer(&self, answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
        answer::encode(answer, facts)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream_in::Decoder::new())
    }

    fn stream_encoder(&self, facts: ReplyFacts) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(facts))
    }
}
