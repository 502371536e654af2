//! Keeps the data plane's snapshot at what the store holds.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sluice_core::{BuiltinRoute, Change, Compiler, CompilerOptions, Registry, Services, SnapshotCell};
use sluice_resource::Schemas;
use sluice_secret::Secrets;
use sluice_store::{Change as StoreChange, Event, EventKind, Item, Listing, Store, Watch};

/// Pause before a store that could not be read is read again.
const RELOAD_PAUSE: Duration = Duration::from_secs(1);

/// How long the gateway's start may wait for secrets.
const SECRETS_AT_START: Duration = Duration::from_secs(6);
/// How long a change may wait for the secrets that it refers to, and others behind it: secret managers that are well
/// answer within this, so that what was written is in force when the Admin API has answered.
const SECRETS_OF_CHANGE: Duration = Duration::from_millis(250);

/// What a compiler is made of.
pub(crate) struct Compiling {
    pub(crate) registry: Arc<Registry>,
    pub(crate) services: Arc<Services>,
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) options: CompilerOptions,
    pub(crate) builtin: Vec<BuiltinRoute>,
}

impl Compiling {
    /// A compiler that knows the built-in routes and nothing else.
    fn compiler(&self) -> anyhow::Result<Compiler> {
        let compiler = Compiler::new(self.registry.clone(), self.services.clone(), self.options.clone());
        let mut compiler = compiler.with_schemas(self.schemas.clone());
        compiler
            .set_builtin(self.builtin.clone())
            .map_err(|error| anyhow::anyhow!(error))?;
        Ok(compiler)
    }
}

/// Compiles what the store holds and follows its changes.
pub(crate) struct Sync {
    store: Store,
    compiler: Compiler,
    secrets: Secrets,
    /// The keys that the compiler was told of: what a resync has to tell it is gone.
    known: HashSet<String>,
    watch: Watch,
}

impl Sync {
    /// Loads and compiles everything. Returns the cell that serves it.
    ///
    /// # Errors
    /// When the store cannot be read, or a built-in route does not compile.
    pub(crate) async fn start(
        store: Store,
        compiling: Compiling,
    ) -> anyhow::Result<(Self, Arc<SnapshotCell>)> {
        let compiler = compiling.compiler()?;
        let secrets = compiling.services.secrets.clone();
        let listing = store.load().await?;
        let revision = listing.revision;
        let mut sync = Self {
            watch: store.subscribe(revision),
            store,
            compiler,
            secrets,
            known: HashSet::new(),
        };
        sync.take_in(listing);
        sync.wait_for_secrets(SECRETS_AT_START).await;
        let cell = Arc::new(SnapshotCell::new(sync.compiler.snapshot(revision)));
        Ok((sync, cell))
    }

    /// Follows the store until it is closed.
    pub(crate) async fn run(mut self, cell: Arc<SnapshotCell>) {
        let secrets = self.secrets.clone();
        loop {
            tokio::select! {
                change = self.watch.next() => match change {
                    Some(change) => self.follow(change, &cell).await,
                    None => return,
                },
                () = secrets.changed() => {
                    if self.compiler.apply_secrets() {
                        cell.publish(self.compiler.snapshot(cell.load().revision));
                    }
                }
            }
        }
    }

    /// Gives secrets that are being read the first time a chance to be there. What refers to them is not in force
    /// before.
    async fn wait_for_secrets(&mut self, limit: Duration) {
        // Whether they came or not: those that did count.
        let _ = tokio::time::timeout(limit, self.secrets.settled()).await;
        self.compiler.apply_secrets();
    }

    /// Puts a change in force, and what happened in the meantime in the same go.
    async fn follow(&mut self, change: StoreChange, cell: &SnapshotCell) {
        let mut events = Vec::new();
        let mut resync = false;
        let mut next = Some(change);
        while let Some(change) = next {
            match change {
                StoreChange::Event(event) => events.push(event),
                StoreChange::Resync => resync = true,
            }
            next = self.watch.try_next();
        }
        if resync {
            while let Err(error) = self.reload(cell).await {
                tracing::error!(%error, "configuration could not be read, the one in force stays");
                tokio::time::sleep(RELOAD_PAUSE).await;
            }
            return;
        }
        let Some(revision) = events.last().map(|event: &Arc<Event>| event.revision) else {
            return;
        };
        for event in &events {
            match &event.kind {
                EventKind::Put(item) => self.known.insert(item.key.clone()),
                EventKind::Delete { key } => self.known.remove(key),
                EventKind::Damaged(_) => false,
            };
        }
        let waiting = self.compiler.waiting();
        self.compiler
            .apply(events.iter().filter_map(|event| change_of(event)));
        if self.compiler.waiting() > waiting {
            self.wait_for_secrets(SECRETS_OF_CHANGE).await;
        }
        cell.publish(self.compiler.snapshot(revision));
    }

    /// Takes over what the store holds, when single changes can no longer be told.
    async fn reload(&mut self, cell: &SnapshotCell) -> anyhow::Result<()> {
        let listing = self.store.load().await?;
        let revision = listing.revision;
        self.watch = self.store.subscribe(revision);
        self.take_in(listing);
        cell.publish(self.compiler.snapshot(revision));
        Ok(())
    }

