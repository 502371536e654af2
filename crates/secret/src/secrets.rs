//! All secrets that configuration refers to.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use serde_json::Value;
use sluice_resource::is_secret_reference;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};

use crate::document::{Document, DocumentId, Events};
use crate::environment::Environment;
use crate::manager::{Connect, SecretManager, SecretReadError};
use crate::reference::{self, Reference};
use crate::resolution::{Resolution, Unresolved, each_text, each_text_mut};

/// Time to read a document, waiting for its turn included.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// Documents that are read from one manager at a time.
const AT_ONCE: usize = 64;

const NOT_READ: &str = "secret managers are not read here";

/// The secrets that configuration refers to. Cheap to clone; all clones share what was read.
///
/// Documents are read in the background while a [`Watch`] refers to them: at once, again after 300 seconds, and 60
/// seconds after a failure (compat §1.11). Vault answers with all fields of a path, so fields of one path are read
/// together.
#[derive(Clone)]
pub struct Secrets(Arc<Inner>);

struct Inner {
    environment: Environment,
    reader: Option<Reader>,
    managers: Mutex<HashMap<Box<str>, Arc<Managed>>>,
    documents: Mutex<Documents>,
    events: Arc<watch::Sender<Events>>,
}

/// The documents that somebody watches.
#[derive(Default)]
struct Documents {
    by_id: HashMap<DocumentId, Weak<Document>>,
    /// Forgotten ones are swept out when the map has grown to this.
    sweep_at: usize,
}

/// How and where documents are read.
struct Reader {
    connect: Box<dyn Connect>,
    runtime: Handle,
}

/// A `secrets` resource.
struct Managed {
    config: Arc<Value>,
    manager: Result<Arc<dyn SecretManager>, String>,
    turns: Semaphore,
}

/// Keeps the secrets fresh that one resource refers to, as long as it lives.
#[derive(Default)]
pub struct Watch(Vec<Arc<Document>>);

impl Default for Secrets {
    /// Knows the environment of this process, and no secret manager.
    fn default() -> Self {
        Self::with(Environment::process(), None)
    }
}

impl Secrets {
    /// Secrets of an environment and of managers, which are read on `runtime`.
    pub fn new(environment: Environment, connect: impl Connect, runtime: Handle) -> Self {
        let connect = Box::new(connect);
        Self::with(environment, Some(Reader { connect, runtime }))
    }

    fn with(environment: Environment, reader: Option<Reader>) -> Self {
        Self(Arc::new(Inner {
            environment,
            reader,
            managers: Mutex::default(),
            documents: Mutex::default(),
            events: Arc::default(),
        }))
    }

    /// Sets the `secrets` resources: by name (`vault/1`) their configurations. What refers to one that is new, gone or
    /// other than before is read again; until then, what was read before counts.
    pub fn set_managers<'a>(&self, managers: impl IntoIterator<Item = (&'a str, &'a Arc<Value>)>) {
        let mut changed = BTreeSet::new();
        let mut known = lock(&self.0.managers);
        let mut before = std::mem::take(&mut *known);
        for (name, config) in managers {
            let same = before.remove(name).filter(|old| old.config == *config);
            let managed = same.unwrap_or_else(|| {
                changed.insert(Box::<str>::from(name));
                Arc::new(self.0.connect(name, config))
            });
            known.insert(name.into(), managed);
        }
        changed.extend(before.into_keys());
        drop(known);
        let documents = lock(&self.0.documents);
        let documents: Vec<_> = documents.by_id.values().filter_map(Weak::upgrade).collect();
        for document in documents {
            if changed.contains(document.manager()) {
                document.again.notify_one();
            }
        }
    }

    /// Begins to keep fresh what `value` refers to.
    #[must_use]
    pub fn watch(&self, value: &Value) -> Watch {
        let mut documents: Vec<Arc<Document>> = Vec::new();
        each_text(value, &mut |text| {
            if let Some(Ok(Reference::Managed {
                manager, document, ..
            })) = reference::parse(text)
            {
                let document = self.document(manager, document);
                if !documents.iter().any(|known| known.id == document.id) {
                    documents.push(document);
                }
            }
        });
        Watch(documents)
    }

    /// `value` with what its references lead to. Secrets of managers are there only while they are watched.
    #[must_use]
    pub fn resolve<'a>(&self, value: &'a Value) -> Resolution<'a> {
        let mut refers = false;
        each_text(value, &mut |text| refers |= is_secret_reference(text));
        if !refers {
            return Resolution {
                value: Cow::Borrowed(value),
                unresolved: Vec::new(),
            };
        }
        let mut unresolved = Vec::new();
        let mut resolved = value.clone();
        each_text_mut(&mut resolved, &mut |text| match self.lookup(text) {
            None => {}
            Some(Ok(secret)) => *text = secret,
            Some(Err(reason)) => unresolved.push(Unresolved {
                reference: text.clone(),
                reason,
            }),
        });
        Resolution {
            value: Cow::Owned(resolved),
            unresolved,
        }
    }

    /// The secrets that `value` refers to, for those who have to keep them out of what they say.
    #[must_use]
    pub fn values_of(&self, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        each_text(value, &mut |text| {
            found.extend(self.lookup(text).and_then(Result::ok))
        });
        found
    }

    /// Waits until a watched document is read for the first time, or changes, or disappears.
    pub async fn changed(&self) {
        let mut events = self.0.events.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = events.wait_for(|events| !events.changed.is_empty()).await;
    }

    /// The documents that have changed since the last call.
    #[must_use]
    pub fn take_changed(&self) -> BTreeSet<DocumentId> {
        let mut changed = BTreeSet::new();
        self.0.events.send_if_modified(|events| {
            changed = std::mem::take(&mut events.changed);
            false
        });
        changed
    }

    /// Waits until every watched document has been read, or failed to be.
    pub async fn settled(&self) {
        let mut events = self.0.events.subscribe();
        let _ = events.wait_for(|events| events.pending == 0).await;
    }

    /// The secret that a text refers to; `None` for a text that is no reference.
    fn lookup(&self, text: &str) -> Option<Result<String, String>> {
        Some(match reference::parse(text)? {
            Err(reason) => Err(reason.to_owned()),
            Ok(Reference::Environment { name, key }) => self.0.environment.get(name, key),
            Ok(Reference::Managed {
                manager,
                document,
                field,
            }) => {
                let id = format!("{manager}/{document}");
                let known = lock(&self.0.documents).get(&id);
                known.map_or_else(
                    || Err("it is not read here".to_owned()),
                    |document| document.get(field),
                )
            }
        })
    }

    fn document(&self, manager: &str, name: &str) -> Arc<Document> {
        let id = DocumentId::from(format!("{manager}/{name}"));
        let unknown = self.0.why_unknown(manager);
        let mut documents = lock(&self.0.documents);
        if let Some(known) = documents.get(&id) {
            return known;
        }
        let events = self.0.events.clone();
        let document = Arc::new(Document::new(id, manager.len(), unknown, events));
        documents.put(&document);
        drop(documents);
        if let Some(reader) = &self.0.reader {
            reader
                .runtime
                .spawn(keep_fresh(Arc::downgrade(&self.0), Arc::downgrade(&document)));
        }
        document
    }
}

