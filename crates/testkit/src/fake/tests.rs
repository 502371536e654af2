//! Fake providers, asked as the SDK scripts ask.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::client::{Answer, Client};

mod anthropic;
mod extras;
mod failures;
mod google_cohere_ollama;
mod openai;
mod strict;

/// An answer with thoughts, a cited text and two calls.
fn everything() -> Completion {
    Completion::new()
        .thinking("", "c2lnbmVk")
        .in_pieces(["Hmm,", " well."])
        .text("")
        .in_pieces(["Paris is ", "warm."])
        .cite("https://a.example", "A", "warm")
        .tool_call("call_a", "get_weather", r#"{"city": "Paris"}"#)
        .in_pieces([r#"{"ci"#, r#"ty": "Paris"}"#])
        .tool_call("call_b", "get_time", json!({}))
        .logprobs([("Paris", -0.1), (" is", -0.2), (" warm.", -0.3)])
        .usage(Usage {
            input: 10,
            cached: 100,
            cache_write: 1,
            output: 7,
            reasoning: 5,
        })
}

async fn post(provider: &FakeProvider, path: &str, body: Value) -> Answer {
    Client::new(provider.addr()).post(path).json(&body).send().await
}

fn chat(prompt: &str) -> Value {
    json!({"model": "gpt-4o", "messages": [{"role": "user", "content": format!("conf:{prompt}")}]})
}

fn chat_stream(prompt: &str) -> Value {
    let mut body = chat(prompt);
    body["stream"] = true.into();
    body
}

fn messages(prompt: &str) -> Value {
    let mut body = chat(prompt);
    body["max_tokens"] = 64.into();
    body
}

#[tokio::test]
async fn chat_answers_by_contract() {
    let provider = FakeProvider::start();
    let ask = async |body| post(&provider, "/v1/chat/completions", body).await;

    let hello = ask(chat("hello")).await.json().await;
    assert_eq!(
        hello["choices"][0]["message"]["content"],
        "Hello from the upstream."
    );
    assert_eq!(hello["choices"][0]["finish_reason"], "stop");
    assert_eq!(hello["usage"]["prompt_tokens"], 10);
    assert_eq!(hello["usage"]["completion_tokens"], 5);
    assert_eq!(hello["usage"]["total_tokens"], 15);
    assert_eq!(hello["model"], "gpt-4o");

    let mut tool = chat("tool");
    let answer = ask(tool.clone()).await.json().await;
    let message = &answer["choices"][0]["message"];
    assert_eq!(
        message["tool_calls"][0]["function"]["arguments"],
        r#"{"city":"Paris"}"#
    );
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let rest = [
        message.clone(),
        json!({"role": "tool", "tool_call_id": "call_0", "content": "21"}),
    ];
    tool["messages"].as_array_mut().unwrap().extend(rest);
    let answer = ask(tool).await.json().await;
    assert_eq!(
        answer["choices"][0]["message"]["content"],
        "It is 21 degrees in Paris."
    );

    let answer = ask(chat("reason")).await.json().await;
    assert_eq!(
        answer["choices"][0]["message"]["reasoning_content"],
        "Let me weigh the options."
    );
    let answer = ask(chat("length")).await.json().await;
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    for status in [400, 429, 500] {
        let answer = ask(chat(&format!("err{status}")))
            .await
            .expect_status(status)
            .await;
        assert!(answer.json().await["error"]["message"].is_string());
    }
}

#[tokio::test]
async fn chat_streams_by_contract() {
    let provider = FakeProvider::start();
    let ask = async |body| {
        post(&provider, "/v1/chat/completions", body)
            .await
            .events()
            .finish()
            .await
    };

    let hello = ask(chat_stream("unicode")).await;
    assert_eq!(hello.text(), UNICODE_TEXT);
    assert_eq!(hello.data().last(), Some(&"[DONE]"));
    assert!(hello.json().iter().all(|chunk| chunk.get("usage").is_none()));

    let mut with_usage = chat_stream("hello");
    with_usage["stream_options"] = json!({"include_usage": true});
    let chunks = ask(with_usage).await.json();
    let last = chunks.last().unwrap();
    assert_eq!(
        (&last["choices"], &last["usage"]["total_tokens"]),
        (&json!([]), &json!(15))
    );

    let mut arguments = [String::new(), String::new()];
    for chunk in ask(chat_stream("parallel")).await.json() {
        let call = &chunk["choices"][0]["delta"]["tool_calls"][0];
        if let Some(index) = call["index"].as_u64() {
            arguments[usize::try_from(index).unwrap()] += call["function"]["arguments"].as_str().unwrap();
        }
    }
    assert_eq!(arguments, [r#"{"city":"Paris"}"#, r#"{"city":"Zürich"}"#]);

    let cut = ask(chat_stream("cut")).await;
    assert!(cut.broken);
    assert_eq!(cut.events.len(), 3);
}

#[tokio::test]
async fn messages_answer_and_stream_by_contract() {
    let provider = FakeProvider::start();
    let ask = async |body| post(&provider, "/v1/messages", body).await;

    let hello = ask(messages("hello")).await.json().await;
    assert_eq!(hello["content"][0]["text"], "Hello from the upstream.");
    assert_eq!(
        (&hello["usage"]["input_tokens"], &hello["usage"]["output_tokens"]),
        (&json!(10), &json!(5))
    );
    let tool = ask(messages("tool")).await.json().await;
    assert_eq!(
        (&tool["stop_reason"], &tool["content"][0]["input"]),
        (&json!("tool_use"), &json!({"city": "Paris"}))
    );

    let mut body = messages("reason");
    body["stream"] = true.into();
    let stream = ask(body).await.events().finish().await;
    assert_eq!(stream.text(), "The answer is 42.");
    let names = stream.names();
    assert_eq!(
        (names[0], names[names.len() - 2], names[names.len() - 1]),
        ("message_start", "message_delta", "message_stop")
    );
    let starts: Vec<_> = stream
        .json()
        .into_iter()
        .filter(|event| event["type"] == "content_block_start")
        .collect();
    assert_eq!(
        starts[0]["content_block"],
        json!({"type": "thinking", "thinking": "", "signature": ""})
    );
    assert_eq!(starts[1]["content_block"], json!({"type": "text", "text": ""}));

    let error = Client::new(provider.addr())
        .post("/v1/messages")
        .json(&messages("err429"))
        .send()
        .await
        .expect_status(429)
        .await;
    assert_eq!(error.header("retry-after"), Some("7"));
    assert_eq!(error.json().await["error"]["type"], "rate_limit_error");

    let count = post(&provider, "/v1/messages/count_tokens", messages("hello"))
        .await
        .json()
        .await;
    assert!(count["input_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn responses_answer_and_stream_by_contract() {
    let provider = FakeProvider::start();
    let hello = json!({"model": "gpt-4o", "input": "conf:hello"});
    let answer = post(&provider, "/v1/responses", hello.clone()).await.json().await;
    assert_eq!(
        answer["output"][0]["content"][0]["text"],
        "Hello from the upstream."
    );
    assert_eq!(
        (&answer["status"], &answer["usage"]["total_tokens"]),
        (&json!("completed"), &json!(15))
    );

    let mut streamed = hello;
    streamed["stream"] = true.into();
    let stream = post(&provider, "/v1/responses", streamed)
        .await
        .events()
        .finish()
        .await;
    assert_eq!(stream.text(), "Hello from the upstream.");
    assert_eq!(stream.names().first(), Some(&"response.created"));
    assert_eq!(stream.names().last(), Some(&"response.completed"));
    for (number, event) in stream.json().iter().enumerate() {
        assert_eq!(event["sequence_number"], number);
        assert_eq!(stream.events[number].name.as_deref(), event["type"].as_str());
    }

    let call =
        json!({"type": "function_call", "call_id": "call_0", "name": "get_weather", "arguments": "{}"});
    let output = json!({"type": "function_call_output", "call_id": "call_0", "output": "21"});
    let input = json!([{"role": "user", "content": "conf:tool"}, call, output]);
    let answer = post(&provider, "/v1/responses", json!({"input": input}))
        .await
        .json()
        .await;
    assert_eq!(
        answer["output"][0]["content"][0]["text"],
        "It is 21 degrees in Paris."
    );
}

#[tokio::test]
async fn the_other_endpoints_answer() {
    let provider = FakeProvider::start();
    let client = Client::new(provider.addr());
    let input = json!({"model": "text-embedding-3-small", "input": ["a", "b"]});
    let floats = post(&provider, "/v1/embeddings", input.clone())
        .await
        .json()
        .await;
    assert_eq!(floats["data"].as_array().unwrap().len(), 2);
    assert_eq!(floats["data"][1]["embedding"][0], 0.0625);
    let mut packed = input;
    packed["encoding_format"] = "base64".into();
    let packed = post(&provider, "/v1/embeddings", packed).await.json().await;
    assert_eq!(
        packed["data"][0]["embedding"].as_str().unwrap().get(..6),
        Some("AACAPQ")
    );

    let completion = post(&provider, "/v1/completions", json!({"prompt": "conf:hello"}))
        .await
        .json()
        .await;
    assert_eq!(completion["choices"][0]["text"], "Hello from the upstream.");
    let moderation = post(&provider, "/v1/moderations", json!({"input": "hello"}))
        .await
        .json()
        .await;
    assert_eq!(moderation["results"][0]["flagged"], false);

    let openai = client.get("/v1/models").send().await.json().await;
    assert_eq!(openai["data"][0]["object"], "model");
    let anthropic = client
        .get("/v1/models/claude-sonnet-4-5")
        .header("anthropic-version", "2023-06-01")
        .send()
        .await;
    assert_eq!(anthropic.json().await["type"], "model");
    client
        .get("/v1/models/none")
        .send()
        .await
        .expect_status(404)
        .await;
    client.get("/elsewhere").send().await.expect_status(404).await;
}

#[tokio::test]
async fn records_what_it_was_asked() {
    let provider = FakeProvider::start();
    let client = Client::new(provider.addr()).with_key("secret");
    client
        .call(Method::PUT, "/any/path?a=b&c")
        .header("x-extra", "1")
        .body("{ \"kept\":1.0 }")
        .send()
        .await;
    let request = provider.last_request();
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("PUT", "/any/path")
    );
    assert_eq!(request.query.as_deref(), Some("a=b&c"));
    assert_eq!(
        (request.header("x-extra"), request.header("authorization")),
        (Some("1"), Some("Bearer secret"))
    );
    assert_eq!(request.body, "{ \"kept\":1.0 }");
    assert_eq!(request.json(), json!({"kept": 1.0}));

    client.get("/").send().await;
    assert_eq!(provider.wait_requests(2).await.len(), 2);
    assert_eq!(provider.connections(), 2);
}

#[tokio::test]
async fn scripted_answers_come_in_order_and_then_the_usual_one() {
    let provider = FakeProvider::start();
    provider.next(Reply::json(503, &json!({"n": 1})).header("retry-after", "3"));
    provider.next(Reply::body(200, "text/plain", "two"));
    provider.always(
        Reply::contract()
            .status(201)
            .header("content-type", "application/x"),
    );
    let first = post(&provider, "/", chat("hello")).await.expect_status(503).await;
    assert_eq!(first.header("retry-after"), Some("3"));
    let second = post(&provider, "/", chat("hello")).await;
    assert_eq!(second.header("content-length"), Some("3"));
    assert_eq!(second.text().await, "two");
    let third = post(&provider, "/chat/completions", chat("hello"))
        .await
        .expect_status(201)
        .await;
    assert_eq!(third.header("content-type"), Some("application/x"));
}

#[tokio::test]
async fn a_gate_lets_frames_through_one_by_one() {
    let provider = FakeProvider::start();
    let (head, frames) = (Gate::closed(), Gate::closed());
    provider.next(Reply::events(["one", "two"]).head_gated(&head).gated(&frames));
    let addr = provider.addr();
    let call = tokio::spawn(async move { Client::new(addr).get("/").send().await });
    provider.wait_requests(1).await;
    assert!(!call.is_finished());
    head.open(1);
    let mut events = call.await.unwrap().events();
    frames.open(1);
    assert_eq!(events.next().await.unwrap().data, "one");
    let waiting = tokio::time::timeout(Duration::from_millis(20), events.next()).await;
    assert!(waiting.is_err(), "{waiting:?}");
    frames.open_for_good();
    assert_eq!(events.next().await.unwrap().data, "two");
    assert_eq!(events.next().await, None);
}

#[tokio::test]
async fn frames_can_trickle() {
    let provider = FakeProvider::start();
    provider.next(Reply::events(["one", "two", "three"]).every(Duration::from_millis(100)));
    let finished = Client::new(provider.addr())
        .get("/")
        .send()
        .await
        .events()
        .finish()
        .await;
    assert_eq!(finished.data(), ["one", "two", "three"]);
    assert!(
        finished.spread() >= Duration::from_millis(50),
        "{:?}",
        finished.spread()
    );
}

#[tokio::test]
async fn answers_can_break_in_every_way() {
    let provider = FakeProvider::start();
    let client = Client::new(provider.addr());

    provider.next(Reply::events(["one", "two"]).cut_after(1));
    let finished = client.get("/").send().await.events().finish().await;
    assert!(finished.broken);
    assert_eq!(finished.data(), ["one"]);

    provider.next(Reply::json(200, &json!({"long": "enough"})).cut_after(0));
    assert!(client.get("/").send().await.try_bytes().await.is_err());

    provider.next(Reply::hang_up());
    assert!(
        client
            .get("/")
            .try_send()
            .await
            .unwrap_err()
            .is_incomplete_message()
    );

    provider.next(Reply::raw("HTTP/1.1 two hundred\r\n\r\n"));
    assert!(client.get("/").try_send().await.unwrap_err().is_parse());
    assert_eq!(provider.disconnected(), 0);
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed() {
    let provider = FakeProvider::start();
    let client = Client::new(provider.addr());

    provider.next(Reply::events(["one", "two"]).stall_after(1));
    let mut events = client.get("/").send().await.events();
    assert_eq!(events.next().await.unwrap().data, "one");
    drop(events);
    provider.wait_disconnected().await;

    let gate = Gate::closed();
    provider.next(Reply::contract().head_gated(&gate));
    let mut conn = client.raw().await;
    conn.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    provider.wait_requests(2).await;
    drop(conn);
    provider.wait_disconnected().await;

    client.get("/").send().await.bytes().await;
    assert_eq!(provider.disconnected(), 0, "an answer read to its end is none");
}

#[tokio::test]
async fn huge_answers_have_the_length_asked_for() {
    let provider = FakeProvider::start();
    provider.next(Reply::huge(1_000_001));
    let answer = Client::new(provider.addr()).get("/").send().await;
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(answer.bytes().await.len(), 1_000_001);
}
