//! A crate may use only what stands below it (DESIGN §3).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use std::process::Command;

use serde_json::Value;

/// Layers from the top; crates of one layer are blind to each other.
const LAYERS: [&[&str]; 11] = [
    &["sluice"],
    &["proxy", "plugins", "admin"],
    &["exchange"],
    &["core"],
    &[
        "secret", "store", "limit", "cache", "ledger", "observe", "upstream",
    ],
    &["cloud"],
    &["net", "sql", "redis", "process"],
    &["record"],
    &["llm"],
    &["resource", "groups"],
    &["wire"],
];

/// For tests, measurements and examples: anybody's development dependency, nobody's other.
const OUTSIDE: [&str; 3] = ["testkit", "bench", "custom-plugin"];

fn level(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

#[test]
fn crates_use_only_what_stands_below_them() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let short = |name: &str| name.strip_prefix("sluice-").unwrap_or(name).to_owned();
    let mut wrong = Vec::new();
    let mut seen = 0;
    for package in metadata["packages"].as_array().unwrap() {
        let name = short(package["name"].as_str().unwrap());
        if OUTSIDE.contains(&name.as_str()) {
            continue;
        }
        seen += 1;
        let Some(own) = level(&name) else {
            wrong.push(format!("{name} has no layer"));
            continue;
        };
        for dependency in package["dependencies"].as_array().unwrap() {
            if !dependency["kind"].is_null() {
                continue;
            }
            let used = dependency["name"].as_str().unwrap();
            let Some(used) = used.strip_prefix("sluice-") else {
                continue;
            };
            if level(used).is_none_or(|below| below <= own) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert_eq!(seen, LAYERS.iter().map(|layer| layer.len()).sum::<usize>());
    assert!(wrong.is_empty(), "{wrong:#?}");
}
