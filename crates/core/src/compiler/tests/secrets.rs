//! Secrets kept elsewhere.

use serde_json::{Value, json};
use sluice_secret::{Connect, Reading, SecretManager, SecretReadError};

use crate::testing::Gateway;

use super::*;

/// A secret manager that has one document; each configuration of it may have another.
struct Fake(Value);

struct Managers;

impl Connect for Managers {
    fn connect(&self, _kind: &str, config: &Value) -> Result<Arc<dyn SecretManager>, String> {
        Ok(Arc::new(Fake(config["jack"].clone())))
    }
}

impl SecretManager for Fake {
    fn read<'a>(&'a self, _document: &'a str) -> Reading<'a> {
        let document = match &self.0 {
            Value::Null => Err(SecretReadError::Failed("it is away".to_owned())),
            document => Ok(document.clone()),
        };
        Box::pin(async { document })
    }
}

const KEY: &str = "$secret://vault/1/jack/key";

fn gateway(document: Value) -> Gateway {
    let mut gateway = Gateway::with_managers(Managers);
    gateway.put("/secrets/vault/1", json!({ "jack": document }));
    gateway
}

fn tagged(uri: &str, tag: &str) -> Value {
    json!({"uri": uri, "plugins": {"a": {"tag": tag}}})
}

fn warning(gateway: &Gateway, key: &str) -> Option<String> {
    let warnings = gateway.snapshot().warnings;
    warnings.get(&*format!("/apisix{key}")).map(ToString::to_string)
}

#[test]
fn what_refers_to_a_secret_comes_into_force_with_it_and_changes_with_it() {
    let mut gateway = gateway(json!({"key": "one"}));
    gateway.put("/routes/1", tagged("/r", KEY));
    gateway.put("/routes/2", tagged("/other", "x"));
    gateway.put("/services/s", json!({"plugins": {"b": {"tag": KEY}}}));
    gateway.put("/routes/3", json!({"uri": "/s", "service_id": "s"}));
    assert!(gateway.route_on("gw.example", "/r").is_none(), "it waits");
    assert_eq!(gateway.compiler.waiting(), 2);
    let other = gateway.route("/other");
    gateway.read_secrets();
    assert_eq!(gateway.compiler.waiting(), 0);
    assert_eq!(gateway.route_tags("/r"), ["a=one"]);
    assert_eq!(gateway.route_tags("/s"), ["b=one"]);

    gateway.put("/secrets/vault/1", json!({"jack": {"key": "two"}}));
    assert_eq!(gateway.route_tags("/r"), ["a=one"], "until the new one is read");
    gateway.read_secrets();
    assert_eq!(gateway.route_tags("/r"), ["a=two"]);
    assert_eq!(gateway.route_tags("/s"), ["b=two"]);
    assert!(
        Arc::ptr_eq(&other, &gateway.route("/other")),
        "it has no part in it"
    );

    // An edit has the value at hand.
    gateway.put("/routes/1", tagged("/new", KEY));
    assert_eq!(gateway.route_tags("/new"), ["a=two"]);
    gateway.delete("/routes/1");
    assert!(!gateway.compiler.apply_secrets());
}

#[test]
fn an_edit_that_waits_leaves_what_is_in_force() {
    let mut gateway = gateway(json!({"key": "one"}));
    gateway.put("/routes/1", tagged("/r", "before"));
    gateway.put("/routes/1", tagged("/r", KEY));
    assert_eq!(gateway.route_tags("/r"), ["a=before"]);
    gateway.read_secrets();
    assert_eq!(gateway.route_tags("/r"), ["a=one"]);
}

