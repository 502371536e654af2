//! Keeps the data plane's snapshot at what the store holds.

use std::sync::Arc;
use std::time::Duration;

use sluice_core::{BuiltinRoute, Change, Compiler, CompilerOptions, Registry, Services, SnapshotCell};
use sluice_resource::Schemas;
use sluice_store::{Change as StoreChange, Event, EventKind, Item, Listing, Store, Watch};

/// Pause before a store that could not be read is read again.
const RELOAD_PAUSE: Duration = Duration::from_secs(1);

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
    compiling: Compiling,
    compiler: Compiler,
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
        let mut compiler = compiling.compiler()?;
        let listing = store.load().await?;
        let revision = listing.revision;
        let watch = store.subscribe(revision);
        take_in(&mut compiler, listing);
        let cell = Arc::new(SnapshotCell::new(compiler.snapshot(revision)));
        Ok((
            Self {
                store,
                compiling,
                compiler,
                watch,
            },
            cell,
        ))
    }

    /// Follows the store until it is closed.
    pub(crate) async fn run(mut self, cell: Arc<SnapshotCell>) {
        while let Some(change) = self.watch.next().await {
            let mut events = Vec::new();
            let mut resync = false;
            let mut next = Some(change);
            // What happened in the meantime is compiled in one go.
            while let Some(change) = next {
                match change {
                    StoreChange::Event(event) => events.push(event),
                    StoreChange::Resync => resync = true,
                }
                next = self.watch.try_next();
            }
            if resync {
                while let Err(error) = self.reload(&cell).await {
                    tracing::error!(%error, "configuration could not be read, the one in force stays");
                    tokio::time::sleep(RELOAD_PAUSE).await;
                }
                continue;
            }
            let Some(revision) = events.last().map(|event: &Arc<Event>| event.revision) else {
                continue;
            };
            self.compiler
                .apply(events.iter().filter_map(|event| change_of(event)));
            cell.publish(self.compiler.snapshot(revision));
        }
    }

    /// Starts over from what the store holds.
    async fn reload(&mut self, cell: &SnapshotCell) -> anyhow::Result<()> {
        let mut compiler = self.compiling.compiler()?;
        let listing = self.store.load().await?;
        let revision = listing.revision;
        self.watch = self.store.subscribe(revision);
        take_in(&mut compiler, listing);
        self.compiler = compiler;
        cell.publish(self.compiler.snapshot(revision));
        Ok(())
    }
}

fn take_in(compiler: &mut Compiler, listing: Listing) {
    for damaged in &listing.damaged {
        tracing::error!(%damaged, "stored resource is ignored");
    }
    compiler.apply(listing.items.into_iter().map(put_of));
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
