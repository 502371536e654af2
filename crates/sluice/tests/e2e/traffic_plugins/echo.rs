//! `echo` (compat §6.8).

use serde_json::json;
use sluice_testkit::{Gate, Reply};

use super::{put_plain, refusal, through, upstream};
use crate::support::{chat_stream, gateway, openai, put_route};

#[tokio::test]
async fn text_stands_around_the_answer_or_in_its_place() {
    let provider = upstream();
    let gateway = gateway().await;
    for (conf, expected) in [
        (json!({ "before_body": "<" }), "<ok"),
        (json!({ "after_body": ">" }), "ok>"),
        (
            json!({ "before_body": "<", "body": "mine", "after_body": ">" }),
            "<mine>",
        ),
        (json!({ "body": "" }), ""),
    ] {
        put_plain(&gateway, "1", "/*", &provider, json!({ "echo": conf })).await;
        let answer = gateway.client().get("/").send().await.expect_status(200).await;
        assert_eq!(answer.header("content-length"), None, "{conf}");
        assert_eq!(answer.text().await, expected, "{conf}");
    }
}

#[tokio::test]
async fn headers_replace_and_those_about_the_body_go() {
    let provider = upstream();
    let reply = Reply::body(200, "text/plain", "ok")
        .header("etag", "\"1\"")
        .header("last-modified", "yesterday")
        .header("x-echo", "theirs");
    provider.always(reply);
    let conf = json!({ "body": "mine", "headers": { "X-Echo": "ours", "X-Number": 7 } });
    let gateway = through(&provider, json!({ "echo": conf })).await;
    let answer = gateway.client().get("/").send().await.expect_status(200).await;
    for (name, value) in [
        ("x-echo", Some("ours")),
        ("x-number", Some("7")),
        ("content-type", Some("text/plain")),
        ("etag", None),
        ("last-modified", None),
        ("content-encoding", None),
    ] {
        assert_eq!(answer.header(name), value, "{name}");
    }
    assert_eq!(answer.text().await, "mine");
}

#[tokio::test]
async fn answers_of_the_gateway_are_wrapped_too() {
    let gateway = gateway().await;
    put_route(
        &gateway,
        "1",
        "/*",
        json!({ "key-auth": {}, "echo": { "after_body": "!" } }),
    )
    .await;
    let answer = gateway.client().get("/").send().await.expect_status(401).await;
    assert_eq!(
        answer.text().await,
        "{\"message\":\"Missing API key in request\"}\n!"
    );
}

/// The text comes first, every event when it comes, and the end last.
#[tokio::test]
async fn a_stream_stays_a_stream() {
    let provider = upstream();
    let gate = Gate::closed();
    provider.always(Reply::events([r#"{"choices":[]}"#, "[DONE]"]).gated(&gate));
    let echo = json!({ "before_body": ": before\n\n", "after_body": ": after\n\n" });
    let plugins = json!({ "ai-proxy": openai(&provider), "echo": echo });
    let gateway = crate::support::with_route(plugins).await;
    let body = chat_stream("hello");
    let call = gateway.client().post("/v1/chat/completions").json(&body);
    let sending = tokio::spawn(call.send());
    provider.wait_requests(1).await;
    gate.open(1);
    let mut answer = sending.await.unwrap().expect_status(200).await;
    let mut seen = String::new();
    while !seen.contains("choices") {
        seen += std::str::from_utf8(&answer.chunk().await.unwrap().unwrap()).unwrap();
    }
    gate.open(1);
    while let Some(chunk) = answer.chunk().await.unwrap() {
        seen += std::str::from_utf8(&chunk).unwrap();
    }
    assert!(seen.starts_with(": before\n\ndata: "), "{seen}");
    assert!(seen.ends_with("data: [DONE]\n\n: after\n\n"), "{seen}");
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = gateway().await;
    let prefix = "failed to check the configuration of plugin echo err: ";
    for (conf, error) in [
        (
            json!({ "headers": { "a": "b" } }),
            r#"object matches none of the required: ["before_body"] or ["body"] or ["after_body"]"#,
        ),
        (
            json!({ "body": 1 }),
            r#"property "body" validation failed: wrong type: expected string, got number"#,
        ),
        (
            json!({ "body": "", "headers": {} }),
            r#"property "headers" validation failed: expect object to have at least 1 properties"#,
        ),
    ] {
        assert_eq!(refusal(&gateway, "echo", conf).await, format!("{prefix}{error}"));
    }
}
