//! `basic-auth` (compat §3.6).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway};

use super::{
    caller, consumer, put_consumer, refusal, refused, refused_route, refused_write, through, upstream,
};
use crate::support::put;

const CHALLENGE: &str = "Basic realm=\"basic\"";

fn credentials(text: &str) -> String {
    format!("Basic {}", STANDARD.encode(text))
}

async fn with_foo(provider: &FakeProvider, conf: Value) -> Gateway {
    let gateway = through(provider, json!({ "basic-auth": conf })).await;
    let plugin = json!({ "basic-auth": { "username": "foo", "password": "bar" } });
    put_consumer(&gateway, "jack", plugin).await;
    gateway
}

fn get(gateway: &Gateway, authorization: &str) -> Call {
    gateway.client().get("/").header("authorization", authorization)
}

#[tokio::test]
async fn who_knows_the_password_passes() {
    let provider = upstream();
    let gateway = with_foo(&provider, json!({})).await;
    for right in ["foo:bar", " f oo : bar\n", "foo:bar:more"] {
        let header = credentials(right);
        get(&gateway, &header).send().await.expect_status(200).await;
        assert_eq!(caller(&provider), consumer("jack"));
        assert_eq!(
            provider.last_request().header("authorization"),
            Some(&*header),
            "not hidden unless asked"
        );
    }
    let credential = json!({ "plugins": { "basic-auth": { "username": "two", "password": "2" } } });
    put(&gateway, "/consumers/jack/credentials/second", credential).await;
    get(&gateway, &credentials("two:2"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(
        caller(&provider),
        (Some("jack".to_owned()), Some("second".to_owned()))
    );
}

#[tokio::test]
async fn who_does_not_is_refused() {
    let provider = upstream();
    let gateway = with_foo(&provider, json!({})).await;
    let no_header = gateway.client().get("/");
    assert_eq!(
        refused(no_header).await,
        refusal(CHALLENGE, "Missing authorization in request")
    );
    for malformed in [
        "",
        "Bearer x",
        "basic Zm9vOmJhcg==",
        "Basic ???",
        &credentials("foo"),
    ] {
        assert_eq!(
            refused(get(&gateway, malformed)).await,
            refusal(CHALLENGE, "Invalid authorization in request"),
            "{malformed}"
        );
    }
    for wrong in ["foo:wrong", "foo:", "other:bar", ":", "Foo:bar"] {
        assert_eq!(
            refused(get(&gateway, &credentials(wrong))).await,
            refusal(CHALLENGE, "Invalid user authorization"),
            "{wrong}"
        );
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn nobody_has_the_plugin() {
    let provider = upstream();
    let gateway = through(&provider, json!({ "basic-auth": { "realm": "my realm" } })).await;
    assert_eq!(
        refused(get(&gateway, &credentials("foo:bar"))).await,
        refusal("Basic realm=\"my realm\"", "Invalid user authorization")
    );
}

#[tokio::test]
async fn credentials_may_be_hidden_and_the_others_anonymous() {
    let provider = upstream();
    let conf = json!({ "hide_credentials": true, "anonymous_consumer": "nobody" });
    let gateway = with_foo(&provider, conf).await;
    assert_eq!(
        refused(gateway.client().get("/")).await,
        refusal(CHALLENGE, "Invalid user authorization"),
        "there is no such consumer"
    );
    put_consumer(&gateway, "nobody", json!({})).await;
    for (header, name) in [
        (credentials("foo:bar"), "jack"),
        (credentials("foo:wrong"), "nobody"),
        ("malformed".to_owned(), "nobody"),
    ] {
        get(&gateway, &header).send().await.expect_status(200).await;
        assert_eq!(caller(&provider), consumer(name));
        assert_eq!(provider.last_request().header("authorization"), None);
    }
    gateway.client().get("/").send().await.expect_status(200).await;
    assert_eq!(caller(&provider), consumer("nobody"));
}

#[tokio::test]
async fn a_password_kept_elsewhere_is_not_its_reference() {
    let provider = upstream();
    let gateway = through(&provider, json!({ "basic-auth": {} })).await;
    let unresolved = json!({ "basic-auth": { "username": "foo", "password": "$env://SLUICE_TEST_NOT_SET" } });
    put_consumer(&gateway, "jack", unresolved).await;
    assert_eq!(
        refused(get(&gateway, &credentials("foo:$env://SLUICE_TEST_NOT_SET"))).await,
        refusal(CHALLENGE, "Invalid user authorization")
    );
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = crate::support::gateway().await;
    assert_eq!(
        refused_route(&gateway, "basic-auth", json!({ "hide_credentials": 1 })).await,
        "failed to check the configuration of plugin basic-auth err: property \"hide_credentials\" validation failed: \
         wrong type: expected boolean, got number"
    );
    let consumer = json!({ "username": "jack", "plugins": { "basic-auth": { "username": "foo" } } });
    assert_eq!(
        refused_write(&gateway, "/consumers", consumer).await,
        "invalid plugins configuration: failed to check the configuration of plugin basic-auth err: \
         property \"password\" is required"
    );
}
