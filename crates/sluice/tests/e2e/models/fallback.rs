//! What happens when a target fails.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_testkit::{Completion, FakeProvider, Gate, Reply, Stop};

use super::{answered, ask, caller, chat_with, counts, model, refused, served, with_providers};
use crate::support::{chat_stream, dead_addr, put, stream_to_end};

/// Two targets, the first of which is asked first.
async fn first_fails(reply: Reply, members: Value) -> (FakeProvider, FakeProvider, sluice_testkit::Gateway) {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    let mut all = members;
    all["strategy"] = json!("priority");
    model(&gateway, &["a", "b"], all).await;
    a.next(reply);
    (a, b, gateway)
}

fn error(code: &str, message: &str) -> Value {
    json!({ "error": { "code": code, "message": message, "type": "invalid_request_error" } })
}

#[tokio::test]
async fn every_class_of_failure_can_move_a_call_on() {
    for (class, reply) in [
        ("server_error", Reply::json(500, &json!({}))),
        ("overloaded", Reply::json(529, &json!({}))),
        ("rate_limit", Reply::json(429, &json!({}))),
        ("auth", Reply::json(401, &json!({}))),
        (
            "not_found",
            Reply::json(404, &error("model_not_found", "no such model")),
        ),
        (
            "context_overflow",
            Reply::json(
                400,
                &error("context_length_exceeded", "maximum context length is 8"),
            ),
        ),
        (
            "content_filter",
            Reply::json(400, &error("content_filter", "filtered")),
        ),
        ("connection", Reply::raw("nonsense")),
    ] {
        let on = json!({ "fallback": { "on": [class] } });
        let (a, b, gateway) = first_fails(reply.clone(), on).await;
        served(&gateway).await;
        assert_eq!(counts([&a, &b]), [1, 1], "{class}");

        let others = json!({ "fallback": { "on": [if class == "timeout" { "auth" } else { "timeout" }] } });
        let (a, b, gateway) = first_fails(reply, others).await;
        let answer = ask(&gateway, &chat_with("m", "conf:hello")).send().await;
        assert!(
            answer.status.is_client_error() || answer.status.is_server_error(),
            "{class}"
        );
        answer.bytes().await;
        assert_eq!(counts([&a, &b]), [1, 0], "{class} is not named");
    }
}

#[tokio::test]
async fn by_default_refusals_of_content_and_faults_of_the_client_stay() {
    for reply in [
        Reply::json(400, &error("content_filter", "filtered")),
        Reply::json(400, &error("invalid_value", "temperature is too high")),
    ] {
        let (a, b, gateway) = first_fails(reply, json!({})).await;
        let answer = ask(&gateway, &chat_with("m", "conf:hello")).send().await;
        answer.expect_status(400).await.bytes().await;
        assert_eq!(counts([&a, &b]), [1, 0]);
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_passed_over() {
    let b = FakeProvider::start();
    let gateway = with_providers(&[]).await;
    let dead = json!({ "type": "openai", "base_url": format!("http://{}", dead_addr()) });
    put(&gateway, "/providers/a", dead).await;
    put(&gateway, "/providers/b", super::openai_provider(&b)).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "priority" })).await;
    served(&gateway).await;
    assert_eq!(counts([&b]), [1]);
}

#[tokio::test]
async fn the_last_failure_is_the_answer_in_the_clients_dialect() {
    let (a, b, gateway) = first_fails(Reply::json(500, &json!({})), json!({})).await;
    b.next(Reply::json(429, &error("rate_limit_exceeded", "slow down")).header("retry-after", "7"));
    let answer = ask(&gateway, &chat_with("m", "hi"))
        .send()
        .await
        .expect_status(429)
        .await;
    assert_eq!(answer.header("retry-after"), Some("7"));
    assert_eq!(answer.json().await["error"]["message"], "slow down");
    assert_eq!(counts([&a, &b]), [1, 1]);
}

#[tokio::test]
async fn an_attempt_and_all_of_them_have_their_time() {
    let gate = Gate::closed();
    let slow = Reply::contract().head_gated(&gate);
    let limits = json!({ "fallback": { "attempt_timeout_ms": 100 } });
    let (a, b, gateway) = first_fails(slow.clone(), limits).await;
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [1, 1], "the slow one was given up");

    let limits = json!({ "fallback": { "attempt_timeout_ms": 400, "deadline_ms": 500 } });
    let (a, b, gateway) = first_fails(slow.clone(), limits).await;
    b.next(slow);
    let started = Instant::now();
    let call = ask(&gateway, &chat_with("m", "conf:hello"));
    let answer = call.send().await.expect_status(504).await.json().await;
    assert_eq!(answer["error"]["code"], "provider_timeout");
    assert!(started.elapsed() < Duration::from_millis(2000));
    assert_eq!(counts([&a, &b]), [1, 1]);
    gate.open_for_good();
}

#[tokio::test]
async fn attempts_are_bounded_in_number() {
    let (a, b, gateway) = first_fails(
        Reply::json(500, &json!({})),
        json!({ "fallback": { "max_attempts": 1 } }),
    )
    .await;
    let answer = ask(&gateway, &chat_with("m", "conf:hello")).send().await;
    answer.expect_status(500).await.bytes().await;
    assert_eq!(counts([&a, &b]), [1, 0]);
}

#[tokio::test]
async fn a_stream_fails_over_until_its_first_event() {
    let (a, b, gateway) = first_fails(Reply::events(["never sent"]).cut_after(0), json!({})).await;
    let mut body = chat_stream("conf:hello");
    body["model"] = json!("m");
    let finished = stream_to_end(ask(&gateway, &body)).await;
    assert_eq!(finished.data().last(), Some(&"[DONE]"));
    assert_eq!(counts([&a, &b]), [1, 1]);
}

