//! An OpenAI embeddings client on Vertex AI `:predict` (compat §5.5).
//!
//! Members of the request other than `input` and `model`, which the path names, are dropped: `dimensions`,
//! `encoding_format`, `user`.

use std::borrow::Cow;

use bytes::Bytes;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sluice_wire::{Kind, Member};

use super::{AnswerError, ConversionRefused};
use crate::lenient::Count;
use crate::request::RequestView;

/// One request's conversion: made with the request, kept for its answer, which names the client's model.
///
/// ```
/// use http::StatusCode;
/// use sluice_llm::{EmbeddingsToPredict, RequestView};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = RequestView::parse(r#"{"model":"text-embedding-005","input":"Hi"}"#.into())?;
/// let (predict, conversion) = EmbeddingsToPredict::convert(&request)?;
/// assert_eq!(predict, r#"{"instances":[{"content":"Hi"}]}"#);
///
/// let answer = r#"{"predictions":[{"embeddings":{"values":[0.5],"statistics":{"token_count":2}}}]}"#;
/// let list = conversion.answer(StatusCode::OK, &answer.into())?;
/// assert!(list.starts_with(br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5]}]"#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct EmbeddingsToPredict {
    model: Option<Box<str>>,
}

#[derive(Serialize)]
struct PredictRequest<'a> {
    instances: Vec<Instance<'a>>,
}

#[derive(Serialize)]
struct Instance<'a> {
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    /// A string as the client wrote it.
    Raw(&'a RawValue),
    Joined(String),
}

/// An element of an inner array, as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Word<'a> {
    #[serde(borrow)]
    Text(Cow<'a, str>),
    Number(serde_json::Number),
}

#[derive(Deserialize)]
struct PredictAnswer<'a> {
    #[serde(borrow)]
    predictions: Option<Vec<Prediction<'a>>>,
}

/// What Vertex answers for one text.
#[derive(Deserialize)]
pub(crate) struct Prediction<'a> {
    #[serde(borrow)]
    embeddings: Option<Embeddings<'a>>,
}

#[derive(Deserialize)]
struct Embeddings<'a> {
    #[serde(borrow)]
    values: Option<&'a RawValue>,
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    token_count: Count,
}

#[derive(Serialize)]
struct EmbeddingList<'a> {
    object: &'static str,
    data: Vec<Embedding<'a>>,
    model: &'a str,
    usage: EmbeddingUsage,
}

#[derive(Serialize)]
struct Embedding<'a> {
    object: &'static str,
    index: usize,
    embedding: &'a RawValue,
}

#[derive(Serialize)]
struct EmbeddingUsage {
    prompt_tokens: u64,
    total_tokens: u64,
}

impl Prediction<'_> {
    /// Tokens of its text.
    pub(crate) fn tokens(&self) -> u64 {
        let statistics = self.embeddings.as_ref().and_then(|e| e.statistics.as_ref());
        statistics.map_or(0, |statistics| statistics.token_count.0)
    }
}

impl EmbeddingsToPredict {
    /// Converts a client's body.
    ///
    /// # Errors
    ///
    /// [`ConversionRefused`].
    pub fn convert(request: &RequestView) -> Result<(Bytes, Self), ConversionRefused> {
        let object = request.object().ok_or(ConversionRefused::NotAnObject)?;
        let input = object.get("input").ok_or(ConversionRefused::Input)?;
        let predict = PredictRequest {
            instances: instances(&input)?,
        };
        let body = serde_json::to_vec(&predict).map_err(|_| ConversionRefused::Input)?;
        let model = request.model().map(Into::into);
        Ok((body.into(), Self { model }))
    }

    /// Converts an answer. Errors of the provider, and what is not JSON, are handed back as they are.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] for a success without predictions, or without a vector in one of them.
    pub fn answer(&self, status: StatusCode, body: &Bytes) -> Result<Bytes, AnswerError> {
        let is_json = || serde_json::from_slice::<&RawValue>(body).is_ok();
        if !status.is_success() || !is_json() {
            return Ok(body.clone());
        }
        let answer = serde_json::from_slice::<PredictAnswer<'_>>(body).ok();
        let predictions = answer
            .and_then(|answer| answer.predictions)
            .ok_or(AnswerError::NoPredictions)?;
        let tokens = predictions
            .iter()
            .map(Prediction::tokens)
            .fold(0, u64::saturating_add);
        let data = predictions.iter().enumerate().map(|(index, prediction)| {
            let values = prediction.embeddings.as_ref().and_then(|e| e.values);
            let embedding = values
                .filter(|values| values.get().starts_with('['))
                .ok_or(AnswerError::Embedding(index + 1))?;
            Ok(Embedding {
                object: "embedding",
                index,
                embedding,
            })
        });
        let list = EmbeddingList {
            object: "list",
            data: data.collect::<Result<_, _>>()?,
            model: self.model.as_deref().unwrap_or("unknown"),
            usage: EmbeddingUsage {
                prompt_tokens: tokens,
                total_tokens: tokens,
            },
        };
        serde_json::to_vec(&list)
            .map(Bytes::from)
            .map_err(|_| AnswerError::NoPredictions)
    }
}

