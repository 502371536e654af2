//! Cohere v2 embeddings (llm-protocols §12).

use serde::Deserialize;

use super::answer::{EmbedAnswer, EmbedFacts, all_packed, unreadable};
use super::request::{EmbedRequest, Forms, Input, Task, Truncate};
use crate::chat::{Drops, Fields, Json, Object, Unsayable};
use crate::convert::AnswerError;
use crate::usage::CohereUsage;

pub(super) fn decode_request(body: &[u8]) -> Result<EmbedRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    for pictures in ["images", "inputs"] {
        if fields.raw(pictures).is_some() {
            return Err(Unsayable::at(pictures, "the provider embeds `texts` only"));
        }
    }
    let texts: Vec<String> = fields.need("texts")?;
    let mut request = EmbedRequest {
        model: fields.take("model")?,
        inputs: texts.into_iter().map(Input::Text).collect(),
        dimensions: fields.take("output_dimension")?,
        task: fields
            .take::<String>("input_type")?
            .map(|task| Task::from_name(&task)),
        truncate: truncate(&mut fields)?,
        forms: forms(&mut fields)?,
        ..EmbedRequest::default()
    };
    request.leave(&fields);
    Ok(request)
}

fn truncate(fields: &mut Fields<'_>) -> Result<Option<Truncate>, Unsayable> {
    Ok(match fields.take::<String>("truncate")?.as_deref() {
        None => None,
        Some("NONE") => Some(Truncate::Never),
        Some("START") => Some(Truncate::Start),
        Some("END") => Some(Truncate::End),
        Some(_) => return Err(Unsayable::at("truncate", "must be NONE, START or END")),
    })
}

fn forms(fields: &mut Fields<'_>) -> Result<Forms, Unsayable> {
    let Some(names) = fields.take::<Vec<String>>("embedding_types")? else {
        return Ok(Forms::default());
    };
    let mut forms = Forms {
        floats: false,
        base64: false,
    };
    for name in &names {
        match name.as_str() {
            "float" => forms.floats = true,
            "base64" => forms.base64 = true,
            _ => {
                return Err(Unsayable::at(
                    "embedding_types",
                    "only `float` and `base64` can be had of the provider",
                ));
            }
        }
    }
    Ok(forms)
}

pub(super) fn encode_request(
    request: &EmbedRequest,
    model: &str,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    drops.note_if(request.user.is_some(), "user");
    drops.note_if(request.title.is_some(), "title");
    let task = request.task.as_ref().and_then(Task::cohere);
    drops.note_if(request.task.is_some() && task.is_none(), "taskType");
    let truncate = request.truncate.map(|truncate| match truncate {
        Truncate::Never => "NONE",
        Truncate::Start => "START",
        Truncate::End => "END",
    });
    Ok(Object::new()
        .set("model", model)
        .set("texts", &request.texts()?)
        // Without one the models of today refuse; documents are what most texts are.
        .set("input_type", task.unwrap_or("search_document"))
        .set("embedding_types", &["float"][..])
        .set_some("output_dimension", request.dimensions)
        .set_some("truncate", truncate)
        .finish())
}

#[derive(Deserialize)]
struct Answer {
    embeddings: Embeddings,
    meta: Option<CohereUsage>,
}

#[derive(Deserialize)]
struct Embeddings {
    float: Option<Vec<Json>>,
}

pub(super) fn decode_answer(body: &[u8]) -> Result<EmbedAnswer, AnswerError> {
    let answer: Answer = serde_json::from_slice(body).map_err(unreadable)?;
    let vectors = answer.embeddings.float.ok_or_else(|| unreadable(()))?;
    Ok(EmbedAnswer {
        tokens: answer
            .meta
            .map(|meta| meta.tally().usage().total_input())
            .filter(|tokens| *tokens > 0),
        ..EmbedAnswer::of(vectors)?
    })
}

pub(super) fn encode_answer(answer: &EmbedAnswer, facts: &EmbedFacts) -> Result<Json, AnswerError> {
    let mut embeddings = Object::new();
    if facts.forms.floats {
        embeddings.put("float", &answer.vectors);
    }
    if facts.forms.base64 {
        embeddings.put("base64", &all_packed(&answer.vectors)?);
    }
    let billed = Object::new()
        .set("input_tokens", &answer.tokens_or(facts.estimate))
        .finish();
    let version = Object::new().set("version", "2").finish();
    let meta = Object::new()
        .set("api_version", &version)
        .set("billed_units", &billed)
        .finish();
    Ok(Object::new()
        .set("id", &facts.id)
        .set("embeddings", &embeddings.finish())
        .set("meta", &meta)
        .set("response_type", "embeddings_by_type")
        .finish())
}
