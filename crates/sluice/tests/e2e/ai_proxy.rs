//! `ai-proxy` on a stored route: what goes upstream, what comes back, every error of its table (compat §4.1, §4.2).

use std::time::Duration;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gate, Gateway, Reply};

use crate::support::{chat, chat_stream, openai, put_route, stream_to_end, with_route};

async fn start(provider: &FakeProvider) -> Gateway {
    with_route(json!({ "ai-proxy": openai(provider) })).await
}

fn with(provider: &FakeProvider, members: Value) -> Value {
    let mut conf = openai(provider);
    for (name, value) in members.as_object().unwrap() {
        conf[name] = value.clone();
    }
    conf
}

const CHAT: &str = "/v1/chat/completions";

#[tokio::test]
async fn an_answer_passes_with_its_content_type_alone() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    provider.next(
        Reply::contract()
            .header("x-ratelimit-remaining-tokens", "7")
            .header("retry-after", "3"),
    );
    let answer = gateway
        .client()
        .post(CHAT)
        .json(&chat("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("server"), Some("APISIX/3.18.0"));
    assert_eq!(answer.header("content-length"), None, "chunked");
    assert_eq!(answer.header("x-ratelimit-remaining-tokens"), None);
    assert_eq!(answer.header("retry-after"), None);
    assert_eq!(
        answer.json().await["choices"][0]["message"]["content"],
        "Hello from the upstream."
    );
}

#[tokio::test]
async fn the_clients_bytes_go_out_unmodified_when_nothing_changes_them() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let body = r#"{ "messages":[ {"role":"user","content":"conf:hello"} ],"model" : "gpt-4o","seed":1.50,"z":null }"#;
    let call = gateway
        .client()
        .post(CHAT)
        .header("content-type", "application/json")
        .body(body);
    call.send().await.expect_status(200).await;
    let sent = provider.last_request();
    assert_eq!(sent.body, body.as_bytes());
    assert_eq!(sent.path, CHAT);
}

#[tokio::test]
async fn headers_go_upstream_as_apisix_sends_them() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let call = gateway
        .client()
        .post(&format!("{CHAT}?a=b"))
        .json(&chat("conf:hello"));
    let call = call
        .header("authorization", "Bearer client")
        .header("x-mine", "1")
        .header("accept-encoding", "gzip");
    call.send().await.expect_status(200).await;
    let sent = provider.last_request();
    assert_eq!(
        sent.header("authorization"),
        Some("Bearer upstream-key"),
        "auth.header replaces the client's"
    );
    assert_eq!(sent.header("x-mine"), Some("1"));
    assert_eq!(sent.header("accept-encoding"), None);
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.header("x-forwarded-proto"), Some("http"));
    assert_eq!(sent.header("host"), Some(provider.addr().to_string().as_str()));
    assert_eq!(sent.query, None, "the client's query is dropped");
}

#[tokio::test]
async fn options_overwrite_members_and_overrides_follow() {
    let provider = FakeProvider::start();
    let mut conf = with(
        &provider,
        json!({ "options": { "model": "gpt-4", "temperature": 0.5 } }),
    );
    conf["override"]["llm_options"] = json!({ "max_tokens": 64 });
    conf["override"]["request_body"] =
        json!({ "openai-chat": { "metadata": { "team": "a" }, "temperature": 2 } });
    let gateway = with_route(json!({ "ai-proxy": conf })).await;
    let mut body = chat("conf:hello");
    body["max_tokens"] = json!(9);
    body["metadata"] = json!({ "id": "x" });
    gateway
        .client()
        .post(CHAT)
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await;
    let sent = provider.last_request().json();
    assert_eq!(sent["model"], "gpt-4");
    assert_eq!(
        sent["temperature"], 0.5,
        "request_body fills only what is missing"
    );
    assert_eq!(sent["max_completion_tokens"], 64);
    assert_eq!(sent.get("max_tokens"), None);
    assert_eq!(sent["metadata"], json!({ "id": "x", "team": "a" }));
}

#[tokio::test]
async fn streams_ask_for_usage_and_show_it() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let body = chat_stream("conf:hello");
    let answer = gateway
        .client()
        .post(CHAT)
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let finished = answer.events().finish().await;
    assert!(!finished.broken);
    assert_eq!(finished.data().last(), Some(&"[DONE]"));
    assert!(
        finished.data().iter().any(|data| data.contains("\"usage\":{")),
        "the usage chunk is visible"
    );
    assert_eq!(
        provider.last_request().json()["stream_options"],
        json!({ "include_usage": true })
    );
}

