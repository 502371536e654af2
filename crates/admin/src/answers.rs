//! The answers that are kept in process, as operators see them.

use serde_json::Value;

/// A store of answers.
pub trait CachedAnswers: Send + Sync {
    /// What it holds, with the entries used last.
    fn held(&self, most: usize) -> HeldAnswers;

    /// Forgets everything; returns how many there were.
    fn clear(&self) -> usize;
}

/// What a store of answers holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeldAnswers {
    /// Answers.
    pub entries: usize,
    /// Bytes that they take, about.
    pub bytes: usize,
    /// Some of them: `key`, `kind`, `format`, `bytes`, `created_at` and `expires_at`.
    pub items: Vec<Value>,
}
