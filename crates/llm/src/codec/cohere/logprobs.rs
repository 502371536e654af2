//! Cohere's `logprobs` and OpenAI's.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::chat::Json;

/// A piece of text that comes in one go, with a probability for each of its tokens.
#[derive(Default, Deserialize, Serialize)]
#[serde(default, bound(deserialize = "'de: 'a"))]
struct Piece<'a> {
    token_ids: Vec<u64>,
    text: Option<Cow<'a, str>>,
    logprobs: Option<Vec<f64>>,
}

#[derive(Deserialize, Serialize)]
struct OpenAi<'a> {
    #[serde(borrow)]
    content: Option<Vec<Token<'a>>>,
}

#[derive(Deserialize, Serialize)]
struct Token<'a> {
    token: Cow<'a, str>,
    logprob: Option<Number>,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    /// Cohere tells none.
    #[serde(skip_deserializing)]
    top_logprobs: [u8; 0],
}

/// OpenAI's form of a list of pieces.
pub(super) fn to_openai(pieces: &Json) -> Option<Json> {
    let pieces: Vec<Piece<'_>> = pieces.read()?;
    let content = pieces.into_iter().map(token).collect();
    Some(Json::of(&OpenAi {
        content: Some(content),
    }))
}

/// OpenAI's form of one piece.
pub(super) fn piece_to_openai(piece: &Json) -> Option<Json> {
    let piece: Piece<'_> = piece.read()?;
    Some(Json::of(&OpenAi {
        content: Some(vec![token(piece)]),
    }))
}

/// A piece as one token: the probabilities of its tokens multiply, so their logarithms add up.
fn token(piece: Piece<'_>) -> Token<'_> {
    let text = piece.text.unwrap_or_default();
    Token {
        bytes: Some(text.as_bytes().to_vec()),
        token: text,
        logprob: piece
            .logprobs
            .and_then(|logprobs| Number::from_f64(logprobs.iter().sum())),
        top_logprobs: [],
    }
}

/// Cohere's pieces of OpenAI's form, one a token.
pub(super) fn from_openai(logprobs: &Json) -> Option<Vec<Json>> {
    let logprobs: OpenAi<'_> = logprobs.read()?;
    let pieces = logprobs.content?.into_iter().map(|token| {
        Json::of(&Piece {
            token_ids: Vec::new(),
            text: Some(token.token),
            logprobs: token
                .logprob
                .and_then(|logprob| logprob.as_f64())
                .map(|logprob| vec![logprob]),
        })
    });
    Some(pieces.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways() {
        let pieces = Json::parse(r#"[{"token_ids":[5,6],"text":"é","logprobs":[-0.5,-0.25]}]"#).unwrap();
        let openai = to_openai(&pieces).unwrap();
        assert_eq!(
            openai.text(),
            r#"{"content":[{"token":"é","logprob":-0.75,"bytes":[195,169],"top_logprobs":[]}]}"#
        );
        let back = from_openai(&openai).unwrap();
        assert_eq!(
            back[0].text(),
            r#"{"token_ids":[],"text":"é","logprobs":[-0.75]}"#
        );
    }
}
