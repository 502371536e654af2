//! Streams under moderation, in the client's protocol whatever the provider speaks.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::{CHAT, answer, finds, moderated};
use crate::support::{chat_stream, put_route};

const NAME: &str = "ai-content-moderation";

fn hook(is_bad: bool) -> Value {
    json!({ "flagged": is_bad, "message": "Stopped." })
}

fn conf(service: &FakeProvider, more: Value) -> Value {
    let mut conf = json!({ "endpoint": service.url("/"), "check_request": false, "check_response": true });
    for (name, value) in more.as_object().into_iter().flatten() {
        conf[name] = value.clone();
    }
    conf
}

/// Chunks of a chat with one word each, usage and end.
fn words(words: &[&str], done: bool) -> Reply {
    let chunk = |delta: Value| json!({ "id": "1", "choices": [{ "index": 0, "delta": delta }] }).to_string();
    let mut events: Vec<_> = words
        .iter()
        .map(|word| chunk(json!({ "content": word })))
        .collect();
    let usage = json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 });
    events.push(json!({ "id": "1", "choices": [], "usage": usage }).to_string());
    events.extend(done.then(|| "[DONE]".to_owned()));
    Reply::events(events)
}

/// The events of a stream that are JSON.
fn events(body: &str) -> Vec<Value> {
    body.lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str(data).ok())
        .collect()
}

async fn ask(gateway: &Gateway) -> String {
    let (status, _, body) = answer(gateway.client().post(CHAT).json(&chat_stream("x"))).await;
    assert_eq!(status, 200);
    body
}

#[tokio::test]
async fn in_final_packet_mode_the_level_is_noted_at_the_end() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", hook));
    let gateway = moderated(NAME, conf(&service, json!({})), &provider).await;
    for (text, level) in [(["all", " fine"], "none"), (["all", " bad"], "high")] {
        provider.next(words(&text, true));
        let body = ask(&gateway).await;
        let last = events(&body).pop().unwrap();
        assert_eq!(last["risk_level"], level, "{body}");
        assert_eq!(last["usage"]["total_tokens"], 7);
        assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    }
    assert_eq!(
        service.last_request().json(),
        json!({ "direction": "response", "text": "all bad" })
    );
    assert_eq!(service.requests().len(), 2, "each stream is judged once");
    provider.next(words(&["fine"], false));
    let body = ask(&gateway).await;
    assert!(
        body.ends_with("data: [DONE]\n\n"),
        "a missing end is added: {body}"
    );
}

#[tokio::test]
async fn in_real_time_what_is_found_ends_the_stream() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", hook));
    let more = json!({ "stream_check_mode": "realtime", "stream_check_cache_size": 6 });
    let gateway = moderated(NAME, conf(&service, more), &provider).await;
    let gate = sluice_testkit::Gate::closed();
    provider.next(words(&["fine so far", " bad words", " secret", " more"], true).gated(&gate));
    let call = gateway.client().post(CHAT).json(&chat_stream("x"));
    gate.open(1);
    let mut answer = call.send().await.expect_status(200).await;
    let first = answer.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("fine so far"));
    gate.open(1);
    let second = String::from_utf8(answer.chunk().await.unwrap().unwrap().to_vec()).unwrap();
    assert!(
        second.contains("Stopped.") && !second.contains("bad words"),
        "{second}"
    );
    assert!(second.ends_with("data: [DONE]"), "{second}");
    assert!(answer.chunk().await.unwrap().is_none(), "the stream is over");
    provider.wait_disconnected().await;
}

#[tokio::test]
async fn in_real_time_the_rest_is_judged_at_the_end() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", hook));
    let more = json!({ "stream_check_mode": "realtime", "stream_check_cache_size": 10_000 });
    let gateway = moderated(NAME, conf(&service, more), &provider).await;
    provider.next(words(&["all", " good"], true));
    let body = ask(&gateway).await;
    assert!(
        body.contains("good") && body.ends_with("data: [DONE]\n\n"),
        "{body}"
    );
    assert_eq!(service.last_request().json()["text"], "all good");
}

#[tokio::test]
async fn an_anthropic_client_of_an_openai_provider_is_refused_in_its_own_events() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", hook));
    let more = json!({ "stream_check_mode": "realtime", "stream_check_cache_size": 1 });
    let gateway = moderated(NAME, conf(&service, more.clone()), &provider).await;
    let plugins = json!({ NAME: conf(&service, more), "ai-proxy": crate::support::openai(&provider) });
    put_route(&gateway, "2", "/v1/messages", plugins).await;
    let body = json!({
        "model": "m", "max_tokens": 10, "stream": true, "messages": [{ "role": "user", "content": "x" }],
    });
    provider.next(words(&["bad"], true));
    let (status, _, body) = answer(gateway.client().post("/v1/messages").json(&body)).await;
    assert_eq!(status, 200);
    assert_eq!(provider.last_request().path, "/v1/chat/completions");
    assert!(body.contains(r#""text":"Stopped.""#), "{body}");
    assert!(!body.contains("bad"), "{body}");
    assert!(body.contains("event: message_stop"), "{body}");
}

#[tokio::test]
async fn a_service_that_fails_ends_streams_unless_told_otherwise() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(Reply::body(500, "text/plain", "down"));
    let more = json!({ "stream_check_mode": "realtime", "stream_check_cache_size": 1 });
    let gateway = moderated(NAME, conf(&service, more), &provider).await;
    provider.next(words(&["all", " fine"], true));
    let body = ask(&gateway).await;
    assert!(body.contains("The content could not be moderated."), "{body}");
    assert!(!body.contains("all"), "{body}");
    for mode in ["realtime", "final_packet"] {
        let more = json!({ "stream_check_mode": mode, "fail_open": true });
        let gateway = moderated(NAME, conf(&service, more), &provider).await;
        provider.next(words(&["all", " fine"], true));
        let body = ask(&gateway).await;
        assert!(!body.contains("risk_level"), "{body}");
        assert!(body.ends_with("data: [DONE]\n\n"), "{body}");
    }
}

#[tokio::test]
async fn a_broken_stream_stays_broken() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", hook));
    let gateway = moderated(NAME, conf(&service, json!({})), &provider).await;
    provider.next(words(&["all", " fine"], true).cut_after(2));
    let answer = gateway.client().post(CHAT).json(&chat_stream("x")).send().await;
    assert!(answer.try_bytes().await.is_err());
}
