//! `ai-aws-content-moderation`.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Reply};

use super::{CHAT, answer, finds, moderated, said};
use crate::support::{chat, chat_stream, dead_addr, gateway, put_route};

const NAME: &str = "ai-aws-content-moderation";

fn conf(comprehend: &FakeProvider, more: Value) -> Value {
    let mut conf = json!({ "comprehend": {
        "access_key_id": "AKID", "secret_access_key": "secret", "region": "us-east-1",
        "endpoint": format!("http://{}", comprehend.addr()),
    } });
    for (name, value) in more.as_object().into_iter().flatten() {
        conf[name] = value.clone();
    }
    conf
}

fn verdict(is_bad: bool) -> Value {
    let score = if is_bad { 0.9 } else { 0.1 };
    json!({ "ResultList": [{
        "Toxicity": score, "Labels": [{ "Name": "PROFANITY", "Score": score }, { "Name": "INSULT", "Score": 0.2 }],
    }] })
}

#[tokio::test]
async fn a_prompt_above_the_threshold_is_refused_in_the_clients_protocol() {
    let (comprehend, provider) = (FakeProvider::start(), FakeProvider::start());
    comprehend.always(finds("bad", verdict));
    let gateway = moderated(NAME, conf(&comprehend, json!({})), &provider).await;
    let post = |text: &str| gateway.client().post(CHAT).json(&chat(text));
    assert_eq!(answer(post("conf:hello")).await.0, 200);
    let asked = comprehend.last_request();
    assert_eq!(
        asked.header("x-amz-target"),
        Some("Comprehend_20171127.DetectToxicContent")
    );
    assert_eq!(asked.header("content-type"), Some("application/x-amz-json-1.1"));
    let authorization = asked.header("authorization").unwrap();
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKID/")
            && authorization.contains("/us-east-1/comprehend/aws4_request"),
        "{authorization}"
    );
    assert_eq!(
        asked.json(),
        json!({ "LanguageCode": "en", "TextSegments": [{ "Text": "conf:hello" }] })
    );

    let (status, content_type, body) = answer(post("bad")).await;
    assert_eq!((status, &*content_type), (200, "application/json"));
    assert_eq!(said(&body), "request body exceeds toxicity threshold");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["model"], "gpt-4o");
    assert_eq!(
        body["usage"],
        json!({ "prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0 })
    );
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn categories_come_before_the_whole_and_messages_can_be_set() {
    let (comprehend, provider) = (FakeProvider::start(), FakeProvider::start());
    comprehend.always(finds("bad", verdict));
    let categories = json!({ "moderation_categories": { "PROFANITY": 0.5 }, "deny_code": 403 });
    let gateway = moderated(NAME, conf(&comprehend, categories), &provider).await;
    let post = |body: Value| gateway.client().post(CHAT).json(&body);
    let (status, _, body) = answer(post(chat("bad"))).await;
    assert_eq!(status, 403);
    assert_eq!(said(&body), "request body exceeds PROFANITY threshold");
    let (status, content_type, body) = answer(post(chat_stream("bad"))).await;
    assert_eq!((status, &*content_type), (403, "text/event-stream"));
    assert!(
        body.contains("request body exceeds PROFANITY threshold"),
        "{body}"
    );
    assert!(body.ends_with("data: [DONE]"), "{body}");

    let more = json!({ "deny_message": "No.", "moderation_threshold": 0.5 });
    let plugins = json!({ NAME: conf(&comprehend, more), "ai-proxy": crate::support::openai(&provider) });
    put_route(&gateway, "1", CHAT, plugins).await;
    assert_eq!(said(&answer(post(chat("bad"))).await.2), "No.");
}

#[tokio::test]
async fn long_texts_are_cut_into_segments_and_calls() {
    let (comprehend, provider) = (FakeProvider::start(), FakeProvider::start());
    comprehend.always(finds("never", verdict));
    let more = json!({ "request_check_length_limit": 1000 });
    let gateway = moderated(NAME, conf(&comprehend, more), &provider).await;
    let text = format!("conf:hello {}", "ä".repeat(6000));
    let call = gateway.client().post(CHAT).json(&chat(&text));
    assert_eq!(answer(call).await.0, 200);
    let asked = comprehend.requests();
    let counts: Vec<_> = asked
        .iter()
        .map(|asked| asked.json()["TextSegments"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [10, 3]);
    let whole: String = asked
        .iter()
        .flat_map(|asked| asked.json()["TextSegments"].as_array().unwrap().clone())
        .map(|segment| segment["Text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(whole, text);
}

#[tokio::test]
async fn roles_decide_what_is_judged() {
    let (comprehend, provider) = (FakeProvider::start(), FakeProvider::start());
    comprehend.always(finds("never", verdict));
    let more = json!({ "request_check_roles": ["user"], "request_check_mode": "last" });
    let gateway = moderated(NAME, conf(&comprehend, more), &provider).await;
    let body = json!({ "model": "m", "messages": [
        { "role": "system", "content": "s" }, { "role": "user", "content": "old" },
        { "role": "assistant", "content": "a" }, { "role": "user", "content": "conf:hello" },
    ] });
    assert_eq!(answer(gateway.client().post(CHAT).json(&body)).await.0, 200);
    assert_eq!(
        comprehend.last_request().json()["TextSegments"],
        json!([{ "Text": "conf:hello" }])
    );
}

#[tokio::test]
async fn answers_are_judged_when_asked_for() {
    let (comprehend, provider) = (FakeProvider::start(), FakeProvider::start());
    comprehend.always(finds("upstream", verdict));
    let more = json!({ "check_request": false, "check_response": true, "deny_code": 400 });
    let gateway = moderated(NAME, conf(&comprehend, more), &provider).await;
    let post = || gateway.client().post(CHAT).json(&chat("conf:hello"));
    let (status, content_type, body) = answer(post()).await;
    assert_eq!((status, &*content_type), (400, "application/json"));
    assert_eq!(said(&body), "response body exceeds toxicity threshold");
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_ne!(body["usage"]["total_tokens"], 0, "the provider's usage is kept");

    comprehend.always(Reply::body(500, "text/plain", "down"));
    let (status, _, body) = answer(post()).await;
    assert_eq!(
        (status, &*body),
        (500, "comprehend answered 500 Internal Server Error")
    );

    provider.always(Reply::json(404, &json!({ "error": { "message": "upstream" } })));
    let asked = comprehend.requests().len();
    assert_eq!(answer(post()).await.0, 404);
    assert_eq!(comprehend.requests().len(), asked, "errors are not judged");
}

#[tokio::test]
async fn a_service_that_fails_refuses_prompts() {
    let (comprehend, provider) = (FakeProvider::start(), FakeProvider::start());
    let gateway = moderated(NAME, conf(&comprehend, json!({})), &provider).await;
    for (reply, said) in [
        (
            Reply::json(400, &json!({})),
            "comprehend answered 400 Bad Request",
        ),
        (
            Reply::body(200, "text/plain", "what"),
            "comprehend answered what cannot be read: ",
        ),
    ] {
        comprehend.next(reply);
        let (status, _, body) = answer(gateway.client().post(CHAT).json(&chat("x"))).await;
        assert_eq!(status, 500);
        assert!(body.starts_with(said), "{body}");
    }
    let mut away = conf(&comprehend, json!({}));
    away["comprehend"]["endpoint"] = json!(format!("http://{}", dead_addr()));
    let plugins = json!({ NAME: away, "ai-proxy": crate::support::openai(&provider) });
    put_route(&gateway, "1", CHAT, plugins).await;
    let (status, _, body) = answer(gateway.client().post(CHAT).json(&chat("x"))).await;
    assert_eq!(status, 500);
    assert!(!body.contains("127.0.0.1"), "{body}");
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn requests_that_are_not_its_own_follow_the_fail_mode() {
    let (comprehend, provider) = (FakeProvider::start(), FakeProvider::start());
    let gateway = moderated(
        NAME,
        conf(&comprehend, json!({ "fail_mode": "error" })),
        &provider,
    )
    .await;
    let body = json!({ "prompt": "conf:hello", "model": "m" });
    let (status, _, body) = answer(gateway.client().post(CHAT).json(&body)).await;
    assert_eq!((status, &*body), (500, "unsupported protocol: passthrough"));

    let route = json!({
        "uri": "/plain", "upstream": crate::support::node(provider.addr()),
        "plugins": { NAME: conf(&comprehend, json!({ "fail_mode": "error" })) },
    });
    crate::support::put(&gateway, "/routes/2", route.clone()).await;
    let (status, _, body) = answer(gateway.client().post("/plain").json(&chat("x"))).await;
    assert_eq!(
        (status, &*body),
        (
            500,
            "no ai instance picked, ai-aws-content-moderation plugin must be used with ai-proxy or \
             ai-proxy-multi plugin"
        )
    );
    let mut skipping = route;
    skipping["plugins"][NAME]["fail_mode"] = json!("skip");
    crate::support::put(&gateway, "/routes/2", skipping).await;
    provider.next(Reply::json(200, &json!({})));
    assert_eq!(
        answer(gateway.client().post("/plain").json(&chat("x"))).await.0,
        200
    );

    let embeddings = json!({ NAME: conf(&comprehend, json!({
        "fail_mode": "error", "request_check_roles": ["system"],
    })), "ai-proxy": crate::support::openai(&provider) });
    put_route(&gateway, "3", "/v1/embeddings", embeddings).await;
    let body = json!({ "model": "m", "input": "x" });
    let (status, _, body) = answer(gateway.client().post("/v1/embeddings").json(&body)).await;
    assert_eq!(
        (status, &*body),
        (
            500,
            "protocol openai-embeddings cannot moderate the configured request_check_roles"
        )
    );
}

#[tokio::test]
async fn wrong_configurations_are_refused() {
    let comprehend = FakeProvider::start();
    let gateway = gateway().await;
    let mut no_region = conf(&comprehend, json!({}));
    no_region["comprehend"].as_object_mut().unwrap().remove("region");
    for (conf, text) in [
        (json!({}), r#"property \"comprehend\" is required"#),
        (no_region, r#"property \"region\" is required"#),
        (
            conf(
                &comprehend,
                json!({ "moderation_categories": { "SARCASM": 0.5 } }),
            ),
            "additional properties forbidden, found SARCASM",
        ),
        (
            conf(&comprehend, json!({ "moderation_threshold": 2 })),
            r#"property \"moderation_threshold\" validation failed"#,
        ),
        (
            conf(&comprehend, json!({ "deny_code": 199 })),
            r#"property \"deny_code\" validation failed"#,
        ),
    ] {
        let route = json!({ "uri": "/a", "plugins": { NAME: conf } });
        let answer = gateway.admin().put("/routes/1", route).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains(text), "{}", answer.text());
    }
}
