//! Compat §4.1.8: the whole body of a refusal in every protocol, as an answer and as a stream; and what moderators say
//! of requests that are not theirs (§4.10–§4.12).

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use crate::support::{chat, gateway, node, openai, put, put_route};

/// A gateway that refuses everything on every path.
async fn refusing() -> (Gateway, FakeProvider, FakeProvider) {
    let (gateway, service, provider) = (gateway().await, FakeProvider::start(), FakeProvider::start());
    service.always(Reply::json(200, &json!({ "flagged": true })));
    for (id, uri, kind) in [("1", "/*", "openai"), ("2", "/v1/messages", "anthropic")] {
        let mut target = openai(&provider);
        target["provider"] = json!(kind);
        let conf = json!({ "endpoint": service.url("/"), "deny_message": "No.", "deny_code": 403 });
        put_route(
            &gateway,
            id,
            uri,
            json!({ "ai-content-moderation": conf, "ai-proxy": target }),
        )
        .await;
    }
    let aws = json!({ "access_key_id": "a", "secret_access_key": "s" });
    let bedrock = json!({
        "provider": "bedrock", "auth": { "aws": aws }, "provider_conf": { "region": "r" },
        "override": { "endpoint": provider.url("") },
    });
    let conf = json!({ "endpoint": service.url("/"), "deny_message": "No.", "deny_code": 403 });
    put_route(
        &gateway,
        "3",
        "/b/converse",
        json!({ "ai-content-moderation": conf, "ai-proxy": bedrock }),
    )
    .await;
    (gateway, service, provider)
}

/// Replaces ids, which are random.
fn without_ids(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(id) if name == "id" => {
                        assert_eq!(id.len(), 36, "a UUID");
                        *id = "ID".to_owned();
                    }
                    value => without_ids(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_ids),
        _ => {}
    }
}

fn usage(names: [&str; 2], total: Option<&str>) -> Value {
    names
        .into_iter()
        .chain(total)
        .map(|name| (name.to_owned(), json!(0)))
        .collect()
}

fn chat_usage() -> Value {
    usage(["prompt_tokens", "completion_tokens"], Some("total_tokens"))
}

fn response() -> Value {
    let part = json!({ "type": "output_text", "text": "No." });
    json!({
        "id": "ID", "object": "response", "status": "completed", "model": "m",
        "output": [{ "type": "message", "role": "assistant", "content": [part] }],
        "usage": usage(["input_tokens", "output_tokens"], Some("total_tokens")),
    })
}

fn converse() -> Value {
    json!({
        "output": { "message": { "role": "assistant", "content": [{ "text": "No." }] } }, "stopReason": "end_turn",
        "usage": usage(["inputTokens", "outputTokens"], Some("totalTokens")),
    })
}

fn turn() -> Value {
    json!([{ "role": "user", "content": "x" }])
}

#[tokio::test]
async fn whole_refusals() {
    let (gateway, _service, provider) = refusing().await;
    let anthropic = json!({
        "id": "ID", "type": "message", "role": "assistant", "model": "m",
        "content": [{ "type": "text", "text": "No." }], "stop_reason": "end_turn",
        "usage": usage(["input_tokens", "output_tokens"], None),
    });
    let message = json!({ "role": "assistant", "content": "No." });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    let completion = json!({
        "id": "ID", "object": "chat.completion", "model": "m", "choices": [choice], "usage": chat_usage(),
    });
    let embeddings = json!({ "error": { "message": "No.", "type": "content_policy_violation" } });
    for (path, body, expected) in [
        ("/v1/chat/completions", json!({ "messages": turn() }), completion),
        (
            "/v1/messages",
            json!({ "max_tokens": 1, "messages": turn() }),
            anthropic,
        ),
        ("/v1/responses", json!({ "input": "x" }), response()),
        (
            "/b/converse",
            json!({ "messages": [{ "role": "user", "content": [{ "text": "x" }] }] }),
            converse(),
        ),
        ("/v1/embeddings", json!({ "input": "x" }), embeddings),
    ] {
        let mut body = body;
        body["model"] = json!("m");
        let answer = gateway
            .client()
            .post(path)
            .json(&body)
            .send()
            .await
            .expect_status(403)
            .await;
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
        let mut said = answer.json().await;
        without_ids(&mut said);
        assert_eq!(said, expected, "{path}");
    }
    assert!(provider.requests().is_empty());
}

/// The frames of a stream: names, and data with its ids replaced.
fn frames(body: &str) -> Vec<(String, Value)> {
    let frames = body.split("\n\n").filter(|frame| !frame.is_empty());
    frames
        .map(|frame| {
            let (name, data) = match frame.split_once("\ndata: ") {
                Some((name, data)) => (name.strip_prefix("event: ").unwrap(), data),
                None => ("", frame.strip_prefix("data: ").unwrap()),
            };
            let mut data = serde_json::from_str(data).unwrap_or_else(|_| json!(data));
            without_ids(&mut data);
            (name.to_owned(), data)
        })
        .collect()
}

