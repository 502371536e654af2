//! Errors, and streams that go wrong.

use super::*;
use crate::sse::Finished;

const PATHS: [(&str, &str); 6] = [
    ("/v1/chat/completions", "/error/message"),
    ("/v1/responses", "/error/message"),
    ("/v1/messages", "/error/message"),
    ("/v1beta/models/m:generateContent", "/error/message"),
    ("/v2/chat", "/message"),
    ("/api/chat", "/error"),
];

#[tokio::test]
async fn errors_are_worded_by_each_provider() {
    let provider = FakeProvider::start();
    for status in [400, 401, 403, 404, 408, 429, 500, 503, 529] {
        for (path, message) in PATHS {
            provider.next(Reply::error(status, "no luck").header("x-extra", "1"));
            let answer = post(&provider, path, json!({})).await.expect_status(status).await;
            assert_eq!(answer.header("x-extra"), Some("1"));
            let body = answer.json().await;
            assert_eq!(body.pointer(message), Some(&json!("no luck")), "{path}: {body}");
        }
    }
    provider.next(Reply::error(529, "busy"));
    let overloaded = post(&provider, "/v1/messages", json!({})).await.json().await;
    assert_eq!(overloaded["error"]["type"], "overloaded_error");
    provider.next(Reply::error(429, "busy"));
    let gemini = post(&provider, "/v1beta/models/m:generateContent", json!({})).await;
    let gemini = gemini.json().await;
    assert_eq!(gemini["error"]["status"], "RESOURCE_EXHAUSTED");
    assert_eq!(gemini["error"]["details"][0]["retryDelay"], "7s");
    provider.next(Reply::error(503, "busy"));
    let array = post(&provider, "/v1beta/models/m:streamGenerateContent", json!({})).await;
    let array = array.expect_status(503).await.json().await;
    assert_eq!(
        array[0]["error"]["code"], 503,
        "an array is an array in failure too"
    );
    provider.next(Reply::error(503, "busy"));
    let bedrock = post(&provider, "/model/m/converse", json!({})).await;
    assert_eq!(
        bedrock.header("x-amzn-errortype"),
        Some("ServiceUnavailableException")
    );
}

/// What comes of a stream at `path`.
async fn stream(provider: &FakeProvider, path: &str) -> Finished {
    post(provider, path, chat_stream("hello"))
        .await
        .events()
        .finish()
        .await
}

#[tokio::test]
async fn streams_end_with_the_error_event_of_their_dialect() {
    let provider = FakeProvider::start();
    provider.always(Reply::contract().error_after(2, 503, "gone"));
    let chunks = stream(&provider, "/v1/chat/completions").await;
    assert!(!chunks.broken);
    assert_eq!(chunks.events.len(), 3);
    assert_eq!(chunks.json()[2]["error"]["message"], "gone");
    let messages = stream(&provider, "/v1/messages").await;
    assert_eq!(messages.names(), ["message_start", "ping", "error"]);
    assert_eq!(messages.json()[2]["error"]["type"], "api_error");
    let responses = stream(&provider, "/v1/responses").await;
    assert_eq!(
        (responses.names()[2], &responses.json()[2]["sequence_number"]),
        ("error", &json!(2))
    );
    let cohere = stream(&provider, "/v2/chat").await;
    assert_eq!(cohere.json()[2]["delta"]["finish_reason"], "ERROR");
    let gemini = stream(&provider, "/v1beta/models/m:streamGenerateContent?alt=sse").await;
    assert_eq!(gemini.json()[2]["error"]["status"], "UNAVAILABLE");

    let path = "/v1beta/models/m:streamGenerateContent";
    let array = post(&provider, path, json!({})).await.json().await;
    assert_eq!(array[2]["error"]["code"], 503);
    let lines = post(&provider, "/api/chat", chat("hello")).await.text().await;
    assert_eq!(lines.lines().nth(2), Some(r#"{"error":"gone"}"#));
    let client = Client::new(provider.addr()).with_key(AWS_BEDROCK_API_KEY);
    let call = client.post("/model/m/converse-stream").json(&json!({}));
    let frames = call.send().await.bytes().await;
    let exception = bedrock_exception("serviceUnavailableException", &json!({"message": "gone"}));
    assert!(frames.ends_with(&exception));
}

#[tokio::test]
async fn frames_can_be_cut_in_half() {
    let provider = FakeProvider::start();
    provider.next(Reply::contract().truncate_after(2));
    let ended = stream(&provider, "/v1/chat/completions").await;
    assert!(!ended.broken);
    assert_eq!(ended.events.len(), 2);
    assert!(ended.rest.starts_with(b"data: {"), "{ended:?}");

    provider.next(Reply::contract().cut_within(2));
    let cut = stream(&provider, "/v1/chat/completions").await;
    assert!(cut.broken);
    assert_eq!((cut.events.len(), cut.rest.is_empty()), (2, false));

    provider.next(Reply::contract().truncate_after(0));
    let whole = post(&provider, "/v1/chat/completions", chat("hello")).await;
    let body = whole.expect_status(200).await.bytes().await;
    assert!(serde_json::from_slice::<Value>(&body).is_err());
}

#[tokio::test]
async fn bytes_can_be_written_one_by_one() {
    let provider = FakeProvider::start();
    provider.next(Reply::contract().in_pieces_of(1));
    let mut answer = post(&provider, "/v1/chat/completions", chat_stream("unicode")).await;
    assert_eq!(answer.chunk().await.unwrap().unwrap().len(), 1);
    assert_eq!(answer.events().finish().await.data().last(), Some(&"[DONE]"));

    provider.next(Reply::contract().in_pieces_of(3).cut_after(2));
    let cut = stream(&provider, "/v1/chat/completions").await;
    assert_eq!(
        (cut.broken, cut.events.len(), cut.rest.is_empty()),
        (true, 2, true),
        "where it breaks is counted in frames"
    );
    provider.next(Reply::contract().in_pieces_of(3));
    let whole = post(&provider, "/v1/chat/completions", chat("hello")).await;
    assert!(whole.header("content-length").is_some());
    assert_eq!(whole.json().await["object"], "chat.completion");
}

#[tokio::test]
async fn frames_can_be_edited() {
    let provider = FakeProvider::start();
    provider.next(Reply::contract().edit_frames(|mut frames| {
        frames.insert(1, ": keep-alive\n\n".into());
        frames.pop();
        frames
    }));
    let edited = stream(&provider, "/v1/chat/completions").await;
    assert_eq!(edited.events[1].comment.as_deref(), Some("keep-alive"));
    assert!(!edited.data().contains(&"[DONE]"));
}

#[tokio::test]
async fn the_json_of_an_answer_can_be_edited() {
    let provider = FakeProvider::start();
    provider.always(Reply::completion(everything()).edit_json(|event| {
        for place in ["/choices/0/message", "/choices/0/delta"] {
            if let Some(Value::Object(members)) = event.pointer_mut(place)
                && let Some(text) = members.remove("reasoning_content")
            {
                members.insert("reasoning".to_owned(), text);
            }
        }
    }));
    let whole = post(&provider, "/v1/chat/completions", chat(""))
        .await
        .json()
        .await;
    assert_eq!(whole["choices"][0]["message"]["reasoning"], "Hmm, well.");
    let streamed = stream(&provider, "/v1/chat/completions").await;
    assert_eq!(
        streamed.json()[1]["choices"][0]["delta"],
        json!({"reasoning": "Hmm,"})
    );
    assert_eq!(streamed.data().last(), Some(&"[DONE]"));
}