impl Inner {
    fn connect(&self, name: &str, config: &Arc<Value>) -> Managed {
        let kind = name.split('/').next().unwrap_or_default();
        let manager = match &self.reader {
            Some(reader) => reader.connect.connect(kind, &self.with_environment(config)),
            None => Err(NOT_READ.to_owned()),
        };
        Managed {
            config: config.clone(),
            manager,
            turns: Semaphore::new(AT_ONCE),
        }
    }

    /// Managers' own credentials may stand in the environment; nowhere else, or they could refer to each other.
    fn with_environment(&self, config: &Value) -> Value {
        let mut config = config.clone();
        each_text_mut(&mut config, &mut |text| {
            if let Some(Ok(Reference::Environment { name, key })) = reference::parse(text)
                && let Ok(value) = self.environment.get(name, key)
            {
                *text = value;
            }
        });
        config
    }

    /// Why a document of this manager need not be waited for.
    fn why_unknown(&self, manager: &str) -> Option<String> {
        match self.reader {
            Some(_) => self.managed(manager).err().map(|error| error.to_string()),
            None => Some(NOT_READ.to_owned()),
        }
    }

    fn managed(&self, name: &str) -> Result<Arc<Managed>, SecretReadError> {
        let managed = lock(&self.managers).get(name).cloned();
        managed.ok_or_else(|| SecretReadError::Absent(format!("there is no secret manager `{name}`")))
    }

    async fn read(&self, document: &Document) -> Result<Value, SecretReadError> {
        let managed = self.managed(document.manager())?;
        let manager = managed.manager.as_ref().map_err(SecretReadError::failed)?;
        let read = async {
            let _turn = managed.turns.acquire().await;
            manager.read(document.name()).await
        };
        let limited = tokio::time::timeout(READ_TIMEOUT, read).await;
        limited.unwrap_or_else(|_| {
            let seconds = READ_TIMEOUT.as_secs();
            Err(SecretReadError::Failed(format!(
                "no answer within {seconds} seconds"
            )))
        })
    }
}

impl Documents {
    fn get(&self, id: &str) -> Option<Arc<Document>> {
        self.by_id.get(id).and_then(Weak::upgrade)
    }

    fn put(&mut self, document: &Arc<Document>) {
        if self.by_id.len() >= self.sweep_at {
            self.by_id.retain(|_, document| document.strong_count() > 0);
            self.sweep_at = 64 + 2 * self.by_id.len();
        }
        self.by_id.insert(document.id.clone(), Arc::downgrade(document));
    }
}

/// Reads a document again and again, until nobody refers to it.
async fn keep_fresh(secrets: Weak<Inner>, document: Weak<Document>) {
    loop {
        let (Some(secrets), Some(document)) = (secrets.upgrade(), document.upgrade()) else {
            return;
        };
        let read = secrets.read(&document).await;
        let pause = document.settle(read);
        let again = document.again.clone();
        drop((secrets, document));
        // Either way it is time.
        let _ = tokio::time::timeout(pause, again.notified()).await;
    }
}

impl Watch {
    /// Whether there is nothing to keep fresh.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something has neither been read nor failed to be.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.0.iter().any(|document| document.is_pending())
    }

    /// Whether one of these documents is among what is watched.
    #[must_use]
    pub fn uses(&self, documents: &BTreeSet<DocumentId>) -> bool {
        self.0.iter().any(|document| documents.contains(&document.id))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
