//! Lists of models as providers have them.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ListedModel;

/// Models that are listed at most.
const MODELS_MAX: usize = 5000;

/// The models in a list of any known shape: OpenAI's and Anthropic's `data`, Gemini's, Ollama's and Cohere's `models`,
/// or a bare array (Together); `None` for anything else. Sorted by name, each once.
#[must_use]
pub fn read_models(bytes: &[u8]) -> Option<Vec<ListedModel>> {
    let body: Value = serde_json::from_slice(bytes).ok()?;
    let items = ["data", "models"]
        .into_iter()
        .find_map(|name| body.get(name)?.as_array());
    let items = items.or_else(|| body.as_array())?;
    let mut found: Vec<ListedModel> = items.iter().filter_map(one).take(MODELS_MAX).collect();
    found.sort_by(|a, b| a.id.cmp(&b.id));
    found.dedup_by(|a, b| a.id == b.id);
    Some(found)
}

fn one(item: &Value) -> Option<ListedModel> {
    let text = |names: &[&str]| {
        let value = names.iter().find_map(|name| item.get(name)?.as_str());
        value.map(str::to_owned)
    };
    let count = |names: &[&str]| names.iter().find_map(|name| item.get(name)?.as_u64());
    let id = text(&["id", "name", "model"])?;
    Some(ListedModel {
        id: id.strip_prefix("models/").unwrap_or(&id).to_owned(),
        display_name: text(&["display_name", "displayName"]),
        owned_by: text(&["owned_by"]),
        created: created(item),
        context_window: count(&[
            "context_window",
            "context_length",
            "inputTokenLimit",
            "max_input_tokens",
            "max_model_len",
        ]),
        max_output_tokens: count(&["max_output_tokens", "outputTokenLimit", "max_tokens"]),
        embeds: embeds(item),
    })
}

/// Unix seconds of OpenAI's `created`, Anthropic's `created_at`, Ollama's `modified_at`.
fn created(item: &Value) -> Option<i64> {
    if let Some(seconds) = item.get("created").and_then(Value::as_i64) {
        return Some(seconds);
    }
    let text = ["created_at", "modified_at"]
        .into_iter()
        .find_map(|name| item.get(name)?.as_str())?;
    OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .map(OffsetDateTime::unix_timestamp)
}

/// By what Gemini (`supportedGenerationMethods`) and Cohere (`endpoints`) say of it.
fn embeds(item: &Value) -> bool {
    let says = |name: &str, what: &str| {
        let items = item.get(name).and_then(Value::as_array);
        items.is_some_and(|items| items.iter().any(|item| item == what))
    };
    says("supportedGenerationMethods", "embedContent") || says("endpoints", "embed")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &str) -> Option<Vec<String>> {
        let found = read_models(list.as_bytes())?;
        Some(found.into_iter().map(|model| model.id).collect())
    }

    #[test]
    fn lists_of_every_shape_are_read() {
        for list in [
            r#"{"object":"list","data":[{"id":"b"},{"id":"a","owned_by":"x"},{"id":"a"}]}"#,
            r#"{"data":[{"type":"model","id":"a","display_name":"A"},{"id":"b"}],"has_more":false}"#,
            r#"{"models":[{"name":"models/a","inputTokenLimit":8},{"name":"models/b"}]}"#,
            r#"{"models":[{"name":"a","model":"a","size":1},{"name":"b"}]}"#,
            r#"[{"id":"a","context_length":8},{"id":"b"}]"#,
        ] {
            assert_eq!(ids(list), Some(vec!["a".to_owned(), "b".to_owned()]), "{list}");
        }
        assert_eq!(ids(r#"{"data":[]}"#), Some(Vec::new()));
        for nonsense in ["<html>", "{}", r#"{"data":"x"}"#] {
            assert_eq!(ids(nonsense), None, "{nonsense}");
        }
    }
}
