//! Scripted answers of Anthropic's messages, Vertex AI's too, and of Bedrock.

use super::*;

async fn ask(provider: &FakeProvider, body: Value) -> Answer {
    let client = Client::new(provider.addr()).with_header("anthropic-version", "2023-06-01");
    client.post("/v1/messages").json(&body).send().await
}

#[tokio::test]
async fn messages_say_everything_of_an_answer() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything().redacted_thinking("eA==")));
    let answer = ask(&provider, messages("")).await.json().await;
    let source = json!({
        "type": "web_search_result_location", "url": "https://a.example", "title": "A", "cited_text": "warm",
        "encrypted_index": "aW5kZXg=",
    });
    assert_eq!(
        answer["content"],
        json!([
            {"type": "thinking", "thinking": "Hmm, well.", "signature": "c2lnbmVk"},
            {"type": "text", "text": "Paris is warm.", "citations": [source]},
            {"type": "tool_use", "id": "call_a", "name": "get_weather", "input": {"city": "Paris"}},
            {"type": "tool_use", "id": "call_b", "name": "get_time", "input": {}},
            {"type": "redacted_thinking", "data": "eA=="},
        ])
    );
    assert_eq!(answer["stop_reason"], "tool_use");
    assert_eq!(
        answer["usage"],
        json!({
            "input_tokens": 10, "cache_creation_input_tokens": 1, "cache_read_input_tokens": 100, "output_tokens": 12,
        })
    );
}

#[tokio::test]
async fn messages_stream_block_by_block() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let mut body = messages("");
    body["stream"] = true.into();
    let stream = ask(&provider, body).await.events().finish().await;
    let kinds: Vec<_> = stream
        .json()
        .iter()
        .map(|event| {
            let kind = event["delta"]["type"].as_str().or(event["type"].as_str());
            kind.unwrap().to_owned()
        })
        .collect();
    let block = |deltas: &[&'static str]| {
        let stop = ["content_block_stop"];
        [&["content_block_start"], deltas, &stop].concat()
    };
    let expected = [
        vec!["message_start", "ping"],
        block(&["thinking_delta", "thinking_delta", "signature_delta"]),
        block(&["text_delta", "text_delta", "citations_delta"]),
        block(&["input_json_delta", "input_json_delta", "input_json_delta"]),
        block(&["input_json_delta", "input_json_delta"]),
        vec!["message_delta", "message_stop"],
    ];
    assert_eq!(kinds, expected.concat());
}

#[tokio::test]
async fn a_stop_sequence_is_named() {
    let provider = FakeProvider::strict();
    let stop = Stop::Sequence("END".to_owned());
    provider.always(Reply::completion(Completion::new().text("x").stop(stop)));
    let answer = ask(&provider, messages("")).await.json().await;
    assert_eq!(
        (&answer["stop_reason"], &answer["stop_sequence"]),
        (&json!("stop_sequence"), &json!("END"))
    );
}

/// Calls Vertex AI with a token that this provider gave out.
async fn vertex(provider: &FakeProvider, path: &str, body: &Value) -> Answer {
    let client = Client::new(provider.addr()).with_key("ya29.fake-1");
    client.post(path).json(body).send().await
}

#[tokio::test]
async fn vertex_serves_messages_and_gemini() {
    const PUBLISHERS: &str = "/v1/projects/p/locations/l/publishers";
    let provider = FakeProvider::strict();
    let mut body = messages("hello");
    body.as_object_mut().unwrap().remove("model");
    body["anthropic_version"] = "vertex-2023-10-16".into();
    let path = format!("{PUBLISHERS}/anthropic/models/claude-x");
    let answer = vertex(&provider, &format!("{path}:rawPredict"), &body)
        .await
        .json()
        .await;
    assert_eq!(
        (&answer["model"], &answer["content"][0]["text"]),
        (&json!("claude-x"), &json!("Hello from the upstream."))
    );
    body["stream"] = true.into();
    let stream = vertex(&provider, &format!("{path}:streamRawPredict"), &body).await;
    assert_eq!(stream.events().finish().await.text(), "Hello from the upstream.");

    let count = json!({
        "anthropic_version": "vertex-2023-10-16", "model": "claude-x",
        "messages": [{"role": "user", "content": "hi"}],
    });
    let path = format!("{PUBLISHERS}/anthropic/models/count-tokens:rawPredict");
    let count = vertex(&provider, &path, &count).await.json().await;
    assert!(count["input_tokens"].as_u64().unwrap() > 0);

    let gemini = format!("{PUBLISHERS}/google/models/gemini-2.5-pro:generateContent");
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "conf:hello"}]}]});
    let answer = vertex(&provider, &gemini, &body).await.json().await;
    assert_eq!(answer["modelVersion"], "gemini-2.5-pro");
    let refusal = post(&provider, &gemini, body).await.expect_status(401).await;
    assert_eq!(refusal.json().await["error"]["status"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn bedrock_says_everything_of_an_answer() {
    let provider = FakeProvider::strict();
    provider.always(Reply::completion(everything()));
    let client = Client::new(provider.addr()).with_key(AWS_BEDROCK_API_KEY);
    let body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    let call = client.post("/model/m/converse").json(&body);
    let answer = call.send().await.json().await;
    let content = &answer["output"]["message"]["content"];
    assert_eq!(
        content[0]["reasoningContent"]["reasoningText"],
        json!({"text": "Hmm, well.", "signature": "c2lnbmVk"})
    );
    assert_eq!(
        content[1]["citationsContent"]["content"][0]["text"],
        "Paris is warm."
    );
    assert_eq!(content[2]["toolUse"]["input"], json!({"city": "Paris"}));
    assert_eq!(answer["usage"]["cacheReadInputTokens"], 100);

    let call = client.post("/model/m/converse-stream").json(&body);
    let bytes = call.send().await.bytes().await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let places: Vec<_> = [
        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"c2lnbmVk"}}}"#,
        r#"{"contentBlockIndex":1,"delta":{"text":"Paris is "}}"#,
        r#""start":{"toolUse":{"toolUseId":"call_a","name":"get_weather"}}"#,
        r#"{"stopReason":"tool_use"}"#,
        r#""outputTokens":12"#,
    ]
    .map(|part| text.find(part).unwrap_or_else(|| panic!("no {part} in {text}")))
    .into();
    assert!(places.is_sorted(), "{places:?}");
    let starts = text.matches("contentBlockStart").count();
    assert_eq!(starts, 2, "only calls have a start");
}

#[tokio::test]
async fn bedrock_packs_the_events_of_messages() {
    let provider = FakeProvider::strict();
    let client = Client::new(provider.addr()).with_key(AWS_BEDROCK_API_KEY);
    let mut body = messages("hello");
    body.as_object_mut().unwrap().remove("model");
    body["anthropic_version"] = "bedrock-2023-05-31".into();
    let answer = client.post("/model/claude-x/invoke").json(&body).send().await;
    let answer = answer.json().await;
    assert_eq!(
        (&answer["model"], &answer["content"][0]["text"]),
        (&json!("claude-x"), &json!("Hello from the upstream."))
    );
    let call = client
        .post("/model/claude-x/invoke-with-response-stream")
        .json(&body);
    let frames = call.send().await.bytes().await;
    // {"type":"ping"}
    let ping = bedrock_event("chunk", &json!({"bytes": "eyJ0eXBlIjoicGluZyJ9", "p": "abcdefg"}));
    assert!(frames.windows(ping.len()).any(|window| window == ping));
}
