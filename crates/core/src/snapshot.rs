//! The compiled configuration, and the handle through which it is swapped.

use std::sync::Arc;

use arc_swap::ArcSwap;
use imbl::OrdMap;
use sluice_record::Text;
use tokio::sync::watch;

use crate::certificates::Certificates;
use crate::consumer::Consumers;
use crate::models::Models;
use crate::pipeline::Pipeline;
use crate::route::Route;
use crate::router::Router;
use crate::upstream::Upstream;

/// One generation of the configuration, compiled and immutable. Generations share what did not change.
pub struct Snapshot {
    /// Revision of the store that it was compiled from.
    pub revision: u64,
    /// Routes that somebody stored.
    pub router: Arc<Router<Arc<Route>>>,
    /// Built-in routes, consulted when no stored route has the path.
    pub builtin: Arc<Router<Arc<Route>>>,
    /// Plugins of all global rules.
    pub global: Arc<Pipeline>,
    /// The pipeline of a request without a route.
    pub empty_pipeline: Arc<Pipeline>,
    /// Consumers, groups and credentials.
    pub consumers: Consumers,
    /// The model registry.
    pub models: Models,
    /// Upstreams by id, for plugins that name one.
    pub upstreams: OrdMap<Text, Arc<Upstream>>,
    /// Certificates of `ssls`, by host name.
    pub certificates: Arc<Certificates>,
    /// Whether some route looks into request bodies (`post_arg…`, `graphql_…`).
    pub matches_bodies: bool,
    /// Resources that could not be compiled, by key: their previous version goes on serving.
    pub problems: OrdMap<Text, Text>,
    /// Accepted configurations that say something obsolete, or refer to secrets that are not there, by key.
    pub warnings: OrdMap<Text, Text>,
}

/// The current snapshot: readers load it without a lock, one writer swaps it.
pub struct SnapshotCell {
    current: ArcSwap<Snapshot>,
    revision: watch::Sender<u64>,
}

impl SnapshotCell {
    /// A cell that serves `first`.
    #[must_use]
    pub fn new(first: Snapshot) -> Self {
        let revision = watch::Sender::new(first.revision);
        Self {
            current: ArcSwap::from_pointee(first),
            revision,
        }
    }

    /// The current snapshot. Requests call this once.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// Puts a snapshot in force.
    pub fn publish(&self, snapshot: Snapshot) {
        let revision = snapshot.revision;
        self.current.store(Arc::new(snapshot));
        self.revision.send_replace(revision);
    }

    /// Waits until a snapshot of at least `revision` is in force.
    pub async fn reached(&self, revision: u64) {
        let mut seen = self.revision.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = seen.wait_for(|current| *current >= revision).await;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::testing::Gateway;

    #[test]
    fn readers_keep_what_they_loaded() {
        let gateway = Gateway::new();
        let cell = SnapshotCell::new(gateway.compiler.snapshot(1));
        let loaded = cell.load();
        cell.publish(gateway.compiler.snapshot(2));
        assert_eq!((loaded.revision, cell.load().revision), (1, 2));
    }

    #[test]
    fn waiting_ends_when_the_revision_is_in_force() {
        let gateway = Gateway::new();
        let cell = SnapshotCell::new(gateway.compiler.snapshot(1));
        let mut task = Context::from_waker(Waker::noop());
        assert!(pin!(cell.reached(1)).poll(&mut task).is_ready());
        let mut later = pin!(cell.reached(3));
        for revision in [2, 3] {
            assert!(later.as_mut().poll(&mut task).is_pending());
            cell.publish(gateway.compiler.snapshot(revision));
        }
        assert_eq!(later.poll(&mut task), Poll::Ready(()));
    }
}
