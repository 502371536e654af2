//! Plugin sets of resources, their merging, and the per-phase lists that requests run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use sluice_resource::Expr;

use crate::plugin::{Phase, Plugin};

/// Hands out the numbers that identify compiled objects.
#[derive(Debug, Default)]
pub struct Uids(AtomicU64);

impl Uids {
    /// A number above zero that was not handed out before.
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

/// A plugin as one resource configures it.
pub struct PluginEntry {
    /// The plugin's name.
    pub name: &'static str,
    /// Its priority, `_meta.priority` applied; higher runs first.
    pub priority: i64,
    /// Whether it authenticates.
    pub is_auth: bool,
    /// Whether the route's own instance replaces the global rule's (compat §3.1).
    pub prefers_route: bool,
    /// Whether its configuration asks for the native profile (DESIGN §4).
    pub native: bool,
    /// `_meta.filter`.
    pub filter: Option<Expr>,
    /// Whether the filter looks into the request's body, which has to be read before.
    pub filter_reads_body: bool,
    /// `_meta.error_response`.
    pub error_response: Option<Value>,
    /// The running form.
    pub plugin: Arc<dyn Plugin>,
}

/// The plugins of a resource, by name.
///
/// One that is switched off (`_meta.disable`) does not run, but keeps its place: it hides what resources of lower
/// precedence say under its name, as it does in APISIX.
#[derive(Clone, Default)]
pub struct PluginSet(BTreeMap<&'static str, Option<Arc<PluginEntry>>>);

impl PluginSet {
    /// Adds an entry; one of the same name is replaced.
    pub fn put(&mut self, entry: Arc<PluginEntry>) {
        self.0.insert(entry.name, Some(entry));
    }

    /// Adds a plugin that is switched off.
    pub fn put_disabled(&mut self, name: &'static str) {
        self.0.insert(name, None);
    }

    /// Takes over everything of `other`; what has the same name is replaced whole (compat §2.5).
    pub fn overlay(&mut self, other: &Self) {
        self.0
            .extend(other.0.iter().map(|(name, entry)| (*name, entry.clone())));
    }

    /// The entry of that name, unless it is switched off.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<PluginEntry>> {
        self.0.get(name)?.as_ref()
    }

    /// Whether the set names no plugin, not even one that is switched off.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The entries that run, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<PluginEntry>> {
        self.0.values().flatten()
    }

    /// All names, also of plugins that are switched off.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.0.keys().copied()
    }

    fn has_name(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }
}

type Steps = Box<[Arc<PluginEntry>]>;

/// What a request runs: for each phase the plugins that take part in it, in order.
pub struct Pipeline {
    set: PluginSet,
    rewrite: Steps,
    late_rewrite: Steps,
    access: Steps,
    queue: Steps,
    before_proxy: Steps,
    ai_event: Steps,
    response_head: Steps,
    response_body: Steps,
    settle: Steps,
    log: Steps,
    quota: Option<Arc<PluginEntry>>,
    filters_read_body: bool,
}

impl Pipeline {
    /// The pipeline of a plugin set.
    #[must_use]
    pub fn new(set: PluginSet) -> Self {
        let mut order: Vec<_> = set.iter().cloned().collect();
        order.sort_by(|a, b| b.priority.cmp(&a.priority).then(a.name.cmp(b.name)));
        let of = |phase| -> Steps {
            order
                .iter()
                .filter(|e| e.plugin.phases().has(phase))
                .cloned()
                .collect()
        };
        Self {
            rewrite: of(Phase::Rewrite),
            late_rewrite: Box::default(),
            access: of(Phase::Access),
            queue: of(Phase::Queue),
            before_proxy: of(Phase::BeforeProxy),
            ai_event: of(Phase::AiEvent),
            response_head: of(Phase::ResponseHead),
            response_body: of(Phase::ResponseBody),
            settle: of(Phase::Settle),
            log: of(Phase::Log),
            quota: order
                .iter()
                .find(|e| e.plugin.instance_quota().is_some())
                .cloned(),
            filters_read_body: order.iter().any(|e| e.filter_reads_body),
            set,
        }
    }

    /// The pipeline after authentication: group and consumer plugins replace those of the route, and those that the
    /// route does not name get their rewrite phase late (compat §3.1 step 5).
    #[must_use]
    pub fn with_caller(&self, group: Option<&PluginSet>, consumer: &PluginSet) -> Self {
        let mut set = self.set.clone();
        for added in group.into_iter().chain([consumer]) {
            set.overlay(added);
        }
        let merged = Self::new(set);
        let late = |e: &&Arc<PluginEntry>| !self.set.has_name(e.name) && !e.is_auth;
        let late_rewrite = merged.rewrite.iter().filter(late).cloned().collect();
        Self {
            late_rewrite,
            ..merged
        }
    }

    /// The steps of a phase.
    #[must_use]
    pub fn steps(&self, phase: Phase) -> &[Arc<PluginEntry>] {
        match phase {
            Phase::Rewrite => &self.rewrite,
            Phase::Access => &self.access,
            Phase::Queue => &self.queue,
            Phase::BeforeProxy => &self.before_proxy,
            Phase::AiEvent => &self.ai_event,
            Phase::ResponseHead => &self.response_head,
            Phase::ResponseBody => &self.response_body,
            Phase::Settle => &self.settle,
            Phase::Log => &self.log,
        }
    }

    /// Rewrite steps of plugins that came only with the caller.
    #[must_use]
    pub fn late_rewrite(&self) -> &[Arc<PluginEntry>] {
        &self.late_rewrite
    }

    /// The plugins, by name.
    #[must_use]
    pub fn plugins(&self) -> &PluginSet {
        &self.set
    }

    /// Whether a filter looks into the request's body. It has to be read before the request goes to its upstream: later
    /// phases cannot.
    #[must_use]
    pub fn filters_read_body(&self) -> bool {
        self.filters_read_body
    }

    /// The plugin that keeps a quota per AI instance, if one does.
    #[must_use]
    pub fn quota(&self) -> Option<&Arc<PluginEntry>> {
        self.quota.as_ref()
    }
}

#[cfg(test)]
mod tests;
