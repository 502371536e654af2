//! Limits that reserve and settle: how they stand, and what of them survives a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sluice_admin::LimitStandings;
use sluice_core::{CallerLimits, LimitStanding, PluginSet, Services, Snapshot, SnapshotCell, Subject};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How often what was spent is saved: what a crash may forget.
const EVERY: Duration = Duration::from_secs(1);

/// The plugin whose limits they are.
const PLUGIN: &str = "ai-limits";

/// Asks the plugins that are in force.
pub(crate) struct Standings {
    pub(crate) services: Arc<Services>,
    pub(crate) snapshots: Arc<SnapshotCell>,
}

impl Standings {
    fn of(&self, snapshot: &Snapshot, subject: Subject<'_>) -> Vec<LimitStanding> {
        limits(snapshot, subject)
            .map(|limits| limits.standings(subject, &self.services.limits))
            .unwrap_or_default()
    }
}

impl LimitStandings for Standings {
    fn of_client(&self, client: &str) -> Vec<(&'static str, String, LimitStanding)> {
        let snapshot = self.snapshots.load();
        let own = self.of(&snapshot, Subject::Client(client)).into_iter();
        let mut all: Vec<_> = own
            .map(|standing| ("client", client.to_owned(), standing))
            .collect();
        if let Some(group) = snapshot
            .consumers
            .get(client)
            .and_then(|consumer| consumer.group_id.clone())
        {
            let shared = self.of(&snapshot, Subject::Group(&group)).into_iter();
            all.extend(shared.map(|standing| ("group", group.to_string(), standing)));
        }
        all
    }

    fn of_group(&self, group: &str) -> Vec<LimitStanding> {
        self.of(&self.snapshots.load(), Subject::Group(group))
    }

    fn of_routes(&self) -> Vec<(String, LimitStanding)> {
        let snapshot = self.snapshots.load();
        let mut standings = Vec::new();
        for route in snapshot.router.targets() {
            let Some(limits) = caller_limits(route.pipeline.plugins()) else {
                continue;
            };
            let own = limits.standings(Subject::Route(&route.id), &self.services.limits);
            standings.extend(own.into_iter().map(|standing| (route.id.to_string(), standing)));
        }
        standings
    }

    fn reset(&self, subject: Subject<'_>, name: &str) -> bool {
        let snapshot = self.snapshots.load();
        limits(&snapshot, subject).is_some_and(|limits| limits.reset(subject, name, &self.services.limits))
    }
}

/// The limits that are in force for somebody.
fn limits<'s>(snapshot: &'s Snapshot, subject: Subject<'_>) -> Option<&'s dyn CallerLimits> {
    let consumers = &snapshot.consumers;
    let plugins = match subject {
        Subject::Client(name) => &consumers.get(name)?.plugins,
        Subject::Group(id) => &consumers.group(id)?.plugins,
        Subject::Route(id) => {
            let mut routes = snapshot.router.targets();
            routes.find(|route| *route.id == *id)?.pipeline.plugins()
        }
    };
    caller_limits(plugins)
}

fn caller_limits(plugins: &PluginSet) -> Option<&dyn CallerLimits> {
    plugins.get(PLUGIN)?.plugin.caller_limits()
}

/// Saves what was spent, every second and at the end.
pub(crate) struct Saving {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Saving {
    /// Takes in what was saved before, and begins to save.
    pub(crate) fn start(folder: &Path, services: Arc<Services>) -> Self {
        let path = folder.join("limits.json");
        restore(&path, &services);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(save_until(path, services, stopped));
        Self { stop, task }
    }

    /// Saves once more.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// A file that cannot be read is no reason not to start: limits begin anew, and the log says so.
fn restore(path: &Path, services: &Services) {
    let states = match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice::<Vec<sluice_limit::AccountState>>(&bytes)
            .map_err(|error| error.to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => Err(error.to_string()),
    };
    match states {
        Ok(states) => {
            services.limits.budgets.restore(states);
        }
        Err(error) => {
            tracing::error!(path = %path.display(), error, "what was spent of limits cannot be read: they begin anew")
        }
    }
}

async fn save_until(path: PathBuf, services: Arc<Services>, mut stopped: oneshot::Receiver<()>) {
    let mut saved = Vec::new();
    loop {
        let last = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            _ = &mut stopped => true,
        };
        let (services, path) = (Arc::clone(&services), path.clone());
        let before = std::mem::take(&mut saved);
        let work = tokio::task::spawn_blocking(move || save(&path, &services, before));
        saved = work.await.unwrap_or_default();
        if last {
            return;
        }
    }
}

/// Writes the states unless they are as they were; returns them as written.
fn save(path: &Path, services: &Services, before: Vec<u8>) -> Vec<u8> {
    let mut states = services.limits.budgets.snapshot();
    states.sort_by_key(|state| state.key);
    let Ok(bytes) = serde_json::to_vec(&states) else {
        return before;
    };
    if bytes == before || (states.is_empty() && before.is_empty()) {
        return bytes;
    }
    let partial = path.with_extension("partial");
    let written = std::fs::write(&partial, &bytes).and_then(|()| std::fs::rename(&partial, path));
    match written {
        Ok(()) => bytes,
        Err(error) => {
            tracing::warn!(%error, "what was spent of limits cannot be saved");
            before
        }
    }
}
