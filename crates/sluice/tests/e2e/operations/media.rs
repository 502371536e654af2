use bytes::Bytes;
use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Gateway, Reply};

use super::{answered, on_openai, post, refused};
use crate::ledger::entries;
use crate::support::put;
use crate::translation::client_of;

const TYPE: &str = "multipart/form-data; boundary=------x";

/// A form with a file of these bytes and the given fields.
fn form(file: &[u8], fields: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend_from_slice(
        b"--------x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n",
    );
    body.extend_from_slice(file);
    for (name, value) in fields {
        let part = format!("\r\n--------x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}");
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(b"\r\n--------x--\r\n");
    body
}

fn upload(gateway: &Gateway, path: &str, body: Vec<u8>) -> Call {
    post(gateway, path).header("content-type", TYPE).body(body)
}

/// Bytes that look like anything, boundaries included.
fn noise(len: usize) -> Vec<u8> {
    let mut noise: Vec<u8> = (0..len).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect();
    noise.extend_from_slice(b"\r\n------x\r\n--\r\n");
    noise
}

#[tokio::test]
async fn the_model_in_a_form_is_mapped_and_the_file_stays() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    let file = noise(300_000);
    for fields in [
        &[("model", "whisper-1"), ("language", "en")][..],
        &[("language", "en"), ("model", "whisper-1")],
        &[("language", "en")],
    ] {
        for path in ["/v1/audio/transcriptions", "/v1/audio/translations"] {
            let answer = answered(upload(&gateway, path, form(&file, fields))).await;
            assert_eq!(answer["text"], format!("a.wav: {} bytes, up", file.len()));
            let sent = provider.last_request();
            assert_eq!(sent.path, path);
            assert_eq!(sent.header("content-type"), Some(TYPE));
            assert_eq!(
                sent.header("content-length"),
                Some(&*sent.body.len().to_string()),
                "the length is known"
            );
            assert_eq!(sent.header("authorization"), Some("Bearer upstream-key"));
            let parts = sent.form();
            let file_sent = parts.iter().find(|part| part.name == "file").unwrap();
            assert_eq!(file_sent.data, Bytes::from(file.clone()));
            assert!(parts.iter().any(|part| part.text() == "en"));
        }
    }
    // A model that need not be changed leaves every byte as it was.
    let body = form(&file, &[("model", "up")]);
    answered(upload(&gateway, "/v1/audio/transcriptions", body.clone())).await;
    assert_eq!(provider.last_request().body, Bytes::from(body));
}

#[tokio::test]
async fn forms_that_are_none_are_refused() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    let whole = form(b"sound", &[("model", "m")]);
    let truncated = whole[..whole.len() - 8].to_vec();
    let path = "/v1/audio/transcriptions";
    let answer = refused(upload(&gateway, path, truncated), 400).await;
    assert_eq!(answer["error"]["code"], "invalid_form");
    let no_boundary = post(&gateway, path)
        .header("content-type", "multipart/form-data")
        .body(whole.clone());
    assert_eq!(refused(no_boundary, 400).await["error"]["code"], "invalid_form");
    let other = post(&gateway, path).header("content-type", TYPE).body("{}");
    assert_eq!(refused(other, 400).await["error"]["code"], "invalid_form");
    let not_json = post(&gateway, "/v1/images/generations")
        .header("content-type", "application/json")
        .body("{");
    assert_eq!(refused(not_json, 400).await["error"]["code"], "invalid_json");
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn images_are_made_and_their_usage_is_booked() {
    let provider = FakeProvider::strict();
    let mut gateway = on_openai(&provider).await;
    let body = json!({ "model": "gpt-image-1", "prompt": "a cat", "n": 2 });
    let answer = answered(post(&gateway, "/v1/images/generations").json(&body)).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 2);
    assert_eq!(provider.last_request().json()["model"], "up");
    let answer = answered(upload(
        &gateway,
        "/v1/images/edits",
        form(b"picture", &[("prompt", "a dog"), ("model", "m")]),
    ))
    .await;
    assert_eq!(answer["data"][0]["revised_prompt"], "7 bytes of images");
    answered(upload(&gateway, "/v1/images/variations", form(b"picture", &[]))).await;
    let body = json!({ "model": "m", "prompt": "a cat", "stream": true });
    let answer = post(&gateway, "/v1/images/generations").json(&body).send().await;
    let answer = answer.expect_status(200).await;
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    let text = answer.text().await;
    assert!(text.contains("event: image_generation.completed"), "{text}");
    assert_eq!(provider.refused(), Vec::<String>::new());
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let used: Vec<_> = entries(&gateway)
        .await
        .into_iter()
        .map(|entry| (entry.usage.total_input(), entry.usage.total_output()))
        .collect();
    assert_eq!(used, [(10, 20); 4]);
}

