//! Keeps the data plane's snapshot at what the store holds.

use std::sync::Arc;

use sluice_core::{BuiltinRoute, Change, Compiler, CompilerOptions, Registry, Services, SnapshotCell};
use sluice_store::{Change as StoreChange, Event, EventKind, Item, Listing, Store, Watch};

/// Compiles what the store holds and follows its changes.
pub(crate) struct Sync {
    store: Store,
    registry: Arc<Registry>,
    services: Arc<Services>,
    options: CompilerOptions,
    builtin: Vec<BuiltinRoute>,
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
        registry: Arc<Registry>,
        services: Arc<Services>,
        options: CompilerOptions,
        builtin: Vec<BuiltinRoute>,
    ) -> anyhow::Result<(Self, Arc<SnapshotCell>)> {
        let listing = store.load().await?;
        let watch = store.subscribe(listing.revision);
        let compiler = Compiler::new(registry.clone(), services.clone(), options.clone());
        let mut sync = Self {
            store,
            registry,
            services,
            options,
            builtin,
            compiler,
            watch,
        };
        let revision = listing.revision;
        sync.compile_all(listing)?;
        let cell = Arc::new(SnapshotCell::new(sync.compiler.snapshot(revision)));
        Ok((sync, cell))
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
                if let Err(error) = self.reload(&cell).await {
                    tracing::error!(%error, "configuration could not be reloaded, the previous one stays in force");
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

    async fn reload(&mut self, cell: &SnapshotCell) -> anyhow::Result<()> {
        let listing = self.store.load().await?;
        let revision = listing.revision;
        self.watch = self.store.subscribe(revision);
        self.compiler = Compiler::new(self.registry.clone(), self.services.clone(), self.options.clone());
        self.compile_all(listing)?;
        cell.publish(self.compiler.snapshot(revision));
        Ok(())
    }

    fn compile_all(&mut self, listing: Listing) -> anyhow::Result<()> {
        for damaged in &listing.damaged {
            tracing::error!(%damaged, "stored resource is ignored");
        }
        self.compiler
            .set_builtin(self.builtin.clone())
            .map_err(|error| anyhow::anyhow!(error))?;
        self.compiler.apply(listing.items.into_iter().map(put_of));
        Ok(())
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
