//! `ai-guard`: content rules on requests, answers, streams and tool calls.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Finished, Gateway, Reply};

use crate::ledger::entries;
use crate::scrape::Scrape;
use crate::support::{chat, chat_stream, gateway, openai, put_route, stream_to_end};

const CHAT: &str = "/v1/chat/completions";
const EMAIL: &str = "jane.doe@example.org";
const CARD: &str = "4111 1111 1111 1111";

/// Routes for chat, messages and responses, guarded like this.
async fn guarded(provider: &FakeProvider, conf: Value) -> Gateway {
    let gateway = gateway().await;
    let plugins = json!({ "ai-guard": conf, "ai-proxy": openai(provider) });
    for (id, uri) in [("1", CHAT), ("2", "/v1/messages"), ("3", "/v1/responses")] {
        put_route(&gateway, id, uri, plugins.clone()).await;
    }
    gateway
}

async fn ask(gateway: &Gateway, uri: &str, body: &Value) -> Value {
    let answer = gateway.client().post(uri).json(body).send().await;
    answer.expect_status(200).await.json().await
}

async fn stream(gateway: &Gateway, uri: &str, body: &Value) -> Finished {
    stream_to_end(gateway.client().post(uri).json(body)).await
}

/// A chat answer that says this.
fn says(text: &str) -> Reply {
    let message = json!({ "role": "assistant", "content": text });
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    Reply::json(
        200,
        &json!({ "id": "c", "object": "chat.completion", "choices": [choice] }),
    )
}

