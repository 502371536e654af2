//! The shapes of lists of models (llm-protocols §5–§7, §11).

use serde_json::{Map, Value, json};
use sluice_llm::Dialect;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Shown;

/// Who owns a model that does not say.
const OWNER: &str = "sluice";

/// A list, or a page of it where the dialect has pages. `argument` reads the query.
pub(super) fn list(dialect: Dialect, shown: &[Shown], argument: impl Fn(&str) -> Option<String>) -> Value {
    match dialect {
        Dialect::Anthropic => anthropic_page(shown, &argument),
        Dialect::Gemini => gemini_page(shown, &argument),
        Dialect::Ollama => json!({ "models": shown.iter().map(ollama).collect::<Vec<_>>() }),
        _ => json!({ "object": "list", "data": shown.iter().map(openai).collect::<Vec<_>>() }),
    }
}

/// One model.
pub(super) fn one(dialect: Dialect, shown: &Shown) -> Value {
    match dialect {
        Dialect::Anthropic => anthropic(shown),
        Dialect::Gemini => gemini(shown),
        Dialect::Ollama => ollama(shown),
        _ => openai(shown),
    }
}

fn created(shown: &Shown) -> i64 {
    shown.model.info.created.unwrap_or(shown.model.created)
}

fn created_text(shown: &Shown) -> String {
    let at = OffsetDateTime::from_unix_timestamp(created(shown)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    at.format(&Rfc3339).unwrap_or_default()
}

fn display_name(shown: &Shown) -> &str {
    shown.model.info.display_name.as_deref().unwrap_or(&shown.name)
}

fn openai(shown: &Shown) -> Value {
    json!({
        "id": &*shown.name,
        "object": "model",
        "created": created(shown),
        "owned_by": shown.model.info.owned_by.as_deref().unwrap_or(OWNER),
    })
}

fn anthropic(shown: &Shown) -> Value {
    let info = &shown.model.info;
    let mut model = json!({
        "type": "model",
        "id": &*shown.name,
        "display_name": display_name(shown),
        "created_at": created_text(shown),
    });
    put(&mut model, "max_input_tokens", info.context_window);
    put(&mut model, "max_tokens", info.max_output_tokens);
    model
}

/// `limit` of 1 to 1000, 20 unless said; `after_id` and `before_id`.
fn anthropic_page(shown: &[Shown], argument: &dyn Fn(&str) -> Option<String>) -> Value {
    let limit = number(argument("limit"), 20, 1000);
    let place = |name: &str| {
        let id = argument(name)?;
        shown.iter().position(|one| *one.name == *id)
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
        "first_id": page.first().map(|one| &*one.name),
        "last_id": page.last().map(|one| &*one.name),
    })
}

fn gemini(shown: &Shown) -> Value {
    let info = &shown.model.info;
    let embeds = info.capabilities.iter().any(|name| name == "embeddings");
    let methods: &[&str] = match embeds {
        true => &["embedContent", "batchEmbedContents", "countTokens"],
        false => &["generateContent", "streamGenerateContent", "countTokens"],
    };
    let mut model = json!({
        "name": format!("models/{}", shown.name),
        "baseModelId": &*shown.name,
        "version": "001",
        "displayName": display_name(shown),
        "supportedGenerationMethods": methods,
    });
    put(&mut model, "inputTokenLimit", info.context_window);
    put(&mut model, "outputTokenLimit", info.max_output_tokens);
    model
}

/// `pageSize` of 1 to 1000, 50 unless said; `pageToken` is the name that the next page begins with.
fn gemini_page(shown: &[Shown], argument: &dyn Fn(&str) -> Option<String>) -> Value {
    let size = number(argument("pageSize"), 50, 1000);
    let from = argument("pageToken").map_or(0, |token| shown.partition_point(|one| *one.name < *token));
    let rest = &shown[from..];
    let page = &rest[..size.min(rest.len())];
    let mut answer = json!({ "models": page.iter().map(gemini).collect::<Vec<_>>() });
    if let Some(next) = rest.get(page.len()) {
        answer["nextPageToken"] = (*next.name).into();
    }
    answer
}

/// What Ollama tells of files on its disk is told of nothing: sizes are 0, digests empty.
fn ollama(shown: &Shown) -> Value {
    json!({
        "name": &*shown.name,
        "model": &*shown.name,
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
