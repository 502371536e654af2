//! Bedrock's binary streams under guards and moderators: cut into events, changed and refused in their own framing.

use serde_json::{Value, json};
use sluice_testkit::{
    AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, FakeProvider, Gate, Gateway, Reply, bedrock_event,
    bedrock_events, bedrock_exception,
};

use super::finds;
use crate::support::{gateway, put_route};

const PATH: &str = "/my/converse";
const STREAM: &str = "application/vnd.amazon.eventstream";

type Events = Vec<(String, Value)>;

/// A route with these plugins before Bedrock.
async fn behind(plugins: Value, provider: &FakeProvider, profile: &str) -> Gateway {
    let gateway = gateway().await;
    let mut plugins = plugins;
    plugins["ai-proxy"] = json!({
        "provider": "bedrock", "profile": profile,
        "auth": { "aws": { "access_key_id": AWS_ACCESS_KEY_ID, "secret_access_key": AWS_SECRET_ACCESS_KEY } },
        "provider_conf": { "region": "eu-central-1" },
        "override": { "endpoint": provider.url("") },
    });
    put_route(&gateway, "1", PATH, plugins).await;
    gateway
}

fn question(text: &str) -> Value {
    json!({
        "model": "m", "stream": true, "messages": [{ "role": "user", "content": [{ "text": text }] }],
    })
}

/// Sends a request for a stream, and reads its events.
async fn ask(gateway: &Gateway, text: &str) -> Events {
    let call = gateway.client().post(PATH).json(&question(text));
    let answer = call.send().await.expect_status(200).await;
    assert_eq!(answer.header("content-type"), Some(STREAM));
    bedrock_events(&answer.bytes().await)
}

fn delta(block: u32, delta: Value) -> (String, Value) {
    let payload = json!({ "contentBlockIndex": block, "delta": delta });
    ("contentBlockDelta".to_owned(), payload)
}

fn stop(block: u32) -> (String, Value) {
    (
        "contentBlockStop".to_owned(),
        json!({ "contentBlockIndex": block }),
    )
}

fn start() -> (String, Value) {
    ("messageStart".to_owned(), json!({ "role": "assistant" }))
}

fn end(reason: &str, tokens: u64) -> [(String, Value); 2] {
    let usage = json!({ "inputTokens": tokens, "outputTokens": tokens, "totalTokens": 2 * tokens });
    [
        ("messageStop".to_owned(), json!({ "stopReason": reason })),
        ("metadata".to_owned(), json!({ "usage": usage })),
    ]
}

/// The events of a stream that says these pieces in one block of text.
fn pieces(pieces: &[&str]) -> Events {
    let deltas = pieces.iter().map(|piece| delta(0, json!({ "text": piece })));
    let mut events = vec![start()];
    events.extend(deltas);
    events.push(stop(0));
    events.extend(end("end_turn", 3));
    events
}

fn stream(events: &[(String, Value)]) -> Reply {
    let frames = events.iter().map(|(name, payload)| bedrock_event(name, payload));
    Reply::frames(STREAM, frames)
}

fn said(events: &Events) -> String {
    let texts = events
        .iter()
        .filter_map(|(_, payload)| payload["delta"]["text"].as_str());
    texts.collect()
}