/// A chat stream that says this, three bytes at a time.
fn streams(text: &str) -> Reply {
    let chunk = |delta: Value, finish: Value| {
        let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
        json!({ "id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice] }).to_string()
    };
    let pieces = text
        .as_bytes()
        .chunks(3)
        .map(|piece| std::str::from_utf8(piece).unwrap());
    let chunks = pieces.map(|piece| chunk(json!({ "content": piece }), Value::Null));
    let end = [chunk(json!({}), json!("stop")), "[DONE]".to_owned()];
    Reply::events(chunks.chain(end))
}

#[tokio::test]
async fn what_is_masked_comes_back_whole_and_in_streams() {
    let provider = FakeProvider::start();
    let gateway = guarded(&provider, json!({ "unmask": ["email"] })).await;
    provider.next(says("I wrote to [EMAIL_1]."));
    let question = format!("Write to {EMAIL}");
    let answer = ask(&gateway, CHAT, &chat(&question)).await;
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        format!("I wrote to {EMAIL}.")
    );
    provider.next(streams("I wrote to [EMAIL_1]. [EMAIL_2]"));
    let answer = stream(&gateway, CHAT, &chat_stream(&question)).await;
    assert_eq!(answer.text(), format!("I wrote to {EMAIL}. [EMAIL_2]"));
    assert_eq!(answer.data().last(), Some(&"[DONE]"));
    for request in provider.requests() {
        assert_eq!(request.json()["messages"][0]["content"], "Write to [EMAIL_1]");
    }
}

#[tokio::test]
async fn answers_are_masked_whatever_the_client_speaks() {
    let provider = FakeProvider::start();
    let gateway = guarded(&provider, json!({ "mask": ["email", "payment_card"] })).await;
    let text = format!("Mail {EMAIL}, card {CARD}, mail {EMAIL}");
    let masked = "Mail [EMAIL_1], card [CARD_1], mail [EMAIL_1]";
    let question = json!({ "role": "user", "content": "hi" });
    let anthropic =
        |stream: bool| json!({ "model": "m", "max_tokens": 9, "messages": [question], "stream": stream });

    provider.next(streams(&text));
    assert_eq!(stream(&gateway, CHAT, &chat_stream("hi")).await.text(), masked);

    // A client that speaks Anthropic, a provider that speaks OpenAI.
    provider.next(says(&text));
    let answer = ask(&gateway, "/v1/messages", &anthropic(false)).await;
    assert_eq!(answer["content"][0]["text"], masked);
    provider.next(streams(&text));
    let answer = stream(&gateway, "/v1/messages", &anthropic(true)).await;
    assert_eq!(answer.text(), masked);
    assert_eq!(answer.names().last(), Some(&"message_stop"));
    let names = answer.names();
    let stop = names
        .iter()
        .position(|name| *name == "content_block_stop")
        .unwrap();
    assert!(!names[stop..].contains(&"content_block_delta"), "{names:?}");
}

#[tokio::test]
async fn responses_say_the_same_wherever_they_say_it() {
    let provider = FakeProvider::start();
    let gateway = guarded(&provider, json!({ "mask": ["email"] })).await;
    let text = format!("Ask {EMAIL}");
    let delta = |piece: &str, number: u64| {
        json!({ "type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0,
            "delta": piece, "sequence_number": number })
    };
    let content = json!([{ "type": "output_text", "text": text }]);
    let events = [
        json!({ "type": "response.created", "response": { "id": "r", "output": [] }, "sequence_number": 0 }),
        delta("Ask jane.", 1),
        delta("doe@example.org", 2),
        json!({ "type": "response.output_text.done", "output_index": 0, "content_index": 0, "text": text,
            "sequence_number": 3 }),
        json!({ "type": "response.completed", "sequence_number": 4, "response": { "id": "r", "status": "completed",
            "output": [{ "type": "message", "role": "assistant", "content": content }] } }),
    ];
    provider.next(Reply::events(events.map(|event| event.to_string())));
    let body = json!({ "model": "m", "input": "hi", "stream": true });
    let answer = stream(&gateway, "/v1/responses", &body).await;
    let events = answer.json();
    let deltas = events.iter().filter_map(|event| event["delta"].as_str());
    assert_eq!(deltas.collect::<String>(), "Ask [EMAIL_1]");
    let done = events
        .iter()
        .find(|event| event["type"] == "response.output_text.done");
    assert_eq!(done.unwrap()["text"], "Ask [EMAIL_1]");
    let last = events.last().unwrap();
    assert_eq!(
        last["response"]["output"][0]["content"][0]["text"],
        "Ask [EMAIL_1]"
    );
    let numbers = events
        .iter()
        .filter_map(|event| event["sequence_number"].as_u64());
    assert!(numbers.eq(0..events.len() as u64), "{events:?}");
}

#[tokio::test]
async fn tool_calls_get_the_values_and_their_results_are_masked() {
    let provider = FakeProvider::start();
    let gateway = guarded(&provider, json!({ "unmask": ["email"] })).await;
    let call = |arguments: &str, first: bool| {
        let mut call = json!({ "index": 0, "function": { "arguments": arguments } });
        if first {
            call["id"] = json!("t1");
            call["function"]["name"] = json!("send");
        }
        json!({ "id": "c", "choices": [{ "index": 0, "delta": { "tool_calls": [call] } }] }).to_string()
    };
    let end = json!({ "id": "c", "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] });
    provider.next(Reply::events([
        call("", true),
        call(r#"{"to":"[EM"#, false),
        call(r#"AIL_1]","text":"\n\"hi\""}"#, false),
        end.to_string(),
        "[DONE]".to_owned(),
    ]));
    let answer = stream(&gateway, CHAT, &chat_stream(EMAIL)).await;
    let arguments: String = answer
        .json()
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    let arguments: Value = serde_json::from_str(&arguments).unwrap();
    assert_eq!(arguments, json!({ "to": EMAIL, "text": "\n\"hi\"" }));

    let history = json!({ "model": "m", "messages": [
        { "role": "user", "content": EMAIL },
        { "role": "assistant", "tool_calls": [{ "id": "t1", "type": "function",
            "function": { "name": "send", "arguments": json!({ "to": EMAIL }).to_string() } }] },
        { "role": "tool", "tool_call_id": "t1", "content": format!("sent to {EMAIL}, copy to x@y.example") },
    ] });
    provider.next(says("done"));
    ask(&gateway, CHAT, &history).await;
    let sent = provider.last_request().json();
    let messages = &sent["messages"];
    assert_eq!(
        messages[1]["tool_calls"][0]["function"]["arguments"],
        r#"{"to":"[EMAIL_1]"}"#
    );
    assert_eq!(messages[2]["content"], "sent to [EMAIL_1], copy to [EMAIL_2]");
}

#[tokio::test]
async fn refused_requests_never_leave() {
    let provider = FakeProvider::start();
    let conf = json!({ "block": ["secret"], "deny_code": 403, "deny_message": "no secrets" });
    let gateway = guarded(&provider, conf).await;
    let secret = "key sk-abcdefghijklmnopqrstuvwxyz";
    let call = gateway.client().post(CHAT).json(&chat(secret));
    let answer = call.send().await.expect_status(403).await.json().await;
    assert_eq!(answer["choices"][0]["message"]["content"], "no secrets");
    let body = json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "user", "content": secret }] });
    let call = gateway.client().post("/v1/messages").json(&body);
    let answer = call.send().await.expect_status(403).await.json().await;
    assert_eq!(answer["content"][0]["text"], "no secrets");
    assert!(provider.requests().is_empty());
}

#[tokio::test]
async fn refused_streams_end_in_the_clients_protocol() {
    let provider = FakeProvider::start();
    let gateway = guarded(
        &provider,
        json!({ "block": ["payment_card"], "deny_message": "stop" }),
    )
    .await;
    let text = format!("The card is {CARD}, use it well");
    provider.next(streams(&text));
    let answer = stream(&gateway, CHAT, &chat_stream("hi")).await;
    assert_eq!(answer.text(), "The card is stop");
    let chunks = answer.json();
    assert_eq!(
        chunks.last().unwrap()["choices"][0]["finish_reason"],
        "content_filter"
    );
    assert_eq!(answer.data().last(), Some(&"[DONE]"));

    provider.next(streams(&text));
    let body = json!({ "model": "m", "max_tokens": 9, "stream": true, "messages": [{ "role": "user", "content": "hi" }] });
    let answer = stream(&gateway, "/v1/messages", &body).await;
    assert_eq!(answer.text(), "The card is stop");
    assert_eq!(answer.names().last(), Some(&"message_stop"));
    assert_eq!(
        answer
            .names()
            .iter()
            .filter(|name| **name == "message_start")
            .count(),
        1
    );
    assert_eq!(
        answer
            .names()
            .iter()
            .filter(|name| **name == "content_block_start")
            .count(),
        answer
            .names()
            .iter()
            .filter(|name| **name == "content_block_stop")
            .count(),
    );
}

#[tokio::test]
async fn records_and_metrics_tell_rules_and_no_texts() {
    let provider = FakeProvider::start();
    let conf = json!({ "mask": ["email"], "block": ["payment_card"], "log": ["ip_address"] });
    let mut gateway = guarded(&provider, conf).await;
    provider.next(says(&format!("{EMAIL} {EMAIL}")));
    ask(&gateway, CHAT, &chat("my address is 10.1.2.3")).await;
    ask(&gateway, CHAT, &chat(CARD)).await;
    provider.next(says("clean"));
    ask(&gateway, CHAT, &chat("clean")).await;
    let hits = "sluice_guard_hits_total";
    let scrape = Scrape::when(&gateway, "all hits", |scrape| {
        scrape.sum("sluice_requests_ended_total", &[]) == 3.0
    })
    .await;
    let of = |rule, action, direction| {
        scrape.sum(
            hits,
            &[("rule", rule), ("action", action), ("direction", direction)],
        )
    };
    assert_eq!(of("email", "mask", "response"), 2.0);
    assert_eq!(of("payment_card", "block", "request"), 1.0);
    assert_eq!(of("ip_address", "log", "request"), 1.0);
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    for text in [EMAIL, CARD, "10.1.2.3"] {
        assert!(!gateway.output().contains(text), "{text} is in the log");
    }
    let entries = entries(&gateway).await;
    let guards: Vec<_> = entries
        .iter()
        .map(|entry| entry.detail.guard.as_ref().unwrap())
        .collect();
    assert_eq!(
        guards.iter().map(|guard| guard.len()).collect::<Vec<_>>(),
        [2, 1, 0]
    );
    let first = &guards[0][1];
    assert_eq!(
        (&*first.rule, &*first.action, &*first.direction, first.count),
        ("email", "mask", "response", 2)
    );
}

#[tokio::test]
async fn what_cannot_be_judged_is_refused_unless_said_otherwise() {
    let provider = FakeProvider::start();
    let gateway = gateway().await;
    let plugins = |conf: Value| json!({ "ai-guard": conf, "ai-proxy": openai(&provider) });
    put_route(&gateway, "1", "/strict", plugins(json!({ "mask": ["email"] }))).await;
    put_route(
        &gateway,
        "2",
        "/lax",
        plugins(json!({ "mask": ["email"], "fail_mode": "skip" })),
    )
    .await;
    let alone = json!({ "ai-guard": { "mask": ["email"] }, "mocking": { "response_example": "x" } });
    put_route(&gateway, "3", "/alone", alone).await;
    let post = |uri: &str| gateway.client().post(uri).json(&json!({ "prompt": EMAIL }));
    let answer = post("/strict").send().await.expect_status(500).await;
    assert_eq!(answer.text().await.trim(), "unsupported protocol: passthrough");
    assert!(provider.requests().is_empty());
    post("/lax").send().await.bytes().await;
    assert_eq!(provider.requests().len(), 1);
}

#[tokio::test]
async fn bad_configurations_are_refused_with_their_path() {
    let gateway = gateway().await;
    for (conf, text) in [
        (
            json!({ "rules": [{ "name": "a", "pattern": "(", "action": "log" }] }),
            r#"property \"rules[0].pattern\" validation failed: unclosed group"#,
        ),
        (
            json!({ "rules": [{ "name": "a", "pattern": "a*", "action": "log" }] }),
            r#"property \"rules[0].pattern\" validation failed: it matches the empty text"#,
        ),
        (
            json!({ "rules": [{ "recognizer": "email", "pattern": "a", "action": "log" }] }),
            r#"property \"rules[0]\" validation failed: one of"#,
        ),
        (json!({}), r#"one of \"rules\", \"block\""#),
        (
            json!({ "mask": ["nonsense"] }),
            r#"property \"mask\" validation failed"#,
        ),
    ] {
        let route = json!({ "uri": "/a", "plugins": { "ai-guard": conf } });
        let answer = gateway.admin().put("/routes/1", route).await;
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(text), "{}", answer.text());
    }
}