#[tokio::test]
async fn sound_and_text_pass_as_they_are() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    let body = json!({ "model": "tts-1", "input": "Say this.", "voice": "alloy" });
    let answer = post(&gateway, "/v1/audio/speech").json(&body).send().await;
    let answer = answer.expect_status(200).await;
    assert_eq!(answer.header("content-type"), Some("audio/mpeg"));
    assert_eq!(answer.bytes().await, "Say this.");
    assert_eq!(provider.last_request().json()["model"], "up");
    let mut sse = body.clone();
    sse["stream_format"] = json!("sse");
    let answer = post(&gateway, "/v1/audio/speech").json(&sse).send().await;
    let text = answer.expect_status(200).await.text().await;
    assert!(text.contains("speech.audio.done"), "{text}");
    let form = form(b"sound", &[("model", "m"), ("response_format", "vtt")]);
    let answer = upload(&gateway, "/v1/audio/transcriptions", form).send().await;
    let answer = answer.expect_status(200).await;
    assert_eq!(answer.header("content-type"), Some("text/plain"));
    assert_eq!(answer.text().await, "a.wav: 5 bytes, up\n");
    // A client that hears half of it hears that it is half.
    provider.next(Reply::raw(
        "HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: 100\r\n\r\nhalf",
    ));
    let answer = post(&gateway, "/v1/audio/speech").json(&body).send().await;
    assert!(answer.expect_status(200).await.try_bytes().await.is_err());
}

#[tokio::test]
async fn errors_and_what_providers_lack() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    provider.next(Reply::error(400, "no such voice"));
    let body = json!({ "model": "m", "input": "a", "voice": "x" });
    let answer = refused(post(&gateway, "/v1/audio/speech").json(&body), 400).await;
    assert_eq!(answer["error"]["message"], "no such voice");
    provider.next(Reply::error(401, "bad key sk-upstream"));
    let answer = refused(post(&gateway, "/v1/audio/speech").json(&body), 502).await;
    assert!(!answer.to_string().contains("sk-upstream"));
    let gateway = client_of("anthropic", &provider).await;
    let answer = refused(post(&gateway, "/v1/audio/speech").json(&body), 400).await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("provider anthropic does not support openai-media protocol"),
        "{message}"
    );
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let provider = FakeProvider::strict();
    let gateway = on_openai(&provider).await;
    let mut conf = crate::support::openai(&provider);
    conf["max_req_body_size"] = json!(100_000);
    let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "native", "plugins": plugins }),
    )
    .await;
    let body = form(&noise(200_000), &[("model", "m")]);
    let answer = refused(upload(&gateway, "/v1/audio/transcriptions", body), 413).await;
    assert_eq!(answer["error"]["type"], "invalid_request_error");
    assert_eq!(provider.requests().len(), 0);
}

#[tokio::test]
async fn endpoints_stand_where_the_provider_has_them() {
    let provider = FakeProvider::start();
    let body: Value = json!({ "model": "m", "input": "a", "voice": "alloy" });
    for (name, expected) in [
        ("groq", "/openai/v1/audio/speech"),
        ("openrouter", "/api/v1/audio/speech"),
        ("azure-openai", "/openai/deployments/gpt-4.1/audio/speech"),
    ] {
        let gateway = client_of(name, &provider).await;
        post(&gateway, "/v1/audio/speech")
            .json(&body)
            .send()
            .await
            .expect_status(200)
            .await
            .bytes()
            .await;
        assert_eq!(provider.last_request().path, expected, "{name}");
    }
}

/// A gateway whose client's prompts are guarded.
async fn guarded(provider: &FakeProvider) -> Gateway {
    let gateway = on_openai(provider).await;
    let mut conf = crate::support::openai(provider);
    conf["options"] = json!({ "model": "up" });
    let guard = json!({ "mask": ["email"], "block": ["payment_card"] });
    let plugins = json!({ "key-auth": { "key": "sk-native" }, "ai-proxy": conf, "ai-guard": guard });
    let consumer = json!({ "username": "native", "plugins": plugins });
    put(&gateway, "/consumers", consumer).await;
    gateway
}

#[tokio::test]
async fn prompts_for_pictures_and_speech_are_guarded_in_forms_too() {
    let provider = FakeProvider::strict();
    let gateway = guarded(&provider).await;
    let masked = "to [EMAIL_1]";
    let path = "/v1/images/generations";
    let ask = |prompt: &str| post(&gateway, path).json(&json!({ "model": "m", "prompt": prompt }));
    answered(ask("to jane@example.org")).await;
    assert_eq!(provider.last_request().json()["prompt"], masked);

    let file = noise(1000);
    let path = "/v1/audio/transcriptions";
    let ask = |prompt: &str| upload(&gateway, path, form(&file, &[("model", "m"), ("prompt", prompt)]));
    answered(ask("to jane@example.org")).await;
    let parts = provider.last_request().form();
    let part = |name: &str| parts.iter().find(|part| part.name == name).unwrap();
    assert_eq!(
        (part("prompt").text().as_str(), part("model").text().as_str()),
        (masked, "up")
    );
    assert_eq!(part("file").data, Bytes::from(file.clone()));

    let before = provider.requests().len();
    let blocked = answered(ask("card 4111 1111 1111 1111")).await;
    assert_eq!(blocked["error"]["code"], "content_policy_violation");
    assert_eq!(provider.requests().len(), before, "nothing is sent");
}
