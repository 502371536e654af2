//! A conversation carried between two protocols, through the canonical model.

mod memory;
mod names;
mod stream;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

pub use self::memory::{Conversation, Memory};
use self::names::Names;
pub use self::stream::ChatStream;
use crate::chat::{Assembler, ChatAnswer, ChatRequest, Drops, PartKind, SignatureOrigin, Turn, Unsayable};
use crate::client_call::ClientCall;
use crate::codec::{Ask, ChatCodec, ReplyFacts, TargetRules, codec};
use crate::convert::AnswerError;
use crate::protocol::Protocol;
use crate::provider::{Provider, ReasoningBack};

/// What a translation is made for.
#[derive(Clone, Copy)]
pub struct TranslationFor<'a> {
    /// What the client speaks, and what its path says.
    pub client: &'a ClientCall<'a>,
    /// The provider, for how it differs from its protocol.
    pub provider: &'static Provider,
    /// The protocol in which it is called.
    pub protocol: Protocol,
    /// The model that is called.
    pub model: &'a str,
    /// An id of the request's, of letters and digits.
    pub id: &'a str,
    /// When the request began, in seconds since 1970.
    pub created: u64,
    /// What is remembered for the caller.
    pub memory: &'a Arc<dyn Memory>,
}

/// The translation of one call: the request there, the answer back.
#[derive(Clone)]
pub struct ChatTranslation {
    client: &'static dyn ChatCodec,
    provider: &'static dyn ChatCodec,
    facts: ReplyFacts,
    names: Names,
    dropped: Vec<Cow<'static, str>>,
    keeper: Keeper,
}

/// What of an answer is to be remembered.
#[derive(Clone, Default)]
struct Keeper {
    /// There is something to be remembered.
    memory: Option<Arc<dyn Memory>>,
    /// The conversation that the answer ends, without it, and the size of the client's body.
    conversation: Option<(Vec<Turn>, usize)>,
    signatures: bool,
}

/// Text of the results that stand in for those that a client left out of its history.
const NO_RESULT: &str = "The tool gave no result.";

impl ChatTranslation {
    /// Translates a request. The body is the provider's.
    ///
    /// # Errors
    /// [`Unsayable`] if the client's body is not what its protocol says, or says what the provider's cannot.
    pub fn request(body: &Bytes, to: TranslationFor<'_>) -> Result<(Bytes, Self), Unsayable> {
        let none = |protocol: Protocol| Unsayable::new(format!("{protocol} is no conversation"));
        let client = codec(to.client.protocol).ok_or_else(|| none(to.client.protocol))?;
        let provider = codec(to.protocol).ok_or_else(|| none(to.protocol))?;
        let ask = Ask {
            model: to.client.model.as_deref(),
            stream: to.client.stream,
        };
        let mut request = client.decode_request(body, &ask)?;
        let keeper = Keeper::of(&mut request, body.len(), to)?;
        let facts = ReplyFacts {
            id: to.id.to_owned(),
            created: to.created,
            model: request.model.clone().unwrap_or_default(),
            stream_usage: request.stream_usage,
            is_sse: to.client.is_sse,
            body: body.clone(),
        };
        request.model = Some(to.model.to_owned());
        request.mend_tool_results(NO_RESULT);
        request.name_results();
        let names = Names::fit(&mut request, to.protocol, to.provider.quirks());
        let rules = TargetRules {
            model: to.model,
            quirks: to.provider.quirks(),
        };
        let mut drops = Drops::default();
        let encoded = provider.encode_request(&request, &rules, &mut drops)?;
        if leaves_thoughts_out(&request, to) && !drops.names().iter().any(|name| name == "reasoning") {
            drops.note("reasoning_content");
        }
        let translation = Self {
            client,
            provider,
            facts,
            names,
            dropped: drops.names().to_vec(),
            keeper,
        };
        Ok((Bytes::copy_from_slice(encoded.text().as_bytes()), translation))
    }

    /// Members of the request that the provider's protocol cannot say and that were left out.
    #[must_use]
    pub fn dropped(&self) -> &[Cow<'static, str>] {
        &self.dropped
    }

    /// Translates a whole answer that was a success.
    ///
    /// # Errors
    /// [`AnswerError`] if it is not what the provider's protocol says.
    pub fn answer(&self, body: &[u8]) -> Result<Bytes, AnswerError> {
        let mut answer: ChatAnswer = self.provider.decode_answer(body)?;
        self.names.restore_answer(&mut answer);
        let encoded = self.client.encode_answer(&answer, &self.facts);
        let written = Bytes::copy_from_slice(encoded.text().as_bytes());
        self.keeper.keep(&answer, &self.facts, || written.clone());
        Ok(written)
    }

