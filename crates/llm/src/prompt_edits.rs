//! Puts messages before and after those of a request (compat §4.5).

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sluice_wire::{Kind, ObjectView, Splice};

use crate::protocol::Protocol;
use crate::request::RequestView;

/// A message of plain text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextMessage {
    /// `system`, `user` or `assistant`.
    pub role: String,
    /// What it says.
    pub content: String,
}

/// Messages to be put around those of a request.
///
/// ```
/// use sluice_llm::{PromptEdits, Protocol, RequestView, TextMessage};
///
/// # fn main() -> Result<(), sluice_wire::JsonError> {
/// let request = RequestView::parse(r#"{"messages":[{"role":"user","content":"Hi"}]}"#.into())?;
/// let brief = TextMessage { role: "system".into(), content: "Be brief.".into() };
/// let edits = PromptEdits { prepend: vec![brief], append: Vec::new() };
/// assert_eq!(
///     edits.apply(Some(Protocol::OpenAiChat), &request),
///     r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]}"#
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PromptEdits {
    /// To go before the first message.
    pub prepend: Vec<TextMessage>,
    /// To go after the last.
    pub append: Vec<TextMessage>,
}

impl PromptEdits {
    /// The body with the messages in it, as the protocol writes them. Bodies of no known protocol are taken for chats;
    /// embeddings, passthrough bodies and what is no object stay as they are.
    #[must_use]
    pub fn apply(&self, protocol: Option<Protocol>, request: &RequestView) -> Bytes {
        let Some(object) = request.object() else {
            return request.bytes().clone();
        };
        let mut splice = Splice::new(object);
        match protocol {
            None
            | Some(
                Protocol::OpenAiChat
                | Protocol::AnthropicMessages
                | Protocol::CohereChat
                | Protocol::OllamaChat,
            ) => {
                let (before, after) = (texts(&self.prepend), texts(&self.append));
                splice.set("messages", around(object, "messages", &before, &after));
            }
            Some(Protocol::OpenAiResponses) => self.edit_responses(object, &mut splice),
            Some(Protocol::BedrockConverse) => self.edit_bedrock(object, &mut splice),
            Some(Protocol::GeminiGenerate) => self.edit_gemini(object, &mut splice),
            Some(Protocol::OllamaGenerate) => {
                let ((system_before, before), (system_after, after)) = self.split();
                edit_text(object, "system", &system_before, &system_after, &mut splice);
                edit_text(object, "prompt", &before, &after, &mut splice);
            }
            Some(Protocol::OpenAiCompletions) => {
                edit_text(object, "prompt", &self.prepend, &self.append, &mut splice);
            }
            Some(_) => {}
        }
        splice.finish()
    }

    /// As [`apply`](Self::apply), but that instructions to Anthropic's models stand in `system`, where all of them take
    /// them, and not among the messages.
    #[must_use]
    pub fn apply_natively(&self, protocol: Option<Protocol>, request: &RequestView) -> Bytes {
        match (protocol, request.object()) {
            (Some(Protocol::AnthropicMessages), Some(object)) => {
                let mut splice = Splice::new(object);
                self.edit_anthropic(object, &mut splice);
                splice.finish()
            }
            _ => self.apply(protocol, request),
        }
    }

