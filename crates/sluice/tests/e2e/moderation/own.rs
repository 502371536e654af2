//! `ai-content-moderation`.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Reply};

use super::{CHAT, answer, finds, moderated, said};
use crate::support::{chat, gateway};

const NAME: &str = "ai-content-moderation";

fn hook(is_bad: bool) -> Value {
    json!({ "flagged": is_bad, "categories": if is_bad { json!(["spam"]) } else { json!([]) } })
}

fn openai(is_bad: bool) -> Value {
    let score = if is_bad { 0.8 } else { 0.01 };
    json!({ "id": "modr-1", "model": "omni-moderation-latest", "results": [{
        "flagged": is_bad, "categories": { "violence": is_bad, "hate": false },
        "category_scores": { "violence": score, "hate": 0.02 },
    }] })
}

#[tokio::test]
async fn a_webhook_judges() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", hook));
    let conf = json!({
        "endpoint": service.url("/judge"), "auth": { "header": { "X-Token": "t" } }, "check_response": true,
    });
    let gateway = moderated(NAME, conf, &provider).await;
    let post = |text: &str| gateway.client().post(CHAT).json(&chat(text));
    assert_eq!(
        said(&answer(post("conf:hello")).await.2),
        "Hello from the upstream."
    );
    let asked = service.requests();
    assert_eq!(asked[0].path, "/judge");
    assert_eq!(asked[0].header("x-token"), Some("t"));
    assert_eq!(
        asked.iter().map(|asked| asked.json()).collect::<Vec<_>>(),
        [
            json!({ "direction": "request", "text": "conf:hello" }),
            json!({ "direction": "response", "text": "Hello from the upstream." }),
        ]
    );
    assert_eq!(
        said(&answer(post("bad")).await.2),
        "The request violates the content policy: spam."
    );
}

#[tokio::test]
async fn openais_endpoint_judges() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", openai));
    let conf = |more: Value| {
        let mut conf = json!({ "classifier": "openai", "endpoint": service.url("/v1/moderations") });
        for (name, value) in more.as_object().into_iter().flatten() {
            conf[name] = value.clone();
        }
        conf
    };
    let gateway = moderated(NAME, conf(json!({})), &provider).await;
    let call = gateway.client().post(CHAT).json(&chat("bad"));
    assert_eq!(
        said(&answer(call).await.2),
        "The request violates the content policy: violence."
    );
    assert_eq!(
        service.last_request().json(),
        json!({ "model": "omni-moderation-latest", "input": "bad" })
    );
    let strict = conf(json!({ "thresholds": { "hate": 0.01 }, "deny_code": 400 }));
    let gateway = moderated(NAME, strict, &provider).await;
    let (status, _, body) = answer(gateway.client().post(CHAT).json(&chat("fine"))).await;
    assert_eq!(
        (status, said(&body)),
        (400, json!("The request violates the content policy: hate."))
    );
}

#[tokio::test]
async fn failures_are_closed_by_default() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(Reply::body(503, "text/plain", "busy"));
    let conf = |open: bool| json!({ "endpoint": service.url("/"), "fail_open": open });
    let closed = moderated(NAME, conf(false), &provider).await;
    let (status, _, body) = answer(closed.client().post(CHAT).json(&chat("conf:hello"))).await;
    assert_eq!(
        (status, &*body),
        (500, "classifier answered 503 Service Unavailable")
    );
    let open = moderated(NAME, conf(true), &provider).await;
    let call = open.client().post(CHAT).json(&chat("conf:hello"));
    assert_eq!(said(&answer(call).await.2), "Hello from the upstream.");
}

#[tokio::test]
async fn a_webhook_needs_an_address() {
    let gateway = gateway().await;
    let route = json!({ "uri": "/a", "plugins": { NAME: {} } });
    let answer = gateway.admin().put("/routes/1", route).await;
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .text()
            .contains(r#"property \"endpoint\" is required for a webhook"#),
        "{}",
        answer.text()
    );
}
