//! Which traces are recorded.

use serde::Deserialize;
use serde_json::{Value, json};

pub(super) fn schema() -> Value {
    let fraction = json!({ "type": "number", "default": 0 });
    json!({
        "type": "object",
        "properties": {
            "name": {
                "type": "string", "title": "sampling strategy", "default": "always_off",
                "enum": ["always_on", "always_off", "trace_id_ratio", "parent_base"],
            },
            "options": {
                "type": "object",
                "properties": {
                    "fraction": fraction,
                    "root": {
                        "type": "object",
                        "properties": {
                            "name": {
                                "type": "string", "default": "always_off",
                                "enum": ["always_on", "always_off", "trace_id_ratio"],
                            },
                            "options": {
                                "type": "object",
                                "properties": { "fraction": fraction },
                                "default": { "fraction": 0 },
                            },
                        },
                        "default": { "name": "always_off", "options": { "fraction": 0 } },
                    },
                },
                "default": { "fraction": 0, "root": { "name": "always_off" } },
            },
        },
        "default": {
            "name": "always_off",
            "options": { "fraction": 0, "root": { "name": "always_off" } },
        },
    })
}

/// `sampler`.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sampler {
    name: Strategy,
    options: Options,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Options {
    fraction: f64,
    /// For traces that begin here.
    root: Root,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct Root {
    name: Strategy,
    options: RootOptions,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct RootOptions {
    fraction: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Strategy {
    #[default]
    AlwaysOff,
    AlwaysOn,
    TraceIdRatio,
    ParentBase,
}

impl Sampler {
    /// Whether a trace is recorded, given what the caller decided if it is the caller's.
    pub(super) fn samples(&self, trace_id: u128, parent: Option<bool>) -> bool {
        let Options { fraction, root } = self.options;
        match (self.name, parent) {
            (Strategy::ParentBase, Some(sampled)) => sampled,
            (Strategy::ParentBase, None) => decide(root.name, root.options.fraction, trace_id),
            (other, _) => decide(other, fraction, trace_id),
        }
    }
}

fn decide(strategy: Strategy, fraction: f64, trace_id: u128) -> bool {
    match strategy {
        Strategy::AlwaysOn => true,
        Strategy::AlwaysOff | Strategy::ParentBase => false,
        // By the first bits of the id, so that all gateways on the way decide the same.
        Strategy::TraceIdRatio => ((trace_id >> 96) as f64) < fraction * f64::from(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampler(conf: &Value) -> Sampler {
        Sampler::deserialize(conf).unwrap()
    }

    #[test]
    fn strategies() {
        let (low, high) = (1_u128, u128::MAX);
        for (conf, parent, expected) in [
            (json!({}), Some(true), [false, false]),
            (json!({ "name": "always_off" }), None, [false, false]),
            (json!({ "name": "always_on" }), Some(false), [true, true]),
            (
                json!({ "name": "trace_id_ratio", "options": { "fraction": 0.5 } }),
                None,
                [true, false],
            ),
            (
                json!({ "name": "trace_id_ratio", "options": { "fraction": 0 } }),
                None,
                [false, false],
            ),
            (json!({ "name": "parent_base" }), Some(true), [true, true]),
            (
                json!({ "name": "parent_base", "options": { "root": { "name": "always_on" } } }),
                Some(false),
                [false, false],
            ),
            (
                json!({ "name": "parent_base", "options": { "root": { "name": "always_on" } } }),
                None,
                [true, true],
            ),
            (
                json!({ "name": "parent_base", "options": {
                    "root": { "name": "trace_id_ratio", "options": { "fraction": 0.5 } },
                } }),
                None,
                [true, false],
            ),
        ] {
            let sampler = sampler(&conf);
            assert_eq!(
                [low, high].map(|id| sampler.samples(id, parent)),
                expected,
                "{conf} {parent:?}"
            );
        }
    }
}
