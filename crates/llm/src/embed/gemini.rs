//! Gemini `embedContent` and `batchEmbedContents` (llm-protocols §7).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{EmbedAnswer, unreadable};
use super::request::{EmbedRequest, Input, Task};
use crate::chat::{Drops, Fields, Json, Object, Unsayable};
use crate::convert::AnswerError;
use crate::usage::GeminiUsage;

pub(super) fn decode_request(body: &[u8]) -> Result<EmbedRequest, Unsayable> {
    one(Fields::from_slice(body)?)
}

pub(super) fn decode_batch(body: &[u8]) -> Result<EmbedRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?.in_camel_case();
    let requests = fields
        .items("requests")?
        .ok_or_else(|| Unsayable::at("requests", "`requests` is required"))?;
    let mut batch: Option<EmbedRequest> = None;
    for (index, request) in requests.into_iter().enumerate() {
        let place = format!("requests[{index}]");
        let request = Fields::read(request)
            .and_then(one)
            .map_err(|error| error.within(&place))?;
        match &mut batch {
            None => batch = Some(request),
            Some(batch) => join(batch, request).map_err(|error| error.within(&place))?,
        }
    }
    let mut batch = batch.unwrap_or_default();
    batch.leave(&fields);
    Ok(batch)
}

/// Adds a request to those before it. Elsewhere all texts of a call are embedded alike.
fn join(batch: &mut EmbedRequest, request: EmbedRequest) -> Result<(), Unsayable> {
    let differs = |name| {
        Unsayable::at(
            name,
            "must be the same in all requests of a batch: the provider takes one for all",
        )
    };
    if request.dimensions != batch.dimensions {
        return Err(differs("outputDimensionality"));
    }
    if request.task != batch.task {
        return Err(differs("taskType"));
    }
    if request.title != batch.title {
        return Err(differs("title"));
    }
    batch.inputs.extend(request.inputs);
    batch.unknown.extend(request.unknown);
    Ok(())
}

fn one(fields: Fields<'_>) -> Result<EmbedRequest, Unsayable> {
    let mut fields = fields.in_camel_case();
    // The path names the model.
    fields.raw("model");
    let content = fields
        .raw("content")
        .ok_or_else(|| Unsayable::at("content", "`content` is required"))?;
    let mut request = EmbedRequest {
        inputs: vec![Input::Text(text(content)?)],
        dimensions: fields.take("outputDimensionality")?,
        task: fields
            .take::<String>("taskType")?
            .filter(|task| task != "TASK_TYPE_UNSPECIFIED")
            .map(|task| Task::from_name(&task)),
        title: fields.take("title")?,
        ..EmbedRequest::default()
    };
    request.leave(&fields);
    Ok(request)
}

/// The texts of a content, one after the other.
fn text(content: &RawValue) -> Result<String, Unsayable> {
    let mut content = Fields::read(content).map_err(|error| error.within("content"))?;
    let parts = content
        .items("parts")
        .map_err(|error| error.within("content"))?
        .unwrap_or_default();
    let mut whole = String::new();
    for (index, part) in parts.into_iter().enumerate() {
        let place = format!("content.parts[{index}]");
        let mut part = Fields::read(part).map_err(|error| error.within(&place))?;
        let text: Option<String> = part.take("text").map_err(|error| error.within(&place))?;
        let text = text.ok_or_else(|| Unsayable::at(place, "only texts can be embedded by the provider"))?;
        whole.push_str(&text);
    }
    Ok(whole)
}

pub(super) fn encode_batch(
    request: &EmbedRequest,
    model: &str,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    drops.note_if(request.user.is_some(), "user");
    drops.note_if(request.truncate.is_some(), "truncate");
    let task = request.task.as_ref().and_then(|task| match task {
        // What is no word of Google's own comes from elsewhere.
        Task::Other(name) if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => Some(name.as_str()),
        task => task.google(),
    });
    drops.note_if(request.task.is_some() && task.is_none(), "input_type");
    let model = format!("models/{model}");
    let requests = request.texts()?.into_iter().map(|text| {
        let parts = [Object::new().set("text", text).finish()];
        let content = Object::new().set("parts", &parts[..]).finish();
        Object::new()
            .set("model", &model)
            .set("content", &content)
            .set_some("taskType", task)
            .set_some("title", request.title.as_ref())
            .set_some("outputDimensionality", request.dimensions)
            .finish()
    });
    let requests: Vec<Json> = requests.collect();
    Ok(Object::new().set("requests", &requests).finish())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Answer<'a> {
    embeddings: Option<Vec<Values>>,
    embedding: Option<Values>,
    usage_metadata: Option<GeminiUsage<'a>>,
}

#[derive(Deserialize)]
struct Values {
    values: Json,
}

pub(super) fn decode_answer(body: &[u8]) -> Result<EmbedAnswer, AnswerError> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    let embeddings = match (answer.embeddings, answer.embedding) {
        (Some(embeddings), _) => embeddings,
        (None, Some(embedding)) => vec![embedding],
        (None, None) => return Err(unreadable(())),
    };
    let vectors = embeddings.into_iter().map(|embedding| embedding.values);
    Ok(EmbedAnswer {
        tokens: answer
            .usage_metadata
            .map(|usage| usage.tally().usage().total_input()),
        ..EmbedAnswer::of(vectors.collect())?
    })
}

pub(super) fn encode_batch_answer(answer: &EmbedAnswer) -> Json {
    let embeddings: Vec<Json> = answer.vectors.iter().map(values).collect();
    Object::new().set("embeddings", &embeddings).finish()
}

pub(super) fn encode_answer(answer: &EmbedAnswer) -> Result<Json, AnswerError> {
    let embedding = values(answer.single()?);
    Ok(Object::new().set("embedding", &embedding).finish())
}

fn values(vector: &Json) -> Json {
    Object::new().set("values", vector).finish()
}
