//! What is remembered between the calls of one caller, because a protocol cannot carry it.

use std::sync::Arc;

use crate::chat::{ChatAnswer, ChatRequest, Extension, PartKind, Role, Signature, SignatureOrigin, Turn};

/// A conversation up to an answer that was given.
#[derive(Clone, Debug)]
pub struct Conversation {
    turns: Vec<Turn>,
    bytes: usize,
}

/// What a gateway remembers for one caller. Bounded: what was kept may be gone.
pub trait Memory: Send + Sync {
    /// The conversation that ends with the answer of that id.
    fn conversation(&self, response_id: &str) -> Option<Arc<Conversation>>;

    /// Keeps a conversation under the id of its last answer.
    fn keep_conversation(&self, response_id: &str, conversation: Arc<Conversation>);

    /// The signed thought behind a call of a tool.
    fn signature(&self, call_id: &str) -> Option<String>;

    /// Keeps the signed thought behind a call of a tool, for clients that leave it out of their history.
    fn keep_signature(&self, call_id: &str, signature: String);
}

impl Conversation {
    /// The conversation of a request and its answer. `bytes` is the size of the request's body.
    pub(super) fn of(request: &[Turn], answer: &ChatAnswer, bytes: usize) -> Option<Self> {
        let said = answer.choices.first()?;
        let mut turns = request.to_vec();
        let own = Extension::of(answer.extension.protocol());
        turns.push(Turn::new(Role::Assistant, said.parts.clone(), own));
        Some(Self {
            bytes: bytes + said.parts.iter().map(size_of_part).sum::<usize>(),
            turns,
        })
    }

    /// About what it takes to keep it.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts the conversation before the turns of a request that continues it. Instructions are the request's own.
    pub(super) fn put_before(&self, request: &mut ChatRequest) {
        let own = request
            .turns
            .iter()
            .position(|turn| turn.role != Role::System)
            .unwrap_or(request.turns.len());
        request.turns.splice(own..own, self.turns.iter().cloned());
    }
}

fn size_of_part(part: &crate::chat::Part) -> usize {
    /// Names, lengths, the part itself.
    const FRAME: usize = 200;
    FRAME
        + match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => text.len(),
            PartKind::Reasoning(thought) => {
                thought.text.len() + thought.signature.as_ref().map_or(0, |it| it.data.len())
            }
            PartKind::ToolCall(call) => call.arguments.len(),
            PartKind::Media(_) | PartKind::ToolResult(_) | PartKind::Foreign => 0,
        }
}

/// The turns of a request that are kept with its answer: all but the instructions.
pub(super) fn kept_turns(request: &ChatRequest) -> Vec<Turn> {
    let own = request.turns.iter().position(|turn| turn.role != Role::System);
    let kept = own.and_then(|own| request.turns.get(own..));
    kept.unwrap_or_default().to_vec()
}

/// Gives calls of tools back the signatures that the client left out.
pub(super) fn recall_signatures(request: &mut ChatRequest, memory: &dyn Memory) {
    for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
        if let PartKind::ToolCall(call) = &mut part.kind
            && call.signature.is_none()
        {
            call.signature = memory
                .signature(&call.id)
                .map(|packed| Signature::unpack(&packed, SignatureOrigin::Gemini));
        }
    }
}

/// Keeps the signatures of the calls in an answer.
pub(super) fn keep_signatures(answer: &ChatAnswer, memory: &dyn Memory) {
    for part in answer.choices.iter().flat_map(|choice| &choice.parts) {
        if let PartKind::ToolCall(call) = &part.kind
            && let Some(signature) = &call.signature
        {
            memory.keep_signature(&call.id, signature.pack(SignatureOrigin::Gemini));
        }
    }
}