#[tokio::test]
async fn who_asks_to_be_left_alone_is() {
    let limited = Reply::json(429, &json!({})).header("retry-after", "60");
    let (a, b, gateway) = first_fails(limited, json!({})).await;
    for _ in 0..3 {
        served(&gateway).await;
    }
    assert_eq!(counts([&a, &b]), [1, 3], "the first rests");
}

#[tokio::test]
async fn a_cool_down_ends() {
    let limited = Reply::json(429, &json!({})).header("retry-after-ms", "1");
    let (a, b, gateway) = first_fails(limited, json!({})).await;
    served(&gateway).await;
    tokio::time::timeout(Duration::from_secs(10), async {
        while counts([&a])[0] < 2 {
            served(&gateway).await;
        }
    })
    .await
    .unwrap();
    assert!(counts([&b])[0] >= 1);
}

#[tokio::test]
async fn failures_in_a_row_cool_a_target_down_and_one_does_not() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    a.always(Reply::json(500, &json!({})));
    let gateway = with_providers(&[&a, &b]).await;
    let members = json!({ "strategy": "priority", "cool_down": { "failures": 2 } });
    model(&gateway, &["a", "b"], members).await;
    for _ in 0..4 {
        served(&gateway).await;
    }
    assert_eq!(counts([&a, &b]), [2, 4]);
}

#[tokio::test]
async fn cool_downs_do_not_count_where_everybody_rests() {
    let a = FakeProvider::start();
    a.next(Reply::json(429, &json!({})).header("retry-after", "60"));
    let gateway = with_providers(&[&a]).await;
    model(&gateway, &["a"], json!({})).await;
    let call = ask(&gateway, &chat_with("m", "conf:hello"));
    call.send().await.expect_status(429).await.bytes().await;
    served(&gateway).await;
}

#[tokio::test]
async fn a_target_that_does_not_speak_the_protocol_is_passed_over() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    let anthropic = json!({ "type": "anthropic", "base_url": a.url("") });
    put(&gateway, "/providers/a", anthropic).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "priority" })).await;
    let body = json!({ "model": "m", "input": "hello" });
    let call = super::post(&gateway, "/v1/embeddings", &body);
    let answer = answered(call).await;
    assert_eq!(answer["object"], "list");
    assert_eq!(counts([&a, &b]), [0, 1]);
}

#[tokio::test]
async fn unknown_models_are_not_found_in_the_clients_dialect() {
    let a = FakeProvider::start();
    let gateway = with_providers(&[&a]).await;
    model(&gateway, &["a"], json!({})).await;
    let code = refused(ask(&gateway, &chat_with("nobody", "hi")), 404).await;
    assert_eq!(code, "model_not_found");
    let call = super::post(&gateway, "/v1/messages", &chat_with("nobody", "hi"));
    let answer = call.send().await.expect_status(404).await.json().await;
    assert_eq!(answer["error"]["type"], "not_found_error");
    assert!(answer["error"]["message"].as_str().unwrap().contains("`nobody`"));
    let code = refused(ask(&gateway, &json!({ "messages": [] })), 400).await;
    assert_eq!(code, "missing_model");
}

#[tokio::test]
async fn errors_in_answers_with_status_200_are_failures() {
    let reply = Reply::json(
        200,
        &json!({ "error": { "code": 429, "message": "slow down, it says" } }),
    );
    let (a, b, gateway) = first_fails(reply.clone(), json!({})).await;
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [1, 1]);

    let (_a, b, gateway) = first_fails(reply.clone(), json!({ "fallback": { "max_attempts": 1 } })).await;
    let answer = ask(&gateway, &chat_with("m", "conf:hello")).send().await;
    let body = answer.expect_status(429).await.json().await;
    assert_eq!(body["error"]["message"], "slow down, it says");
    assert_eq!(b.requests().len(), 0);
}

#[tokio::test]
async fn an_answer_that_a_filter_stopped_can_move_a_call_on() {
    let filtered = || Reply::completion(Completion::new().text("I").stop(Stop::Filtered));
    let on = json!({ "fallback": { "on": ["content_filter"] } });
    let (a, b, gateway) = first_fails(filtered(), on.clone()).await;
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [1, 1]);

    let (a, b, gateway) = first_fails(filtered(), json!({})).await;
    let answer = served(&gateway).await;
    assert_eq!(answer["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(counts([&a, &b]), [1, 0]);

    // The last of them is the answer.
    let (a, b, gateway) = first_fails(filtered(), on).await;
    b.next(filtered());
    let answer = served(&gateway).await;
    assert_eq!(answer["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(counts([&a, &b]), [1, 1]);
}

#[tokio::test]
async fn targets_without_quota_are_passed_over() {
    let (a, b) = (FakeProvider::start(), FakeProvider::start());
    let gateway = with_providers(&[&a, &b]).await;
    let quota = |name: &str, limit: u64| json!({ "name": name, "limit": limit, "time_window": 600 });
    let limits =
        json!({ "ai-rate-limiting": { "instances": [quota("a", 1), quota("b", 1)], "rejected_code": 429 } });
    caller(&gateway, limits).await;
    model(&gateway, &["a", "b"], json!({ "strategy": "priority" })).await;
    served(&gateway).await;
    served(&gateway).await;
    assert_eq!(counts([&a, &b]), [1, 1]);
    let refused = ask(&gateway, &chat_with("m", "conf:hello")).send().await;
    assert_eq!(refused.status, 429);
    assert_eq!(counts([&a, &b]), [1, 1]);
}
