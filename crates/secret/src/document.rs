//! One document of a secret manager, while something refers to it.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Notify, watch};

use crate::manager::SecretReadError;
use crate::resolution::field_of;

/// How long a document counts as fresh (compat §1.11).
const FRESH: Duration = Duration::from_secs(300);
/// How long after a failure it is read again (compat §1.11).
const FAILED: Duration = Duration::from_secs(60);

/// Manager, id and document: `vault/1/jack`.
pub type DocumentId = Arc<str>;

/// What has happened to documents that nobody has looked at.
#[derive(Default)]
pub(crate) struct Events {
    /// Those whose content is not what it was.
    pub(crate) changed: BTreeSet<DocumentId>,
    /// How many have not been read yet.
    pub(crate) pending: usize,
}

/// A document and what is known of it.
pub(crate) struct Document {
    pub(crate) id: DocumentId,
    /// How much of the id is the manager's name.
    manager: usize,
    state: Mutex<State>,
    /// Asks for it to be read at once.
    pub(crate) again: Arc<Notify>,
    events: Arc<watch::Sender<Events>>,
}

/// No `Debug`: the contents are secret.
enum State {
    /// Not read yet.
    Pending,
    /// As last read.
    Known(Arc<Value>),
    /// There is nothing to be had.
    Unknown(String),
}

impl Document {
    /// A document that is to be read, or of which it is known already why it cannot be.
    pub(crate) fn new(
        id: DocumentId,
        manager: usize,
        unknown: Option<String>,
        events: Arc<watch::Sender<Events>>,
    ) -> Self {
        let state = match unknown {
            Some(reason) => State::Unknown(reason),
            None => {
                events.send_modify(|events| events.pending += 1);
                State::Pending
            }
        };
        Self {
            id,
            manager,
            state: Mutex::new(state),
            again: Arc::new(Notify::new()),
            events,
        }
    }

    /// The name of its manager: `vault/1`.
    pub(crate) fn manager(&self) -> &str {
        &self.id[..self.manager]
    }

    /// Its name in the manager.
    pub(crate) fn name(&self) -> &str {
        &self.id[self.manager + 1..]
    }

    pub(crate) fn is_pending(&self) -> bool {
        matches!(*self.lock(), State::Pending)
    }

    /// The secret at `field`.
    pub(crate) fn get(&self, field: Option<&str>) -> Result<String, String> {
        let known = match &*self.lock() {
            State::Pending => return Err("it has not been read yet".to_owned()),
            State::Unknown(reason) => return Err(reason.clone()),
            State::Known(value) => value.clone(),
        };
        field_of(&known, field).ok_or_else(|| "the secret has no such member".to_owned())
    }

    /// Takes in what reading it brought, and returns when it is to be read again. A failure changes nothing about what
    /// was read before.
    pub(crate) fn settle(&self, read: Result<Value, SecretReadError>) -> Duration {
        let mut state = self.lock();
        let (next, pause) = match (read, &*state) {
            (Ok(value), State::Known(known)) if **known == value => (None, FRESH),
            (Ok(value), _) => (Some(State::Known(Arc::new(value))), FRESH),
            (Err(SecretReadError::Failed(reason)), State::Known(_)) => {
                tracing::warn!(
                    document = &*self.id,
                    reason,
                    "secret could not be read again, the value read before stays in use"
                );
                (None, FAILED)
            }
            (Err(error), State::Unknown(reason)) if error.to_string() == *reason => (None, FAILED),
            (Err(error), _) => (Some(State::Unknown(error.to_string())), FAILED),
        };
        if let Some(next) = next {
            let was_pending = matches!(*state, State::Pending);
            *state = next;
            drop(state);
            self.events.send_modify(|events| {
                events.pending -= usize::from(was_pending);
                events.changed.insert(self.id.clone());
            });
        }
        pause
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        if self.is_pending() {
            self.events.send_modify(|events| events.pending -= 1);
        }
        // Whoever keeps it fresh finds it gone.
        self.again.notify_one();
    }
}
