//! The prompt contract: what the SDK scripts expect for each `conf:` text.

use serde_json::Value;

/// Answer to `conf:unicode`.
pub const UNICODE_TEXT: &str = "ünïcødé ✓ 日本語 🎉👩\u{200d}💻 end";

/// What to answer, in no wire format yet.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    /// Thoughts before the answer.
    pub(super) reasoning: Option<&'static str>,
    /// The answer.
    pub(super) text: &'static str,
    /// Cities for which `get_weather` is called.
    pub(super) cities: &'static [&'static str],
    pub(super) finish: Finish,
    pub(super) usage: Usage,
    /// Pieces of a stream after which the connection breaks.
    pub(super) cut_after: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    Tools,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Usage {
    pub(super) input: u64,
    pub(super) output: u64,
    /// Part of `output` that went into thoughts.
    pub(super) reasoning: u64,
}

/// What a request asks for: an answer, or an error with this status.
pub(super) fn outcome(request: &Value) -> Result<Outcome, u16> {
    let mut prompt = "";
    find_prompt(request, &mut prompt);
    let answered = has_tool_result(request);
    Ok(match prompt {
        "tool" if answered => Outcome::text("It is 21 degrees in Paris."),
        "tool" => Outcome::tools(&["Paris"]),
        "parallel" if answered => Outcome::text("Paris 21, Zürich 17."),
        "parallel" => Outcome::tools(&["Paris", "Zürich"]),
        "reason" => Outcome {
            reasoning: Some("Let me weigh the options."),
            usage: Usage {
                input: 12,
                output: 20,
                reasoning: 8,
            },
            ..Outcome::text("The answer is 42.")
        },
        "json" => Outcome::text(r#"{"ok": true, "n": 3}"#),
        "length" => Outcome {
            finish: Finish::Length,
            ..Outcome::text("Hello from")
        },
        "unicode" => Outcome {
            usage: Usage {
                input: 9,
                output: 14,
                reasoning: 0,
            },
            ..Outcome::text(UNICODE_TEXT)
        },
        "cut" => Outcome {
            cut_after: Some(3),
            ..Outcome::text("Hello from the upstream.")
        },
        "err400" => return Err(400),
        "err429" => return Err(429),
        "err500" => return Err(500),
        _ => Outcome::text("Hello from the upstream."),
    })
}

impl Outcome {
    fn text(text: &'static str) -> Self {
        Self {
            reasoning: None,
            text,
            cities: &[],
            finish: Finish::Stop,
            usage: Usage {
                input: 10,
                output: 5,
                reasoning: 0,
            },
            cut_after: None,
        }
    }

    fn tools(cities: &'static [&'static str]) -> Self {
        Self {
            cities,
            finish: Finish::Tools,
            usage: Usage {
                input: 20,
                output: 7,
                reasoning: 0,
            },
            ..Self::text("")
        }
    }

    /// The text in the pieces of a stream.
    pub(super) fn pieces(&self) -> Vec<&'static str> {
        pieces(self.text)
    }
}

impl Usage {
    pub(super) fn total(self) -> u64 {
        self.input + self.output
    }
}

/// Cuts a text before each space and after each fifth character without one.
pub(super) fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let (mut start, mut chars) = (0, 0);
    for (index, char) in text.char_indices() {
        if index > start && (char == ' ' || chars == 5) {
            pieces.push(&text[start..index]);
            (start, chars) = (index, 0);
        }
        chars += 1;
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
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

/// Whether a tool's answer is part of the conversation: chat's `role: tool`, Bedrock's `toolResult`, Anthropic's and
/// Responses' item types.
fn has_tool_result(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_tool_result),
        Value::Object(members) => {
            members.get("role").is_some_and(|role| role == "tool")
                || members.contains_key("toolResult")
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
    use serde_json::json;

    use super::*;

    #[test]
    fn pieces_make_up_the_text() {
        for text in ["", "Hello from the upstream.", UNICODE_TEXT, "  two  spaces "] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(
            pieces("Hello from the upstream."),
            ["Hello", " from", " the", " upst", "ream."]
        );
    }

    #[test]
    fn the_last_prompt_counts() {
        let request = json!({"messages": [
            {"role": "user", "content": "conf:err500"},
            {"role": "user", "content": [{"type": "text", "text": "please conf:length, thanks"}]},
        ]});
        assert_eq!(outcome(&request).unwrap().finish, Finish::Length);
        assert_eq!(outcome(&json!({"input": "conf:err429"})).unwrap_err(), 429);
        assert_eq!(outcome(&json!({})).unwrap().text, "Hello from the upstream.");
    }
}
