//! Lists of models, written.

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::ListedModel;
use crate::error::Dialect;

/// Who owns a model that does not say.
const OWNER: &str = "sluice";

/// A list, or a page of it where the dialect has pages; `shown` is sorted by name. `argument` reads the query.
#[must_use]
pub fn write_models(
    dialect: Dialect,
    shown: &[ListedModel],
    argument: impl Fn(&str) -> Option<String>,
) -> Value {
    match dialect {
        Dialect::Anthropic => anthropic_page(shown, &argument),
        Dialect::Gemini => gemini_page(shown, &argument),
        Dialect::Ollama => json!({ "models": shown.iter().map(ollama).collect::<Vec<_>>() }),
        _ => json!({ "object": "list", "data": shown.iter().map(openai).collect::<Vec<_>>() }),
    }
}

/// One model.
#[must_use]
pub fn write_model(dialect: Dialect, shown: &ListedModel) -> Value {
    match dialect {
        Dialect::Anthropic => anthropic(shown),
        Dialect::Gemini => gemini(shown),
        Dialect::Ollama => ollama(shown),
        _ => openai(shown),
    }
}

fn created(shown: &ListedModel) -> i64 {
    shown.created.unwrap_or_default()
}

fn created_text(shown: &ListedModel) -> String {
    let at = OffsetDateTime::from_unix_timestamp(created(shown)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

fn display_name(shown: &ListedModel) -> &str {
    shown.display_name.as_deref().unwrap_or(&shown.id)
}

fn openai(shown: &ListedModel) -> Value {
    json!({
        "id": &shown.id,
        "object": "model",
        "created": created(shown),
        "owned_by": shown.owned_by.as_deref().unwrap_or(OWNER),
    })
}

fn anthropic(shown: &ListedModel) -> Value {
    let mut model = json!({
        "type": "model",
        "id": &shown.id,
        "display_name": display_name(shown),
        "created_at": created_text(shown),
    });
    put(&mut model, "max_input_tokens", shown.context_window);
    put(&mut model, "max_tokens", shown.max_output_tokens);
    model
}

/// `limit` of 1 to 1000, 20 unless said; `after_id` and `before_id`.
fn anthropic_page(shown: &[ListedModel], argument: &dyn Fn(&str) -> Option<String>) -> Value {
    let limit = number(argument("limit"), 20, 1000);
    let place = |name: &str| {
        let id = argument(name)?;
        shown.iter().position(|one| one.id == id)
    };
    let (page, has_more) = match (place("after_id"), place("before_id")) {
        (_, Some(before)) => {
            let from = before.saturating_sub(limit);
            (&shown[from..before], from > 0)
        }
        (after, None) => {
            let rest = &shown[after.map_or(0, |after| after + 1)..];
            let page = &rest[..limit.min(rest.len())];
            (page, rest.len() > page.len())
        }
    };
    json!({
        "data": page.iter().map(anthropic).collect::<Vec<_>>(),
        "has_more": has_more,
        "first_id": page.first().map(|one| &one.id),
        "last_id": page.last().map(|one| &one.id),
    })
}

fn gemini(shown: &ListedModel) -> Value {
    let methods: &[&str] = match shown.embeds {
        true => &["embedContent", "batchEmbedContents", "countTokens"],
        false => &["generateContent", "streamGenerateContent", "countTokens"],
    };
    let mut model = json!({
        "name": format!("models/{}", shown.id),
        "baseModelId": &shown.id,
        "version": "001",
        "displayName": display_name(shown),
        "supportedGenerationMethods": methods,
    });
    put(&mut model, "inputTokenLimit", shown.context_window);
    put(&mut model, "outputTokenLimit", shown.max_output_tokens);
    model
}

/// `pageSize` of 1 to 1000, 50 unless said; `pageToken` is the name that the next page begins with.
fn gemini_page(shown: &[ListedModel], argument: &dyn Fn(&str) -> Option<String>) -> Value {
    let size = number(argument("pageSize"), 50, 1000);
    let from = argument("pageToken").map_or(0, |token| shown.partition_point(|one| one.id < token));
    let rest = &shown[from..];
    let page = &rest[..size.min(rest.len())];
    let mut answer = json!({ "models": page.iter().map(gemini).collect::<Vec<_>>() });
    if let Some(next) = rest.get(page.len()) {
        answer["nextPageToken"] = next.id.as_str().into();
    }
    answer
}

/// What Ollama tells of files on its disk is told of nothing: sizes are 0, digests empty.
fn ollama(shown: &ListedModel) -> Value {
    json!({
        "name": &shown.id,
        "model": &shown.id,
        "modified_at": created_text(shown),
        "size": 0,
        "digest": "",
        "details": {
            "parent_model": "", "format": "", "family": "", "families": [], "parameter_size": "",
            "quantization_level": "",
        },
    })
}

fn put(model: &mut Value, name: &str, value: Option<u64>) {
    if let (Some(value), Some(members)) = (value, model.as_object_mut() as Option<&mut Map<String, Value>>) {
        members.insert(name.to_owned(), value.into());
    }
}

fn number(text: Option<String>, otherwise: usize, most: usize) -> usize {
    text.and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
        .clamp(1, most)
}
