//! Prompts.

use serde_json::value::RawValue;

use crate::chat::{ChatRequest, Fields, PartKind, Role, Unsayable, items};

/// Reads a prompt: a text, or a list of one.
pub(super) fn decode(raw: &RawValue) -> Result<String, Unsayable> {
    let only_text = || {
        Unsayable::at(
            "prompt",
            "must be a string: prompts of tokens are not translated for this model",
        )
    };
    if raw.get().starts_with('"') {
        return serde_json::from_str(raw.get()).map_err(|_| only_text());
    }
    let prompts = items(raw).ok_or_else(only_text)?;
    match prompts.as_slice() {
        [prompt] if prompt.get().starts_with('"') => decode(prompt),
        [] => Err(Unsayable::at("prompt", "there is no prompt in it")),
        [first, ..] if first.get().starts_with('"') => Err(Unsayable::at(
            "prompt",
            "several prompts are not translated for this model: send one request for each",
        )),
        _ => Err(only_text()),
    }
}

/// Writes a conversation as a prompt, which only that of one side can be.
pub(super) fn encode(request: &ChatRequest) -> Result<String, Unsayable> {
    let mut texts: Vec<&str> = Vec::new();
    for (index, turn) in request.turns.iter().enumerate() {
        let at = |message: &str| Unsayable::at(format!("messages[{index}]"), message);
        if matches!(turn.role, Role::Assistant | Role::Tool) {
            return Err(at(
                "the provider continues a prompt: it takes no answers of the model and no results of tools",
            ));
        }
        for part in &turn.parts {
            match &part.kind {
                PartKind::Text(text) => texts.push(text),
                _ => return Err(at("the provider continues a prompt: it takes text only")),
            }
        }
    }
    Ok(texts.join("\n\n"))
}

/// The prompt that a client wants to see before what continues it, if it does.
pub(super) fn echoed(body: &[u8]) -> Option<String> {
    let mut fields = Fields::from_slice(body).ok()?;
    let echo: bool = fields.take("echo").ok()??;
    if !echo {
        return None;
    }
    decode(fields.raw("prompt")?).ok()
}
