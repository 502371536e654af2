use http::Method;
use serde_json::json;
use sluice_testkit::{Call, Completion, FakeProvider, Gateway, Reply};

use super::{answered, on_openai, post, refused};
use crate::support::{gateway, put, stream_to_end};
use crate::translation::client_of;

const TYPE: &str = "multipart/form-data; boundary=x";
const UPLOAD: &str = "--x\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n\
    --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.jsonl\"\r\n\r\n{}\n\r\n--x--\r\n";

fn call(gateway: &Gateway, method: Method, path: &str) -> Call {
    gateway.client().call(method, path).key("sk-native")
}

#[tokio::test]
async fn files_and_batches() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    let upload = post(&gateway, "/v1/files")
        .header("content-type", TYPE)
        .body(UPLOAD);
    assert_eq!(answered(upload).await["filename"], "a.jsonl");
    assert_eq!(provider.last_request().body, UPLOAD, "nothing is added");
    let list = answered(call(&gateway, Method::GET, "/v1/files?limit=2&purpose=batch")).await;
    assert_eq!(list["object"], "list");
    assert_eq!(
        provider.last_request().query.as_deref(),
        Some("limit=2&purpose=batch")
    );
    assert_eq!(
        answered(call(&gateway, Method::GET, "/v1/files/file-1")).await["id"],
        "file-1"
    );
    let content = call(&gateway, Method::GET, "/v1/files/file-1/content")
        .send()
        .await;
    let content = content.expect_status(200).await;
    assert_eq!(content.header("content-type"), Some("application/octet-stream"));
    assert_eq!(content.text().await, "{\"custom_id\":\"1\"}\n");
    let deleted = answered(call(&gateway, Method::DELETE, "/v1/files/file-1")).await;
    assert_eq!(deleted["deleted"], true);
    let batch =
        json!({ "input_file_id": "file-1", "endpoint": "/v1/chat/completions", "completion_window": "24h" });
    let made = answered(post(&gateway, "/v1/batches").json(&batch)).await;
    assert_eq!(made["status"], "validating");
    assert_eq!(provider.last_request().json(), batch, "no model is put into it");
    let got = answered(call(&gateway, Method::GET, "/v1/batches/batch_1")).await;
    assert_eq!(got["id"], "batch_1");
    let cancelled = answered(post(&gateway, "/v1/batches/batch_1/cancel")).await;
    assert_eq!(cancelled["status"], "cancelling");
    answered(call(&gateway, Method::GET, "/v1/batches")).await;
    assert_eq!(provider.refused(), Vec::<String>::new());
    provider.next(Reply::error(404, "No such file"));
    let answer = refused(call(&gateway, Method::GET, "/v1/files/file-9"), 404).await;
    assert_eq!(answer["error"]["message"], "No such file");
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    provider.next(Reply::body(200, "application/octet-stream", ""));
    let content = call(&gateway, Method::GET, "/v1/files/file-1/content")
        .send()
        .await;
    assert_eq!(content.expect_status(200).await.bytes().await, "");
}

#[tokio::test]
async fn stored_responses() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    for (method, path) in [
        (Method::GET, "/v1/responses/resp_1"),
        (Method::DELETE, "/v1/responses/resp_1"),
        (Method::POST, "/v1/responses/resp_1/cancel"),
        (Method::GET, "/v1/responses/resp_1/input_items"),
    ] {
        provider.next(Reply::json(200, &json!({ "id": "resp_1" })));
        assert_eq!(
            answered(call(&gateway, method.clone(), path)).await["id"],
            "resp_1"
        );
        let sent = provider.last_request();
        assert_eq!((sent.method, &*sent.path), (method, path));
    }
    let answer = refused(
        post(&gateway, "/v1/responses/compact").json(&json!({ "model": "m" })),
        404,
    )
    .await;
    assert_eq!(answer["error"]["code"], "response_not_found");
    let gateway = client_of("deepseek", &provider).await;
    let answer = refused(call(&gateway, Method::GET, "/v1/responses/resp_1"), 404).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("deepseek stores no responses"), "{message}");
    assert_eq!(provider.requests().len(), 4);
}

