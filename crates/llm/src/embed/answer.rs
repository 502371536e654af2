//! What a provider answers, and in which form the client gets it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::request::{EmbedRequest, Forms};
use crate::chat::Json;
use crate::convert::AnswerError;

/// Vectors, in the order of the inputs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct EmbedAnswer {
    /// Arrays of numbers, with the digits that the provider wrote.
    pub(super) vectors: Vec<Json>,
    /// The model that the answer names.
    pub(super) model: Option<String>,
    /// Tokens that were embedded, where the provider says.
    pub(super) tokens: Option<u64>,
}

/// What an answer needs to know of its request.
#[derive(Clone, Debug)]
pub(super) struct EmbedFacts {
    /// An id of the gateway's.
    pub(super) id: String,
    /// The model that the client asked for.
    pub(super) model: String,
    /// How many vectors there must be.
    pub(super) count: usize,
    /// About how many tokens were embedded.
    pub(super) estimate: u64,
    pub(super) forms: Forms,
}

impl EmbedFacts {
    pub(super) fn of(request: &EmbedRequest, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            model: request.model.clone().unwrap_or_default(),
            count: request.inputs.len(),
            estimate: request.estimated_tokens(),
            forms: request.forms,
        }
    }
}

impl EmbedAnswer {
    /// An answer with these vectors.
    ///
    /// # Errors
    /// [`AnswerError::Embedding`] if one is no array.
    pub(super) fn of(vectors: Vec<Json>) -> Result<Self, AnswerError> {
        match vectors.iter().position(|vector| !vector.is_array()) {
            Some(index) => Err(AnswerError::Embedding(index + 1)),
            None => Ok(Self {
                vectors,
                model: None,
                tokens: None,
            }),
        }
    }

    /// The only vector.
    pub(super) fn single(&self) -> Result<&Json, AnswerError> {
        match self.vectors.as_slice() {
            [vector] => Ok(vector),
            _ => Err(AnswerError::NoPredictions),
        }
    }

    /// Tokens as reported, else as estimated.
    pub(super) fn tokens_or(&self, estimate: u64) -> u64 {
        self.tokens.unwrap_or(estimate)
    }
}

/// A vector as base64 of 32-bit floats, little endian. `index` counts from 0.
pub(super) fn packed(index: usize, vector: &Json) -> Result<String, AnswerError> {
    let floats: Vec<f32> = vector.read().ok_or(AnswerError::Embedding(index + 1))?;
    let bytes: Vec<u8> = floats.iter().flat_map(|float| float.to_le_bytes()).collect();
    Ok(BASE64_STANDARD.encode(bytes))
}

/// The vectors as base64.
pub(super) fn all_packed(vectors: &[Json]) -> Result<Vec<String>, AnswerError> {
    vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| packed(index, vector))
        .collect()
}

/// Why an answer cannot be read.
pub(super) fn unreadable<E>(_: E) -> AnswerError {
    AnswerError::Unreadable("it holds no embeddings")
}
