//! `key-auth`: where keys are looked for, who the upstream is told has called, what happens to the key (compat §3.4,
//! §3.5, DESIGN §4 "Caller's key").

use serde_json::{Value, json};
use sluice_testkit::{Answer, Call, FakeProvider, Gateway, Reply};

use super::{put_plain, through, upstream};
use crate::support::{chat, node, openai, put, put_consumer};

/// A gateway with the consumer `bob`, whose key is `key-bob`, and a route to this upstream.
async fn with_bob(provider: &FakeProvider, conf: Value) -> Gateway {
    let gateway = through(provider, json!({ "key-auth": conf })).await;
    put_consumer(&gateway, "bob").await;
    gateway
}

/// Status, challenge and message of a refusal.
async fn refused(call: Call) -> (u16, Option<String>, Value) {
    let answer = call.send().await;
    let challenge = answer.header("www-authenticate").map(str::to_owned);
    (answer.status.as_u16(), challenge, answer.json().await)
}

fn refusal(realm: &str, message: &str) -> (u16, Option<String>, Value) {
    (
        401,
        Some(format!("apikey realm=\"{realm}\"")),
        json!({ "message": message }),
    )
}

const MISSING: &str = "Missing API key in request";
const INVALID: &str = "Invalid API key in request";

#[tokio::test]
async fn the_header_is_looked_at_before_the_query() {
    let provider = upstream();
    let gateway = with_bob(&provider, json!({})).await;
    let client = gateway.client();
    let get = |target: &str| client.get(target);
    assert_eq!(refused(get("/")).await, refusal("key", MISSING));
    assert_eq!(
        refused(get("/").header("authorization", "Bearer key-bob")).await,
        refusal("key", MISSING)
    );
    assert_eq!(
        refused(get("/").header("apikey", "wrong")).await,
        refusal("key", INVALID)
    );
    assert_eq!(
        refused(get("/").header("apikey", "")).await,
        refusal("key", INVALID)
    );
    assert_eq!(refused(get("/?apikey=wrong")).await, refusal("key", INVALID));
    assert_eq!(
        refused(get("/?apikey=key-bob").header("apikey", "wrong")).await,
        refusal("key", INVALID)
    );
    assert!(provider.requests().is_empty());
    let header = get("/?a=1").header("apikey", "key-bob");
    header.send().await.expect_status(200).await;
    assert_eq!(
        provider.last_request().header("apikey"),
        Some("key-bob"),
        "not hidden unless asked"
    );
    get("/?a=1&apikey=key-bob").send().await.expect_status(200).await;
    assert_eq!(
        provider.last_request().query.as_deref(),
        Some("a=1&apikey=key-bob")
    );
}

#[tokio::test]
async fn places_and_realm_have_names() {
    let provider = upstream();
    let conf = json!({ "header": "Authorization", "query": "k", "realm": "my realm" });
    let gateway = through(&provider, json!({ "key-auth": conf })).await;
    let consumer = json!({ "username": "bob", "plugins": { "key-auth": { "key": "Bearer a b" } } });
    put(&gateway, "/consumers", consumer).await;
    let client = gateway.client();
    assert_eq!(
        refused(client.get("/?apikey=Bearer+a+b")).await,
        refusal("my realm", MISSING)
    );
    assert_eq!(
        refused(client.get("/").header("authorization", "a b")).await,
        refusal("my realm", INVALID)
    );
    for call in [
        client.get("/").header("authorization", "Bearer a b"),
        client.get("/?k=Bearer%20a%20b"),
    ] {
        call.send().await.expect_status(200).await;
    }
}

#[tokio::test]
async fn hidden_credentials_do_not_travel() {
    let provider = upstream();
    let gateway = with_bob(&provider, json!({ "hide_credentials": true })).await;
    let client = gateway.client();
    client
        .get("/?a=1&apikey=key-bob&b=2")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(provider.last_request().query.as_deref(), Some("a=1&b=2"));
    client
        .get("/?apikey=key-bob")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(provider.last_request().query, None);
    let both = client.get("/?apikey=other").header("apikey", "key-bob");
    both.send().await.expect_status(200).await;
    let sent = provider.last_request();
    assert_eq!(
        (sent.header("apikey"), sent.query.as_deref()),
        (None, Some("apikey=other")),
        "the one used"
    );
}