#[tokio::test]
async fn responses_that_were_translated_are_read_here() {
    let provider = FakeProvider::strict();
    let gateway = client_of("anthropic", &provider).await;
    let stranger = json!({ "username": "other", "plugins": { "key-auth": { "key": "sk-other" } } });
    put(&gateway, "/consumers", stranger).await;
    for streams in [false, true] {
        let body = json!({ "model": "m", "input": "conf:hello", "stream": streams });
        let asked = post(&gateway, "/v1/responses").json(&body);
        let said = match streams {
            false => answered(asked).await,
            true => stream_to_end(asked).await.json().last().unwrap()["response"].clone(),
        };
        let path = format!("/v1/responses/{}", said["id"].as_str().unwrap());
        let calls = provider.requests().len();
        assert_eq!(answered(call(&gateway, Method::GET, &path)).await, said);
        let items = answered(call(&gateway, Method::GET, &format!("{path}/input_items"))).await;
        assert_eq!(items["data"][0]["content"][0]["text"], "conf:hello");
        let cancel = call(&gateway, Method::POST, &format!("{path}/cancel"));
        refused(cancel, 400).await;
        let of_another = gateway
            .client()
            .get(&path)
            .header("authorization", "Bearer sk-other");
        assert_ne!(of_another.send().await.status, 200);
        assert_eq!(
            answered(call(&gateway, Method::DELETE, &path)).await["deleted"],
            true
        );
        refused(call(&gateway, Method::GET, &path), 404).await;
        assert_eq!(provider.requests().len(), calls, "nobody is asked");
    }

    let mut conf = crate::translation::target("anthropic", &provider);
    conf["options"]["model"] = json!("claude-sonnet-4-5");
    let plugins =
        json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf, "ai-guard": { "mask": ["email"] } });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
    provider.next(Reply::completion(Completion::new().text("Ask jane@example.org.")));
    let body = json!({ "model": "m", "input": "Whom?" });
    let said = answered(post(&gateway, "/v1/responses").json(&body)).await;
    assert_eq!(said["output"][0]["content"][0]["text"], MASKED);
    let path = format!("/v1/responses/{}", said["id"].as_str().unwrap());
    let read = answered(call(&gateway, Method::GET, &path)).await;
    assert_eq!(
        read["output"][0]["content"][0]["text"], MASKED,
        "kept as it was said, shown as it may be"
    );
}

const MASKED: &str = "Ask [EMAIL_1].";

/// A gateway with a client of OpenAI whose prompts and answers are guarded.
async fn guarded(provider: &FakeProvider) -> Gateway {
    let gateway = on_openai(provider).await;
    let mut conf = crate::support::openai(provider);
    conf["options"] = json!({ "model": "up" });
    let guard = json!({ "mask": ["email"], "block": ["payment_card"] });
    let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf, "ai-guard": guard });
    let consumer = json!({ "username": "native", "plugins": plugins });
    put(&gateway, "/consumers", consumer).await;
    gateway
}

fn form(file: &[u8]) -> Vec<u8> {
    let head = "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n";
    [head.as_bytes(), file, b"\r\n--x--\r\n"].concat()
}

#[tokio::test]
async fn the_lines_of_a_batch_are_guarded_both_ways() {
    let provider = FakeProvider::strict();
    let gateway = guarded(&provider).await;
    let upload = |file: &[u8]| {
        let call = post(&gateway, "/v1/files").header("content-type", TYPE);
        call.body(form(file))
    };
    let line = |id: u32, url: &str, body: serde_json::Value| {
        json!({ "custom_id": id.to_string(), "method": "POST", "url": url, "body": body }).to_string() + "\n"
    };
    let chat = |text: &str| json!({ "model": "m", "messages": [{ "role": "user", "content": text }] });
    let embed = |text: &str| json!({ "model": "m", "input": text });
    let batch = |text: &str| {
        let chat = line(1, "/v1/chat/completions", chat(text));
        chat + &line(2, "/v1/embeddings", embed(text))
    };
    answered(upload(batch("Ask jane@example.org.").as_bytes())).await;
    let parts = provider.last_request().form();
    assert_eq!(String::from_utf8_lossy(&parts[0].data), batch(MASKED));

    let before = provider.requests().len();
    let blocked = answered(upload(batch("card 4111 1111 1111 1111").as_bytes())).await;
    assert_eq!(blocked["error"]["code"], "content_policy_violation");
    let opaque = refused(upload(b"%PDF-1.7 \xff"), 500).await;
    assert_eq!(opaque["error"]["code"], "not_guarded");
    assert_eq!(provider.requests().len(), before, "nothing is sent");

    let answered_line = |text: &str| {
        let message = json!({ "role": "assistant", "content": text });
        let body = json!({ "object": "chat.completion", "choices": [{ "index": 0, "message": message }] });
        json!({ "custom_id": "1", "response": { "status_code": 200, "body": body } }).to_string() + "\n"
    };
    let content = async |file: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
            file.len()
        );
        provider.next(Reply::raw([head.as_bytes(), file].concat()));
        let call = call(&gateway, Method::GET, "/v1/files/file-1/content");
        call.send().await
    };
    let lines = answered_line("Ask jane@example.org.") + &answered_line("Nobody.");
    let shown = content(lines.as_bytes()).await.expect_status(200).await;
    assert_eq!(
        shown.text().await,
        answered_line(MASKED) + &answered_line("Nobody.")
    );
    let lines = answered_line("card 4111 1111 1111 1111");
    let blocked = content(lines.as_bytes()).await.text().await;
    assert!(!blocked.contains("4111"), "{blocked}");
    let opaque = content(b"%PDF-1.7 \xff").await.expect_status(500).await;
    assert!(opaque.text().await.contains("cannot be judged"));
    assert_eq!(provider.refused(), Vec::<String>::new());
}

