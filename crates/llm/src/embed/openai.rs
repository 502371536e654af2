//! OpenAI embeddings (llm-protocols §5).

use serde::Deserialize;
use serde_json::value::RawValue;

use super::answer::{EmbedAnswer, EmbedFacts, packed, unreadable};
use super::request::{EmbedRequest, Forms, Input};
use crate::chat::{Drops, Fields, Json, Object, Unsayable};
use crate::convert::AnswerError;
use crate::lenient::Text;
use crate::usage::ChatUsage;

pub(super) fn decode_request(body: &[u8]) -> Result<EmbedRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let input = fields
        .raw("input")
        .ok_or_else(|| Unsayable::at("input", "`input` is required"))?;
    let base64 = match fields.take::<String>("encoding_format")?.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => {
            return Err(Unsayable::at("encoding_format", "must be `float` or `base64`"));
        }
    };
    let mut request = EmbedRequest {
        model: fields.take("model")?,
        inputs: inputs(input)?,
        dimensions: fields.take("dimensions")?,
        user: fields.take("user")?,
        forms: Forms {
            floats: !base64,
            base64,
        },
        ..EmbedRequest::default()
    };
    request.leave(&fields);
    Ok(request)
}

/// A text, tokens, or a list of either.
#[derive(Deserialize)]
#[serde(untagged)]
enum Inputs {
    Text(String),
    Tokens(Vec<u64>),
    Texts(Vec<String>),
    TokenLists(Vec<Vec<u64>>),
}

fn inputs(json: &RawValue) -> Result<Vec<Input>, Unsayable> {
    let inputs: Inputs = serde_json::from_str(json.get())
        .map_err(|_| Unsayable::at("input", "must be a text, a list of texts, or tokens"))?;
    Ok(match inputs {
        Inputs::Text(text) => vec![Input::Text(text)],
        Inputs::Tokens(tokens) if tokens.is_empty() => Vec::new(),
        Inputs::Tokens(tokens) => vec![Input::Tokens(tokens)],
        Inputs::Texts(texts) => texts.into_iter().map(Input::Text).collect(),
        Inputs::TokenLists(lists) => lists.into_iter().map(Input::Tokens).collect(),
    })
}

pub(super) fn encode_request(request: &EmbedRequest, model: &str, drops: &mut Drops) -> Json {
    request.drop_task(drops);
    drops.note_if(request.truncate.is_some(), "truncate");
    let items = request.inputs.iter().map(|input| match input {
        Input::Text(text) => Json::of(text),
        Input::Tokens(tokens) => Json::of(tokens),
    });
    let items: Vec<Json> = items.collect();
    Object::new()
        .set("model", model)
        .set("input", &items)
        .set_some("dimensions", request.dimensions)
        .set_some("user", request.user.as_ref())
        .finish()
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Answer<'a> {
    #[serde(default)]
    model: Text<'a>,
    data: Vec<Embedding>,
    usage: Option<ChatUsage>,
}

#[derive(Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Json,
}

pub(super) fn decode_answer(body: &[u8]) -> Result<EmbedAnswer, AnswerError> {
    let mut answer: Answer<'_> = serde_json::from_slice(body).map_err(unreadable)?;
    // An answer that numbers its vectors need not send them in order.
    answer
        .data
        .sort_by_key(|embedding| embedding.index.unwrap_or_default());
    let vectors = answer.data.into_iter().map(|embedding| embedding.embedding);
    Ok(EmbedAnswer {
        model: answer.model.as_str().map(str::to_owned),
        tokens: answer.usage.map(|usage| usage.tally().usage().total_input()),
        ..EmbedAnswer::of(vectors.collect())?
    })
}

pub(super) fn encode_answer(answer: &EmbedAnswer, facts: &EmbedFacts) -> Result<Json, AnswerError> {
    let item = |(index, vector): (usize, &Json)| {
        let item = Object::new().set("object", "embedding").set("index", &index);
        let item = match facts.forms.base64 {
            true => item.set("embedding", &packed(index, vector)?),
            false => item.set("embedding", vector),
        };
        Ok(item.finish())
    };
    let data: Vec<Json> = answer
        .vectors
        .iter()
        .enumerate()
        .map(item)
        .collect::<Result<_, AnswerError>>()?;
    let tokens = answer.tokens_or(facts.estimate);
    let usage = Object::new()
        .set("prompt_tokens", &tokens)
        .set("total_tokens", &tokens)
        .finish();
    Ok(Object::new()
        .set("object", "list")
        .set("data", &data)
        .set("model", answer.model.as_ref().unwrap_or(&facts.model))
        .set("usage", &usage)
        .finish())
}