    fn edit_anthropic<'a>(&self, object: &'a ObjectView, splice: &mut Splice<'a>) {
        let ((system_before, before), (system_after, after)) = self.split();
        if !before.is_empty() || !after.is_empty() {
            splice.set(
                "messages",
                around(object, "messages", &texts(&before), &texts(&after)),
            );
        }
        if system_before.is_empty() && system_after.is_empty() {
            return;
        }
        let given = object.get("system");
        if given.as_ref().is_some_and(|given| given.kind() == Kind::Array) {
            let blocks = |messages: &[TextMessage]| -> Vec<Value> {
                let blocks = messages.iter();
                blocks
                    .map(|message| json!({ "type": "text", "text": message.content }))
                    .collect()
            };
            let system = around(object, "system", &blocks(&system_before), &blocks(&system_after));
            splice.set("system", system);
            return;
        }
        edit_text(object, "system", &system_before, &system_after, splice);
    }

    /// The instructions and the other messages, of both lists.
    fn split(&self) -> (Split, Split) {
        let split = |messages: &[TextMessage]| -> Split {
            messages
                .iter()
                .cloned()
                .partition(|message| message.role == "system")
        };
        (split(&self.prepend), split(&self.append))
    }

    fn edit_gemini<'a>(&self, object: &'a ObjectView, splice: &mut Splice<'a>) {
        let ((system_before, before), (system_after, after)) = self.split();
        let parts = |messages: &[TextMessage]| -> Vec<Value> {
            let parts = messages.iter();
            parts.map(|message| json!({ "text": message.content })).collect()
        };
        let contents = |messages: &[TextMessage]| -> Vec<Value> {
            let turns = messages.iter();
            turns
                .map(|message| {
                    let role = match &*message.role {
                        "assistant" => "model",
                        role => role,
                    };
                    json!({ "role": role, "parts": [{ "text": message.content }] })
                })
                .collect()
        };
        if !before.is_empty() || !after.is_empty() {
            let contents = around(object, "contents", &contents(&before), &contents(&after));
            splice.set("contents", contents);
        }
        if system_before.is_empty() && system_after.is_empty() {
            return;
        }
        let name = match object.get("system_instruction") {
            Some(_) => "system_instruction",
            None => "systemInstruction",
        };
        let given = object.get(name);
        let given = given.and_then(|given| serde_json::from_slice::<Value>(given.raw()).ok());
        let (mut content, own) = match given {
            Some(Value::Object(mut content)) => {
                let own = content.remove("parts");
                (content, own.and_then(|own| own.as_array().cloned()))
            }
            Some(Value::String(text)) => (serde_json::Map::new(), Some(vec![json!({ "text": text })])),
            _ => (serde_json::Map::new(), None),
        };
        let all = [
            parts(&system_before),
            own.unwrap_or_default(),
            parts(&system_after),
        ]
        .concat();
        content.insert("parts".to_owned(), Value::Array(all));
        splice.set(name, json_bytes(&Value::Object(content)));
    }

    fn edit_responses<'a>(&self, object: &'a ObjectView, splice: &mut Splice<'a>) {
        if !self.prepend.is_empty() {
            let mut instructions = joined(&self.prepend);
            let given = object.get("instructions").and_then(|member| member.as_str());
            if let Some(given) = given.filter(|given| !given.is_empty()) {
                instructions = format!("{instructions}\n{given}");
            }
            splice.set("instructions", json_bytes(&instructions.into()));
        }
        if self.append.is_empty() {
            return;
        }
        let text = joined(&self.append);
        let input = object.get("input");
        match input.as_ref().map(sluice_wire::Member::kind) {
            Some(Kind::Array) => {
                let message = json!({ "type": "message", "role": "user", "content": text });
                splice.set("input", around(object, "input", &[], &[message]));
            }
            Some(Kind::String) => {
                let given = input.and_then(|input| input.as_str()).unwrap_or_default();
                splice.set("input", json_bytes(&format!("{given}\n{text}").into()));
            }
            _ => splice.set("input", json_bytes(&text.into())),
        }
    }

    fn edit_bedrock<'a>(&self, object: &'a ObjectView, splice: &mut Splice<'a>) {
        let system = |messages: &[TextMessage]| -> Vec<Value> {
            let system = messages.iter().filter(|message| message.role == "system");
            system.map(|message| json!({ "text": message.content })).collect()
        };
        let turns = |messages: &[TextMessage]| -> Vec<Value> {
            let turns = messages.iter().filter(|message| message.role != "system");
            turns
                .map(|message| json!({ "role": message.role, "content": [{ "text": message.content }] }))
                .collect()
        };
        for (name, before, after) in [
            ("system", system(&self.prepend), system(&self.append)),
            ("messages", turns(&self.prepend), turns(&self.append)),
        ] {
            if !before.is_empty() || !after.is_empty() {
                splice.set(name, around(object, name, &before, &after));
            }
        }
    }
}

/// Instructions, and what is none.
type Split = (Vec<TextMessage>, Vec<TextMessage>);

/// A member that is a text, with others before and after it, on lines of their own. What is no text stays as it is.
fn edit_text<'a>(
    object: &'a ObjectView,
    name: &'static str,
    before: &[TextMessage],
    after: &[TextMessage],
    splice: &mut Splice<'a>,
) {
    let given = object.get(name);
    let is_text = given
        .as_ref()
        .is_none_or(|given| matches!(given.kind(), Kind::String | Kind::Null));
    if !is_text || (before.is_empty() && after.is_empty()) {
        return;
    }
    let given = given.and_then(|given| given.as_str().map(|given| given.to_string()));
    let parts = [joined(before), given.unwrap_or_default(), joined(after)];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    splice.set(name, json_bytes(&parts.join("\n").into()));
}

fn texts(messages: &[TextMessage]) -> Vec<Value> {
    messages
        .iter()
        .map(|message| json!({ "role": message.role, "content": message.content }))
        .collect()
}

fn joined(messages: &[TextMessage]) -> String {
    let contents: Vec<_> = messages.iter().map(|message| &*message.content).collect();
    contents.join("\n")
}

fn json_bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