#[tokio::test]
async fn stored_responses_and_moderations_are_guarded() {
    let provider = FakeProvider::strict();
    let gateway = guarded(&provider).await;
    let part = json!({ "type": "output_text", "text": "Ask jane@example.org." });
    let item = json!({ "type": "message", "role": "assistant", "content": [part] });
    let stored = json!({ "id": "resp_1", "object": "response", "status": "completed", "output": [item] });
    provider.next(Reply::json(200, &stored));
    let read = answered(call(&gateway, Method::GET, "/v1/responses/resp_1")).await;
    assert_eq!(read["output"][0]["content"][0]["text"], MASKED);
    // Its events would be judged by nobody.
    let streamed = call(&gateway, Method::GET, "/v1/responses/resp_1?stream=true");
    assert_eq!(
        refused(streamed, 403).await["error"]["code"],
        "response_not_shown"
    );
    let input = json!({ "input": "Ask jane@example.org." });
    answered(post(&gateway, "/v1/moderations").json(&input)).await;
    assert_eq!(provider.last_request().json()["input"], MASKED);
}

#[tokio::test]
async fn moderations() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    let answer = answered(post(&gateway, "/v1/moderations").json(&json!({ "input": "a" }))).await;
    assert_eq!(answer["results"][0]["flagged"], false);
    assert_eq!(provider.last_request().json(), json!({ "input": "a" }));
}

#[tokio::test]
async fn the_registry_is_asked_by_query_or_header() {
    let (a, b) = (FakeProvider::strict(), FakeProvider::strict());
    let gateway = gateway().await;
    let key = json!({ "key": "sk-native" });
    let models = json!({ "allow": ["ma", "mb"] });
    let plugins = json!({ "key-auth": key, "ai-models": models });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
    for (id, fake) in [("a", &a), ("b", &b)] {
        let provider =
            json!({ "type": "openai", "base_url": fake.url("/v1"), "auth": { "api_key": "sk-upstream" } });
        put(&gateway, &format!("/providers/{id}"), provider).await;
        let targets = json!([{ "provider": id, "model": "up" }]);
        put(&gateway, &format!("/models/m{id}"), json!({ "targets": targets })).await;
        put(
            &gateway,
            &format!("/models/secret-{id}"),
            json!({ "targets": targets }),
        )
        .await;
    }
    answered(call(&gateway, Method::GET, "/v1/files?model=ma&limit=2")).await;
    assert_eq!(a.last_request().query.as_deref(), Some("limit=2"));
    answered(call(&gateway, Method::GET, "/v1/files/file-1").header("x-sluice-model", "mb")).await;
    assert_eq!(b.last_request().path, "/v1/files/file-1");
    assert_eq!(b.last_request().header("x-sluice-model"), None);
    answered(call(&gateway, Method::DELETE, "/v1/files/file-1?model=mb")).await;
    assert_eq!(b.last_request().method, Method::DELETE);
    let answer = refused(call(&gateway, Method::GET, "/v1/files"), 400).await;
    assert_eq!(answer["error"]["code"], "missing_model");
    let answer = refused(call(&gateway, Method::GET, "/v1/files?model=nobody"), 403).await;
    assert_eq!(answer["error"]["code"], "model_not_allowed");
    let answer = refused(call(&gateway, Method::GET, "/v1/files?model=secret-a"), 403).await;
    assert_eq!(answer["error"]["code"], "model_not_allowed");
    // A form names its model itself.
    let form = "--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nmb\r\n\
        --x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\nsound\r\n--x--\r\n";
    let heard = post(&gateway, "/v1/audio/transcriptions")
        .header("content-type", TYPE)
        .body(form);
    assert_eq!(answered(heard).await["text"], "a.wav: 5 bytes, up");
    assert_eq!((a.requests().len(), b.requests().len()), (1, 3));
}
