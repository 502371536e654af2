use crate::plugin::Phase;
use crate::testing::Gateway;

use super::*;

/// Consumer and credential that `key-auth` finds under a key.
fn find(gateway: &Gateway, key: &str) -> Option<(String, Option<String>)> {
    let consumers = gateway.snapshot().consumers;
    let (consumer, identity) = consumers.find("key-auth", key)?;
    assert_eq!(identity.conf["key"], json!(key));
    Some((
        consumer.username.to_string(),
        identity.credential.as_deref().map(str::to_owned),
    ))
}

fn found(username: &str, credential: Option<&str>) -> Option<(String, Option<String>)> {
    Some((username.to_owned(), credential.map(str::to_owned)))
}

fn keyed(key: &str) -> Value {
    json!({"plugins": {"key-auth": {"key": key}}})
}

#[test]
fn keys_follow_edits() {
    let mut gateway = Gateway::new();
    gateway.put("/consumers/jack", keyed("k1"));
    assert_eq!(find(&gateway, "k1"), found("jack", None));
    gateway.put("/consumers/jack", keyed("k2"));
    assert_eq!(find(&gateway, "k1"), None);
    assert_eq!(find(&gateway, "k2"), found("jack", None));
    gateway.put("/consumers/jack", json!({}));
    assert_eq!(find(&gateway, "k2"), None);
}

#[test]
fn plugins_have_tables_of_their_own() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/consumers/jack",
        json!({"plugins": {"key-auth": {"key": "k"}, "other-auth": {"key": "o"}}}),
    );
    let consumers = gateway.snapshot().consumers;
    assert!(consumers.find("other-auth", "o").is_some());
    assert!(consumers.find("key-auth", "o").is_none());
    assert!(consumers.find("third-auth", "k").is_none());
}

#[test]
fn a_disabled_auth_plugin_opens_nothing() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/consumers/jack",
        json!({"plugins": {"key-auth": {"key": "k", "_meta": {"disable": true}}}}),
    );
    assert_eq!(gateway.problem("/consumers/jack"), None);
    assert_eq!(find(&gateway, "k"), None);
}

#[test]
fn credentials_may_come_before_their_consumer_and_survive_it() {
    let mut gateway = Gateway::new();
    gateway.put("/consumers/jack/credentials/c", keyed("k"));
    assert_eq!(find(&gateway, "k"), None);
    gateway.put("/consumers/jack", json!({}));
    assert_eq!(find(&gateway, "k"), found("jack", Some("c")));
    gateway.delete("/consumers/jack");
    assert_eq!(find(&gateway, "k"), None);
    gateway.put("/consumers/jack", json!({}));
    assert_eq!(find(&gateway, "k"), found("jack", Some("c")));
    gateway.delete("/consumers/jack/credentials/c");
    assert_eq!(find(&gateway, "k"), None);
}

#[test]
fn an_edited_consumer_is_found_by_its_credentials() {
    let mut gateway = Gateway::new();
    gateway.put("/consumers/jack", json!({}));
    gateway.put("/consumers/jack/credentials/c", keyed("k"));
    gateway.put("/consumers/jack", json!({"plugins": {"a": {"tag": "edited"}}}));
    let consumers = gateway.snapshot().consumers;
    let (consumer, _) = consumers.find("key-auth", "k").unwrap();
    assert_eq!(
        gateway.tags(&consumer.plugins.iter().cloned().collect::<Vec<_>>()),
        ["a=edited"]
    );
}

#[test]
fn of_two_with_one_key_the_later_wins_and_the_earlier_comes_back() {
    let mut gateway = Gateway::new();
    gateway.put("/consumers/early", keyed("k"));
    gateway.put("/consumers/late", keyed("k"));
    assert_eq!(find(&gateway, "k"), found("late", None));
    gateway.put_again(
        1,
        "/consumers/early",
        json!({"desc": "edited", "plugins": {"key-auth": {"key": "k"}}}),
    );
    assert_eq!(
        find(&gateway, "k"),
        found("late", None),
        "an edit makes nobody later"
    );
    gateway.delete("/consumers/late");
    assert_eq!(find(&gateway, "k"), found("early", None));
    gateway.put("/consumers/jim", json!({}));
    gateway.put("/consumers/jim/credentials/c", keyed("k"));
    assert_eq!(find(&gateway, "k"), found("jim", Some("c")));
    gateway.put("/consumers/jim/credentials/c", keyed("other"));
    assert_eq!(find(&gateway, "k"), found("early", None));
}

#[test]
fn an_orphaned_credential_does_not_hide_a_living_consumer() {
    let mut gateway = Gateway::new();
    gateway.put("/consumers/jack", keyed("k"));
    gateway.put("/consumers/nobody/credentials/c", keyed("k"));
    assert_eq!(find(&gateway, "k"), found("jack", None));
}

#[test]
fn what_upstreams_and_variables_see() {
    let mut gateway = Gateway::new();
    gateway.put(
        "/consumers/jack",
        json!({"group_id": 7, "labels": {"custom_id": "Zoë"}}),
    );
    let consumer = gateway.caller("jack").consumer;
    assert_eq!(consumer.username_header, "jack");
    assert_eq!(consumer.group_id.as_deref(), Some("7"));
    assert_eq!(consumer.custom_id.as_ref().unwrap().as_bytes(), "Zoë".as_bytes());
    gateway.put("/consumers/jack", json!({"labels": {"custom_id": "a\nb"}}));
    assert!(
        gateway
            .problem("/consumers/jack")
            .unwrap()
            .contains("cannot be sent as a header")
    );
}

#[test]
fn groups_are_looked_up_when_requests_come() {
    let mut gateway = Gateway::new();
    gateway.put("/routes/1", json!({"uri": "/r"}));
    gateway.put("/consumers/jack", json!({"group_id": "g"}));
    let merged = |gateway: &Gateway| {
        let merged =
            gateway
                .worker
                .merged(&gateway.snapshot(), &gateway.route("/r"), &gateway.caller("jack"))?;
        Some(gateway.tags(merged.steps(Phase::Access)))
    };
    assert_eq!(merged(&gateway), None, "its group does not exist");
    gateway.put("/consumer_groups/g", json!({"plugins": {"a": {"tag": "1"}}}));
    assert_eq!(merged(&gateway).unwrap(), ["a=1"]);
    gateway.put("/consumer_groups/g", json!({"plugins": {"a": {"tag": "2"}}}));
    assert_eq!(merged(&gateway).unwrap(), ["a=2"]);
    gateway.delete("/consumer_groups/g");
    assert_eq!(merged(&gateway), None);
}

#[test]
fn changes_of_one_batch_count_in_their_order() {
    let mut gateway = Gateway::new();
    let changes = [
        gateway.change("/consumers/jack/credentials/c", Some(keyed("k"))),
        gateway.change("/consumers/jack", Some(json!({}))),
        gateway.change("/consumers/jill", Some(keyed("j"))),
        gateway.change("/consumers/jill", None),
    ];
    gateway.compiler.apply(changes);
    assert_eq!(find(&gateway, "k"), found("jack", Some("c")));
    assert_eq!(find(&gateway, "j"), None);
    assert_eq!(gateway.snapshot().consumers.len(), 1);
}
