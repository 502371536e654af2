//! From committed records to the events that watchers see.

use std::sync::Arc;

use crate::backend::{Record, RecordChange};
use crate::seal::Sealer;
use crate::watch::Publisher;
use crate::{DamagedItem, Event, EventKind, Item};

/// Where a backend announces changes. Decrypts each once, for all watchers.
pub(crate) struct Feed {
    sealer: Arc<Sealer>,
    publisher: Publisher,
}

impl Feed {
    pub(crate) fn new(sealer: Arc<Sealer>, publisher: Publisher) -> Self {
        Self { sealer, publisher }
    }

    /// The changes of one or more revisions, oldest first, directly after what was announced before.
    pub(crate) fn publish(&self, changes: Vec<RecordChange>) {
        let Some(last) = changes.last().map(RecordChange::revision) else {
            return;
        };
        if changes.len() > self.publisher.limits().events {
            // Every watcher would lose track of them, so they need not be decrypted.
            return self.publisher.reset(last);
        }
        self.publisher
            .publish(changes.into_iter().map(|change| self.event(change)));
    }

    /// Changes up to this revision cannot be told one by one.
    pub(crate) fn reset(&self, revision: u64) {
        self.publisher.reset(revision);
    }

    /// The event, and the size of its value.
    fn event(&self, change: RecordChange) -> (Event, usize) {
        let revision = change.revision();
        let (kind, bytes) = match change {
            RecordChange::Delete { key, .. } => (EventKind::Delete { key }, 0),
            RecordChange::Put(record) => {
                let bytes = record.value.len();
                let opened = open(&self.sealer, record);
                (opened.map_or_else(EventKind::Damaged, EventKind::Put), bytes)
            }
        };
        (Event { revision, kind }, bytes)
    }
}

/// Decrypts one record.
pub(crate) fn open(sealer: &Sealer, record: Record) -> Result<Item, DamagedItem> {
    let Record {
        key,
        value,
        create_revision,
        mod_revision,
    } = record;
    match sealer.open(&key, &value) {
        Ok(value) => Ok(Item {
            key,
            value,
            create_revision,
            mod_revision,
        }),
        Err(reason) => Err(DamagedItem {
            key,
            mod_revision,
            reason,
        }),
    }
}
