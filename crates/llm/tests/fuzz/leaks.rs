//! What guards do not see of a client's body does not reach a provider as part of the conversation.

use serde_json::{Value, json};
use sluice_llm::prompt_messages;

use crate::json::has_repeated_names;
use crate::seeds;
use crate::targets::{clients, providers, translate};

const SECRET: &str = "unseen by guards";

/// Members under which some protocol has texts of the conversation.
const NAMES: [&str; 14] = [
    "messages", "prompt", "system", "suffix", "instructions", "input", "contents", "systemInstruction",
    "system_instruction", "documents", "content", "tool_plan", "thinking", "images",
];

fn values() -> [Value; 4] {
    [
        json!(SECRET),
        json!([SECRET]),
        json!([{"role":"user","content":SECRET,"type":"message"}]),
        json!([{"role":"user","parts":[{"text":SECRET}]}]),
    ]
}

#[test]
fn members_of_other_protocols_bring_no_text_past_the_guards() {
    let mut failures = Vec::new();
    let mut translated = 0;
    for client in clients() {
        for seed in seeds::REQUESTS {
            let Ok(Value::Object(seed)) = serde_json::from_str::<Value>(seed) else { continue };
            for (name, value) in NAMES.iter().flat_map(|name| values().map(|value| (*name, value))) {
                if seed.contains_key(name) {
                    continue;
                }
                let mut body = seed.clone();
                body.insert(name.to_owned(), value);
                let body = Value::Object(body).to_string();
                let seen = prompt_messages(client, body.as_bytes());
                if seen.iter().flat_map(|message| &message.spans).any(|span| span.text == SECRET) {
                    continue;
                }
                for to in providers(client) {
                    let Some((written, _)) = translate(client, to, body.as_bytes()) else { continue };
                    translated += 1;
                    if has_repeated_names(&written) == Some(true) {
                        failures.push(format!("{client} {name} -> {}: a name twice", to.1));
                    }
                    if String::from_utf8_lossy(&written).contains(SECRET) {
                        failures.push(format!("{client} {name} -> {} {}", to.0.name(), to.1));
                    }
                }
            }
        }
    }
    failures.sort();
    failures.dedup();
    assert!(translated > 1_000, "{translated}");
    assert_eq!(failures, Vec::<String>::new());
}
