//! Limits that reserve and settle: how they stand, and what of them survives a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use sluice_admin::LimitStandings;
use sluice_core::{LimitStanding, Services, Snapshot, SnapshotCell, Subject};
use sluice_limit::{KeyView, QueueView};
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
        let consumers = &snapshot.consumers;
        let plugins = match subject {
            Subject::Client(name) => consumers.get(name).map(|consumer| &consumer.plugins),
            Subject::Group(id) => consumers.group(id).map(|group| &group.plugins),
            Subject::Route(_) => None,
        };
        let entry = plugins.and_then(|plugins| plugins.get(PLUGIN));
        let limits = entry.and_then(|entry| entry.plugin.caller_limits());
        limits
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

    fn queues(&self) -> Vec<Value> {
        let views = self.services.queues.views().into_iter();
        views.map(|view| shown(&view)).collect()
    }

    fn reset(&self, client: &str, name: &str) -> bool {
        let snapshot = self.snapshots.load();
        let consumer = snapshot.consumers.get(client);
        let entry = consumer.and_then(|consumer| consumer.plugins.get(PLUGIN));
        let limits = entry.and_then(|entry| entry.plugin.caller_limits());
        limits.is_some_and(|limits| limits.reset(Subject::Client(client), name, &self.services.limits))
    }
}

/// A queue as the dashboard's API tells of it.
fn shown(queue: &QueueView) -> Value {
    let key = |key: &KeyView| {
        let (kind, name) = key.key.split_once('/').unwrap_or_default();
        json!({
            "kind": kind, "name": name, "running": key.running, "waiting": key.waiting,
            "position": (key.position > 0).then_some(key.position),
        })
    };
    json!({
        "id": queue.id,
        "slots": queue.slots,
        "running": queue.running,
        "waiting": queue.waiting,
        "expected_wait_ms": u64::try_from(queue.expected.as_millis()).unwrap_or(u64::MAX),
        "refused": queue.refused_full + queue.refused_late,
        "sharers": queue.keys.iter().map(key).collect::<Vec<_>>(),
    })
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