#[tokio::test]
async fn no_event_waits_for_another() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let gate = Gate::closed();
    provider.next(Reply::events(["{\"n\":1}", "{\"n\":2}", "[DONE]"]).gated(&gate));
    let body = chat_stream("hi");
    gate.open(1);
    let mut events = gateway
        .client()
        .post(CHAT)
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await
        .events();
    assert_eq!(
        events.next().await.unwrap().data,
        "{\"n\":1}",
        "it came while the second was held back"
    );
    gate.open(1);
    assert_eq!(events.next().await.unwrap().data, "{\"n\":2}");
    gate.open_for_good();
    assert_eq!(events.next().await.unwrap().data, "[DONE]");
    assert!(!events.finish().await.broken);
}

#[tokio::test]
async fn refused_requests_get_the_texts_of_the_table() {
    let provider = FakeProvider::start();
    let gateway =
        with_route(json!({ "ai-proxy": with(&provider, json!({ "max_req_body_size": 200 })) })).await;
    let client = gateway.client();
    let text = |content_type: &'static str, body: String| {
        let call = client.post(CHAT).header("content-type", content_type).body(body);
        async move {
            let answer = call.send().await;
            (answer.status.as_u16(), answer.text().await)
        }
    };
    let unsupported = "unsupported content-type: text/plain, only application/json is supported";
    assert_eq!(text("text/plain", "{}".into()).await, (400, unsupported.into()));
    let (status, body) = text("application/json", String::new()).await;
    assert_eq!(
        (status, body.trim()),
        (400, r#"{"message":"could not get body: request body is empty"}"#)
    );
    let (status, body) = text("application/json", "nonsense".into()).await;
    assert_eq!(status, 400);
    assert!(
        body.starts_with(r#"{"message":"could not parse JSON request body: "#),
        "{body}"
    );
    let (status, body) = text(
        "application/json",
        format!("{{\"messages\":\"{}\"}}", "x".repeat(300)),
    )
    .await;
    assert_eq!(status, 413);
    assert!(
        body.contains("is greater than the maximum size 200 allowed"),
        "{body}"
    );
    assert_eq!(
        text("application/json", "{}".into()).await,
        (400, "no matching AI protocol for the request".into())
    );
    let (status, body) = text(
        "application/json",
        r#"{"model":"a","model":"b","messages":[]}"#.into(),
    )
    .await;
    assert_eq!(
        status, 400,
        "two parsers must never disagree about the model: {body}"
    );
    assert!(provider.requests().is_empty(), "nothing of this went upstream");
}

#[tokio::test]
async fn a_provider_without_the_protocol_is_named() {
    let provider = FakeProvider::start();
    let mut conf = openai(&provider);
    conf["provider"] = json!("deepseek");
    let gateway = with_route(json!({ "ai-proxy": conf })).await;
    put_route(&gateway, "2", "/v1/embeddings", json!({ "ai-proxy": conf })).await;
    let call = gateway
        .client()
        .post("/v1/embeddings")
        .json(&json!({ "model": "m", "input": "x" }));
    let text = call.send().await.expect_status(400).await.text().await;
    assert_eq!(
        text,
        "provider deepseek does not support openai-embeddings protocol (supported: openai-chat)"
    );
}

#[tokio::test]
async fn upstream_errors_pass_verbatim() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    for (status, upstream_status) in [(429, None), (500, Some("500")), (503, Some("503")), (404, None)] {
        provider.next(Reply::body(
            status,
            "application/problem+json",
            r#"{"error": {"n": 1}}"#,
        ));
        let answer = gateway
            .client()
            .post(CHAT)
            .json(&chat("hi"))
            .send()
            .await
            .expect_status(status)
            .await;
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.header("x-apisix-upstream-status"), upstream_status);
        assert_eq!(answer.text().await, r#"{"error": {"n": 1}}"#);
    }
}

#[tokio::test]
async fn an_unreachable_upstream_is_500_and_a_silent_one_504() {
    let provider = FakeProvider::start();
    let gateway = with_route(json!({ "ai-proxy": with(&provider, json!({ "timeout": 100 })) })).await;
    provider.next(Reply::contract().head_gated(&Gate::closed()));
    let answer = gateway
        .client()
        .post(CHAT)
        .json(&chat("hi"))
        .send()
        .await
        .expect_status(504)
        .await;
    assert!(
        answer
            .text()
            .await
            .contains("<title>504 Gateway Time-out</title>")
    );
    // A port that nobody listens on: one that was just given back.
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let conf = json!({
        "provider": "openai", "auth": {}, "override": { "endpoint": format!("http://{free}") },
    });
    put_route(&gateway, "1", CHAT, json!({ "ai-proxy": conf })).await;
    let answer = gateway
        .client()
        .post(CHAT)
        .json(&chat("hi"))
        .send()
        .await
        .expect_status(500)
        .await;
    assert!(
        answer
            .text()
            .await
            .contains("<title>500 Internal Server Error</title>")
    );
}

