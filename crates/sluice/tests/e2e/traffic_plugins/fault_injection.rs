//! `fault-injection` (compat §6.8.4).

use std::time::{Duration, Instant};

use serde_json::json;

use super::{put_plain, refusal, through, upstream};
use crate::support::{gateway, put_consumer};

#[tokio::test]
async fn aborts_answer_in_place_of_the_upstream() {
    let provider = upstream();
    let gateway = gateway().await;
    let text = Some("text/plain; charset=utf-8");
    for (abort, status, content_type, body) in [
        (
            json!({ "http_status": 403, "body": "no $arg_name at $host" }),
            403,
            text,
            Some("no jack at 127.0.0.1"),
        ),
        (
            json!({ "http_status": 200, "body": "fine" }),
            200,
            text,
            Some("fine"),
        ),
        (json!({ "http_status": 200 }), 200, None, Some("")),
        (
            json!({ "http_status": 503 }),
            503,
            Some("text/html; charset=utf-8"),
            None,
        ),
        (json!({ "http_status": 503, "body": "" }), 503, text, Some("")),
    ] {
        put_plain(
            &gateway,
            "1",
            "/*",
            &provider,
            json!({ "fault-injection": { "abort": abort } }),
        )
        .await;
        let answer = gateway.client().get("/?name=jack").send().await;
        let answer = answer.expect_status(status).await;
        assert_eq!(answer.header("content-type"), content_type, "{abort}");
        let got = answer.text().await;
        match body {
            Some(body) => assert_eq!(got, body, "{abort}"),
            None => assert!(
                got.contains("<h1>503 Service Temporarily Unavailable</h1>"),
                "{got}"
            ),
        }
    }
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn headers_resolve_variables_and_replace() {
    let provider = upstream();
    let headers = json!({ "X-Who": "$remote_addr", "Content-Type": "application/json", "Retry-After": 7 });
    let conf = json!({ "abort": { "http_status": 429, "body": "{}", "headers": headers } });
    let gateway = through(&provider, json!({ "fault-injection": conf })).await;
    let answer = gateway.client().get("/").send().await.expect_status(429).await;
    for (name, value) in [
        ("x-who", "127.0.0.1"),
        ("content-type", "application/json"),
        ("retry-after", "7"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn delays_come_first() {
    let provider = upstream();
    let gateway = gateway().await;
    for (conf, status) in [
        (json!({ "delay": { "duration": 0.3 } }), 200),
        (
            json!({ "delay": { "duration": 0.3, "percentage": 100 }, "abort": { "http_status": 418 } }),
            418,
        ),
    ] {
        put_plain(&gateway, "1", "/*", &provider, json!({ "fault-injection": conf })).await;
        let start = Instant::now();
        gateway.client().get("/").send().await.expect_status(status).await;
        assert!(start.elapsed() >= Duration::from_millis(300), "{conf}");
    }
}

#[tokio::test]
async fn only_some_requests_are_hit() {
    let provider = upstream();
    let gateway = gateway().await;
    let vars = json!([[["arg_name", "==", "jack"]], [["post_arg.model", "==", "m"]]]);
    for (abort, target, body, status) in [
        (
            json!({ "http_status": 403, "vars": vars }),
            "/?name=jack",
            "",
            403,
        ),
        (
            json!({ "http_status": 403, "vars": vars }),
            "/?name=rose",
            "",
            200,
        ),
        (
            json!({ "http_status": 403, "vars": vars }),
            "/",
            r#"{"model":"m"}"#,
            403,
        ),
        (
            json!({ "http_status": 403, "vars": vars }),
            "/",
            r#"{"model":"n"}"#,
            200,
        ),
        (json!({ "http_status": 403, "vars": [] }), "/", "", 200),
        (json!({ "http_status": 403, "percentage": 0 }), "/", "", 200),
        (json!({ "http_status": 403, "percentage": 100 }), "/", "", 403),
        (
            json!({ "http_status": 403, "percentage": 0, "vars": vars }),
            "/?name=jack",
            "",
            200,
        ),
    ] {
        put_plain(
            &gateway,
            "1",
            "/*",
            &provider,
            json!({ "fault-injection": { "abort": abort } }),
        )
        .await;
        let call = gateway
            .client()
            .post(target)
            .header("content-type", "application/json");
        let answer = call.body(body).send().await;
        assert_eq!(answer.status.as_u16(), status, "{abort} {target} {body}");
    }
    let last = provider.last_request();
    assert_eq!(last.body, "", "{last:?}");
}

/// What looks into the body leaves it as it is.
#[tokio::test]
async fn a_body_that_was_looked_into_goes_upstream() {
    let provider = upstream();
    let vars = json!([[["post_arg.model", "==", "other"]]]);
    let conf = json!({ "abort": { "http_status": 403, "vars": vars } });
    let gateway = through(&provider, json!({ "fault-injection": conf })).await;
    let sent = r#"{ "model": "m",  "n": 1.0 }"#;
    let call = gateway
        .client()
        .post("/")
        .header("content-type", "application/json");
    call.body(sent).send().await.expect_status(200).await;
    assert_eq!(provider.last_request().body, sent);
}

#[tokio::test]
async fn it_runs_before_anybody_asks_for_a_key() {
    let provider = upstream();
    let gateway = gateway().await;
    put_consumer(&gateway, "jack").await;
    let plugins = json!({
        "key-auth": {},
        "limit-count": { "count": 1, "time_window": 60, "rejected_code": 429 },
        "fault-injection": { "abort": { "http_status": 503, "body": "<$consumer_name>", "vars": [[["arg_chaos", "==", "1"]]] } },
    });
    put_plain(&gateway, "1", "/*", &provider, plugins).await;
    for _ in 0..3 {
        let answer = gateway
            .client()
            .get("/?chaos=1")
            .header("apikey", "key-jack")
            .send()
            .await;
        assert_eq!(answer.expect_status(503).await.text().await, "<>");
    }
    for status in [200, 429] {
        let call = gateway.client().get("/").header("apikey", "key-jack");
        call.send().await.expect_status(status).await;
    }
}

#[tokio::test]
async fn bad_configurations_are_refused() {
    let gateway = gateway().await;
    let prefix = "failed to check the configuration of plugin fault-injection err: ";
    for (conf, error) in [
        (json!({}), "expect object to have at least 1 properties"),
        (
            json!({ "abort": {} }),
            r#"property "abort" validation failed: property "http_status" is required"#,
        ),
        (
            json!({ "abort": { "http_status": 199 } }),
            r#"property "abort" validation failed: property "http_status" validation failed: expected 199 to be at least 200"#,
        ),
        (
            json!({ "delay": { "duration": -1 } }),
            r#"property "delay" validation failed: property "duration" validation failed: expected -1 to be at least 0"#,
        ),
        (
            json!({ "abort": { "http_status": 503, "vars": [["arg_name", "==", "jack"]] } }),
            "rule should be wrapped inside brackets",
        ),
        (
            json!({ "delay": { "duration": 1, "vars": [[["arg_name", "=", "jack"]]] } }),
            "invalid operator '='",
        ),
    ] {
        assert_eq!(
            refusal(&gateway, "fault-injection", conf).await,
            format!("{prefix}{error}")
        );
    }
}
