//! OpenAI's legacy Completions (llm-protocols §5): a prompt, and text that continues it.

mod answer;
mod logprobs;
mod prompt;
mod request;
mod stream;
#[cfg(test)]
mod tests;

use super::{Ask, ChatCodec, ReplyFacts, StreamDecoder, StreamEncoder, TargetRules};
use crate::chat::{ChatAnswer, ChatRequest, Drops, Json, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;

/// The codec. A prompt is what the user says in a conversation of one turn.
///
/// One prompt as text is understood. Several prompts, and prompts of tokens, are refused: they pass only where the
/// provider speaks this protocol too. `echo` is obeyed here if the provider does not.
pub(super) struct OpenAiCompletions;

impl ChatCodec for OpenAiCompletions {
    fn protocol(&self) -> Protocol {
        Protocol::OpenAiCompletions
    }

    fn decode_request(&self, body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
        request::decode(body, ask)
    }

    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &TargetRules<'_>,
        drops: &mut Drops,
    ) -> Result<Json, Unsayable> {
        request::encode(request, target, drops)
    }

    fn decode_answer(&self, body: &[u8]) -> Result<ChatAnswer, AnswerError> {
        answer::decode(body)
    }

    fn encode_answer(&self, answer: &ChatAnswer, facts: &ReplyFacts) -> Json {
        answer::encode(answer, facts)
    }

    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(stream::Decoder::new())
    }

    fn stream_encoder(&self, facts: ReplyFacts) -> Box<dyn StreamEncoder> {
        Box::new(stream::Encoder::new(facts))
    }
}
