//! What goes to providers to the letter, and what must hold across the turns of a conversation.

use serde_json::{Value, json};
use sluice_testkit::{Call, Completion, FakeProvider, Gateway, Recorded, Reply};

use super::{client_of, target};
use crate::support::{gateway, put, stream_to_end};

fn post(gateway: &Gateway, path: &str) -> Call {
    gateway
        .client()
        .post(path)
        .header("authorization", "Bearer sk-native")
}

async fn answered(gateway: &Gateway, path: &str, body: &Value) -> Value {
    let answer = post(gateway, path).json(body).send().await;
    answer.expect_status(200).await.json().await
}

#[tokio::test]
async fn plain_requests_get_nothing_that_nobody_asked_for() {
    let chat = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hi" }] });
    let messages =
        json!({ "model": "m", "max_tokens": 50, "messages": [{ "role": "user", "content": "Hi" }] });
    let gemini = json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] });
    let (chat, messages, gemini) = (
        ("/v1/chat/completions", chat),
        ("/v1/messages", messages),
        ("/v1beta/models/m:generateContent", gemini),
    );
    let parts = json!([{ "role": "user", "parts": [{ "text": "Hi" }] }]);
    let plain = json!([{ "role": "user", "content": "Hi" }]);
    for ((path, body), provider, expected) in [
        (
            &messages,
            "openai-compatible",
            json!({ "model": "gpt-4.1", "max_tokens": 50, "messages": plain }),
        ),
        (
            &messages,
            "gemini",
            json!({ "contents": parts, "generationConfig": { "maxOutputTokens": 50 } }),
        ),
        (&chat, "gemini", json!({ "contents": parts })),
        (&chat, "ollama", json!({ "model": "qwen3", "messages": plain })),
        (
            &chat,
            "cohere",
            // The provider's reference demands to know.
            json!({ "model": "command-a-03-2025", "messages": plain, "stream": false }),
        ),
        (
            &gemini,
            "openai-compatible",
            json!({ "model": "gpt-4.1", "messages": plain }),
        ),
        (
            &chat,
            "bedrock",
            json!({ "messages": [{ "role": "user", "content": [{ "text": "Hi" }] }] }),
        ),
        // The limit is one that Anthropic demands.
        (
            &chat,
            "anthropic",
            json!({ "model": "claude-sonnet-4-5", "max_tokens": 32_000, "messages": plain }),
        ),
    ] {
        let fake = FakeProvider::strict();
        let gateway = client_of(provider, &fake).await;
        answered(&gateway, path, body).await;
        assert_eq!(fake.last_request().json(), expected, "{path} on {provider}");
        assert_eq!(fake.refused(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn bytes_pass_as_they_are_where_both_sides_speak_alike() {
    let fake = FakeProvider::start();
    let gateway = gateway().await;
    let mut conf = target("openai", &fake);
    conf.as_object_mut().unwrap().remove("options");
    let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
    let body = "{ \"x_unknown\" : [1.50e1,\t\"\\u00fc\"],\"model\":\"m\",\n \"messages\":[{\"content\":\"Hi\" , \"role\":\"user\"}]}";
    let reply = "{ \"choices\":[ ], \"x\" : 1.0E+2,\"usage\":null }\n";
    fake.next(Reply::raw(format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{reply}",
        reply.len()
    )));
    let call = post(&gateway, "/v1/chat/completions").header("content-type", "application/json");
    let answer = call.body(body).send().await.expect_status(200).await.text().await;
    assert_eq!(String::from_utf8_lossy(&fake.last_request().body), body);
    assert_eq!(answer, reply);
}

/// Answers with a call of the first tool that is offered, whatever its name is there; with a text once there are results.
fn calls_what_is_offered(request: &Recorded) -> Reply {
    let sent = request.json();
    if sent.to_string().contains("tool_result") {
        return Reply::completion(Completion::new().text("Done."));
    }
    let name = sent["tools"][0]["name"].as_str().unwrap().to_owned();
    Reply::completion(Completion::new().tool_call("toolu_1", &name, json!({ "city": "Paris" })))
}

#[tokio::test]
async fn names_and_ids_that_do_not_fit_are_the_clients_own_again_in_answers() {
    const NAME: &str = "weather.of:any-city";
    let fake = FakeProvider::strict();
    fake.always(Reply::by(calls_what_is_offered));
    let gateway = client_of("anthropic", &fake).await;
    let mut contents = vec![json!({ "role": "user", "parts": [{ "text": "Weather?" }] })];
    let tools = json!([{ "functionDeclarations": [{ "name": NAME, "description": "weather" }] }]);
    let ask = |contents: &[Value]| json!({ "contents": contents, "tools": tools });
    let answer = answered(&gateway, "/v1beta/models/m:generateContent", &ask(&contents)).await;
    let said = answer["candidates"][0]["content"].clone();
    let call = said["parts"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|part| part.get("functionCall"));
    assert_eq!(call.unwrap()["name"], NAME);
    // Clients may leave out ids, and have their own.
    for id in [None, Some("an id/with: what does not fit")] {
        let mut called = json!({ "name": NAME, "args": { "city": "Paris" } });
        let mut given = json!({ "name": NAME, "response": { "result": "21" } });
        if let Some(id) = id {
            (called["id"], given["id"]) = (json!(id), json!(id));
        }
        contents.truncate(1);
        contents.push(json!({ "role": "model", "parts": [{ "functionCall": called }] }));
        contents.push(json!({ "role": "user", "parts": [{ "functionResponse": given }] }));
        let answer = answered(&gateway, "/v1beta/models/m:generateContent", &ask(&contents)).await;
        assert_eq!(answer["candidates"][0]["content"]["parts"][0]["text"], "Done.");
        let sent = fake.last_request().json();
        let used = &sent["messages"][1]["content"][0];
        assert_eq!(used["name"], sent["tools"][0]["name"]);
        assert_eq!(used["id"], sent["messages"][2]["content"][0]["tool_use_id"]);
    }
    assert_eq!(fake.refused(), Vec::<String>::new());
}

async fn respond(gateway: &Gateway, key: &str, body: &Value, status: u16) -> Value {
    let call = gateway.client().post("/v1/responses");
    let call = call.header("authorization", &format!("Bearer {key}")).json(body);
    call.send().await.expect_status(status).await.json().await
}

#[tokio::test]
async fn responses_go_on_where_the_provider_keeps_none() {
    for provider in ["openai-compatible", "anthropic", "gemini"] {
        let fake = FakeProvider::strict();
        let gateway = client_of(provider, &fake).await;
        let plugins = json!({ "key-auth": { "key": "sk-other" }, "ai-proxy": target(provider, &fake) });
        put(
            &gateway,
            "/consumers",
            json!({ "username": "other", "plugins": plugins }),
        )
        .await;
        fake.next(Reply::completion(Completion::new().text("Paris is warm.")));
        let first = respond(
            &gateway,
            "sk-native",
            &json!({ "model": "m", "input": "Weather?" }),
            200,
        )
        .await;
        let next = json!({ "model": "m", "input": "And in Rome?", "previous_response_id": first["id"] });

        let refused = respond(&gateway, "sk-other", &next, 400).await;
        assert_eq!(
            refused["error"]["code"], "previous_response_not_found",
            "{provider}"
        );
        assert_eq!(fake.requests().len(), 1, "{provider}: nobody was asked");

        let second = respond(&gateway, "sk-native", &next, 200).await;
        assert_eq!(second["previous_response_id"], first["id"], "{provider}");
        let sent = fake.last_request().json().to_string();
        for needle in ["Weather?", "Paris is warm.", "And in Rome?"] {
            assert!(sent.contains(needle), "{provider}: {needle} is not in {sent}");
        }

        let unstored = json!({ "model": "m", "input": "Weather?", "store": false });
        let unstored = respond(&gateway, "sk-native", &unstored, 200).await;
        let next = json!({ "model": "m", "input": "And?", "previous_response_id": unstored["id"] });
        let refused = respond(&gateway, "sk-native", &next, 400).await;
        assert_eq!(
            refused["error"]["code"], "previous_response_not_found",
            "{provider}"
        );
        assert_eq!(fake.refused(), Vec::<String>::new(), "{provider}");
    }
}

#[tokio::test]
async fn a_whole_answer_to_a_request_for_a_stream_becomes_one() {
    let fake = FakeProvider::strict();
    let gateway = client_of("openai-compatible", &fake).await;
    let whole = json!({
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-4.1",
        "choices": [{ "index": 0, "finish_reason": "stop", "message": { "role": "assistant", "content": "Hello." } }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5 },
    });
    fake.next(Reply::json(200, &whole));
    let body = json!({
        "model": "m", "max_tokens": 50, "stream": true, "messages": [{ "role": "user", "content": "Hi" }],
    });
    let finished = stream_to_end(post(&gateway, "/v1/messages").json(&body)).await;
    assert_eq!(
        finished.names(),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    assert_eq!(finished.json()[2]["delta"]["text"], "Hello.");
    assert_eq!(finished.json()[4]["usage"]["output_tokens"], 2);
}

#[tokio::test]
async fn a_translated_stream_fails_over_until_it_says_something() {
    let (a, b) = (FakeProvider::strict(), FakeProvider::strict());
    let gateway = gateway().await;
    let instance = |name: &str, provider: &str, fake: &FakeProvider, priority: u32| {
        let mut conf = target(provider, fake);
        conf["name"] = json!(name);
        conf["weight"] = json!(1);
        conf["priority"] = json!(priority);
        conf
    };
    let instances = json!([instance("a", "anthropic", &a, 1), instance("b", "gemini", &b, 0)]);
    let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy-multi": { "instances": instances } });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
    let body = json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "Hi" }] });
    let text = || Completion::new().text("Hello.");
    for broken in [
        Reply::completion(text()).cut_after(0),
        Reply::completion(text()).error_after(0, 529, "overloaded"),
    ] {
        let before = b.requests().len();
        a.next(broken);
        b.next(Reply::completion(Completion::new().text("From b.")));
        let finished = stream_to_end(post(&gateway, "/v1/chat/completions").json(&body)).await;
        let said: String = finished
            .json()
            .iter()
            .filter_map(|chunk| {
                chunk["choices"][0]["delta"]["content"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        assert_eq!(said, "From b.");
        assert_eq!(b.requests().len(), before + 1);
        assert_eq!(finished.data().last(), Some(&"[DONE]"));
    }
}

#[tokio::test]
async fn signed_calls_are_remembered_for_clients_that_drop_what_they_do_not_know() {
    const SIGNATURE: &str = "c2lnbmVkIGJ5IEdlbWluaQ==";
    let fake = FakeProvider::strict();
    let gateway = gateway().await;
    let mut conf = target("gemini", &fake);
    conf["options"]["model"] = json!("gemini-3-pro-preview");
    let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
    let tool = json!({ "type": "function", "function": { "name": "get_weather", "parameters": { "type": "object" } } });
    let mut messages = vec![json!({ "role": "user", "content": "Weather?" })];
    let body = |messages: &[Value]| json!({ "model": "m", "messages": messages, "tools": [tool] });
    let called = Completion::new().thinking("Let me see.", SIGNATURE).tool_call(
        "",
        "get_weather",
        json!({ "city": "Paris" }),
    );
    fake.next(Reply::completion(called));
    let answer = answered(&gateway, "/v1/chat/completions", &body(&messages)).await;
    let call = &answer["choices"][0]["message"]["tool_calls"][0];
    messages.push(json!({ "role": "assistant", "content": null, "tool_calls": [{
        "id": call["id"], "type": "function",
        "function": { "name": call["function"]["name"], "arguments": call["function"]["arguments"] },
    }] }));
    messages.push(json!({ "role": "tool", "tool_call_id": call["id"], "content": "21" }));
    answered(&gateway, "/v1/chat/completions", &body(&messages)).await;
    let sent = fake.last_request().json();
    assert_eq!(sent["contents"][1]["parts"][0]["thoughtSignature"], SIGNATURE);
    assert_eq!(fake.refused(), Vec::<String>::new());
}
