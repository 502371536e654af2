//! Vertex AI `:predict` for embeddings (llm-protocols §9).

use serde::Deserialize;

use super::answer::{EmbedAnswer, unreadable};
use super::request::{EmbedRequest, Task, Truncate};
use crate::chat::{Drops, Json, Object, Unsayable};
use crate::convert::AnswerError;
use crate::lenient::Count;

pub(super) fn encode_request(request: &EmbedRequest, drops: &mut Drops) -> Result<Json, Unsayable> {
    drops.note_if(request.user.is_some(), "user");
    drops.note_if(request.truncate == Some(Truncate::Start), "truncate");
    let task = request.task.as_ref().and_then(|task| match task {
        Task::Other(name) if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => Some(name.as_str()),
        task => task.google(),
    });
    drops.note_if(request.task.is_some() && task.is_none(), "input_type");
    let instances = request.texts()?.into_iter().map(|text| {
        Object::new()
            .set("content", text)
            .set_some("task_type", task)
            .set_some("title", request.title.as_ref())
            .finish()
    });
    let instances: Vec<Json> = instances.collect();
    let truncate = match request.truncate {
        Some(Truncate::End) => Some(true),
        Some(Truncate::Never) => Some(false),
        Some(Truncate::Start) | None => None,
    };
    let parameters = Object::new()
        .set_some("outputDimensionality", request.dimensions)
        .set_some("autoTruncate", truncate);
    let mut body = Object::new().set("instances", &instances);
    if !parameters.is_empty() {
        body.put("parameters", &parameters.finish());
    }
    Ok(body.finish())
}

#[derive(Deserialize)]
struct Answer {
    predictions: Vec<Prediction>,
}

#[derive(Deserialize)]
struct Prediction {
    embeddings: Embeddings,
}

#[derive(Deserialize)]
struct Embeddings {
    values: Json,
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    token_count: Count,
}

pub(super) fn decode_answer(body: &[u8]) -> Result<EmbedAnswer, AnswerError> {
    let answer: Answer = serde_json::from_slice(body).map_err(unreadable)?;
    let counts = answer.predictions.iter();
    let counts: Vec<u64> = counts
        .filter_map(|prediction| Some(prediction.embeddings.statistics.as_ref()?.token_count.0))
        .collect();
    let vectors = answer.predictions.into_iter();
    let vectors = vectors.map(|prediction| prediction.embeddings.values);
    Ok(EmbedAnswer {
        tokens: (!counts.is_empty()).then(|| {
            counts
                .iter()
                .fold(0, |sum, count| u64::saturating_add(sum, *count))
        }),
        ..EmbedAnswer::of(vectors.collect())?
    })
}
