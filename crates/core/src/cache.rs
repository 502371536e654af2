//! A cache of answers and one request: what it found, and what it is to keep.

use sluice_cache::{AnswerFormat, Direction};
use sluice_record::CacheUse;

/// What a cache of answers does for a request.
pub struct CacheCall {
    /// What it found.
    pub found: CacheUse,
    /// How the provider's answer is to be kept, if it turns out to be worth it. Whoever keeps it takes this out.
    pub keep: Option<Box<KeepAnswer>>,
}

/// Where an answer is to be kept, known before it arrives.
pub struct KeepAnswer {
    /// Its key.
    pub key: String,
    /// What finds it by likeness.
    pub likeness: Option<Likeness>,
    /// Position of the instance that was picked. The answer of another one is not kept.
    pub instance: usize,
    /// What its body is, once its head has said that it may be kept.
    pub format: Option<AnswerFormat>,
}

/// What a prompt means, and among which answers.
pub struct Likeness {
    /// Answers of other partitions are answers to other questions.
    pub partition: String,
    /// Direction of the prompt's embedding.
    pub direction: Direction,
}