#[tokio::test]
async fn refusals_of_streams() {
    let (gateway, _service, provider) = refusing().await;
    let choice = json!({ "index": 0, "delta": { "content": "No." }, "finish_reason": "stop" });
    let chunk = json!({
        "id": "ID", "object": "chat.completion.chunk", "model": "m", "choices": [choice], "usage": chat_usage(),
    });
    let delta = "response.output_text.delta";
    let zero = usage(["input_tokens", "output_tokens"], None);
    let message = json!({
        "id": "ID", "type": "message", "role": "assistant", "model": "m", "content": {}, "usage": zero,
    });
    let block = json!({ "type": "text", "text": "" });
    let text = json!({ "type": "text_delta", "text": "No." });
    let stop = json!({ "stop_reason": "end_turn" });
    let named = |name: &str, data: Value| (name.to_owned(), data);
    let typed = |name: &str, more: Value| {
        let mut data = json!({ "type": name });
        for (member, value) in more.as_object().unwrap() {
            data[member] = value.clone();
        }
        (name.to_owned(), data)
    };
    let anthropic = vec![
        typed("message_start", json!({ "message": message })),
        typed(
            "content_block_start",
            json!({ "index": 0, "content_block": block }),
        ),
        typed("content_block_delta", json!({ "index": 0, "delta": text })),
        typed("content_block_stop", json!({ "index": 0 })),
        typed("message_delta", json!({ "delta": stop, "usage": zero })),
        named("message_stop", json!({})),
    ];
    for (path, body, ending, expected) in [
        (
            "/v1/chat/completions",
            json!({ "messages": turn() }),
            "\n\ndata: [DONE]",
            vec![named("", chunk), named("", json!("[DONE]"))],
        ),
        (
            "/v1/responses",
            json!({ "input": "x" }),
            "\n\n",
            vec![
                typed(delta, json!({ "delta": "No." })),
                typed("response.completed", json!({ "response": response() })),
            ],
        ),
        (
            "/v1/messages",
            json!({ "max_tokens": 1, "messages": turn() }),
            "\n\n",
            anthropic,
        ),
    ] {
        let mut body = body;
        body["model"] = json!("m");
        body["stream"] = json!(true);
        let answer = gateway
            .client()
            .post(path)
            .json(&body)
            .send()
            .await
            .expect_status(403)
            .await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"), "{path}");
        let said = answer.text().await;
        assert!(said.ends_with(ending), "{path}: {said}");
        assert_eq!(frames(&said), expected, "{path}");
    }
    let body = json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": [{ "text": "x" }] }] });
    let answer = gateway
        .client()
        .post("/b/converse")
        .json(&body)
        .send()
        .await
        .expect_status(403)
        .await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.json().await, converse());
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn requests_that_are_for_no_moderator() {
    let (gateway, service, provider) = (gateway().await, FakeProvider::start(), FakeProvider::start());
    service.always(Reply::json(500, &json!({})));
    provider.always(Reply::body(200, "text/plain", "passed"));
    let comprehend = json!({
        "access_key_id": "a", "secret_access_key": "s", "region": "r", "endpoint": service.url(""),
    });
    let moderators = [
        ("ai-aws-content-moderation", json!({ "comprehend": comprehend })),
        (
            "ai-aliyun-content-moderation",
            json!({
                "endpoint": service.url(""), "region_id": "r", "access_key_id": "a", "access_key_secret": "s",
            }),
        ),
        ("ai-content-moderation", json!({ "endpoint": service.url("/") })),
        (
            "ai-lakera-guard",
            json!({ "api_key": "k", "lakera_endpoint": service.url("/") }),
        ),
    ];
    let mut passthrough = openai(&provider);
    passthrough["override"]["endpoint"] = json!(provider.url("/other"));
    for (name, conf) in moderators {
        for mode in ["error", "skip", "warn"] {
            let mut conf = conf.clone();
            conf["fail_mode"] = json!(mode);
            let alone =
                json!({ "uri": "/alone", "upstream": node(provider.addr()), "plugins": { name: conf } });
            put(&gateway, "/routes/1", alone).await;
            put_route(
                &gateway,
                "2",
                "/other",
                json!({ name: conf, "ai-proxy": passthrough }),
            )
            .await;
            let not_picked = format!(
                "no ai instance picked, {name} plugin must be used with ai-proxy or ai-proxy-multi plugin"
            );
            for (path, body, said) in [
                ("/alone", chat("x"), &*not_picked),
                (
                    "/other",
                    json!({ "prompt": "x" }),
                    "unsupported protocol: passthrough",
                ),
            ] {
                let before = provider.requests().len();
                let answer = gateway.client().post(path).json(&body).send().await;
                let status = answer.status.as_u16();
                let body = answer.text().await;
                if mode == "error" {
                    assert_eq!((status, &*body), (500, said), "{name}");
                    assert_eq!(provider.requests().len(), before);
                } else {
                    assert_eq!((status, &*body), (200, "passed"), "{name} {mode}");
                }
            }
        }
        let told = format!("no ai instance picked, {name} plugin");
        gateway.wait_output(&told).await;
    }
    assert!(service.requests().is_empty(), "nothing was judged");
}
