//! What members can do with their keys.

use serde_json::json;
use sluice_testkit::{Client, Completion, Reply, Usage};

use super::*;

fn answer(tokens: u64) -> Reply {
    let usage = Usage {
        input: tokens - 1,
        cached: 0,
        cache_write: 0,
        output: 1,
        reasoning: 0,
    };
    Reply::completion(Completion::new().text("ok").usage(usage))
}

async fn status(client: &Client, path: &str, body: &Value) -> u16 {
    client.post(path).json(body).send().await.status.as_u16()
}

fn named(model: &str) -> Value {
    json!({ "model": model, "messages": [{ "role": "user", "content": "conf:hello" }] })
}

#[tokio::test]
async fn a_quota_covers_chats_and_embeddings() {
    let event = Event::start().await;
    let rows = event.rows([]).await;
    let client = event.gateway.client().with_key(text(&rows[0], "api_key"));
    event.llm.next(answer(499));
    let first = client
        .post("/v1/chat/completions")
        .json(&chat())
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(
        first.header("x-ai-ratelimit-limit-lemonade-instance"),
        Some("500")
    );
    let embedding = json!({ "model": "m", "input": "some words" });
    client
        .post("/embeddings")
        .json(&embedding)
        .send()
        .await
        .expect_status(200)
        .await;
    let third = client
        .post("/v1/chat/completions")
        .json(&chat())
        .send()
        .await
        .expect_status(429)
        .await;
    let reset: u64 = third
        .header("x-ai-ratelimit-reset-lemonade-instance")
        .unwrap()
        .parse()
        .unwrap();
    assert!(reset <= 60);
    // The quota is everybody's own.
    let other = event.gateway.client().with_key(text(&rows[1], "api_key"));
    assert_eq!(status(&other, "/v1/chat/completions", &chat()).await, 200);
}

#[tokio::test]
async fn one_answer_may_pass_the_quota_the_next_call_may_not() {
    let event = Event::start().await;
    let rows = event.rows([]).await;
    let client = event.gateway.client().with_key(text(&rows[0], "api_key"));
    event.llm.next(answer(600));
    assert_eq!(status(&client, "/v1/chat/completions", &chat()).await, 200);
    assert_eq!(status(&client, "/v1/messages", &chat()).await, 429);
}

#[tokio::test]
async fn keys_are_taken_from_every_place_that_tools_put_them_in() {
    let event = Event::start().await;
    let rows = event.rows([]).await;
    let key = text(&rows[0], "api_key");
    let client = event.gateway.client();
    let post = || client.post("/v1/chat/completions").json(&chat());
    let bearer = format!("Bearer {key}");
    for (header, value) in [
        ("apikey", key),
        ("authorization", bearer.as_str()),
        ("x-api-key", key),
    ] {
        assert_eq!(post().header(header, value).send().await.status, 200, "{header}");
    }
    assert_eq!(
        status(&client, &format!("/v1/chat/completions?apikey={key}"), &chat()).await,
        200
    );
    assert_eq!(post().send().await.status, 401);
}

#[tokio::test]
async fn other_models_stay_callable_unless_one_is_forced() {
    let event = Event::start().await;
    let rows = event.rows([]).await;
    let client = event.gateway.client().with_key(text(&rows[0], "api_key"));
    let sent = async |body: Value| {
        client
            .post("/v1/chat/completions")
            .json(&body)
            .send()
            .await
            .expect_status(200)
            .await;
        event.llm.last_request().json()["model"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(sent(named("other")).await, "other");
    assert_eq!(
        sent(json!({ "messages": [{ "role": "user", "content": "conf:hello" }] })).await,
        MODEL
    );
    event.rows(["--force-model"]).await;
    assert_eq!(sent(named("other")).await, MODEL);
}

#[tokio::test]
async fn tools_of_other_protocols_are_served() {
    let event = Event::start().await;
    let rows = event.rows([]).await;
    let client = event.gateway.client().with_key(text(&rows[0], "api_key"));
    let mut messages = named(MODEL);
    messages["max_tokens"] = json!(10);
    let answer = client
        .post("/v1/messages")
        .json(&messages)
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.json().await["type"], "message");
    let responses = json!({ "model": MODEL, "input": "conf:hello" });
    let answer = client
        .post("/v1/responses")
        .json(&responses)
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.json().await["object"], "response");
    for path in ["/v1/models", "/models"] {
        let models = client.get(path).send().await.expect_status(200).await;
        assert!(models.json().await["data"].is_array(), "{path}");
    }
    assert_eq!(status(&client, "/chat/completions", &chat()).await, 200);
}

#[tokio::test]
async fn without_embeddings_there_is_no_route_for_them() {
    let event = Event::start().await;
    let rows = event.rows([]).await;
    event.rows(["--no-embedding"]).await;
    assert_eq!(
        event.names("routes", "id").await,
        ["ai-gateway-more-route", "ai-gateway-route"]
    );
    let client = event.gateway.client().with_key(text(&rows[0], "api_key"));
    assert_eq!(
        status(&client, "/v1/embeddings", &json!({ "model": "m", "input": "x" })).await,
        404
    );
}

#[tokio::test]
async fn setup_tries_what_it_made_and_leaves_nothing_behind() {
    let event = Event::start().await;
    let ended = event
        .setup(["--groups", "groups.yaml", "--tools", "kilo"])
        .ended()
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(
        ended
            .stdout
            .contains("a chat with user.gemma-4-31b-it went through"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("numbers each"), "{}", ended.stdout);
    assert_eq!(event.names("consumers", "username").await.len(), 5);
    let numbers = ended
        .stdout
        .split("went through (")
        .nth(2)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    assert!(
        event
            .read("alpha-alice/kilo.jsonc")
            .contains(&format!("\"dimension\": {numbers}"))
    );

    let ended = event.setup(["--groups", "groups.yaml"]);
    let ended = ended.arg("--proxy-port").arg("1").ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let failed = "everything is set up, but a call through the gateway failed";
    assert!(ended.stderr.contains(failed), "{}", ended.stderr);
    assert_eq!(event.names("consumers", "username").await.len(), 5);
}
