//! Probabilities: four lists here, one list of tokens in chat.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Number};

use crate::chat::{Json, Object};

#[derive(Deserialize)]
struct Lists {
    tokens: Vec<String>,
    token_logprobs: Vec<Option<Number>>,
    #[serde(default)]
    top_logprobs: Option<Vec<Option<Map<String, serde_json::Value>>>>,
}

#[derive(Deserialize)]
struct Chat {
    content: Option<Vec<Token>>,
}

#[derive(Deserialize)]
struct Token {
    token: String,
    logprob: Option<Json>,
    #[serde(default)]
    top_logprobs: Vec<Token>,
}

/// As chat writes them.
pub(super) fn to_chat(raw: &RawValue) -> Option<Json> {
    let lists: Lists = serde_json::from_str(raw.get()).ok()?;
    let mut top = lists.top_logprobs.unwrap_or_default().into_iter();
    let entry = |token: &str| Object::new().set("token", token);
    let content: Vec<Json> = lists
        .tokens
        .iter()
        .zip(&lists.token_logprobs)
        .map(|(token, logprob)| {
            let others: Vec<Json> = top
                .next()
                .flatten()
                .unwrap_or_default()
                .iter()
                .map(|(token, logprob)| entry(token).set("logprob", logprob).set("bytes", &()).finish())
                .collect();
            entry(token)
                .set("logprob", logprob)
                .set("bytes", &())
                .set("top_logprobs", &others)
                .finish()
        })
        .collect();
    Some(Object::new().set("content", &content).finish())
}

/// As completions write them. `offset` is where in the answer, in characters, the first token stands; it is moved on.
pub(super) fn from_chat(json: &Json, offset: &mut usize) -> Option<Json> {
    let tokens = json.read::<Chat>()?.content?;
    let mut names: Vec<&str> = Vec::new();
    let mut logprobs = Vec::new();
    let mut top = Vec::new();
    let mut offsets = Vec::new();
    for token in &tokens {
        names.push(&token.token);
        logprobs.push(&token.logprob);
        let mut others = Object::new();
        let mut seen: HashSet<&str> = HashSet::new();
        for other in &token.top_logprobs {
            if seen.insert(&other.token) {
                others.put(&other.token, &other.logprob);
            }
        }
        top.push(others.finish());
        offsets.push(*offset);
        *offset += token.token.chars().count();
    }
    let lists = Object::new()
        .set("tokens", &names)
        .set("token_logprobs", &logprobs)
        .set("top_logprobs", &top)
        .set("text_offset", &offsets);
    Some(lists.finish())
}
