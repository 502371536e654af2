use std::pin::Pin;

use proptest::prelude::*;

use super::*;
use crate::context::Context;
use crate::plugin::{InstanceQuota, Phases};

/// Takes part in the given phases, and keeps a quota if told so.
struct Quiet {
    phases: Phases,
    quota: bool,
}

impl Plugin for Quiet {
    fn phases(&self) -> Phases {
        self.phases
    }

    fn instance_quota(&self) -> Option<&dyn InstanceQuota> {
        self.quota.then_some(self as &dyn InstanceQuota)
    }
}

impl InstanceQuota for Quiet {
    fn has_quota<'a>(
        &'a self,
        _cx: &'a mut Context,
        _instance: &'a str,
    ) -> Pin<Box<dyn Future<Output = bool> + Send + 'a>> {
        Box::pin(async { true })
    }
}

fn entry_of(name: &'static str, priority: i64, plugin: Quiet) -> Arc<PluginEntry> {
    Arc::new(PluginEntry {
        name,
        priority,
        is_auth: name.ends_with("-auth"),
        prefers_route: false,
        native: false,
        filter: None,
        filter_reads_body: false,
        error_response: None,
        plugin: Arc::new(plugin),
    })
}

fn entry(name: &'static str, priority: i64, phases: &[Phase]) -> Arc<PluginEntry> {
    entry_of(
        name,
        priority,
        Quiet {
            phases: Phases::of(phases),
            quota: false,
        },
    )
}

fn set(entries: &[Arc<PluginEntry>]) -> PluginSet {
    let mut set = PluginSet::default();
    entries.iter().cloned().for_each(|entry| set.put(entry));
    set
}

fn names(steps: &[Arc<PluginEntry>]) -> Vec<&str> {
    steps.iter().map(|entry| entry.name).collect()
}

const ALL: [Phase; 8] = [
    Phase::Rewrite,
    Phase::Access,
    Phase::Queue,
    Phase::BeforeProxy,
    Phase::ResponseHead,
    Phase::ResponseBody,
    Phase::Settle,
    Phase::Log,
];

#[test]
fn steps_run_by_priority_and_equals_by_name() {
    let entries =
        [("b", 5), ("a", 5), ("low", -2000), ("high", 9)].map(|(name, p)| entry(name, p, &[Phase::Access]));
    let pipeline = Pipeline::new(set(&entries));
    assert_eq!(names(pipeline.steps(Phase::Access)), ["high", "a", "b", "low"]);
}

#[test]
fn a_plugin_is_in_the_phases_that_it_has_and_in_no_other() {
    for phase in ALL {
        let pipeline = Pipeline::new(set(&[entry("p", 1, &[phase])]));
        for other in ALL {
            assert_eq!(
                pipeline.steps(other).len(),
                usize::from(other == phase),
                "{phase:?} in {other:?}"
            );
        }
    }
}

#[test]
fn what_came_with_the_caller_rewrites_late() {
    let both = [Phase::Rewrite, Phase::Access];
    let route = Pipeline::new(set(&[entry("shared", 1, &both), entry("own", 2, &both)]));
    let group = set(&[entry("of-group", 3, &both), entry("of-both", 4, &both)]);
    let consumer = set(&[
        entry("shared", 5, &both),
        entry("of-both", 6, &both),
        entry("key-auth", 7, &both),
        entry("quiet", 8, &[]),
    ]);
    let merged = route.with_caller(Some(&group), &consumer);
    assert_eq!(names(merged.late_rewrite()), ["of-both", "of-group"]);
    assert_eq!(
        names(merged.steps(Phase::Access)),
        ["key-auth", "of-both", "shared", "of-group", "own"]
    );
    assert!(route.late_rewrite().is_empty());
}

#[test]
fn what_the_route_switched_off_does_not_rewrite_late() {
    let mut own = PluginSet::default();
    own.put_disabled("p");
    let merged =
        Pipeline::new(own).with_caller(None, &set(&[entry("p", 1, &[Phase::Rewrite, Phase::Access])]));
    assert!(merged.late_rewrite().is_empty(), "the route names it");
    assert_eq!(names(merged.steps(Phase::Access)), ["p"]);
}

#[test]
fn the_first_plugin_with_a_quota_is_asked() {
    let quota = |name, priority| {
        entry_of(
            name,
            priority,
            Quiet {
                phases: Phases::NONE,
                quota: true,
            },
        )
    };
    let pipeline = Pipeline::new(set(&[quota("late", 1), entry("none", 3, &[]), quota("first", 2)]));
    assert_eq!(pipeline.quota().map(|entry| entry.name), Some("first"));
    assert!(Pipeline::new(set(&[entry("none", 1, &[])])).quota().is_none());
}

#[test]
fn disabled_plugins_are_named_but_not_there() {
    let mut over = PluginSet::default();
    over.put_disabled("p");
    assert!(!over.is_empty());
    assert!(over.get("p").is_none());
    let mut base = set(&[entry("p", 1, &[]), entry("q", 1, &[])]);
    base.overlay(&over);
    assert_eq!(base.iter().map(|entry| entry.name).collect::<Vec<_>>(), ["q"]);
    assert_eq!(base.names().collect::<Vec<_>>(), ["p", "q"]);
}

#[test]
fn uids_are_used_once() {
    let uids = Uids::default();
    assert_eq!((uids.next(), uids.next()), (1, 2));
}

const NAMES: [&str; 4] = ["p", "q", "r", "s"];

/// For each name: absent, switched off, or there with this priority.
type Slots = [Option<Option<i64>>; NAMES.len()];

fn slots() -> impl Strategy<Value = Slots> {
    proptest::array::uniform4(proptest::option::of(proptest::option::of(0..3_i64)))
}

fn layer(slots: Slots) -> PluginSet {
    let mut set = PluginSet::default();
    for (name, slot) in NAMES.into_iter().zip(slots) {
        match slot {
            None => {}
            Some(None) => set.put_disabled(name),
            Some(Some(priority)) => set.put(entry(name, priority, &[Phase::Access])),
        }
    }
    set
}

proptest! {
    #[test]
    fn the_last_layer_that_names_a_plugin_decides(route in slots(), group in slots(), consumer in slots()) {
        let [route, group, consumer] = [route, group, consumer].map(layer);
        let merged = Pipeline::new(route.clone()).with_caller(Some(&group), &consumer);
        for name in NAMES {
            let layers = [&consumer, &group, &route];
            let expected = layers.into_iter().find(|layer| layer.has_name(name)).and_then(|layer| layer.get(name));
            let found = merged.steps(Phase::Access).iter().find(|entry| entry.name == name);
            prop_assert_eq!(found.map(Arc::as_ptr), expected.map(Arc::as_ptr));
        }
        prop_assert!(merged.steps(Phase::Access).is_sorted_by_key(|entry| (-entry.priority, entry.name)));
    }
}
