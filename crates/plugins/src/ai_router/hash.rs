//! What consistent hashing goes by.

use sluice_core::{AiCall, Context};
use sluice_llm::{RequestView, prompt_messages};
use sluice_wire::sha256_hex;

use super::config::{HashConfig, HashOn};

/// Most bytes of a text that count: providers cache prompts by their beginning.
const PREFIX: usize = 16 << 10;

/// The key of a request. Where what is to be hashed is missing, the conversation is; where there is none, the client's
/// address.
pub(super) fn key(config: &HashConfig, cx: &Context, ai: &AiCall) -> String {
    let consumer = || cx.consumer_name().map(ToString::to_string);
    let own = match config.on {
        HashOn::Header => config
            .header
            .as_deref()
            .and_then(|name| cx.request.header(name))
            .map(str::to_owned),
        HashOn::User => ai.end_user.as_deref().map(str::to_owned).or_else(consumer),
        HashOn::Consumer => consumer(),
        HashOn::Prompt => prefix(ai, true),
        HashOn::System => prefix(ai, false),
    };
    own.or_else(|| prefix(ai, true))
        .unwrap_or_else(|| cx.request.peer.ip().to_string())
}

/// Digest of what stays the same from turn to turn: tools and instructions, and, to tell conversations apart, what the
/// user said first.
fn prefix(ai: &AiCall, first_words: bool) -> Option<String> {
    let request = ai.request.as_ref()?;
    let mut text = Vec::new();
    if let Some(tools) = request.object().and_then(|object| object.get("tools")) {
        text.extend_from_slice(tools.raw());
    }
    let messages = prompt_messages(ai.protocol, RequestView::bytes(request));
    let instructions = messages
        .iter()
        .take_while(|message| matches!(&*message.role, "system" | "developer"));
    let count = instructions.clone().count();
    let user = messages[count..].iter().find(|message| message.role == "user");
    for message in instructions.chain(user.filter(|_| first_words)) {
        text.extend_from_slice(message.role.as_bytes());
        text.push(0);
        text.extend_from_slice(message.said().as_bytes());
        text.push(0);
    }
    text.truncate(PREFIX);
    (!text.is_empty()).then(|| sha256_hex(&text))
}