fn instances<'a>(input: &Member<'a>) -> Result<Vec<Instance<'a>>, ConversionRefused> {
    let items: Vec<&'a RawValue> = match input.kind() {
        Kind::String | Kind::Array => {
            let raw: &'a RawValue =
                serde_json::from_slice(input.raw()).map_err(|_| ConversionRefused::Input)?;
            match input.kind() {
                Kind::String => vec![raw],
                _ => serde_json::from_str(raw.get()).map_err(|_| ConversionRefused::Input)?,
            }
        }
        _ => return Err(ConversionRefused::Input),
    };
    let instance = |(index, item): (usize, &'a RawValue)| {
        let refused = ConversionRefused::InputItem(index + 1);
        let content = match item.get().as_bytes().first() {
            Some(b'"') => Content::Raw(item),
            Some(b'[') => Content::Joined(joined(item).ok_or(refused)?),
            _ => return Err(refused),
        };
        Ok(Instance { content })
    };
    items.into_iter().enumerate().map(instance).collect()
}

/// The words of an inner array with blanks between them.
fn joined(words: &RawValue) -> Option<String> {
    let words: Vec<Word<'_>> = serde_json::from_str(words.get()).ok()?;
    let words: Vec<_> = words
        .into_iter()
        .map(|word| match word {
            Word::Text(text) => text.into_owned(),
            Word::Number(number) => number.to_string(),
        })
        .collect();
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(body: &'static str) -> Result<(Bytes, EmbeddingsToPredict), ConversionRefused> {
        EmbeddingsToPredict::convert(&RequestView::parse(Bytes::from_static(body.as_bytes())).unwrap())
    }

    fn answer(body: &'static str) -> Result<String, AnswerError> {
        let (_, conversion) = convert(r#"{"input":"x"}"#).unwrap();
        let answer = conversion.answer(StatusCode::OK, &Bytes::from_static(body.as_bytes()))?;
        Ok(String::from_utf8(answer.to_vec()).unwrap())
    }

    #[test]
    fn every_form_of_input() {
        for (body, expected) in [
            (
                r#"{"input":"a \u00e9","dimensions":3}"#,
                r#"{"instances":[{"content":"a \u00e9"}]}"#,
            ),
            (
                r#"{"input":["a","b"],"model":"m"}"#,
                r#"{"instances":[{"content":"a"},{"content":"b"}]}"#,
            ),
            (
                r#"{"input":[["a","b\n"],[1,2.5]]}"#,
                r#"{"instances":[{"content":"a b\n"},{"content":"1 2.5"}]}"#,
            ),
            (r#"{"input":[]}"#, r#"{"instances":[]}"#),
        ] {
            assert_eq!(convert(body).unwrap().0, expected, "{body}");
        }
    }

    #[test]
    fn other_input_is_refused() {
        for (body, refusal) in [
            (r#"{"input":7}"#, "`input` must be string or array"),
            (r#"{"input":{"a":1}}"#, "`input` must be string or array"),
            (r#"{"input":null}"#, "`input` must be string or array"),
            (r#"{"input":["a",7]}"#, "unsupported input type at index 2"),
            (r#"{"input":[["a",[1]]]}"#, "unsupported input type at index 1"),
            (r#"{"input":[{"text":"a"}]}"#, "unsupported input type at index 1"),
        ] {
            assert_eq!(convert(body).unwrap_err().to_string(), refusal, "{body}");
        }
    }

    #[test]
    fn vectors_keep_their_digits() {
        let answered = answer(
            r#"{"predictions":[
                {"embeddings":{"values":[0.010, -1e-3],"statistics":{"token_count":3,"truncated":false}}},
                {"embeddings":{"values":[],"statistics":{"token_count":4.0}}}]}"#,
        );
        assert_eq!(
            answered.unwrap(),
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.010, -1e-3]},{"object":"embedding","index":1,"embedding":[]}],"model":"unknown","usage":{"prompt_tokens":7,"total_tokens":7}}"#
        );
    }

    #[test]
    fn answers_that_are_none() {
        for (body, error) in [
            ("{}", "vertex response missing predictions"),
            (r#"{"predictions":{}}"#, "vertex response missing predictions"),
            (r#"{"predictions":[{}]}"#, "invalid embedding at index 1"),
            (
                r#"{"predictions":[{"embeddings":{"values":[1]}},{"embeddings":{"values":7}}]}"#,
                "invalid embedding at index 2",
            ),
        ] {
            assert_eq!(answer(body).unwrap_err().to_string(), error, "{body}");
        }
        assert_eq!(answer("<html>").unwrap(), "<html>");
        let (_, conversion) = convert(r#"{"input":"x"}"#).unwrap();
        let refused = Bytes::from_static(br#"{"error":{"code":400}}"#);
        assert_eq!(
            conversion.answer(StatusCode::BAD_REQUEST, &refused).unwrap(),
            refused
        );
    }
}