#[tokio::test]
async fn response_limits_end_answers() {
    let provider = FakeProvider::start();
    let limits = json!({ "max_response_bytes": 100, "max_stream_duration_ms": 150 });
    let gateway = with_route(json!({ "ai-proxy": with(&provider, limits) })).await;
    provider.next(Reply::body(200, "application/json", "x".repeat(101)));
    let answer = gateway
        .client()
        .post(CHAT)
        .json(&chat("hi"))
        .send()
        .await
        .expect_status(502)
        .await;
    assert_eq!(answer.text().await, "max_response_bytes exceeded");

    provider.next(
        Reply::events(["{\"n\":1}".to_owned(), "x".repeat(200), "[DONE]".to_owned()])
            .every(Duration::from_millis(20)),
    );
    let answer = gateway
        .client()
        .post(CHAT)
        .json(&chat("hi"))
        .send()
        .await
        .expect_status(200)
        .await;
    let finished = answer.events().finish().await;
    assert_eq!(
        finished.data(),
        ["{\"n\":1}"],
        "the stream ends without its terminator"
    );

    provider.next(Reply::events(["{\"n\":1}", "[DONE]"]).gated(&Gate::closed()));
    let answer = gateway
        .client()
        .post(CHAT)
        .json(&chat("hi"))
        .send()
        .await
        .expect_status(504)
        .await;
    assert_eq!(answer.text().await, "max_stream_duration_ms exceeded");
}

#[tokio::test]
async fn a_stream_that_the_upstream_breaks_off_never_ends_cleanly() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let body = chat_stream("conf:cut");
    let finished = stream_to_end(gateway.client().post(CHAT).json(&body)).await;
    assert!(finished.broken, "the client sees that the stream broke");
    assert_ne!(finished.data().last(), Some(&"[DONE]"));
}

#[tokio::test]
async fn when_the_client_leaves_the_upstream_call_is_cancelled() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let gate = Gate::closed();
    gate.open(1);
    provider.next(Reply::events(["{\"n\":1}", "{\"n\":2}"]).gated(&gate));
    let body = chat_stream("hi");
    let mut events = gateway
        .client()
        .post(CHAT)
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await
        .events();
    events.next().await.unwrap();
    drop(events);
    provider.wait_disconnected().await;

    provider.next(Reply::contract().head_gated(&Gate::closed()));
    let call = tokio::spawn(gateway.client().post(CHAT).json(&chat("hi")).send());
    provider.wait_requests(2).await;
    call.abort();
    provider.wait_disconnected().await;
}

#[tokio::test]
async fn passthrough_keeps_method_path_and_query() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    let mut conf = openai(&provider);
    conf["auth"]["query"] = json!({ "key": "secret" });
    put_route(&gateway, "1", "/*", json!({ "ai-proxy": conf })).await;
    provider.next(Reply::json(200, &json!({ "ok": true })));
    let call = gateway
        .client()
        .call(http::Method::PUT, "/anything/here?a=1&key=mine")
        .json(&json!({ "foo": 1 }));
    assert_eq!(
        call.send().await.expect_status(200).await.json().await,
        json!({ "ok": true })
    );
    let sent = provider.last_request();
    assert_eq!(
        (sent.method.as_str(), sent.path.as_str()),
        ("PUT", "/anything/here")
    );
    assert_eq!(
        sent.query.as_deref(),
        Some("key=secret&a=1"),
        "auth.query cannot be overridden"
    );
}

