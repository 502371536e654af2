//! What callers ask the store to change, and what they learn about it.

use std::time::Duration;

use serde_json::Value;

/// One write of a batch. Has no `Debug`, since values may hold secrets.
#[derive(Clone, PartialEq)]
pub enum Write {
    /// Creates or replaces an item; the create revision of an existing one stays.
    Put {
        /// The item.
        key: String,
        /// The resource, secrets in plain text.
        value: Value,
        /// Time until the item vanishes by itself. Without one it stays, even if it had one before.
        ttl: Option<Duration>,
        /// The mod revision that the item must have, 0 for an item that must not exist.
        expected: Option<u64>,
    },
    /// Deletes one item, if it is there.
    Delete {
        /// The item.
        key: String,
    },
    /// Deletes every item whose key begins so.
    DeletePrefix {
        /// How the keys begin.
        prefix: String,
    },
}

/// What became of one put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// The revision of the write.
    pub revision: u64,
    /// Whether the item was there before.
    pub existed: bool,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The one revision of the whole batch; the store's present one when there was nothing to change.
    pub revision: u64,
    /// For each write in order: whether there was an item to replace or delete.
    pub existed: Vec<bool>,
}
