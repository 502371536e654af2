//! Ollama `/api/embed` and `/api/embeddings` (llm-protocols §11).

use serde::Deserialize;

use super::answer::{EmbedAnswer, EmbedFacts, unreadable};
use super::request::{EmbedRequest, Truncate, texts};
use crate::chat::{Drops, Fields, Json, Object, Unsayable};
use crate::convert::AnswerError;
use crate::lenient::{Count, Text};

pub(super) fn decode_request(body: &[u8]) -> Result<EmbedRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = EmbedRequest {
        model: fields.take("model")?,
        inputs: texts(&mut fields, "input")?,
        dimensions: fields.take("dimensions")?,
        truncate: fields.take("truncate")?.map(|cut| match cut {
            true => Truncate::End,
            false => Truncate::Never,
        }),
        ..EmbedRequest::default()
    };
    request.leave(&fields);
    Ok(request)
}

pub(super) fn decode_older_request(body: &[u8]) -> Result<EmbedRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = EmbedRequest {
        model: fields.take("model")?,
        inputs: texts(&mut fields, "prompt")?,
        ..EmbedRequest::default()
    };
    if request.inputs.len() != 1 {
        return Err(Unsayable::at("prompt", "must be a text"));
    }
    request.leave(&fields);
    Ok(request)
}

pub(super) fn encode_request(
    request: &EmbedRequest,
    model: &str,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    request.drop_task(drops);
    drops.note_if(request.user.is_some(), "user");
    drops.note_if(request.truncate == Some(Truncate::Start), "truncate");
    let truncate = match request.truncate {
        Some(Truncate::End) => Some(true),
        Some(Truncate::Never) => Some(false),
        Some(Truncate::Start) | None => None,
    };
    Ok(Object::new()
        .set("model", model)
        .set("input", &request.texts()?)
        .set_some("dimensions", request.dimensions)
        .set_some("truncate", truncate)
        .finish())
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Answer<'a> {
    #[serde(default)]
    model: Text<'a>,
    embeddings: Option<Vec<Json>>,
    embedding: Option<Json>,
    prompt_eval_count: Option<Count>,
}

pub(super) fn decode_answer(body: &[u8]) -> Result<EmbedAnswer, AnswerError> {
    let answer: Answer<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    let vectors = match (answer.embeddings, answer.embedding) {
        (Some(vectors), _) => vectors,
        (None, Some(vector)) => vec![vector],
        (None, None) => return Err(unreadable(())),
    };
    Ok(EmbedAnswer {
        model: answer.model.as_str().map(str::to_owned),
        tokens: answer.prompt_eval_count.map(|count| count.0),
        ..EmbedAnswer::of(vectors)?
    })
}

pub(super) fn encode_answer(answer: &EmbedAnswer, facts: &EmbedFacts) -> Json {
    Object::new()
        .set("model", &facts.model)
        .set("embeddings", &answer.vectors)
        .set("prompt_eval_count", &answer.tokens_or(facts.estimate))
        .finish()
}

pub(super) fn encode_older_answer(answer: &EmbedAnswer) -> Result<Json, AnswerError> {
    Ok(Object::new().set("embedding", answer.single()?).finish())
}
