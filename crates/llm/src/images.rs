//! Whether a request shows the model images, found without building a tree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Members whose presence means an image: OpenAI chat, Gemini in both spellings, Ollama.
const MEMBERS: [&str; 4] = ["image_url", "inlineData", "inline_data", "images"];

/// Values of `type` that mean one: Anthropic, OpenAI chat and Responses.
const TYPES: [&str; 3] = ["image", "image_url", "input_image"];

/// Members of a body in which messages stand.
const HOLDERS: [&str; 4] = ["messages", "input", "contents", "system"];

/// Deepest nesting that is looked into.
const DEPTH: usize = 16;

/// Whether a body has an image in its messages, whatever the protocol. What is no JSON object has none.
///
/// ```
/// let body = br#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,"}}]}]}"#;
/// assert!(sluice_llm::has_images(body));
/// assert!(!sluice_llm::has_images(br#"{"messages":[{"role":"user","content":"image_url"}]}"#));
/// ```
#[must_use]
pub fn has_images(body: &[u8]) -> bool {
    let mut json = serde_json::Deserializer::from_slice(body);
    Holders.deserialize(&mut json).unwrap_or(false)
}

/// The body: looks into the members that hold messages.
struct Holders;

impl<'de> DeserializeSeed<'de> for Holders {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Holders {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            // Ollama's generate has them beside the prompt.
            if name == "images" {
                found |= members.next_value_seed(Filled)?;
            } else if !found && HOLDERS.contains(&&*name) {
                found = members.next_value_seed(Search { depth: 0 })?;
            } else {
                members.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }
}

/// Whether something stands there: no empty list, not null.
struct Filled;

impl<'de> DeserializeSeed<'de> for Filled {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let raw: &'de serde_json::value::RawValue = serde::Deserialize::deserialize(deserializer)?;
        Ok(!matches!(raw.get(), "null" | "[]" | "{}" | "\"\""))
    }
}

/// Any value within the messages.
#[derive(Clone, Copy)]
struct Search {
    depth: usize,
}

impl Search {
    fn inner(self) -> Self {
        Self {
            depth: self.depth + 1,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Search {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        if self.depth > DEPTH {
            return deserializer.deserialize_ignored_any(IgnoredAny).map(|_| false);
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Search {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(here) = items.next_element_seed(self.inner())? {
            found |= here;
        }
        Ok(found)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<bool, A::Error> {
        let mut found = false;
        while let Some(name) = members.next_key::<std::borrow::Cow<'de, str>>()? {
            if MEMBERS.contains(&&*name) {
                found |= members.next_value_seed(Filled)?;
            } else if name == "type" {
                found |= members.next_value_seed(Type)?;
            } else if name == "arguments" || name == "input_schema" {
                // What tools are given is no part of what the model is shown.
                members.next_value::<IgnoredAny>()?;
            } else {
                found |= members.next_value_seed(self.inner())?;
            }
        }
        Ok(found)
    }
}

/// The value of `type`.
struct Type;

impl<'de> DeserializeSeed<'de> for Type {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        let raw: &'de serde_json::value::RawValue = serde::Deserialize::deserialize(deserializer)?;
        let text = raw.get().trim_matches('"');
        Ok(raw.get().starts_with('"') && TYPES.contains(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_of_every_protocol_are_seen() {
        for body in [
            r#"{"messages":[{"content":[{"type":"text","text":"x"},{"type":"image_url","image_url":{"url":"u"}}]}]}"#,
            r#"{"messages":[{"content":[{"type":"image","source":{"type":"base64","data":"x"}}]}]}"#,
            r#"{"messages":[{"content":[{"type":"tool_result","content":[{"type":"image","source":{}}]}]}]}"#,
            r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"u"}]}]}"#,
            r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"x"}}]}]}"#,
            r#"{"messages":[{"role":"user","content":"x","images":["aaaa"]}]}"#,
            r#"{"prompt":"x","images":["aaaa"]}"#,
        ] {
            assert!(has_images(body.as_bytes()), "{body}");
        }
    }

    #[test]
    fn words_about_images_are_none() {
        for body in [
            r#"{"messages":[{"content":"\"type\":\"image\""}]}"#,
            r#"{"messages":[{"content":[{"type":"text","text":"image_url"}]}]}"#,
            r#"{"tools":[{"type":"image"}],"messages":[]}"#,
            r#"{"messages":[{"role":"user","content":"x","images":[]}]}"#,
            r#"{"messages":[{"tool_calls":[{"function":{"arguments":{"images":[1]}}}]}]}"#,
            "[]",
            "nothing",
        ] {
            assert!(!has_images(body.as_bytes()), "{body}");
        }
    }
}
