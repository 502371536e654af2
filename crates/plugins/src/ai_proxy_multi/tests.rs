use serde_json::{Value, json};
use sluice_resource::CheckScope;

use super::*;

fn instance(name: &str, members: Value) -> Value {
    let mut instance = json!({ "name": name, "provider": "openai", "auth": {}, "weight": 1 });
    for (name, value) in members.as_object().unwrap() {
        instance[name] = value.clone();
    }
    instance
}

fn conf(members: Value, instances: &[Value]) -> Value {
    let mut conf = members;
    conf["instances"] = json!(instances);
    conf
}

fn refusal(conf: &Value) -> Option<String> {
    definition().unwrap().info.check(conf, CheckScope::Main).err()
}

#[test]
fn keys_of_hashes_have_a_pattern() {
    let two = [instance("a", json!({})), instance("b", json!({}))];
    let chash = |hash_on: &str, key: &str| {
        let balancer = json!({ "algorithm": "chash", "hash_on": hash_on, "key": key });
        refusal(&conf(json!({ "balancer": balancer }), &two))
    };
    assert_eq!(chash("vars", "arg_user"), None);
    assert_eq!(chash("vars_combinations", "$http_a$remote_addr"), None);
    assert_eq!(
        chash("header", "not a header"),
        Some(
            "invalid configuration: failed to match pattern \"^[a-zA-Z0-9-_]+$\" with \"not a header\""
                .to_owned()
        )
    );
    assert!(
        chash("vars", "http_user")
            .unwrap()
            .starts_with("invalid configuration: failed to match pattern")
    );
}

#[test]
fn semantic_picks_need_examples_and_embeddings() {
    let examples = |name| instance(name, json!({ "examples": ["hello"] }));
    let embeddings = |members: Value| {
        let mut embeddings = json!({ "provider": "openai", "model": "m", "auth": {} });
        for (name, value) in members.as_object().unwrap() {
            embeddings[name] = value.clone();
        }
        json!({ "embeddings": embeddings })
    };
    let both = [examples("a"), examples("b")];
    for (opts, instances, expected) in [
        (embeddings(json!({})), both.clone(), None),
        (
            json!({}),
            both.clone(),
            Some("must configure `semantic_opts.embeddings` when balancer algorithm is semantic"),
        ),
        (
            embeddings(json!({ "endpoint": "ftp://x" })),
            both.clone(),
            Some("invalid `semantic_opts.embeddings.endpoint`"),
        ),
        (
            embeddings(json!({ "provider": "azure-openai" })),
            both.clone(),
            Some(
                "must configure `semantic_opts.embeddings.endpoint` when embeddings provider is azure-openai",
            ),
        ),
        (
            embeddings(json!({})),
            [examples("a"), instance("b", json!({}))],
            Some("instance 'b': must configure non-empty `examples` for the semantic algorithm"),
        ),
        (
            json!({ "embeddings": embeddings(json!({}))["embeddings"], "fallback": "x" }),
            both,
            Some("`semantic_opts.fallback` names unknown instance 'x'"),
        ),
    ] {
        let members = json!({ "balancer": { "algorithm": "semantic" }, "semantic_opts": opts });
        assert_eq!(refusal(&conf(members, &instances)).as_deref(), expected);
    }
}

#[test]
fn checks_of_instances_are_active_ones() {
    let empty = instance("a", json!({ "checks": {} }));
    assert_eq!(
        refusal(&conf(json!({}), &[empty])).unwrap(),
        "property \"instances\" validation failed: failed to validate item 1: property \"checks\" validation \
         failed: property \"active\" is required"
    );
    let wrong = instance(
        "a",
        json!({ "checks": { "active": { "healthy": { "interval": 0 } } } }),
    );
    assert!(
        refusal(&conf(json!({}), &[wrong]))
            .unwrap()
            .ends_with("expected 0 to be at least 1")
    );
}