#[tokio::test]
async fn the_upstream_is_told_who_called_and_clients_cannot_lie_about_it() {
    let provider = upstream();
    let gateway = with_bob(&provider, json!({})).await;
    let labelled = json!({ "username": "ann", "labels": { "custom_id": "42" }, "plugins": { "key-auth": { "key": "key-ann" } } });
    put(&gateway, "/consumers", labelled).await;
    let credential = json!({ "plugins": { "key-auth": { "key": "second" } } });
    put(&gateway, "/consumers/ann/credentials/laptop", credential).await;
    for (key, name, credential, custom) in [
        ("key-bob", "bob", None, None),
        ("key-ann", "ann", None, Some("42")),
        ("second", "ann", Some("laptop"), Some("42")),
    ] {
        let call = gateway.client().get("/").header("apikey", key);
        let call = [
            "x-consumer-username",
            "x-credential-identifier",
            "x-consumer-custom-id",
        ]
        .into_iter()
        .fold(call, |call, name| call.header(name, "liar"));
        call.send().await.expect_status(200).await;
        let sent = provider.last_request();
        assert_eq!(sent.header("x-consumer-username"), Some(name));
        assert_eq!(sent.header("x-credential-identifier"), credential);
        assert_eq!(sent.header("x-consumer-custom-id"), custom);
    }
    gateway
        .admin()
        .delete("/consumers/ann/credentials/laptop")
        .await
        .expect_status(200);
    let revoked = gateway.client().get("/").header("apikey", "second");
    assert_eq!(refused(revoked).await, refusal("key", INVALID));
}

#[tokio::test]
async fn who_shows_no_known_key_may_be_the_anonymous_consumer() {
    let provider = upstream();
    let conf = json!({ "anonymous_consumer": "nobody", "hide_credentials": true });
    let gateway = with_bob(&provider, conf).await;
    let client = gateway.client();
    let unusable = refusal("key", "Invalid user authorization");
    assert_eq!(
        refused(client.get("/")).await,
        unusable,
        "there is no such consumer"
    );
    let limit = json!({ "limit-count": { "count": 2, "time_window": 60, "rejected_code": 429 } });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "nobody", "plugins": limit }),
    )
    .await;
    let wrong = client.get("/?apikey=wrong&a=1").header("apikey", "wrong");
    wrong.send().await.expect_status(200).await;
    let sent = provider.last_request();
    assert_eq!(sent.header("x-consumer-username"), Some("nobody"));
    assert_eq!(
        (sent.header("apikey"), sent.query.as_deref()),
        (None, Some("a=1"))
    );
    client.get("/").send().await.expect_status(200).await;
    client.get("/").send().await.expect_status(429).await;
    let known = client
        .get("/")
        .header("apikey", "key-bob")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(known.header("x-ratelimit-limit"), None, "bob has no limit");
}

/// The ways in which clients of LLM dialects show `key-bob`, on a path with a query.
fn dialect_calls(gateway: &Gateway, path: &str) -> Vec<Call> {
    let client = gateway.client();
    let headers = [
        ("authorization", "Bearer key-bob"),
        ("authorization", "bearer key-bob"),
        ("x-api-key", "key-bob"),
        ("api-key", "key-bob"),
        ("x-goog-api-key", "key-bob"),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=key-bob/20261201/eu-central-1/bedrock/aws4_request, SignedHeaders=host, \
             Signature=0",
        ),
    ];
    let target = format!("{path}?a=1");
    let mut calls: Vec<_> = headers
        .into_iter()
        .map(|(name, value)| client.post(&target).header(name, value))
        .collect();
    calls.push(client.post(&format!("{path}?key=key-bob&a=1")));
    calls
}

fn assert_no_key(provider: &FakeProvider) {
    let sent = provider.last_request();
    assert!(!format!("{sent:?}").contains("key-bob"), "{sent:?}");
}

#[tokio::test]
async fn llm_endpoints_take_keys_where_dialects_put_them_and_keep_them() {
    let provider = upstream();
    let gateway = with_bob(&provider, json!({})).await;
    for call in dialect_calls(&gateway, "/elsewhere") {
        assert_eq!(refused(call).await, refusal("key", MISSING), "no LLM endpoint");
    }
    for path in [
        "/v1/chat/completions",
        "/prefix/v1/messages",
        "/v1beta/models/gemini:generateContent",
    ] {
        for call in dialect_calls(&gateway, path) {
            call.send().await.expect_status(200).await;
            assert_no_key(&provider);
            assert_eq!(provider.last_request().query.as_deref(), Some("a=1"));
            assert_eq!(provider.last_request().header("x-consumer-username"), Some("bob"));
        }
        let wrong = gateway.client().post(path).key("wrong");
        assert_eq!(
            refused(wrong).await,
            refusal("key", MISSING),
            "to APISIX it is the provider's key"
        );
    }
}