#[tokio::test]
async fn a_guard_masks_texts_and_arguments_wherever_they_are_cut() {
    let provider = FakeProvider::start();
    let gateway = behind(json!({ "ai-guard": { "mask": ["email"] } }), &provider, "apisix").await;
    let tool = json!({ "toolUse": { "toolUseId": "t1", "name": "send" } });
    let mut events = vec![
        start(),
        delta(0, json!({ "reasoningContent": { "text": "Is it jane@exa" } })),
        delta(0, json!({ "reasoningContent": { "text": "mple.org?" } })),
        delta(0, json!({ "reasoningContent": { "signature": "c2ln" } })),
        stop(0),
        delta(1, json!({ "text": "Write to jane@exam" })),
        delta(1, json!({ "text": "ple.org" })),
        stop(1),
        (
            "contentBlockStart".to_owned(),
            json!({ "contentBlockIndex": 2, "start": tool, "p": "abc" }),
        ),
        delta(2, json!({ "toolUse": { "input": "{\"to\":\"jane@ex" } })),
        delta(2, json!({ "toolUse": { "input": "ample.org\"}" } })),
        stop(2),
    ];
    events.extend(end("tool_use", 3));
    provider.next(stream(&events));
    let seen = ask(&gateway, "hi").await;
    let all = json!(seen).to_string();
    assert!(!all.contains("jane") && !all.contains("example.org"), "{all}");
    assert_eq!(said(&seen), "Write to [EMAIL_1]");
    let inputs = seen
        .iter()
        .filter_map(|(_, payload)| payload["delta"]["toolUse"]["input"].as_str());
    assert_eq!(inputs.collect::<String>(), r#"{"to":"[EMAIL_1]"}"#);
    let thoughts = seen
        .iter()
        .filter_map(|(_, payload)| payload["delta"]["reasoningContent"]["text"].as_str());
    assert_eq!(thoughts.collect::<String>(), "Is it [EMAIL_1]?");
    let others = |events: &Events| -> Vec<_> {
        let is_piece = |payload: &Value| {
            let delta = &payload["delta"];
            [
                &delta["text"],
                &delta["toolUse"],
                &delta["reasoningContent"]["text"],
            ]
            .iter()
            .any(|piece| !piece.is_null())
        };
        events
            .iter()
            .filter(|(_, payload)| !is_piece(payload))
            .cloned()
            .collect()
    };
    assert_eq!(
        others(&seen),
        others(&events),
        "other events are left as they are"
    );
}

#[tokio::test]
async fn masks_come_back_in_answers() {
    let provider = FakeProvider::start();
    let gateway = behind(
        json!({ "ai-guard": { "unmask": ["email"] } }),
        &provider,
        "apisix",
    )
    .await;
    provider.next(stream(&pieces(&["I wrote to [EM", "AIL_1", "]."])));
    let seen = ask(&gateway, "Write to jane@example.org").await;
    assert_eq!(said(&seen), "I wrote to jane@example.org.");
    let sent = provider.last_request().json();
    assert_eq!(sent["messages"][0]["content"][0]["text"], "Write to [EMAIL_1]");
}

#[tokio::test]
async fn a_guards_refusal_continues_the_message() {
    let provider = FakeProvider::start();
    let gateway = behind(json!({ "ai-guard": { "block": ["email"] } }), &provider, "apisix").await;
    let events = pieces(&["So far so good. ", "jane@exam", "ple.org", " more"]);
    provider.next(stream(&events).stall_after(5));
    let seen = ask(&gateway, "hi").await;
    let refusal = json!({ "text": "The answer contains content that must not be shown." });
    let mut expected = vec![
        start(),
        delta(0, json!({ "text": "So far so good. " })),
        stop(0),
        delta(1, refusal),
        stop(1),
    ];
    expected.extend(end("content_filtered", 0));
    let without_empty: Events = seen
        .into_iter()
        .filter(|(_, payload)| payload["delta"]["text"] != "")
        .collect();
    assert_eq!(without_empty, expected);
    provider.wait_disconnected().await;
}

#[tokio::test]
async fn what_a_guard_cannot_read_is_treated_by_its_fail_mode() {
    let provider = FakeProvider::start();
    let mut broken = bedrock_event(
        "contentBlockDelta",
        &json!({ "delta": { "text": "jane@example.org" } }),
    )
    .to_vec();
    broken[60] ^= 1;
    let stream = || {
        let (name, payload) = start();
        Reply::frames(STREAM, [bedrock_event(&name, &payload).to_vec(), broken.clone()])
    };
    let guard = |mode: &str| json!({ "ai-guard": { "block": ["email"], "fail_mode": mode } });
    let gateway = behind(guard("error"), &provider, "apisix").await;
    provider.next(stream());
    let seen = ask(&gateway, "hi").await;
    assert_eq!(said(&seen), "The answer contains content that must not be shown.");
    let gateway = behind(guard("skip"), &provider, "apisix").await;
    provider.next(stream());
    let answer = gateway.client().post(PATH).json(&question("hi")).send().await;
    assert!(answer.bytes().await.ends_with(&broken), "it passes as it came");
}

#[tokio::test]
async fn a_moderator_in_real_time_ends_a_stream_with_its_refusal() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds(
        "bad",
        |is_bad| json!({ "flagged": is_bad, "message": "Stopped." }),
    ));
    let moderator = json!({
        "endpoint": service.url("/"), "check_request": false, "check_response": true,
        "stream_check_mode": "realtime", "stream_check_cache_size": 4,
    });
    let gateway = behind(json!({ "ai-content-moderation": moderator }), &provider, "apisix").await;
    let gate = Gate::closed();
    provider.next(stream(&pieces(&["fine words", " bad words", " secret"])).gated(&gate));
    let call = gateway.client().post(PATH).json(&question("hi"));
    gate.open(2);
    let mut answer = call.send().await.expect_status(200).await;
    let mut first = answer.chunk().await.unwrap().unwrap().to_vec();
    if bedrock_events(&first).len() == 1 {
        first.extend_from_slice(&answer.chunk().await.unwrap().unwrap());
    }
    assert_eq!(bedrock_events(&first), pieces(&["fine words"])[..2]);
    gate.open(1);
    let rest = bedrock_events(&answer.bytes().await);
    let mut expected = vec![start(), delta(0, json!({ "text": "Stopped." })), stop(0)];
    expected.extend(end("end_turn", 0));
    assert_eq!(rest, expected);
    assert_eq!(service.last_request().json()["text"], " bad words");
    provider.wait_disconnected().await;
}

