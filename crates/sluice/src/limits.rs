//! Limits that reserve and settle: how they stand, and what of them survives a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sluice_admin::LimitStandings;
use sluice_core::{CallerLimits, LimitStanding, PluginSet, Services, Snapshot, SnapshotCell, Subject};
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

    fn queues(&self) -> Vec<Value> {
        let views = self.services.queues.views().into_iter();
        views.map(|view| shown(&view)).collect()
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

/// Saves what was spent, every second and at the end: budgets in `limits.json`, windows that are to outlive the process in
/// `windows.json`.
pub(crate) struct Saving {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Saving {
    /// Takes in what was saved before, and begins to save.
    pub(crate) fn start(folder: &Path, services: Arc<Services>) -> Self {
        let files = Files {
            budgets: File::new(folder.join("limits.json")),
            windows: File::new(folder.join("windows.json")),
            epoch: unix_millis(services.counters.kept.epoch()),
            services,
        };
        files.restore();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(save_until(files, stopped));
        Self { stop, task }
    }

    /// Saves once more.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.task.await;
    }
}

/// Unix time of an instant that is over.
fn unix_millis(instant: Instant) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.saturating_sub(instant.elapsed()).as_millis()).unwrap_or(u64::MAX)
}

/// What is saved, and where.
struct Files {
    budgets: File,
    windows: File,
    /// Unix time at which the counters began, in milliseconds.
    epoch: u64,
    services: Arc<Services>,
}

impl Files {
    fn restore(&self) {
        let now = Instant::now();
        self.services.limits.budgets.restore(self.budgets.read());
        let kept = &self.services.counters.kept;
        kept.restore(self.windows.read(), self.epoch, now);
    }

    fn save(&mut self) {
        let mut budgets = self.services.limits.budgets.snapshot();
        budgets.sort_by_key(|state| state.key);
        self.budgets.write(&budgets);
        let mut windows = self.services.counters.kept.snapshot(self.epoch, Instant::now());
        windows.sort_by_key(|state| state.key);
        self.windows.write(&windows);
    }
}

async fn save_until(mut files: Files, mut stopped: oneshot::Receiver<()>) {
    loop {
        let last = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            _ = &mut stopped => true,
        };
        let work = tokio::task::spawn_blocking(move || {
            files.save();
            files
        });
        match work.await {
            Ok(saved) if !last => files = saved,
            _ => return,
        }
    }
}

/// A list of states.
struct File {
    path: PathBuf,
    /// As it was written last.
    written: Vec<u8>,
}

impl File {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            written: Vec::new(),
        }
    }

    /// A file that cannot be read is no reason not to start: limits begin anew, and the log says so.
    fn read<T: DeserializeOwned>(&self) -> Vec<T> {
        let states = match std::fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
            Err(error) => Err(error.to_string()),
        };
        states.unwrap_or_else(|error| {
            tracing::error!(path = %self.path.display(), error, "what was spent of limits cannot be read: they begin anew");
            Vec::new()
        })
    }

    /// Writes the states unless they are as they were.
    fn write<T: Serialize>(&mut self, states: &[T]) {
        let Ok(bytes) = serde_json::to_vec(states) else {
            return;
        };
        if bytes == self.written || (states.is_empty() && self.written.is_empty()) {
            return;
        }
        let partial = self.path.with_extension("partial");
        let written = std::fs::write(&partial, &bytes).and_then(|()| std::fs::rename(&partial, &self.path));
        match written {
            Ok(()) => self.written = bytes,
            Err(error) => tracing::warn!(%error, "what was spent of limits cannot be saved"),
        }
    }
}
