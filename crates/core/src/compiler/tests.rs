//! What the compiler makes of resources, through the snapshot.

mod callers;
mod certificates;
mod global_rules;
mod merging;
mod metadata;
mod models;
mod problems;
mod references;
mod secrets;
mod sharing;
mod upstreams;

use serde_json::{Value, json};

use super::*;

/// A `plugins` member with a probe of each name, all with the same tag.
fn probes(names: &[&str], tag: &str) -> Value {
    names
        .iter()
        .map(|name| ((*name).to_owned(), json!({"tag": tag})))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn changes_do_not_print_secrets() {
    let change = Change {
        key: "/consumers/jack".to_owned(),
        value: Some(Arc::new(json!({"key": "sk-1"}))),
        created: 3,
    };
    assert_eq!(format!("{change:?}"), "Change(put /consumers/jack, created 3)");
}
