//! OpenAI's endpoints with files, pictures and sound.

use super::*;

/// A form with a file of ten bytes and these fields.
fn form(client: &Client, path: &str, fields: &[(&str, &str)]) -> crate::client::Call {
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!("--xyz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body += "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n";
    body += "Content-Type: audio/wav\r\n\r\n01234\r\n789\r\n--xyz--\r\n";
    client
        .post(path)
        .header("content-type", "multipart/form-data; boundary=xyz")
        .body(body)
}

#[tokio::test]
async fn transcriptions_tell_the_file_and_the_model() {
    let provider = FakeProvider::strict();
    let client = Client::new(provider.addr());
    let fields = [("model", "whisper-1"), ("language", "en")];
    let answer = form(&client, "/v1/audio/transcriptions", &fields).send().await;
    assert_eq!(answer.json().await["text"], "a.wav: 10 bytes, whisper-1");

    let parts = provider.last_request().form();
    assert_eq!((&*parts[1].name, &*parts[1].text()), ("language", "en"));
    assert_eq!(
        (parts[2].filename.as_deref(), parts[2].content_type.as_deref()),
        (Some("a.wav"), Some("audio/wav"))
    );
    assert_eq!(parts[2].data, "01234\r\n789");
    assert_eq!(parts.len(), 3);

    let streamed = [("model", "whisper-1"), ("stream", "true")];
    let stream = form(&client, "/v1/audio/transcriptions", &streamed).send().await;
    let names = stream.events().finish().await;
    assert_eq!(names.names(), ["transcript.text.delta", "transcript.text.done"]);
    let nameless = form(&client, "/v1/audio/translations", &[]).send().await;
    nameless.expect_status(400).await;
}

#[tokio::test]
async fn speech_says_the_text() {
    let provider = FakeProvider::strict();
    let body = json!({"model": "tts-1", "input": "hello", "voice": "alloy", "response_format": "wav"});
    let answer = post(&provider, "/v1/audio/speech", body).await;
    assert_eq!(answer.header("content-type"), Some("audio/wav"));
    assert_eq!(answer.bytes().await, "hello");
}

#[tokio::test]
async fn images_are_made_of_prompts_and_forms() {
    let provider = FakeProvider::strict();
    let body = json!({"model": "gpt-image-1", "prompt": "a sluice", "n": 2});
    let answer = post(&provider, "/v1/images/generations", body).await.json().await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    assert_eq!(answer["data"][0]["revised_prompt"], "a sluice");
    assert!(answer["data"][0]["b64_json"].is_string());
    let body = json!({"model": "gpt-image-1", "prompt": "a sluice", "stream": true});
    let stream = post(&provider, "/v1/images/generations", body).await.events();
    assert_eq!(
        stream.finish().await.names(),
        ["image_generation.partial_image", "image_generation.completed"]
    );
    let client = Client::new(provider.addr());
    let fields = [("prompt", "more"), ("response_format", "url")];
    let edited = form(&client, "/v1/images/edits", &fields)
        .send()
        .await
        .json()
        .await;
    assert_eq!(edited["data"][0]["revised_prompt"], "10 bytes of images");
    assert!(edited["data"][0]["url"].is_string());
}

#[tokio::test]
async fn files_and_batches_are_kept_by_name() {
    let provider = FakeProvider::strict();
    let client = Client::new(provider.addr());
    let file = form(&client, "/v1/files", &[("purpose", "batch")]).send().await;
    let file = file.json().await;
    assert_eq!((&file["bytes"], &file["filename"]), (&json!(10), &json!("a.wav")));
    let list = client.get("/v1/files").send().await.json().await;
    assert_eq!(list["object"], "list");
    let content = client.get("/v1/files/file-1/content").send().await;
    assert!(content.text().await.contains("custom_id"));
    let gone = client.call(Method::DELETE, "/v1/files/file-1").send().await;
    assert_eq!(gone.json().await["deleted"], true);

    let batch = json!({"input_file_id": "file-7", "endpoint": "/v1/embeddings", "completion_window": "24h"});
    let batch = post(&provider, "/v1/batches", batch).await.json().await;
    assert_eq!(
        (&batch["status"], &batch["input_file_id"]),
        (&json!("validating"), &json!("file-7"))
    );
    post(&provider, "/v1/batches", json!({}))
        .await
        .expect_status(400)
        .await;
    let cancelled = post(&provider, "/v1/batches/batch_1/cancel", json!({})).await;
    assert_eq!(cancelled.json().await["status"], "cancelling");
}

#[tokio::test]
async fn legacy_completions_stream() {
    let provider = FakeProvider::strict();
    provider.next(Reply::completion(everything().stop(Stop::Length)));
    let body = json!({"model": "gpt-3.5-turbo-instruct", "prompt": "hi", "stream": true});
    let stream = post(&provider, "/v1/completions", body).await;
    let stream = stream.events().finish().await;
    assert_eq!(stream.text(), "Paris is warm.");
    let chunks = stream.json();
    assert_eq!(chunks.last().unwrap()["choices"][0]["finish_reason"], "length");
}
