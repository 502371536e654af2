//! What guards do not see of a client's body does not reach a provider as part of the conversation.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_llm::prompt_messages;

use crate::json::has_repeated_names;
use crate::seeds;
use crate::targets::{clients, providers, translate};

const SECRET: &str = "unseen by guards";

/// Members under which some protocol has texts of the conversation.
const NAMES: [&str; 13] = [
    "messages",
    "prompt",
    "system",
    "suffix",
    "instructions",
    "input",
    "contents",
    "systemInstruction",
    "system_instruction",
    "documents",
    "content",
    "tool_plan",
    "thinking",
];

fn values() -> [Value; 3] {
    [
        json!(SECRET),
        json!([{"role":"user","content":SECRET,"type":"message"}]),
        json!([{"role":"user","parts":[{"text":SECRET}]}]),
    ]
}

/// Places of the objects that are part of the conversation: the body, and what stands in its messages.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            let conversation = |name: &str| !at.is_empty() || NAMES.contains(&name);
            members
                .iter()
                .filter(|(name, _)| conversation(name))
                .map(|(name, it)| (name.clone(), it))
                .collect()
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, it)| (index.to_string(), it))
            .collect(),
        _ => return,
    };
    for (name, child) in children {
        places(child, &format!("{at}/{name}"), found);
    }
}

#[test]
fn members_of_other_protocols_bring_no_text_past_the_guards() {
    let mut failures = BTreeSet::new();
    let mut translated = 0;
    for client in clients() {
        let mut targets = providers(client);
        targets.sort_by_key(|to| to.1);
        targets.dedup_by_key(|to| to.1);
        for (_, seed) in seeds::REQUESTS {
            if !targets
                .iter()
                .any(|to| translate(client, *to, seed.as_bytes()).is_some())
            {
                continue;
            }
            let seed: Value = serde_json::from_str(seed).unwrap();
            let mut found = Vec::new();
            places(&seed, "", &mut found);
            for place in &found {
                for (name, value) in NAMES.iter().flat_map(|name| values().map(|value| (*name, value))) {
                    let mut body = seed.clone();
                    let Some(Value::Object(members)) = body.pointer_mut(place) else {
                        continue;
                    };
                    if members.contains_key(name) {
                        continue;
                    }
                    members.insert(name.to_owned(), value);
                    let body = body.to_string();
                    let seen = prompt_messages(client, body.as_bytes());
                    let is_seen = seen
                        .iter()
                        .flat_map(|it| &it.spans)
                        .any(|span| span.text.contains(SECRET));
                    for to in &targets {
                        let Some((written, _)) = translate(client, *to, body.as_bytes()) else {
                            continue;
                        };
                        translated += 1;
                        if has_repeated_names(&written) == Some(true) {
                            failures.insert(format!("{client}{place} {name} -> {}: a name twice", to.1));
                        }
                        if !is_seen && String::from_utf8_lossy(&written).contains(SECRET) {
                            failures.insert(format!("{client}{place} {name} -> {}: unseen", to.1));
                        }
                    }
                }
            }
        }
    }
    assert!(translated > 1_000, "{translated}");
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Members that are what is said, in some protocol.
const SAID: [&str; 11] = [
    "text",
    "content",
    "thinking",
    "reasoning_content",
    "refusal",
    "tool_plan",
    "title",
    "context",
    "output",
    "code",
    "a",
];

/// Places of the strings in what is said.
fn strings(value: &Value, at: &str, is_said: bool, found: &mut Vec<String>) {
    match value {
        Value::String(_) if is_said => found.push(at.to_owned()),
        Value::Object(members) => {
            for (name, child) in members.iter().filter(|(name, _)| *name != "tools") {
                let is_text = name == "data" && members.get("type").is_some_and(|kind| kind == "text");
                strings(
                    child,
                    &format!("{at}/{name}"),
                    is_text || SAID.contains(&&**name),
                    found,
                );
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                strings(child, &format!("{at}/{index}"), is_said, found);
            }
        }
        _ => {}
    }
}

#[test]
fn guards_see_every_text_that_reaches_a_provider() {
    let mut failures = BTreeSet::new();
    let mut reached = 0;
    for client in clients() {
        let requests = seeds::REQUESTS.iter().map(|(_, seed)| seed);
        for seed in requests.chain(&seeds::DOCUMENTS) {
            let seed: Value = serde_json::from_str(seed).unwrap();
            let mut found = Vec::new();
            strings(&seed, "", false, &mut found);
            for place in &found {
                let mut body = seed.clone();
                *body.pointer_mut(place).unwrap() = json!(SECRET);
                let body = body.to_string();
                let seen = prompt_messages(client, body.as_bytes());
                let is_seen = seen
                    .iter()
                    .flat_map(|it| &it.spans)
                    .any(|span| span.text.contains(SECRET));
                for to in providers(client) {
                    let Some((written, _)) = translate(client, to, body.as_bytes()) else {
                        continue;
                    };
                    if String::from_utf8_lossy(&written).contains(SECRET) {
                        reached += 1;
                        if !is_seen {
                            failures.insert(format!("{client}{place} -> {}", to.1));
                        }
                    }
                }
            }
        }
    }
    assert!(reached > 500, "{reached}");
    assert!(failures.is_empty(), "{failures:#?}");
}
