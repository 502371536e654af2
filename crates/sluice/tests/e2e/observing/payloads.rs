//! What was sent and came back, where a client's payloads are logged.

use serde_json::{Value, json};

use super::{CHAT, Site};
use crate::support::{chat_stream, stream_to_end};

async fn detail(site: &Site, client: &str) -> Value {
    let rows = site.rows(&format!("client={client}"), 1).await;
    site.get(&format!("/requests/{}", rows[0]["id"].as_str().unwrap()))
        .await
}

#[tokio::test]
async fn payloads_are_kept_where_they_are_logged_and_nowhere_else() {
    let site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({ "log_payloads": true })).await;
    let (bob, other) = site.client("Bob", json!({})).await;
    site.ask(&key, "conf:hello").await;
    site.ask(&other, "conf:hello").await;

    let logged = detail(&site, &ann).await;
    assert_eq!(logged["has_payload"], true);
    let payload = &logged["payload"];
    let body = |part: &Value| serde_json::from_str::<Value>(part["body"].as_str().unwrap()).unwrap();
    let asked = body(&payload["client_request"]);
    assert_eq!(asked["messages"][0]["content"], "conf:hello");
    assert_eq!(body(&payload["upstream_request"])["messages"], asked["messages"]);
    assert!(body(&payload["response"])["choices"].is_array(), "{payload:#}");
    assert_eq!(payload["response"]["truncated"], false);
    assert!(payload["kept_until"].as_i64().unwrap() > logged["started_at"].as_i64().unwrap());
    let text = logged.to_string();
    for secret in [&*key, "sk-upstream-secret", site.gateway.admin_key()] {
        assert!(!text.contains(secret), "{secret} shows in {text}");
    }
    let headers = payload["upstream_request"]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["authorization", "***"])), "{headers:?}");

    let quiet = detail(&site, &bob).await;
    assert_eq!(
        (&quiet["has_payload"], &quiet["payload"]),
        (&json!(false), &Value::Null)
    );
}

#[tokio::test]
async fn a_stream_is_kept_as_it_came() {
    let site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({ "log_payloads": true })).await;
    stream_to_end(site.with_key(&key).post(CHAT).json(&chat_stream("conf:hello"))).await;
    let logged = detail(&site, &ann).await;
    let response = &logged["payload"]["response"];
    let body = response["body"].as_str().unwrap();
    assert!(body.starts_with("data: ") && body.contains("[DONE]"), "{body}");
    let names: Vec<&str> = logged["timeline"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.first(), Some(&"received"));
    assert!(names.contains(&"first token"), "{names:?}");
}
