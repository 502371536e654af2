//! What a load found out.

use serde::{Deserialize, Serialize};

use super::watch::Span;
use crate::samples::Quantiles;

/// The result of one load, printed as JSON.
#[derive(Debug, Serialize, Deserialize)]
pub struct Report {
    /// Requests answered in full.
    pub requests: u64,
    /// Content chunks received within [`Report::span`].
    pub chunks: u64,
    /// Of these, the ones that one read brought behind another chunk of the same stream: they may have waited for it,
    /// or it for them.
    pub together: u64,
    /// The time that was measured, and what the watched processes used in it.
    pub span: Span,
    /// From a request's intended start to the last byte of its answer.
    pub latency: Option<Quantiles>,
    /// From a request's intended start to the first chunk of its stream.
    pub first_chunk: Option<Quantiles>,
    /// From the mock's sending of a chunk to its arrival.
    pub delay: Option<Quantiles>,
}

impl Report {
    /// A report of `requests` in `span`, with nothing else measured.
    #[must_use]
    pub fn new(requests: u64, span: Span) -> Self {
        Self {
            requests,
            chunks: 0,
            together: 0,
            span,
            latency: None,
            first_chunk: None,
            delay: None,
        }
    }
}
