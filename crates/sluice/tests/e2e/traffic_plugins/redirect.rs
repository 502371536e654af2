//! `redirect` (compat §6.8.2).

use http::Method;
use serde_json::{Value, json};
use sluice_testkit::{Call, Gateway};

use super::{put_plain, refusal, through, upstream};
use crate::support::binary;

/// Status and target of an answer.
async fn target(call: Call) -> (u16, Option<String>) {
    let answer = call.send().await;
    let location = answer.header("location").map(str::to_owned);
    (answer.status.as_u16(), location)
}

fn to(status: u16, location: &str) -> (u16, Option<String>) {
    (status, Some(location.to_owned()))
}

fn conf(conf: Value) -> Value {
    json!({ "redirect": conf })
}

#[tokio::test]
async fn clients_are_sent_to_a_template() {
    let provider = upstream();
    let gateway = through(&provider, conf(json!({ "uri": "/new$uri/${arg_a}" }))).await;
    let answer = gateway
        .client()
        .get("/old?a=1")
        .send()
        .await
        .expect_status(302)
        .await;
    assert_eq!(answer.header("location"), Some("/new/old/1"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(answer.text().await.contains("<title>302 Found</title>"));

    let created = json!({ "uri": "https://b.example$uri", "ret_code": 201, "append_query_string": true });
    put_plain(&gateway, "1", "/*", &provider, conf(created)).await;
    let answer = gateway
        .client()
        .get("/old?a=%20")
        .send()
        .await
        .expect_status(201)
        .await;
    assert_eq!(answer.header("location"), Some("https://b.example/old?a=%20"));
    assert_eq!(answer.text().await, "");

    let encoded = json!({ "uri": "/a b?c", "encode_uri": true, "append_query_string": true });
    put_plain(&gateway, "1", "/*", &provider, conf(encoded)).await;
    assert_eq!(
        target(gateway.client().get("/?d=e")).await,
        to(302, "/a%20b?c&d=e")
    );
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn patterns_send_what_they_match() {
    let provider = upstream();
    let pattern = json!({ "regex_uri": ["^/test/(.*)/(.*)", "http://b.example/$2-${1}$$"], "ret_code": 307 });
    let gateway = through(&provider, conf(pattern)).await;
    assert_eq!(
        target(gateway.client().get("/test/a/b?c=d")).await,
        to(307, "http://b.example/b-a$")
    );
    assert_eq!(target(gateway.client().get("/other")).await, (200, None));
    let endless = json!({ "regex_uri": ["^/(?:(a+)\\1?)+$", "/b"] });
    put_plain(&gateway, "1", "/*", &provider, conf(endless)).await;
    let long = format!("/{}!", "a".repeat(100));
    let answer = gateway.client().get(&long).send().await.expect_status(500).await;
    assert!(
        answer
            .text()
            .await
            .contains("<title>500 Internal Server Error</title>")
    );
}

#[tokio::test]
async fn plain_requests_are_sent_to_tls() {
    let provider = upstream();
    let gateway = through(&provider, conf(json!({ "http_to_https": true, "ret_code": 302 }))).await;
    let call = |gateway: &Gateway, method| {
        let call = gateway.client().call(method, "/a%20b?c=%20d");
        call.header("host", "Gw.example:8080")
    };
    for (method, status) in [
        (Method::GET, 301),
        (Method::HEAD, 301),
        (Method::POST, 308),
        (Method::DELETE, 308),
    ] {
        assert_eq!(
            target(call(&gateway, method)).await,
            to(status, "https://gw.example/a b?c=%20d")
        );
    }
    put_plain(
        &gateway,
        "1",
        "/*",
        &provider,
        conf(json!({ "http_to_https": false })),
    )
    .await;
    assert_eq!(target(call(&gateway, Method::GET)).await, (200, None));

    let builder = Gateway::builder(binary()).env("SLUICE_PLUGIN_ATTR", "{redirect: {https_port: 9443}}");
    let gateway = builder.start().await;
    put_plain(
        &gateway,
        "1",
        "/*",
        &provider,
        conf(json!({ "http_to_https": true })),
    )
    .await;
    assert_eq!(
        target(gateway.client().get("/a").header("host", "b.example")).await,
        to(301, "https://b.example:9443/a")
    );
}

#[tokio::test]
async fn callers_are_found_first_and_counted_not_at_all() {
    let provider = upstream();
    let plugins = json!({
        "redirect": { "uri": "/new" }, "key-auth": {}, "limit-count": { "count": 1, "time_window": 60 },
    });
    let gateway = through(&provider, plugins).await;
    crate::support::put_consumer(&gateway, "bob").await;
    assert_eq!(target(gateway.client().get("/")).await, (401, None));
    for _ in 0..3 {
        let call = gateway.client().get("/").header("apikey", "key-bob");
        assert_eq!(target(call).await, to(302, "/new"));
    }
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = crate::support::gateway().await;
    for (conf, error) in [
        (json!({}), "value should match only one schema, but matches none"),
        (
            json!({ "uri": "/a", "regex_uri": ["a", "b"] }),
            "value should match only one schema, but matches both schemas 1 and 2",
        ),
        (
            json!({ "uri": "/a", "ret_code": 199 }),
            "property \"ret_code\" validation failed: expected 199 to be at least 200",
        ),
        (
            json!({ "http_to_https": true, "append_query_string": true }),
            "only one of `http_to_https` and `append_query_string` can be configured.",
        ),
    ] {
        assert_eq!(
            refusal(&gateway, "redirect", conf).await,
            format!("failed to check the configuration of plugin redirect err: {error}")
        );
    }
    let pattern = refusal(&gateway, "redirect", json!({ "regex_uri": ["(", "b"] })).await;
    assert!(
        pattern.contains("plugin redirect err: invalid regex_uri ((, b), err:"),
        "{pattern}"
    );
}
