//! Lists of models as providers have them.

use serde_json::Value;

/// Models that are listed at most.
const MODELS_MAX: usize = 5000;

/// A model that a provider lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedModel {
    /// Its name, as a target's `model` takes it.
    pub id: String,
    /// Name for people.
    pub display_name: Option<String>,
    /// Who made it.
    pub owned_by: Option<String>,
    /// Most tokens of input.
    pub context_window: Option<u64>,
}

/// The models in a list of any known shape: OpenAI's and Anthropic's `data`, Gemini's, Ollama's and Cohere's `models`,
/// or a bare array (Together).
pub(super) fn listed(bytes: &[u8]) -> Option<Vec<ListedModel>> {
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
        context_window: count(&[
            "context_window",
            "context_length",
            "inputTokenLimit",
            "max_input_tokens",
            "max_model_len",
        ]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(list: &str) -> Option<Vec<String>> {
        let found = listed(list.as_bytes())?;
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