/// An array member with elements before and after its own, which stay byte for byte. What is no array counts as empty.
fn around(object: &ObjectView, name: &str, before: &[Value], after: &[Value]) -> Bytes {
    let own = object
        .get(name)
        .filter(|member| member.kind() == Kind::Array && member.count() > 0)
        .map(|member| member.raw());
    let own = own.and_then(|raw| raw.strip_prefix(b"[")?.strip_suffix(b"]"));
    let mut parts: Vec<Vec<u8>> = before.iter().map(|value| value.to_string().into()).collect();
    parts.extend(own.map(<[u8]>::to_vec));
    parts.extend(after.iter().map(|value| value.to_string().into_bytes()));
    let mut out = vec![b'['];
    out.extend_from_slice(&parts.join(&b','));
    out.push(b']');
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(protocol: Option<Protocol>, prepend: Value, append: Value, body: &str) -> String {
        let edits: PromptEdits =
            serde_json::from_value(json!({ "prepend": prepend, "append": append })).unwrap();
        let request = RequestView::parse(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        String::from_utf8(edits.apply(protocol, &request).to_vec()).unwrap()
    }

    fn system(text: &str) -> Value {
        json!([{ "role": "system", "content": text }])
    }

    fn user(text: &str) -> Value {
        json!([{ "role": "user", "content": text }])
    }

    #[test]
    fn chats_and_what_is_not_known() {
        for protocol in [
            None,
            Some(Protocol::OpenAiChat),
            Some(Protocol::AnthropicMessages),
        ] {
            assert_eq!(
                apply(
                    protocol,
                    system("s"),
                    user("u"),
                    r#"{"n":1.0,"messages":[ {"role":"user","content":"q"} ]}"#
                ),
                r#"{"n":1.0,"messages":[{"role":"system","content":"s"}, {"role":"user","content":"q"} ,{"role":"user","content":"u"}]}"#
            );
        }
        assert_eq!(
            apply(None, system("s"), json!([]), r#"{"a":1}"#),
            r#"{"a":1,"messages":[{"role":"system","content":"s"}]}"#
        );
    }

    #[test]
    fn responses() {
        let protocol = Some(Protocol::OpenAiResponses);
        assert_eq!(
            apply(
                protocol,
                system("s"),
                user("u"),
                r#"{"instructions":"i","input":"q"}"#
            ),
            r#"{"instructions":"s\ni","input":"q\nu"}"#
        );
        assert_eq!(
            apply(protocol, json!([]), user("u"), r#"{"input":[]}"#),
            r#"{"input":[{"type":"message","role":"user","content":"u"}]}"#
        );
        assert_eq!(
            apply(protocol, system("s"), json!([]), r#"{"input":"q"}"#),
            r#"{"input":"q","instructions":"s"}"#
        );
    }

    #[test]
    fn bedrock() {
        let both = json!([{ "role": "system", "content": "s" }, { "role": "user", "content": "u" }]);
        assert_eq!(
            apply(
                Some(Protocol::BedrockConverse),
                both.clone(),
                both,
                r#"{"messages":[{"role":"user","content":[{"text":"q"}]}],"system":[{"text":"i"}]}"#
            ),
            concat!(
                r#"{"messages":[{"role":"user","content":[{"text":"u"}]},{"role":"user","content":[{"text":"q"}]},"#,
                r#"{"role":"user","content":[{"text":"u"}]}],"system":[{"text":"s"},{"text":"i"},{"text":"s"}]}"#
            )
        );
    }

    #[test]
    fn anthropic_has_a_place_of_its_own_for_instructions() {
        let around = |body: &'static str| {
            let edits: PromptEdits = serde_json::from_value(json!({
                "prepend": [{ "role": "system", "content": "s" }, { "role": "user", "content": "a" }],
                "append": [{ "role": "system", "content": "e" }],
            }))
            .unwrap();
            let request = RequestView::parse(Bytes::from_static(body.as_bytes())).unwrap();
            edits.apply_natively(Some(Protocol::AnthropicMessages), &request)
        };
        assert_eq!(
            around(r#"{"messages":[{"role":"user","content":"q"}]}"#),
            r#"{"messages":[{"role":"user","content":"a"},{"role":"user","content":"q"}],"system":"s\ne"}"#
        );
        assert_eq!(
            around(r#"{"system":"i","messages":[]}"#),
            r#"{"system":"s\ni\ne","messages":[{"role":"user","content":"a"}]}"#
        );
        assert_eq!(
            around(
                r#"{"system":[{"type":"text","text":"i","cache_control":{"type":"ephemeral"}}],"messages":[]}"#
            ),
            concat!(
                r#"{"system":[{"type":"text","text":"s"},{"type":"text","text":"i","cache_control":{"type":"ephemeral"}},"#,
                r#"{"type":"text","text":"e"}],"messages":[{"role":"user","content":"a"}]}"#
            )
        );
    }

    #[test]
    fn others_stay_as_they_are() {
        for (protocol, body) in [
            (Some(Protocol::OpenAiEmbeddings), r#"{"input":"q"}"#),
            (Some(Protocol::Passthrough), r#"{"prompt":"q"}"#),
            (None, "[1]"),
        ] {
            assert_eq!(apply(protocol, system("s"), user("u"), body), body);
        }
    }
}
