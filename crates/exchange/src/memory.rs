//! What is remembered for one caller.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sluice_core::{Context, Services};
use sluice_llm::{Conversation, Memory};

/// How long a conversation can be continued by the id of its last answer.
const CONVERSATION_TTL: Duration = Duration::from_secs(24 * 3600);
/// How long the signed thought behind a call of a tool is kept.
const SIGNATURE_TTL: Duration = Duration::from_secs(24 * 3600);

/// The memory of one caller: what others asked is not in it.
struct CallerMemory {
    services: Arc<Services>,
    /// What keys of the caller begin with. No name of a consumer has a line feed.
    scope: String,
    /// Whether rules on answers hold, which what is kept has not passed.
    has_rules: bool,
}

/// The memory of a request's caller. Without a caller the route is one.
pub(crate) fn of_caller(cx: &Context) -> Arc<dyn Memory> {
    let scope = match cx.consumer_name() {
        Some(name) => format!("consumer\n{name}\n"),
        None => {
            let route = cx.route.as_ref().map_or("", |matched| &*matched.route.id);
            format!("route\n{route}\n")
        }
    };
    Arc::new(CallerMemory {
        services: cx.services.clone(),
        scope,
        has_rules: cx.has_answer_rules(),
    })
}

/// Whether the gateway keeps the conversation that ended with an answer, for the request's caller: then a target that
/// does not speak Responses can go on with it.
#[must_use]
pub fn keeps_response(cx: &Context, response_id: &str) -> bool {
    of_caller(cx).conversation(response_id).is_some()
}

impl CallerMemory {
    fn key(&self, id: &str) -> String {
        format!("{}{id}", self.scope)
    }
}

impl Memory for CallerMemory {
    fn conversation(&self, response_id: &str) -> Option<Arc<Conversation>> {
        self.services
            .conversations
            .get(&self.key(response_id), Instant::now())
    }

    fn keep_conversation(&self, response_id: &str, conversation: Arc<Conversation>) {
        let conversation = match self.has_rules {
            true => Arc::new(conversation.under_rules()),
            false => conversation,
        };
        let bytes = conversation.bytes();
        self.services.conversations.put(
            &self.key(response_id),
            conversation,
            bytes,
            CONVERSATION_TTL,
            Instant::now(),
        );
    }

    fn forget_conversation(&self, response_id: &str) {
        self.services.conversations.remove(&self.key(response_id));
    }

    fn signature(&self, call_id: &str) -> Option<String> {
        let kept = self.services.signatures.get(&self.key(call_id), Instant::now())?;
        Some(kept.to_string())
    }

    fn keep_signature(&self, call_id: &str, signature: String) {
        let (key, bytes) = (self.key(call_id), signature.len());
        self.services
            .signatures
            .put(&key, signature.into(), bytes, SIGNATURE_TTL, Instant::now());
    }
}
