//! The configuration store as the rest of the gateway sees it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::backend::{Backend, RecordWrite};
use crate::clock::{Clock, SystemClock};
use crate::feed::{self, Feed};
use crate::seal::Sealer;
use crate::sqlite::{SqliteBackend, Tuning};
use crate::watch::{self, Subscriptions};
use crate::{Committed, Database, Item, Listing, SecretFields, StoreError, Vault, Watch, Write, Written};

/// The configuration store: JSON values under path-like keys, with revisions. Clones share it.
///
/// * Every write is one transaction. It is durable before it is acknowledged, and watchers of this process
///   hear of it before that too.
/// * Revisions rise by one with each write, whichever process makes it, and are never used twice.
/// * Secret fields are encrypted on the way in and decrypted on the way out.
/// * What other processes write to the same database arrives within half a second, several writes of one
///   item perhaps as one event.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Box<dyn Backend>,
    sealer: Arc<Sealer>,
    subscriptions: Subscriptions,
}

impl Store {
    /// The store in this database. Needs a tokio runtime, whose tasks carry out the writes.
    ///
    /// # Errors
    /// [`StoreError::Sql`].
    pub async fn open(
        database: &Database,
        vault: Vault,
        secrets: impl SecretFields,
    ) -> Result<Self, StoreError> {
        let sealer = Sealer::new(vault, secrets);
        Self::start(database, sealer, Arc::new(SystemClock), Tuning::default()).await
    }

    async fn start(
        database: &Database,
        sealer: Sealer,
        clock: Arc<dyn Clock>,
        tuning: Tuning,
    ) -> Result<Self, StoreError> {
        let sealer = Arc::new(sealer);
        let (publisher, subscriptions) = watch::channel(tuning.history);
        let feed = Feed::new(Arc::clone(&sealer), publisher);
        let backend = SqliteBackend::start(database.sql().clone(), feed, clock, tuning).await?;
        Ok(Self {
            inner: Arc::new(Inner {
                backend: Box::new(backend),
                sealer,
                subscriptions,
            }),
        })
    }

    /// One item, nothing if it is absent.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is there but cannot be read, or [`StoreError::Sql`].
    pub async fn get(&self, key: &str) -> Result<Option<Item>, StoreError> {
        match self.inner.backend.get(key).await? {
            Some(record) => Ok(Some(feed::open(&self.inner.sealer, record)?)),
            None => Ok(None),
        }
    }

    /// The items whose keys begin so, `/routes/` for instance.
    ///
    /// # Errors
    /// [`StoreError::Sql`]. Damaged items are listed as such.
    pub async fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let found = self.inner.backend.list(prefix).await?;
        let sealer = Arc::clone(&self.inner.sealer);
        // Tens of thousands of items take a second to decrypt and parse.
        let listing = tokio::task::spawn_blocking(move || {
            let mut listing = Listing {
                revision: found.revision,
                ..Listing::default()
            };
            for record in found.records {
                match feed::open(&sealer, record) {
                    Ok(item) => listing.items.push(item),
                    Err(damaged) => listing.damaged.push(damaged),
                }
            }
            listing
        });
        listing.await.map_err(|_| StoreError::Closed)
    }

    /// All items, to be followed by [`Store::subscribe`] with the listing's revision.
    ///
    /// # Errors
    /// As [`Store::list`].
    pub async fn load(&self) -> Result<Listing, StoreError> {
        self.list("").await
    }

    /// Creates or replaces an item. With `ttl` it vanishes by itself after that time.
    ///
    /// # Errors
    /// [`StoreError::Sql`], [`StoreError::Encryption`] or [`StoreError::Closed`].
    pub async fn put(&self, key: &str, value: Value, ttl: Option<Duration>) -> Result<Written, StoreError> {
        self.write_one(Write::Put {
            key: key.to_owned(),
            value,
            ttl,
            expected: None,
        })
        .await
    }

    /// Replaces an item only if its mod revision still is `expected`; 0 creates it only if it is absent.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is not, and as [`Store::put`].
    pub async fn compare_and_swap(
        &self,
        key: &str,
        expected: u64,
        value: Value,
        ttl: Option<Duration>,
    ) -> Result<Written, StoreError> {
        self.write_one(Write::Put {
            key: key.to_owned(),
            value,
            ttl,
            expected: Some(expected),
        })
        .await
    }

    /// Deletes an item. Returns whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Sql`] or [`StoreError::Closed`].
    pub async fn delete(&self, key: &str) -> Result<bool, StoreError> {
        Ok(self
            .write_one(Write::Delete { key: key.to_owned() })
            .await?
            .existed)
    }

    /// Deletes an item and all items below it, such as a consumer with its credentials, in one write.
    /// Returns whether the item itself was there.
    ///
    /// # Errors
    /// As [`Store::delete`].
    pub async fn delete_tree(&self, key: &str) -> Result<bool, StoreError> {
        let below = Write::DeletePrefix {
            prefix: format!("{key}/"),
        };
        let itself = Write::Delete { key: key.to_owned() };
        let committed = self.batch(vec![below, itself]).await?;
        Ok(committed.existed.last().copied().unwrap_or(false))
    }

    /// Several writes in order, with one revision: all of them or none.
    ///
    /// # Errors
    /// As [`Store::compare_and_swap`].
    pub async fn batch(&self, writes: Vec<Write>) -> Result<Committed, StoreError> {
        let writes = writes
            .into_iter()
            .map(|write| self.seal(write))
            .collect::<Result<_, _>>()?;
        self.inner.backend.commit(writes).await
    }

    /// An id for a resource that was posted without one: a revision of its own, in 20 digits (compat §1.3).
    ///
    /// # Errors
    /// [`StoreError::Sql`] or [`StoreError::Closed`].
    pub async fn next_id(&self) -> Result<String, StoreError> {
        let revision = self.inner.backend.take_revision().await?;
        Ok(format!("{revision:020}"))
    }

    /// Follows all changes after a revision. If they reach too far back, the watch begins (and ends) with
    /// [`Change::Resync`](crate::Change::Resync).
    pub fn subscribe(&self, from_revision: u64) -> Watch {
        self.inner.subscriptions.subscribe(from_revision)
    }

    /// Finishes the write under way and ends all watches. Later writes fail with [`StoreError::Closed`];
    /// reading goes on until the [`Database`] is closed.
    pub async fn close(&self) {
        self.inner.backend.close().await;
    }

    async fn write_one(&self, write: Write) -> Result<Written, StoreError> {
        let committed = self.batch(vec![write]).await?;
        Ok(Written {
            revision: committed.revision,
            existed: committed.existed.first().is_some_and(|existed| *existed),
        })
    }

    fn seal(&self, write: Write) -> Result<RecordWrite, StoreError> {
        Ok(match write {
            Write::Put {
                key,
                value,
                ttl,
                expected,
            } => {
                let value = self.inner.sealer.seal(&key, value)?;
                RecordWrite::Put {
                    key,
                    value,
                    ttl,
                    expected,
                }
            }
            Write::Delete { key } => RecordWrite::Delete { key },
            Write::DeletePrefix { prefix } => RecordWrite::DeletePrefix { prefix },
        })
    }
}

#[cfg(test)]
mod tests;
