//! What is stored, and what watchers are told.

use std::fmt;

use serde_json::Value;

/// One configuration item as it stands at some revision, secrets in plain text.
#[derive(Clone, PartialEq)]
pub struct Item {
    /// The path without the store's prefix, such as `/routes/1` or `/consumers/jack/credentials/c1`.
    pub key: String,
    /// The resource.
    pub value: Value,
    /// The revision of the write that created the item.
    pub create_revision: u64,
    /// The revision of the latest write of the item.
    pub mod_revision: u64,
}

/// Leaves out the value, which may hold secrets.
impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Item")
            .field("key", &self.key)
            .field("create_revision", &self.create_revision)
            .field("mod_revision", &self.mod_revision)
            .finish_non_exhaustive()
    }
}

/// Items of one moment.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Listing {
    /// The readable items, ordered by create revision, then by key.
    pub items: Vec<Item>,
    /// Items that are there but cannot be read, in the same order.
    pub damaged: Vec<DamagedItem>,
    /// The revision of the store at that moment; a watch from here misses nothing.
    pub revision: u64,
}

/// An item that is there but cannot be read. It can be overwritten and deleted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} cannot be read: {reason}")]
pub struct DamagedItem {
    /// The item.
    pub key: String,
    /// The revision of its latest write.
    pub mod_revision: u64,
    /// What is wrong with it.
    pub reason: DamageReason,
}

/// What is wrong with a damaged item.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DamageReason {
    /// The stored text is not JSON.
    #[error("it is not JSON")]
    NotJson,
    /// A secret field cannot be decrypted.
    #[error("the secret at {pointer} cannot be decrypted")]
    Secret {
        /// The field, as a JSON pointer.
        pointer: String,
    },
}

/// One change of one item.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The revision of the write. The events of one batch share it.
    pub revision: u64,
    /// What happened.
    pub kind: EventKind,
}

/// What happened to an item.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// It was created or replaced.
    Put(Item),
    /// It was deleted, or its time ran out.
    Delete {
        /// The item.
        key: String,
    },
    /// It was created or replaced, but cannot be read.
    Damaged(DamagedItem),
}

impl Event {
    /// The item that the event is about.
    pub fn key(&self) -> &str {
        match &self.kind {
            EventKind::Put(item) => &item.key,
            EventKind::Delete { key } => key,
            EventKind::Damaged(damaged) => &damaged.key,
        }
    }
}
