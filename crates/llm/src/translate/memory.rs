//! What is remembered between the calls of one caller, because a protocol cannot carry it.

use std::sync::Arc;

use bytes::Bytes;

use crate::chat::{
    ChatAnswer, ChatRequest, Extension, Fields, Json, Object, PartKind, Role, Signature, SignatureOrigin,
    Turn,
};

/// A conversation up to an answer that was given.
#[derive(Clone, Debug)]
pub struct Conversation {
    turns: Vec<Turn>,
    bytes: usize,
    /// The answer as the client got it, whole.
    answer: Bytes,
    /// The client's request.
    request: Bytes,
    is_under_rules: bool,
}

/// What a gateway remembers for one caller. Bounded: what was kept may be gone.
pub trait Memory: Send + Sync {
    /// The conversation that ends with the answer of that id.
    fn conversation(&self, response_id: &str) -> Option<Arc<Conversation>>;

    /// Keeps a conversation under the id of its last answer.
    fn keep_conversation(&self, response_id: &str, conversation: Arc<Conversation>);

    /// The signed thought behind a call of a tool.
    fn signature(&self, call_id: &str) -> Option<String>;

    /// Forgets the conversation that ends with the answer of that id.
    fn forget_conversation(&self, response_id: &str);

    /// Keeps the signed thought behind a call of a tool, for clients that leave it out of their history.
    fn keep_signature(&self, call_id: &str, signature: String);
}

impl Conversation {
    /// The conversation of a request and its answer. `bytes` is the size of the request's body.
    pub(super) fn of(
        request: &[Turn],
        answer: &ChatAnswer,
        bytes: usize,
        (body, written): (Bytes, Bytes),
    ) -> Option<Self> {
        let said = answer.choices.first()?;
        let mut turns = request.to_vec();
        let own = Extension::of(answer.extension.protocol());
        turns.push(Turn::new(Role::Assistant, said.parts.clone(), own));
        Some(Self {
            bytes: bytes + said.parts.iter().map(size_of_part).sum::<usize>() + written.len(),
            turns,
            answer: written,
            request: body,
            is_under_rules: false,
        })
    }

    /// The same, not to be shown where no rules on answers hold: some held when it was made, and it is kept as the
    /// provider said it.
    #[must_use]
    pub fn under_rules(&self) -> Self {
        Self {
            is_under_rules: true,
            ..self.clone()
        }
    }

    /// Whether it is to be [shown](Self::response) only where rules on answers hold.
    #[must_use]
    pub fn is_under_rules(&self) -> bool {
        self.is_under_rules
    }

    /// The last answer, as OpenAI Responses shows a stored one.
    #[must_use]
    pub fn response(&self) -> Bytes {
        self.answer.clone()
    }

    /// What the last request said, as OpenAI Responses lists the input of a stored response: the items in their order or,
    /// as is usual there, the last first; all of them.
    #[must_use]
    pub fn input_items(&self, ascending: bool) -> Bytes {
        let mut items = input(&self.request);
        let ids: Vec<Json> = items
            .iter()
            .filter_map(|item| item.fields()?.json("id"))
            .collect();
        let (mut first, mut last) = (ids.first(), ids.last());
        if !ascending {
            items.reverse();
            std::mem::swap(&mut first, &mut last);
        }
        let list = Object::new()
            .set("object", "list")
            .set("data", &items)
            .set("first_id", &first)
            .set("last_id", &last)
            .set("has_more", &false)
            .finish();
        Bytes::copy_from_slice(list.text().as_bytes())
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

/// The items of a request, each with an id.
fn input(request: &[u8]) -> Vec<Json> {
    let mut fields = Fields::from_slice(request).unwrap_or_default();
    let Some(input) = fields.json("input") else {
        return Vec::new();
    };
    let items: Vec<Json> = match input.read::<Vec<Json>>() {
        Some(items) => items,
        None => {
            let text = Object::new()
                .set("type", "input_text")
                .set("text", &input)
                .finish();
            let message = Object::new()
                .set("type", "message")
                .set("role", "user")
                .set("content", &[text])
                .finish();
            vec![message]
        }
    };
    let with_id = |(number, item): (usize, Json)| {
        let has_id = item.fields().is_none_or(|fields| fields.peek("id").is_some());
        if has_id {
            return item;
        }
        let mut object = Object::new().set("id", &format!("item_{number}"));
        for (name, value) in item.fields().iter().flat_map(Fields::all) {
            object.put(name, value);
        }
        object.finish()
    };
    items.into_iter().enumerate().map(with_id).collect()
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
