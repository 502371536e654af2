//! What a storage engine does for the [`Store`](crate::Store): text under keys, with revisions.
//!
//! An engine sees secrets only encrypted. It tells its [`Feed`](crate::feed::Feed) about every change, in the
//! order of revisions, whoever made it; about its own writes before it acknowledges them.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::{Committed, StoreError};

/// One stored item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) create_revision: u64,
    pub(crate) mod_revision: u64,
}

/// [`Write`](crate::Write), with the value as it is stored.
pub(crate) enum RecordWrite {
    Put {
        key: String,
        value: String,
        ttl: Option<Duration>,
        expected: Option<u64>,
    },
    Delete {
        key: String,
    },
    DeletePrefix {
        prefix: String,
    },
}

/// A change that is committed.
pub(crate) enum RecordChange {
    Put(Record),
    Delete { key: String, revision: u64 },
}

impl RecordChange {
    pub(crate) fn revision(&self) -> u64 {
        match self {
            Self::Put(record) => record.mod_revision,
            Self::Delete { revision, .. } => *revision,
        }
    }
}

/// All records under a prefix, ordered by create revision and key, and the revision of that moment.
pub(crate) struct Records {
    pub(crate) records: Vec<Record>,
    pub(crate) revision: u64,
}

/// A storage engine.
pub(crate) trait Backend: Send + Sync + 'static {
    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Record>, StoreError>>;

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Records, StoreError>>;

    /// All writes in order, with one revision, or none of them. Goes through even if the caller loses
    /// interest, so that what is stored and what watchers hear stay the same.
    fn commit(&self, writes: Vec<RecordWrite>) -> BoxFuture<'_, Result<Committed, StoreError>>;

    /// Takes a revision that no write has.
    fn take_revision(&self) -> BoxFuture<'_, Result<u64, StoreError>>;

    /// Ends background work and all watches.
    fn close(&self) -> BoxFuture<'_, ()>;
}
