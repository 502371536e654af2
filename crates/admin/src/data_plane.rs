//! What the Admin API knows of the data plane.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sluice_core::SnapshotCell;

/// The data plane, seen from the side that writes its configuration.
pub trait DataPlane: Send + Sync {
    /// Waits until requests are served by a configuration of at least this revision.
    fn reached(&self, revision: u64) -> BoxFuture<'_, ()>;

    /// What became of the stored configuration.
    fn report(&self) -> CompileReport;
}

/// What became of the stored configuration: the revision in force, and what stands out. Pairs are a resource's
/// key with its prefix, and a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompileReport {
    /// The revision in force.
    pub revision: u64,
    /// Resources that could not be compiled: their previous version goes on serving.
    pub problems: Vec<(String, String)>,
    /// Resources that say something obsolete.
    pub warnings: Vec<(String, String)>,
}

impl CompileReport {
    /// Why the resource of that key could not be compiled.
    pub(crate) fn error_of(&self, key: &str) -> Option<&str> {
        let found = self.problems.iter().find(|(own, _)| own == key);
        found.map(|(_, text)| text.as_str())
    }
}

impl DataPlane for SnapshotCell {
    fn reached(&self, revision: u64) -> BoxFuture<'_, ()> {
        self.reached(revision).boxed()
    }

    fn report(&self) -> CompileReport {
        let snapshot = self.load();
        let texts = |(key, text): (&Arc<str>, &Arc<str>)| (key.to_string(), text.to_string());
        CompileReport {
            revision: snapshot.revision,
            problems: snapshot.problems.iter().map(texts).collect(),
            warnings: snapshot.warnings.iter().map(texts).collect(),
        }
    }
}
