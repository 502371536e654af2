//! What is kept.

use bytes::Bytes;

/// An answer as a client got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its body.
    pub body: Bytes,
    /// When it was given, in seconds since the Unix epoch.
    pub created_at: u64,
    /// What its body is.
    pub format: AnswerFormat,
}

/// What the body of an [`Answer`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerFormat {
    /// One JSON document.
    Json,
    /// Server-sent events.
    Sse,
}

impl AnswerFormat {
    /// What stores call it (compat §4.13).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Sse => "sse",
        }
    }

    /// The format of that [name](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "sse" => Some(Self::Sse),
            _ => None,
        }
    }
}
