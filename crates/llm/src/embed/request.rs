//! What a client wants vectors for.

use std::borrow::Cow;

use crate::chat::{Drops, Fields, Unsayable};
use crate::tokens::TokenCounter;

/// A request for embeddings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct EmbedRequest {
    /// The model that the body names.
    pub(super) model: Option<String>,
    /// What is embedded, one vector each.
    pub(super) inputs: Vec<Input>,
    /// Length of the vectors.
    pub(super) dimensions: Option<u64>,
    /// What the vectors are for.
    pub(super) task: Option<Task>,
    /// Title of the document that is embedded (Gemini).
    pub(super) title: Option<String>,
    /// What happens to texts that are too long.
    pub(super) truncate: Option<Truncate>,
    /// The end user.
    pub(super) user: Option<String>,
    /// How the client reads vectors.
    pub(super) forms: Forms,
    /// Members by name that nobody else has a word for.
    pub(super) unknown: Vec<String>,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Input {
    Text(String),
    /// Tokens of the model's own vocabulary.
    Tokens(Vec<u64>),
}

/// How a client reads vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Forms {
    /// As numbers.
    pub(super) floats: bool,
    /// As base64 of 32-bit floats, little endian.
    pub(super) base64: bool,
}

impl Default for Forms {
    fn default() -> Self {
        Self {
            floats: true,
            base64: false,
        }
    }
}

/// What happens to a text that is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truncate {
    /// It is refused.
    Never,
    /// Its beginning is cut off.
    Start,
    /// Its end is.
    End,
}

/// What vectors are for, by the names of Gemini and Cohere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Task {
    Query,
    Document,
    Classification,
    Clustering,
    /// One that only the client's own protocol has a word for.
    Other(String),
}

impl Task {
    const NAMES: [(Self, &'static str, &'static str); 4] = [
        (Self::Query, "RETRIEVAL_QUERY", "search_query"),
        (Self::Document, "RETRIEVAL_DOCUMENT", "search_document"),
        (Self::Classification, "CLASSIFICATION", "classification"),
        (Self::Clustering, "CLUSTERING", "clustering"),
    ];

    /// By Google's name or Cohere's.
    pub(super) fn from_name(name: &str) -> Self {
        let known = Self::NAMES
            .into_iter()
            .find(|(_, google, cohere)| *google == name || *cohere == name);
        known.map_or_else(|| Self::Other(name.to_owned()), |(task, ..)| task)
    }

    /// Google's name.
    pub(super) fn google(&self) -> Option<&'static str> {
        Self::NAMES
            .iter()
            .find(|(task, ..)| task == self)
            .map(|(_, name, _)| *name)
    }

    /// Cohere's name.
    pub(super) fn cohere(&self) -> Option<&'static str> {
        Self::NAMES
            .iter()
            .find(|(task, ..)| task == self)
            .map(|(.., name)| *name)
    }
}

impl EmbedRequest {
    /// The texts, for providers that take nothing else.
    pub(super) fn texts(&self) -> Result<Vec<&str>, Unsayable> {
        let texts = self.inputs.iter().map(|input| match input {
            Input::Text(text) => Ok(text.as_str()),
            Input::Tokens(_) => Err(Unsayable::at(
                "input",
                "the provider takes texts only, and tokens cannot be turned back into them",
            )),
        });
        texts.collect()
    }

    /// About how many tokens the inputs have.
    pub(super) fn estimated_tokens(&self) -> u64 {
        let tokens = self.inputs.iter().map(|input| match input {
            Input::Text(text) => TokenCounter::estimate(text),
            Input::Tokens(tokens) => tokens.len() as u64,
        });
        tokens.sum()
    }

    /// Notes what a provider has no word for.
    pub(super) fn drop_task(&self, drops: &mut Drops) {
        drops.note_if(self.task.is_some(), "task");
        drops.note_if(self.title.is_some(), "title");
    }

    /// Takes the names of what nobody took.
    pub(super) fn leave(&mut self, fields: &Fields<'_>) {
        self.unknown.extend(fields.names().map(str::to_owned));
    }
}

/// A text or a list of texts.
pub(super) fn texts(fields: &mut Fields<'_>, name: &str) -> Result<Vec<Input>, Unsayable> {
    let Some(raw) = fields.raw(name) else {
        return Err(Unsayable::at(name, format!("`{name}` is required")));
    };
    if let Ok(text) = serde_json::from_str::<Cow<'_, str>>(raw.get()) {
        return Ok(vec![Input::Text(text.into_owned())]);
    }
    let texts: Vec<String> = serde_json::from_str(raw.get())
        .map_err(|_| Unsayable::at(name, "must be a text or a list of texts"))?;
    Ok(texts.into_iter().map(Input::Text).collect())
}