#[test]
fn what_is_not_resolved_stays_as_written_and_is_told() {
    let mut gateway = gateway(Value::Null);
    gateway.put("/routes/1", tagged("/r", KEY));
    gateway.read_secrets();
    assert_eq!(gateway.route_tags("/r"), [format!("a={KEY}")]);
    let told = warning(&gateway, "/routes/1").unwrap();
    assert_eq!(told, format!("{KEY} is not resolved: it is away"));

    gateway.put("/routes/2", tagged("/e", "$env://NONE"));
    assert_eq!(gateway.route_tags("/e"), ["a=$env://NONE"]);
    assert!(warning(&gateway, "/routes/2").is_some());
    gateway.put("/routes/2", tagged("/e", "$ENV://CANARY"));
    assert_eq!(gateway.route_tags("/e"), ["a=canary"]);
    assert_eq!(warning(&gateway, "/routes/2"), None);

    gateway.put("/secrets/vault/1", json!({"jack": {"key": "one"}}));
    gateway.read_secrets();
    assert_eq!(gateway.route_tags("/r"), ["a=one"]);
    assert_eq!(warning(&gateway, "/routes/1"), None);
}

#[test]
fn callers_are_found_by_what_their_references_lead_to() {
    let mut gateway = gateway(json!({"key": "one"}));
    let found = |gateway: &Gateway, key: &str| {
        let consumers = gateway.snapshot().consumers;
        consumers
            .find("key-auth", key)
            .map(|(_, identity)| (identity.username.to_string(), identity.credential.is_some()))
    };
    gateway.put(
        "/consumers/jack",
        json!({"plugins": {"key-auth": {"key": "plain"}}}),
    );
    gateway.put(
        "/consumers/jack/credentials/c",
        json!({"plugins": {"key-auth": {"key": KEY}}}),
    );
    assert_eq!(found(&gateway, KEY), None, "a reference is no key");
    gateway.read_secrets();
    assert_eq!(found(&gateway, KEY), None);
    assert_eq!(found(&gateway, "one"), Some(("jack".to_owned(), true)));

    gateway.put("/secrets/vault/1", json!({"jack": {"key": "two"}}));
    gateway.read_secrets();
    assert_eq!(found(&gateway, "one"), None);
    assert_eq!(found(&gateway, "two"), Some(("jack".to_owned(), true)));
    assert_eq!(found(&gateway, "plain"), Some(("jack".to_owned(), false)));

    gateway.delete("/secrets/vault/1");
    gateway.read_secrets();
    assert_eq!(found(&gateway, "two"), None);
    assert_eq!(found(&gateway, KEY), None);
}

#[test]
fn a_consumer_whose_plugins_wait_keeps_its_ways_in() {
    let mut gateway = gateway(json!({"key": "one"}));
    let consumer = |tag: &str| json!({"plugins": {"key-auth": {"key": "plain"}, "a": {"tag": tag}}});
    let tags = |gateway: &Gateway| -> Option<Vec<String>> {
        let consumers = gateway.snapshot().consumers;
        let (consumer, _) = consumers.find("key-auth", "plain")?;
        Some(gateway.tags(&consumer.plugins.iter().cloned().collect::<Vec<_>>()))
    };
    gateway.put("/consumers/new", consumer(KEY));
    assert_eq!(tags(&gateway), None, "nothing is known of it yet");
    gateway.delete("/consumers/new");
    gateway.put("/consumers/jack", consumer("before"));
    gateway.put("/consumers/jack", consumer("$secret://vault/1/other/key"));
    assert_eq!(tags(&gateway).unwrap(), ["a=before"]);
    gateway.read_secrets();
    assert_eq!(tags(&gateway).unwrap(), ["a=one"]);
}

#[test]
fn problems_do_not_show_what_references_lead_to() {
    let mut gateway = gateway(Value::Null);
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "plugins": {"a": {"breaks": "$env://CANARY"}}}),
    );
    let problem = gateway.problem("/routes/1").unwrap();
    assert!(problem.contains("expected a boolean"), "{problem}");
    assert!(!problem.contains("canary"), "{problem}");
}

#[test]
fn managers_that_are_there_first_or_last_make_no_difference() {
    let mut gateway = Gateway::with_managers(Managers);
    gateway.put("/routes/1", tagged("/r", KEY));
    assert_eq!(gateway.route_tags("/r"), [format!("a={KEY}")]);
    gateway.put("/secrets/vault/1", json!({"jack": {"key": "one"}}));
    gateway.read_secrets();
    assert_eq!(gateway.route_tags("/r"), ["a=one"]);
}