#[tokio::test]
async fn older_forms_are_accepted() {
    let provider = FakeProvider::start();
    let conf = json!({
        "auth": { "header": { "Authorization": "Bearer k" } },
        "model": { "provider": "openai", "name": "gpt-4", "options": { "max_tokens": 5 } },
        "override": { "endpoint": format!("http://{}", provider.addr()) },
    });
    let gateway = crate::support::gateway().await;
    let route = json!({
        "uri": CHAT,
        "plugins": { "ai-proxy": conf, "ai-rate-limiting": { "limit": 9, "time_window": 9, "limit_strategy": "token" } },
        "upstream": { "type": "roundrobin", "nodes": { "127.0.0.1:1": 1 } },
    });
    gateway.admin().put("/routes/1", route).await.expect_status(201);
    gateway
        .client()
        .post(CHAT)
        .json(&chat("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await;
    let sent = provider.last_request().json();
    assert_eq!(
        (&sent["model"], &sent["max_tokens"]),
        (&json!("gpt-4"), &json!(5))
    );
    let status = gateway
        .admin()
        .client()
        .get("/status")
        .send()
        .await
        .expect_status(200)
        .await
        .json()
        .await;
    assert!(status.to_string().contains("obsolete"), "{status}");
}

/// Calls a chat provider as an Anthropic client does.
async fn call_converted(provider: &FakeProvider, status: u16) -> sluice_testkit::Answer {
    let gateway = crate::support::gateway().await;
    put_route(
        &gateway,
        "1",
        "/v1/messages",
        json!({ "ai-proxy": openai(provider) }),
    )
    .await;
    gateway
        .client()
        .post("/v1/messages")
        .json(&json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] }))
        .send()
        .await
        .expect_status(status)
        .await
}

#[tokio::test]
async fn converted_answers_keep_the_providers_content_type() {
    let provider = FakeProvider::start();
    let body = json!({ "choices": [{ "message": { "content": "hi" }, "finish_reason": "stop" }] });
    provider.next(Reply::body(
        200,
        "application/json; charset=utf-8",
        body.to_string(),
    ));
    let answer = call_converted(&provider, 200).await;
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(answer.json().await["content"][0]["text"], "hi");

    provider.next(Reply::body(404, "text/plain", "not here"));
    let answer = call_converted(&provider, 404).await;
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.text().await, "not here");
}

#[tokio::test]
async fn an_empty_stream_cannot_be_converted() {
    let provider = FakeProvider::start();
    provider.next(Reply::frames("text/event-stream", [""; 0]));
    let answer = call_converted(&provider, 502).await;
    let text = answer.text().await;
    assert!(
        text.starts_with("streaming response completed without producing any output;"),
        "{text}"
    );
}

#[tokio::test]
async fn what_a_target_lacks_is_said_when_it_is_written() {
    let gateway = crate::support::gateway().await;
    for (conf, said) in [
        (json!({ "auth": {} }), r#"property \"provider\" is required"#),
        (
            json!({ "auth": {}, "model": { "name": "gpt-4" } }),
            r#"property \"provider\" is required"#,
        ),
        (
            json!({ "provider": "openai", "auth": { "header": { "x-key": "a\nb" } } }),
            "auth.header.x-key is not a valid header",
        ),
    ] {
        let route = json!({ "uri": "/x", "plugins": { "ai-proxy": conf } });
        let answer = gateway.admin().put("/routes/1", route).await.expect_status(400);
        assert_eq!(
            answer.text().trim_end(),
            format!(r#"{{"error_msg":"failed to check the configuration of plugin ai-proxy err: {said}"}}"#)
        );
    }
}

#[tokio::test]
async fn tools_are_counted_in_what_is_sent() {
    let tool = |name: &str| json!({ "type": "function", "function": { "name": name } });
    let provider = FakeProvider::start();
    let count = json!({ "headers": { "set": { "x-tools": "$llm_tool_count" } } });
    let gateway = with_route(json!({ "ai-proxy": openai(&provider), "response-rewrite": count })).await;
    let counted = async |changes: Value, own: Value| {
        let mut proxy = openai(&provider);
        proxy
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        proxy["override"]["endpoint"] = json!(format!("http://{}", provider.addr()));
        let plugins = json!({ "ai-proxy": proxy, "response-rewrite": count });
        put_route(&gateway, "1", "/v1/chat/completions", plugins).await;
        let mut body = chat("conf:hello");
        body["tools"] = own;
        let call = gateway.client().post("/v1/chat/completions").json(&body);
        let answer = call.send().await.expect_status(200).await;
        let count = answer.header("x-tools").unwrap().to_owned();
        answer.bytes().await;
        let sent = provider.last_request().json()["tools"]
            .as_array()
            .map_or(0, Vec::len);
        assert_eq!(count, sent.to_string());
        sent
    };
    let own = json!([tool("a")]);
    assert_eq!(counted(json!({}), own.clone()).await, 1);
    let two = json!({ "tools": [tool("b"), tool("c")] });
    assert_eq!(counted(json!({ "options": two }), own.clone()).await, 2);
    let filled = json!({ "override": { "request_body": { "openai-chat": two } } });
    assert_eq!(counted(filled, own).await, 1, "what is there stays");
    assert_eq!(
        counted(json!({ "options": { "tools": [] } }), json!([tool("a")])).await,
        0
    );
}