    /// Tells the compiler everything that is there, and what is gone. It stays the same compiler: what does not
    /// compile any more keeps its previous form, as does what cannot be read.
    fn take_in(&mut self, listing: Listing) {
        for damaged in &listing.damaged {
            tracing::error!(%damaged, "stored resource is ignored");
        }
        let unreadable = listing.damaged.iter().map(|damaged| &damaged.key);
        let there: HashSet<String> = listing
            .items
            .iter()
            .map(|item| &item.key)
            .chain(unreadable.filter(|key| self.known.contains(*key)))
            .cloned()
            .collect();
        let gone = self.known.difference(&there).map(|key| Change {
            key: key.clone(),
            created: listing.revision,
            value: None,
        });
        let changes: Vec<Change> = gone.chain(listing.items.into_iter().map(put_of)).collect();
        self.compiler.apply(changes);
        self.known = there;
    }
}

fn put_of(item: Item) -> Change {
    Change {
        key: item.key,
        created: item.create_revision,
        value: Some(Arc::new(item.value)),
    }
}

/// What an event changes; an item that cannot be read keeps its compiled form.
fn change_of(event: &Event) -> Option<Change> {
    match &event.kind {
        EventKind::Put(item) => Some(put_of(item.clone())),
        EventKind::Delete { key } => Some(Change {
            key: key.clone(),
            created: event.revision,
            value: None,
        }),
        EventKind::Damaged(damaged) => {
            tracing::error!(%damaged, "stored resource is ignored");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};
    use sluice_core::RouterKind;
    use sluice_store::{Database, KeySource, SecretKey, Vault, Write};

    use super::*;
    use crate::config::Config;
    use crate::gateway;
    use crate::measuring::Measuring;
    use crate::plugins::Plugins;

    async fn store(folder: &Path) -> Store {
        let database = Database::open(folder.join("sluice.db")).await.unwrap();
        let key = KeySource::Given(SecretKey::from_bytes([7; 32]));
        let vault = Vault::unlock(&database, key).await.unwrap();
        let nothing_secret = |_: &str, _: &Value| Vec::new();
        Store::open(&database, vault, nothing_secret).await.unwrap()
    }

    async fn compiling(folder: &Path) -> Compiling {
        let mut config = Config {
            data_dir: folder.to_owned(),
            ..Config::default()
        };
        config.access_log.target = "off".to_owned();
        let measuring = Measuring::start(&config, "host").await.unwrap();
        Compiling {
            registry: gateway::registry(Plugins::shipped(), &config).unwrap(),
            services: Arc::new(gateway::services(&config, &measuring, "host").unwrap()),
            schemas: Arc::new(Schemas::compile().unwrap()),
            options: CompilerOptions {
                prefix: "/apisix".to_owned(),
                router: RouterKind::default(),
            },
            builtin: Vec::new(),
        }
    }

    fn problems(cell: &SnapshotCell) -> Vec<String> {
        let snapshot = cell.load();
        snapshot.problems.keys().map(ToString::to_string).collect()
    }

    fn consumers(cell: &SnapshotCell) -> Vec<String> {
        let snapshot = cell.load();
        ["jack", "jane"]
            .into_iter()
            .filter(|name| snapshot.consumers.get(name).is_some())
            .map(str::to_owned)
            .collect()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_resync_keeps_what_no_longer_compiles_and_drops_what_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path()).await;
        let consumer = |name: &str| json!({ "username": name, "plugins": { "key-auth": { "key": name } } });
        store
            .put("/consumers/jack", consumer("jack"), None)
            .await
            .unwrap();
        store
            .put("/consumers/jane", consumer("jane"), None)
            .await
            .unwrap();
        let (mut sync, cell) = Sync::start(store.clone(), compiling(folder.path()).await)
            .await
            .unwrap();
        assert_eq!(consumers(&cell), ["jack", "jane"]);

        // More than the watch remembers, so that it cannot tell them one by one.
        let mut broken = consumer("jack");
        broken["plugins"] = json!({ "key-auth": { "key": 7 } });
        let mut writes = vec![
            Write::Put {
                key: "/consumers/jack".to_owned(),
                value: broken,
                ttl: None,
                expected: None,
            },
            Write::Delete {
                key: "/consumers/jane".to_owned(),
            },
        ];
        writes.extend((0..5000).map(|number| Write::Put {
            key: format!("/protos/{number}"),
            value: json!({ "content": "x" }),
            ttl: None,
            expected: None,
        }));
        store.batch(writes).await.unwrap();
        let change = sync.watch.next().await.unwrap();
        assert!(matches!(change, StoreChange::Resync), "it has missed something");
        sync.follow(change, &cell).await;
        assert_eq!(consumers(&cell), ["jack"], "his previous version stays in force");
        assert_eq!(problems(&cell), ["/apisix/consumers/jack"]);

        store.delete("/consumers/jack").await.unwrap();
        let change = sync.watch.next().await.unwrap();
        sync.follow(change, &cell).await;
        assert_eq!((consumers(&cell), problems(&cell)), (vec![], vec![]));
    }
}
