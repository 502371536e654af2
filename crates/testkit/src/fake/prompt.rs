//! The prompt contract: what the SDK scripts expect for each `conf:` text.

use serde_json::{Value, json};

use super::completion::{Completion, Stop, Usage};

const HELLO: &str = "Hello from the upstream.";
const SIGNATURE: &str = "ZmFrZSBzaWduYXR1cmU=";

/// Answer to `conf:unicode`.
pub const UNICODE_TEXT: &str = "ünïcødé ✓ 日本語 🎉👩\u{200d}💻 end";

/// What a request asks for: an answer, or an error with this status.
pub(super) fn outcome(request: &Value) -> Result<Completion, u16> {
    let mut prompt = "";
    find_prompt(request, &mut prompt);
    let answered = has_tool_result(request);
    Ok(match prompt {
        "tool" if answered => Completion::new().text("It is 21 degrees in Paris."),
        "tool" => weather(&["Paris"]),
        "parallel" if answered => Completion::new().text("Paris 21, Zürich 17."),
        "parallel" => weather(&["Paris", "Zürich"]),
        "reason" => Completion::new()
            .thinking("Let me weigh the options.", SIGNATURE)
            .text("The answer is 42.")
            .usage(usage(12, 12, 8)),
        "json" => Completion::new().text(r#"{"ok":true,"n":3}"#),
        "length" => Completion::new().text("Hello from").stop(Stop::Length),
        "unicode" => Completion::new().text(UNICODE_TEXT).usage(usage(9, 14, 0)),
        "cut" => Completion::new().text(HELLO).cut_after(3),
        "err400" => return Err(400),
        "err429" => return Err(429),
        "err500" => return Err(500),
        _ => Completion::new().text(HELLO),
    })
}

/// Calls of `get_weather` for these cities.
fn weather(cities: &[&str]) -> Completion {
    cities
        .iter()
        .fold(Completion::new().usage(usage(20, 7, 0)), |completion, city| {
            completion.tool_call("", "get_weather", json!({"city": city}))
        })
}

fn usage(input: u64, output: u64, reasoning: u64) -> Usage {
    Usage {
        input,
        output,
        reasoning,
        ..Usage::default()
    }
}

/// The last `conf:` text of a request, without the prefix.
fn find_prompt<'a>(value: &'a Value, found: &mut &'a str) {
    match value {
        Value::String(text) => {
            if let Some(at) = text.rfind("conf:") {
                let rest = &text[at + "conf:".len()..];
                let end = rest
                    .find(|c: char| !c.is_ascii_alphanumeric())
                    .unwrap_or(rest.len());
                *found = &rest[..end];
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find_prompt(item, found)),
        Value::Object(members) => members.values().for_each(|member| find_prompt(member, found)),
        _ => {}
    }
}

/// Whether a tool's answer is part of the conversation: `role: tool` of chat, Cohere and Ollama, Bedrock's `toolResult`,
/// Gemini's `functionResponse`, Anthropic's and Responses' item types.
fn has_tool_result(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_tool_result),
        Value::Object(members) => {
            members.get("role").is_some_and(|role| role == "tool")
                || members.contains_key("toolResult")
                || members.contains_key("functionResponse")
                || members
                    .get("type")
                    .is_some_and(|kind| kind == "tool_result" || kind == "function_call_output")
                || members.values().any(has_tool_result)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_prompt_counts() {
        let request = json!({"messages": [
            {"role": "user", "content": "conf:err500"},
            {"role": "user", "content": [{"type": "text", "text": "please conf:length, thanks"}]},
        ]});
        assert_eq!(outcome(&request).unwrap().why(), Stop::Length);
        assert_eq!(outcome(&json!({"input": "conf:err429"})).unwrap_err(), 429);
        assert_eq!(outcome(&json!({})).unwrap().whole_text(), HELLO);
    }
}
