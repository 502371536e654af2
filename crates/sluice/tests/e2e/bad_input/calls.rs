//! Calls without a route, without a key, and with bodies that are no chat.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};

use super::Watched;
use crate::support::{chat, openai, put, put_route};

/// Posts a body to a path, with a key.
async fn post(
    gateway: &Gateway,
    path: &str,
    content_type: &str,
    body: impl Into<bytes::Bytes>,
) -> (u16, String) {
    let call = gateway
        .client()
        .post(path)
        .header("content-type", content_type)
        .key("key-ai");
    let answer = call.body(body).send().await;
    (answer.status.as_u16(), answer.text().await)
}

/// A path with an `ai-proxy` of the `apisix` profile, and the built-in one.
const AI_PATHS: [&str; 2] = ["/ai", "/v1/chat/completions"];

#[tokio::test]
async fn bodies_that_are_no_chat() {
    let watched = Watched::start().await;
    let gateway = &watched.gateway;
    let provider = FakeProvider::start();
    put_route(
        gateway,
        "ai",
        "/ai",
        json!({ "key-auth": {}, "ai-proxy": openai(&provider) }),
    )
    .await;
    let plugins = json!({ "key-auth": { "key": "key-ai" }, "ai-proxy": openai(&provider) });
    put(
        gateway,
        "/consumers",
        json!({ "username": "ai", "plugins": plugins }),
    )
    .await;
    let good = chat("hi").to_string();
    let deep = format!(r#"{{"messages":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let json = [
        &b""[..],
        b"{",
        b"null",
        br#""text""#,
        br#"{"messages":[]} trailing"#,
        b"{\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}",
        br#"{"model":"a","model":"b","messages":[]}"#,
        br#"{"model":"m","messages":[],"messages":[{}]}"#,
        br#"{"messages":[],"n":NaN}"#,
        deep.as_bytes(),
    ];
    let json = json.map(|body| ("application/json", body));
    let others = ["text/plain", "", "multipart/form-data"].map(|name| (name, good.as_bytes()));
    for (content_type, body) in json.into_iter().chain(others) {
        for path in AI_PATHS {
            let shown = String::from_utf8_lossy(&body[..body.len().min(80)]);
            let (status, text) = post(gateway, path, content_type, body.to_vec()).await;
            let shown = format!("{path} {content_type}: {shown}: {status}: {text}");
            assert!((400..500).contains(&status), "{shown}");
            if path != "/ai" {
                let error: Value = serde_json::from_str(&text).unwrap();
                assert!(error["error"]["message"].is_string(), "{shown}");
            }
        }
    }
    let (status, text) = post(gateway, AI_PATHS[1], "application/json", "[1,2]").await;
    assert_eq!(status, 400, "a list is no chat where the path says chat: {text}");
    assert!(
        provider.requests().is_empty(),
        "nothing of this went to the provider: {:?}",
        provider.requests()
    );
    // Truncated: the client announces more than it sends.
    for path in AI_PATHS {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer key-ai\r\n");
        let status = watched
            .raw_and_no_more(format!(
                "{head}content-type: application/json\r\ncontent-length: 99\r\n\r\n{{"
            ))
            .await;
        assert!([0, 400].contains(&status), "{path}: {status}");
    }
    for path in AI_PATHS {
        let body = chat("conf:hello").to_string();
        assert_eq!(
            post(gateway, path, "application/json", body).await.0,
            200,
            "{path} works"
        );
    }
    gateway.admin().delete("/routes/ai").await.expect_status(200);
    gateway.admin().delete("/consumers/ai").await.expect_status(200);
    watched.is_as_before().await;
}

#[tokio::test]
async fn unknown_routes_and_wrong_keys() {
    let watched = Watched::start().await;
    let gateway = &watched.gateway;
    let client = gateway.client();
    for target in [
        "/",
        "/nowhere",
        "/apisix/admin/routes",
        "/status",
        "/metrics",
        "/ok/",
        "/OK",
        "//",
    ] {
        let answer = client.get(target).send().await.expect_status(404).await;
        assert_eq!(
            answer.json().await,
            json!({ "error_msg": "404 Route Not Found" }),
            "{target}"
        );
    }
    let long = "k".repeat(10_000);
    let wrong = [
        "",
        "wrong",
        "KEY-BOB",
        "key-bob\tx",
        "key-bo",
        "null",
        "' OR 1=1 --",
        &long,
    ];
    for key in wrong {
        let call = client.post("/v1/chat/completions").json(&chat("x")).key(key);
        let answer = call.send().await.expect_status(401).await.json().await;
        let code = answer["error"]["code"].as_str().unwrap();
        assert!(
            ["invalid_api_key", "missing_api_key"].contains(&code),
            "{key:?}: {answer}"
        );
    }
    watched.is_as_before().await;
}
