//! `multi-auth` (compat §3.6, §6.8).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use super::{caller, consumer, put_consumer, put_plain, refused_route, through, upstream};

async fn with_two(provider: &FakeProvider, ways: Value) -> Gateway {
    let gateway = through(provider, json!({ "multi-auth": { "auth_plugins": ways } })).await;
    let basic = json!({ "basic-auth": { "username": "foo", "password": "bar" } });
    put_consumer(&gateway, "basic", basic).await;
    put_consumer(&gateway, "keyed", json!({ "key-auth": { "key": "k1" } })).await;
    gateway
}

fn foo_bar() -> String {
    format!("Basic {}", STANDARD.encode("foo:bar"))
}

#[tokio::test]
async fn one_way_in_is_enough() {
    let provider = upstream();
    let ways = json!([{ "basic-auth": {} }, { "key-auth": { "hide_credentials": true } }, { "hmac-auth": { "validate_request_body": true } }]);
    let gateway = with_two(&provider, ways).await;
    let client = gateway.client();
    for (call, name) in [
        (client.get("/").header("authorization", &foo_bar()), "basic"),
        (client.get("/").header("apikey", "k1"), "keyed"),
        (
            client
                .get("/")
                .header("authorization", "Basic wrong")
                .header("apikey", "k1"),
            "keyed",
        ),
        (
            client
                .get("/")
                .header("authorization", &foo_bar())
                .header("apikey", "k1"),
            "basic",
        ),
    ] {
        call.send().await.expect_status(200).await;
        assert_eq!(caller(&provider), consumer(name));
    }
    for call in [client.get("/"), client.get("/").header("apikey", "k2")] {
        let answer = call.send().await.expect_status(401).await;
        let challenges: Vec<_> = answer.headers.get_all("www-authenticate").iter().collect();
        assert_eq!(
            challenges,
            [
                "Basic realm=\"basic\"",
                "apikey realm=\"key\"",
                "hmac realm=\"hmac\""
            ]
        );
        assert_eq!(answer.json().await, json!({ "message": "Authorization Failed" }));
    }
}

#[tokio::test]
async fn the_anonymous_consumer_of_an_entry_ends_the_search() {
    let provider = upstream();
    let ways = json!([{ "basic-auth": { "anonymous_consumer": "nobody" } }, { "key-auth": {} }]);
    let gateway = with_two(&provider, ways).await;
    put_consumer(&gateway, "nobody", json!({})).await;
    let keyed = || gateway.client().get("/").header("apikey", "k1");
    keyed().send().await.expect_status(200).await;
    assert_eq!(caller(&provider), consumer("nobody"));
    let last = json!([{ "key-auth": {} }, { "basic-auth": { "anonymous_consumer": "nobody" } }]);
    put_plain(
        &gateway,
        &provider,
        json!({ "multi-auth": { "auth_plugins": last } }),
    )
    .await;
    keyed().send().await.expect_status(200).await;
    assert_eq!(caller(&provider), consumer("keyed"));
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = crate::support::gateway().await;
    for (ways, error) in [
        (
            json!([{ "key-auth": {} }, { "nothing": {} }]),
            "nothing plugin did not found",
        ),
        (
            json!([{ "key-auth": {} }, { "cors": {} }]),
            "cors plugin is not supported",
        ),
        (
            json!([{ "key-auth": {} }, { "jwt-auth": { "header": 1 } }]),
            "plugin jwt-auth check schema failed: property \"header\" validation failed: \
             wrong type: expected string, got number",
        ),
    ] {
        assert_eq!(
            refused_route(&gateway, "multi-auth", json!({ "auth_plugins": ways })).await,
            format!("failed to check the configuration of plugin multi-auth err: {error}")
        );
    }
}