#[tokio::test]
async fn a_route_with_an_ai_plugin_is_an_llm_endpoint() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    let mut ai_proxy = openai(&provider);
    ai_proxy["auth"] = json!({});
    put(
        &gateway,
        "/services/ai",
        json!({ "plugins": { "ai-proxy": ai_proxy } }),
    )
    .await;
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/mine", "service_id": "ai", "plugins": { "key-auth": {} } }),
    )
    .await;
    put_consumer(&gateway, "bob").await;
    for call in dialect_calls(&gateway, "/mine") {
        call.json(&chat("conf:hello"))
            .send()
            .await
            .expect_status(200)
            .await;
        assert_no_key(&provider);
    }
    let both = gateway
        .client()
        .post("/mine")
        .header("apikey", "key-bob")
        .key("of-the-provider");
    both.json(&chat("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(
        provider.last_request().header("authorization"),
        Some("Bearer of-the-provider")
    );
}

#[tokio::test]
async fn rewriting_the_path_does_not_bring_a_key_back() {
    let provider = upstream();
    let gateway = with_bob(&provider, json!({ "hide_credentials": true })).await;
    let rewrites = [
        json!({ "uri": "/rewritten" }),
        json!({ "uri": "/rewritten?b=2" }),
        json!({ "regex_uri": ["^/v1/(.*)", "/v2/$1"] }),
        json!({ "use_real_request_uri_unsafe": true }),
    ];
    for rewrite in rewrites {
        // Before key-auth, which runs in the route, and after it.
        for global in [true, false] {
            let mut plugins = json!({ "key-auth": { "hide_credentials": true } });
            if global {
                put(
                    &gateway,
                    "/global_rules/1",
                    json!({ "plugins": { "proxy-rewrite": rewrite } }),
                )
                .await;
            } else {
                plugins["proxy-rewrite"] = rewrite.clone();
            }
            put_plain(&gateway, "1", "/*", &provider, plugins).await;
            for target in ["/v1/messages?key=key-bob&a=1", "/v1/messages?a=1&apikey=key-bob"] {
                gateway
                    .client()
                    .post(target)
                    .send()
                    .await
                    .expect_status(200)
                    .await;
                assert_no_key(&provider);
                let query = provider.last_request().query.unwrap();
                assert!(query.ends_with("a=1"), "{rewrite} {global}: {query}");
            }
            if global {
                gateway.admin().delete("/global_rules/1").await.expect_status(200);
            }
        }
    }
}

#[tokio::test]
async fn key_auth_may_stand_on_a_service_or_in_a_global_rule() {
    let provider = upstream();
    let gateway = crate::support::gateway().await;
    put_consumer(&gateway, "bob").await;
    put(
        &gateway,
        "/services/s",
        json!({ "plugins": { "key-auth": {} }, "upstream": node(provider.addr()) }),
    )
    .await;
    put(
        &gateway,
        "/routes/of-service",
        json!({ "uri": "/s", "service_id": "s" }),
    )
    .await;
    put_plain(&gateway, "open", "/open", &provider, json!({})).await;
    let client = gateway.client();
    let status = async |call: Call| -> u16 {
        let answer: Answer = call.send().await;
        answer.status.as_u16()
    };
    assert_eq!(status(client.get("/s")).await, 401);
    assert_eq!(status(client.get("/s").header("apikey", "key-bob")).await, 200);
    assert_eq!(status(client.get("/open")).await, 200);
    put(
        &gateway,
        "/global_rules/1",
        json!({ "plugins": { "key-auth": { "header": "x-global" } } }),
    )
    .await;
    assert_eq!(status(client.get("/open")).await, 401);
    assert_eq!(
        status(client.get("/nowhere")).await,
        401,
        "before it is known that there is no route"
    );
    assert_eq!(
        status(client.get("/open").header("x-global", "key-bob")).await,
        200
    );
    assert_eq!(provider.last_request().header("x-consumer-username"), Some("bob"));
}

#[tokio::test]
async fn built_in_endpoints_answer_in_the_dialect_of_the_client() {
    let gateway = crate::support::gateway().await;
    let provider = FakeProvider::start();
    let plugins = json!({ "key-auth": { "key": "key-bob" }, "ai-proxy": openai(&provider) });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "bob", "plugins": plugins }),
    )
    .await;
    provider.next(Reply::contract());
    for call in dialect_calls(&gateway, "/v1/chat/completions") {
        call.json(&chat("conf:hello"))
            .send()
            .await
            .expect_status(200)
            .await;
        assert_no_key(&provider);
    }
    let missing = gateway.client().post("/v1/chat/completions").json(&chat("x"));
    let answer = missing.send().await.expect_status(401).await.json().await;
    assert_eq!(answer["error"]["code"], "missing_api_key");
    let wrong = gateway
        .client()
        .post("/v1/messages")
        .header("x-api-key", "wrong")
        .json(&chat("x"));
    let answer = wrong.send().await.expect_status(401).await.json().await;
    assert_eq!(
        (&answer["type"], &answer["error"]["type"]),
        (&json!("error"), &json!("authentication_error"))
    );
    assert!(!answer.to_string().contains("wrong"), "{answer}");
}
