//! Codecs: one per chat protocol, between its bytes and the canonical conversation of [`chat`](crate::chat).
//!
//! A codec knows its own protocol and the canonical model, and no other protocol. Decoders take what clients and
//! providers really send, not only what the documents say; encoders write what the official SDKs read.

mod anthropic;
mod bedrock;
mod broken;
mod call_signatures;
mod claude;
mod cohere;
mod common;
mod gemini;
mod messages;
mod ollama;
mod openai_chat;
mod openai_completions;
mod openai_models;
mod openai_responses;
mod pieces;
#[cfg(test)]
mod testing;

use bytes::{Bytes, BytesMut};

use crate::chat::{ChatAnswer, ChatEvent, ChatRequest, Drops, Json, Signature, SignatureOrigin, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;
use crate::provider::Quirks;

/// One protocol.
pub(crate) trait ChatCodec: Sync {
    /// The protocol.
    fn protocol(&self) -> Protocol;

    /// Reads a client's request.
    ///
    /// # Errors
    /// [`Unsayable`] if it is not what the protocol says; `param` is the member's path in the client's body.
    fn decode_request(&self, body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable>;

    /// Writes a request for a provider. What the protocol cannot say is noted in `drops` by its name in the client's
    /// protocol where that is known, or refused where leaving it out would change the meaning of the conversation.
    ///
    /// # Errors
    /// [`Unsayable`].
    fn encode_request(
        &self,
        request: &ChatRequest,
        target: &TargetRules<'_>,
        drops: &mut Drops,
    ) -> Result<Json, Unsayable>;

    /// Reads a provider's whole answer, which was a success.
    ///
    /// # Errors
    /// [`AnswerError`] if it is not what the protocol says.
    fn decode_answer(&self, body: &[u8]) -> Result<ChatAnswer, AnswerError>;

    /// Writes a whole answer for a client.
    fn encode_answer(&self, answer: &ChatAnswer, facts: &ReplyFacts) -> Json;

    /// Reads a provider's stream.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// Writes a stream for a client.
    fn stream_encoder(&self, facts: ReplyFacts) -> Box<dyn StreamEncoder>;
}

/// Reads a provider's stream, pushed in pieces cut anywhere.
pub(crate) trait StreamDecoder: Send {
    /// Takes a piece and appends the events that it completes, in the order that [`ChatEvent`] promises.
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>);

    /// The stream ended. Closes what is open; ends with [`ChatEvent::End`] only if the protocol's own end was seen or
    /// the answer is whole by its rules, else with [`ChatEvent::Error`] (kind `Upstream`, code `upstream_cut`). Appends
    /// nothing if either was said already.
    fn finish(&mut self, out: &mut Vec<ChatEvent>);
}

/// Writes a stream for a client.
pub(crate) trait StreamEncoder: Send {
    /// Takes an event and appends what the client gets of it: whole frames, in the order that the protocol's own
    /// servers keep. [`ChatEvent::End`] and [`ChatEvent::Error`] end the stream in the protocol's way.
    fn push(&mut self, event: ChatEvent, out: &mut BytesMut);
}

/// What of a request does not stand in its body.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ask<'a> {
    /// The model that the path names.
    pub(crate) model: Option<&'a str>,
    /// Whether the path asks for a stream; `None` where the body says.
    pub(crate) stream: Option<bool>,
}

/// What a request is encoded for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TargetRules<'a> {
    /// The model that is called, for rules that differ by model.
    pub(crate) model: &'a str,
    /// How the provider differs from the protocol as its inventor speaks it.
    pub(crate) quirks: &'static Quirks,
}

/// What an answer needs to know of the call beside what the provider said.
#[derive(Clone, Debug)]
pub(crate) struct ReplyFacts {
    /// An id of the gateway's, of letters and digits, for answers whose provider gave none and for parts that need one.
    pub(crate) id: String,
    /// When the call began, in seconds since 1970.
    pub(crate) created: u64,
    /// The model that the client asked for, shown where the provider names none.
    pub(crate) model: String,
    /// Whether the client asked for usage in the stream, in a protocol where it must be asked for.
    pub(crate) stream_usage: bool,
    /// Whether a Gemini client reads server-sent events (`alt=sse`); else it gets one JSON array.
    pub(crate) is_sse: bool,
    /// The client's body, for protocols whose answers repeat parts of the request.
    pub(crate) body: Bytes,
}

/// The signature that a member of that name holds, in whichever protocol.
pub(crate) fn signature_in(member: &str, text: &str) -> Option<Signature> {
    match member {
        "encrypted_content" => Some(openai_responses::signature(text)),
        "signature" => Some(Signature::unpack(text, SignatureOrigin::Anthropic)),
        "thoughtSignature" | "thought_signature" => Some(gemini::signature(text)),
        _ => None,
    }
}

/// The codec of a chat protocol; `None` for protocols that are no chat.
pub(crate) fn codec(protocol: Protocol) -> Option<&'static dyn ChatCodec> {
    match protocol {
        Protocol::OpenAiChat => Some(&openai_chat::OpenAiChat),
        Protocol::OpenAiCompletions => Some(&openai_completions::OpenAiCompletions),
        Protocol::OpenAiResponses => Some(&openai_responses::OpenAiResponses),
        Protocol::AnthropicMessages => Some(&anthropic::Anthropic),
        Protocol::BedrockConverse => Some(&bedrock::Bedrock),
        Protocol::CohereChat => Some(&cohere::Cohere),
        Protocol::GeminiGenerate => Some(&gemini::Gemini),
        Protocol::OllamaChat => Some(&ollama::Ollama::CHAT),
        Protocol::OllamaGenerate => Some(&ollama::Ollama::GENERATE),
        _ => None,
    }
}