    /// Media type of a stream as the client reads it.
    #[must_use]
    pub fn stream_media_type(&self) -> &'static str {
        match self.client.protocol() {
            Protocol::BedrockConverse => "application/vnd.amazon.eventstream",
            Protocol::OllamaChat | Protocol::OllamaGenerate => "application/x-ndjson",
            Protocol::GeminiGenerate if !self.facts.is_sse => "application/json",
            _ => "text/event-stream",
        }
    }

    /// The translation of an answer that is a stream.
    #[must_use]
    pub fn into_stream(self) -> ChatStream {
        let assembler = (self.keeper.memory.is_some()).then(|| Assembler::new(self.provider.protocol()));
        ChatStream::new(stream::Parts {
            decoder: self.provider.stream_decoder(),
            client: self.client,
            facts: assembler.is_some().then(|| self.facts.clone()),
            encoder: self.client.stream_encoder(self.facts),
            names: self.names,
            keeper: self.keeper,
            assembler,
        })
    }
}

/// Whether a request brings back thoughts that another kind of provider signed, and the provider does not get them.
fn leaves_thoughts_out(request: &ChatRequest, to: TranslationFor<'_>) -> bool {
    let reads = match to.protocol {
        Protocol::AnthropicMessages | Protocol::BedrockConverse => Some(SignatureOrigin::Anthropic),
        Protocol::GeminiGenerate => Some(SignatureOrigin::Gemini),
        Protocol::OpenAiResponses => Some(SignatureOrigin::OpenAi),
        // They take the words without the signature.
        Protocol::OllamaChat => return false,
        Protocol::OpenAiChat if to.provider.quirks().reasoning_back != ReasoningBack::Never => return false,
        _ => None,
    };
    request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .any(|part| match &part.kind {
            PartKind::Reasoning(thought) => thought
                .signature
                .as_ref()
                .is_some_and(|signature| Some(signature.origin) != reads),
            _ => false,
        })
}

impl Keeper {
    /// Brings what is remembered into a request, and says what of its answer is to be remembered.
    fn of(request: &mut ChatRequest, body_bytes: usize, to: TranslationFor<'_>) -> Result<Self, Unsayable> {
        let mut keeper = Self::default();
        let mut bytes = body_bytes;
        if let Some(id) = request.previous_response.take() {
            let before = to.memory.conversation(&id).ok_or_else(|| {
                Unsayable::at(
                    "previous_response_id",
                    format!(
                        "Previous response with id '{id}' not found. It was not stored, is too old, or belongs to \
                         another caller; send the whole conversation instead."
                    ),
                )
            })?;
            bytes += before.bytes();
            before.put_before(request);
        }
        if to.client.protocol == Protocol::OpenAiResponses && request.store != Some(false) {
            keeper.conversation = Some((memory::kept_turns(request), bytes));
        }
        if to.protocol == Protocol::GeminiGenerate && to.client.protocol != Protocol::GeminiGenerate {
            memory::recall_signatures(request, &**to.memory);
            keeper.signatures = true;
        }
        if keeper.conversation.is_some() || keeper.signatures {
            keeper.memory = Some(to.memory.clone());
        }
        Ok(keeper)
    }

    /// Remembers an answer that the client got under its own id, where that is one of Responses, else under the one that
    /// is made of the request's.
    fn keep(&self, answer: &ChatAnswer, facts: &ReplyFacts, written: impl FnOnce() -> Bytes) {
        let Some(memory) = &self.memory else { return };
        if self.signatures {
            memory::keep_signatures(answer, &**memory);
        }
        let conversation = self.conversation.as_ref().and_then(|(turns, bytes)| {
            Conversation::of(turns, answer, *bytes, (facts.body.clone(), written()))
        });
        if let Some(conversation) = conversation {
            let own = answer.id.clone().filter(|own| own.starts_with("resp_"));
            let shown = own.unwrap_or_else(|| format!("resp_{}", facts.id));
            memory.keep_conversation(&shown, Arc::new(conversation));
        }
    }
}

impl std::fmt::Debug for ChatTranslation {
    /// Leaves out the client's body.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChatTranslation")
            .field("client", &self.client.protocol())
            .field("provider", &self.provider.protocol())
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}
