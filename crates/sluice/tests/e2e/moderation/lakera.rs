//! `ai-lakera-guard`.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Reply};

use super::{CHAT, answer, finds, moderated, said};
use crate::support::{chat, chat_stream, gateway};

const NAME: &str = "ai-lakera-guard";

fn conf(lakera: &FakeProvider, more: Value) -> Value {
    let mut conf = json!({ "api_key": "lakera-key", "lakera_endpoint": lakera.url("/v2/guard") });
    for (name, value) in more.as_object().into_iter().flatten() {
        conf[name] = value.clone();
    }
    conf
}

fn verdict(flagged: bool) -> Value {
    json!({ "flagged": flagged, "breakdown": [
        { "detector_type": "prompt_attack", "detected": flagged, "result": "l1_confident" },
        { "detector_type": "pii/email", "detected": false, "result": "l5_unlikely" },
    ] })
}

#[tokio::test]
async fn flagged_prompts_are_blocked() {
    let (lakera, provider) = (FakeProvider::start(), FakeProvider::start());
    lakera.always(finds("bad", verdict));
    let conf = conf(&lakera, json!({ "project_id": "p-1" }));
    let gateway = moderated(NAME, conf, &provider).await;
    let post = |body: Value| gateway.client().post(CHAT).json(&body);
    assert_eq!(answer(post(chat("conf:hello"))).await.0, 200);
    let asked = lakera.last_request();
    assert_eq!(asked.header("authorization"), Some("Bearer lakera-key"));
    assert_eq!(
        asked.json(),
        json!({
            "messages": [{ "role": "user", "content": "conf:hello" }], "breakdown": true, "project_id": "p-1",
        })
    );
    let (status, _, body) = answer(post(chat("bad"))).await;
    assert_eq!(
        (status, said(&body)),
        (200, json!("Request blocked by Lakera Guard"))
    );
    let (status, content_type, body) = answer(post(chat_stream("bad"))).await;
    assert_eq!((status, &*content_type), (200, "text/event-stream"));
    assert!(body.contains("Request blocked by Lakera Guard"), "{body}");
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn categories_are_told_on_request_and_alerts_only_log() {
    let (lakera, provider) = (FakeProvider::start(), FakeProvider::start());
    lakera.always(finds("bad", verdict));
    let more =
        json!({ "reveal_failure_categories": true, "request_failure_message": "No", "deny_code": 403 });
    let gateway = moderated(NAME, conf(&lakera, more), &provider).await;
    let (status, _, body) = answer(gateway.client().post(CHAT).json(&chat("bad"))).await;
    assert_eq!(status, 403);
    assert_eq!(
        said(&body),
        "No. Flagged categories: prompt_attack (l1_confident)"
    );
    let gateway = moderated(NAME, conf(&lakera, json!({ "action": "alert" })), &provider).await;
    let call = gateway.client().post(CHAT).json(&chat("conf:hello bad"));
    assert_eq!(said(&answer(call).await.2), "Hello from the upstream.");
}

#[tokio::test]
async fn a_service_that_fails_blocks_unless_told_otherwise() {
    let (lakera, provider) = (FakeProvider::start(), FakeProvider::start());
    let closed = moderated(NAME, conf(&lakera, json!({})), &provider).await;
    let open = moderated(NAME, conf(&lakera, json!({ "fail_open": true })), &provider).await;
    for reply in [
        Reply::json(401, &json!({})),
        Reply::body(200, "text/plain", "what"),
    ] {
        lakera.always(reply);
        let call = closed.client().post(CHAT).json(&chat("conf:hello"));
        assert_eq!(said(&answer(call).await.2), "Request blocked by Lakera Guard");
        let call = open.client().post(CHAT).json(&chat("conf:hello"));
        assert_eq!(said(&answer(call).await.2), "Hello from the upstream.");
    }
}

#[tokio::test]
async fn answers_are_judged_whole() {
    let (lakera, provider) = (FakeProvider::start(), FakeProvider::start());
    lakera.always(finds("upstream", verdict));
    let gateway = moderated(NAME, conf(&lakera, json!({ "direction": "output" })), &provider).await;
    let (status, _, body) = answer(gateway.client().post(CHAT).json(&chat("conf:hello"))).await;
    assert_eq!(
        (status, said(&body)),
        (200, json!("Response blocked by Lakera Guard"))
    );
    assert_eq!(
        lakera.last_request().json()["messages"],
        json!([{ "role": "assistant", "content": "Hello from the upstream." }])
    );
    assert_eq!(lakera.requests().len(), 1, "the prompt was not judged");
}

#[tokio::test]
async fn a_stream_is_withheld_until_it_is_judged() {
    let (lakera, provider) = (FakeProvider::start(), FakeProvider::start());
    lakera.always(finds("never", verdict));
    let gateway = moderated(NAME, conf(&lakera, json!({ "direction": "both" })), &provider).await;
    let post = || gateway.client().post(CHAT).json(&chat_stream("conf:hello"));
    let (status, _, body) = answer(post()).await;
    assert_eq!(status, 200);
    assert!(body.starts_with(":\n\n"), "{body}");
    assert!(body.contains("\"Hello\"") || body.contains("Hello"), "{body}");
    assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    assert_eq!(
        lakera.last_request().json()["messages"],
        json!([{ "role": "assistant", "content": "Hello from the upstream." }])
    );
    lakera.always(finds("upstream", verdict));
    let (_, _, body) = answer(post()).await;
    assert!(body.starts_with(":\n\n"), "{body}");
    assert!(!body.contains("Hello"), "{body}");
    assert!(body.contains("Response blocked by Lakera Guard"), "{body}");
    assert!(body.ends_with("data: [DONE]"), "{body}");
}

#[tokio::test]
async fn not_an_ai_request() {
    let (lakera, provider) = (FakeProvider::start(), FakeProvider::start());
    let gateway = moderated(NAME, conf(&lakera, json!({ "fail_mode": "error" })), &provider).await;
    let body = json!({ "prompt": "x", "model": "m" });
    let (status, _, body) = answer(gateway.client().post(CHAT).json(&body)).await;
    assert_eq!((status, &*body), (500, "unsupported protocol: passthrough"));
}

#[tokio::test]
async fn the_key_is_required_and_never_shown() {
    let lakera = FakeProvider::start();
    let gateway = gateway().await;
    let route = json!({ "uri": "/a", "plugins": { NAME: { "direction": "input" } } });
    let answer = gateway.admin().put("/routes/1", route).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains(r#"property \"api_key\" is required"#),
        "{}",
        answer.text()
    );
    let route =
        json!({ "uri": "/a", "plugins": { NAME: conf(&lakera, json!({ "direction": "sideways" })) } });
    let answer = gateway.admin().put("/routes/1", route).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer.text().contains(r#"property \"direction\""#),
        "{}",
        answer.text()
    );
}
