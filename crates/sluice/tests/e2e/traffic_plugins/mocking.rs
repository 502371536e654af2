//! `mocking` (compat §6.8.5).

use serde_json::{Value, json};

use super::{put_plain, refusal, through, upstream};

fn conf(conf: Value) -> Value {
    json!({ "mocking": conf })
}

#[tokio::test]
async fn examples_have_variables() {
    let provider = upstream();
    let gateway = through(
        &provider,
        conf(json!({ "response_example": "{\"id\":\"$arg_id\"}" })),
    )
    .await;
    let answer = gateway
        .client()
        .get("/?id=7")
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/json;charset=utf8")
    );
    assert_eq!(answer.header("x-mock-by"), Some("APISIX/3.18.0"));
    assert_eq!(answer.text().await, "{\"id\":\"7\"}");

    let more = json!({
        "response_example": "teapot of $post_arg_name", "response_schema": {}, "response_status": 418,
        "content_type": "text/plain", "with_mock_header": false,
        "response_headers": { "X-Id": "$arg_id-${arg_none ?? none}", "X-Number": 1.5 },
    });
    put_plain(&gateway, "1", "/*", &provider, conf(more)).await;
    let call = gateway.client().post("/?id=7").body("name=ann");
    let call = call.header("content-type", "application/x-www-form-urlencoded");
    let answer = call.send().await.expect_status(418).await;
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.header("x-mock-by"), None);
    assert_eq!(
        (answer.header("x-id"), answer.header("x-number")),
        (Some("7-none"), Some("1.5"))
    );
    assert_eq!(answer.text().await, "teapot of ann");
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn schemas_become_json_xml_or_nothing() {
    let provider = upstream();
    let schema = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string", "example": "a<b" },
            "count": { "type": "integer", "example": 2.7 },
            "list": { "type": "array", "items": { "type": "string", "example": "x" } },
        },
    });
    let gateway = through(&provider, json!({})).await;
    for (content_type, expected) in [
        ("application/json", None),
        ("text/plain;charset=utf8", None),
        (
            "text/xml",
            Some("<data><name>a&lt;b</name><count>2</count><list>x</list>"),
        ),
        (
            "application/xml",
            Some("<data><name>a&lt;b</name><count>2</count><list>x</list>"),
        ),
        ("text/html", Some("")),
    ] {
        let mock = conf(json!({ "response_schema": schema, "content_type": content_type }));
        put_plain(&gateway, "1", "/*", &provider, mock).await;
        let answer = gateway.client().get("/").send().await.expect_status(200).await;
        assert_eq!(answer.header("content-type"), Some(content_type));
        let text = answer.text().await;
        match expected {
            Some("") => assert_eq!(text, ""),
            Some(start) => assert!(text.starts_with(start) && text.ends_with("</data>"), "{text}"),
            None => {
                let body: Value = serde_json::from_str(&text).unwrap();
                assert_eq!((&body["name"], &body["count"]), (&json!("a<b"), &json!(2)));
                assert_eq!(body["list"][0], "x");
            }
        }
    }
    let untyped = conf(json!({ "response_schema": { "properties": { "a": {} } } }));
    put_plain(&gateway, "1", "/*", &provider, untyped).await;
    let page = gateway
        .client()
        .get("/")
        .send()
        .await
        .expect_status(500)
        .await
        .text()
        .await;
    assert!(
        page.contains("<title>500 Internal Server Error</title>"),
        "{page}"
    );
}

#[tokio::test]
async fn callers_are_found_first_and_limits_come_later() {
    let provider = upstream();
    let plugins = json!({
        "mocking": { "response_example": "mock" }, "key-auth": {},
        "limit-count": { "count": 1, "time_window": 60 },
    });
    let gateway = through(&provider, plugins).await;
    crate::support::put_consumer(&gateway, "bob").await;
    gateway.client().get("/").send().await.expect_status(401).await;
    for _ in 0..3 {
        let call = gateway.client().get("/").header("apikey", "key-bob");
        call.send().await.expect_status(200).await;
    }
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = crate::support::gateway().await;
    for (conf, error) in [
        (
            json!({}),
            "object matches none of the required: [\"response_example\"] or [\"response_schema\"]",
        ),
        (
            json!({ "response_example": "x", "content_type": "image/png" }),
            "unsupported content type!",
        ),
        (
            json!({ "response_example": "x", "response_status": 99 }),
            "property \"response_status\" validation failed: expected 99 to be at least 100",
        ),
        (
            json!({ "response_example": "x", "response_headers": {} }),
            "property \"response_headers\" validation failed: expect object to have at least 1 properties",
        ),
    ] {
        assert_eq!(
            refusal(&gateway, "mocking", conf).await,
            format!("failed to check the configuration of plugin mocking err: {error}")
        );
    }
}