#[tokio::test]
async fn a_moderator_at_the_end_notes_the_level() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", |is_bad| json!({ "flagged": is_bad })));
    let moderator = json!({ "endpoint": service.url("/"), "check_request": false, "check_response": true });
    let gateway = behind(json!({ "ai-content-moderation": moderator }), &provider, "apisix").await;
    provider.next(stream(&pieces(&["all", " bad"])));
    let seen = ask(&gateway, "hi").await;
    let levels: Vec<_> = seen
        .iter()
        .map(|(_, payload)| payload["risk_level"].as_str())
        .collect();
    assert_eq!(levels[..4], [None; 4]);
    assert_eq!(levels[4..], [Some("high"); 2], "{seen:?}");
    assert_eq!(said(&seen), "all bad");
    assert_eq!(service.requests().len(), 1);
}

#[tokio::test]
async fn a_moderator_does_not_let_pass_what_it_cannot_read() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", |is_bad| json!({ "flagged": is_bad })));
    let garbage = || Reply::frames(STREAM, [b"this is no event stream".to_vec()]);
    for (open, passes) in [(false, false), (true, true)] {
        let moderator = json!({
            "endpoint": service.url("/"), "check_request": false, "check_response": true,
            "stream_check_mode": "realtime", "fail_open": open,
        });
        let gateway = behind(json!({ "ai-content-moderation": moderator }), &provider, "apisix").await;
        provider.next(garbage());
        let answer = gateway.client().post(PATH).json(&question("hi")).send().await;
        let body = answer.bytes().await;
        if passes {
            assert_eq!(body, "this is no event stream");
        } else {
            assert_eq!(
                said(&bedrock_events(&body)),
                "The content could not be moderated."
            );
        }
    }
}

#[tokio::test]
async fn lakera_withholds_a_stream_without_a_byte_of_another_framing() {
    let (service, provider) = (FakeProvider::start(), FakeProvider::start());
    service.always(finds("bad", |flagged| json!({ "flagged": flagged })));
    let guard = json!({
        "api_key": "k", "lakera_endpoint": service.url("/v2/guard"), "direction": "output",
    });
    let gateway = behind(json!({ "ai-lakera-guard": guard }), &provider, "apisix").await;
    let fine = pieces(&["all", " fine"]);
    provider.next(stream(&fine));
    assert_eq!(ask(&gateway, "hi").await, fine);
    assert_eq!(
        service.last_request().json()["messages"][0]["content"],
        "all fine"
    );
    provider.next(stream(&pieces(&["all", " bad"])));
    let seen = ask(&gateway, "hi").await;
    let mut expected = vec![
        start(),
        delta(0, json!({ "text": "Response blocked by Lakera Guard" })),
        stop(0),
    ];
    expected.extend(end("end_turn", 3));
    assert_eq!(seen, expected, "with the usage that the provider reported");
}

#[tokio::test]
async fn exceptions_pass_guards() {
    let provider = FakeProvider::start();
    let gateway = behind(json!({ "ai-guard": { "mask": ["email"] } }), &provider, "apisix").await;
    let exception = json!({ "message": "slow down" });
    let (name, payload) = delta(0, json!({ "text": "Mail jane@example.org" }));
    let frames = [
        bedrock_event(&name, &payload),
        bedrock_exception("throttlingException", &exception),
    ];
    provider.next(Reply::frames(STREAM, frames));
    let seen = ask(&gateway, "hi").await;
    assert_eq!(said(&seen), "Mail [EMAIL_1]");
    assert_eq!(seen.last(), Some(&("throttlingException".to_owned(), exception)));
}

#[tokio::test]
async fn a_refused_request_is_told_as_each_profile_does() {
    let provider = FakeProvider::start();
    let guard = json!({ "ai-guard": { "block": ["email"] } });
    let text = "The request contains content that must not be sent.";
    let gateway = behind(guard.clone(), &provider, "native").await;
    assert_eq!(said(&ask(&gateway, "jane@example.org").await), text);
    let gateway = behind(guard, &provider, "apisix").await;
    let call = gateway.client().post(PATH).json(&question("jane@example.org"));
    let answer = call.send().await.expect_status(200).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(
        answer.json().await["output"]["message"]["content"][0]["text"],
        text
    );
    assert!(provider.requests().is_empty());
}
