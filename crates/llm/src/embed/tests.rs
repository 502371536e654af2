use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::client_call::ClientCall;
use crate::provider::Provider;
use crate::translate::{Conversation, Memory};

struct Nothing;

impl Memory for Nothing {
    fn conversation(&self, _: &str) -> Option<Arc<Conversation>> {
        None
    }
    fn keep_conversation(&self, _: &str, _: Arc<Conversation>) {}
    fn forget_conversation(&self, _: &str) {}
    fn signature(&self, _: &str) -> Option<String> {
        None
    }
    fn keep_signature(&self, _: &str, _: String) {}
}

fn translate(from: Protocol, to: Protocol, body: &Value) -> Result<(Value, EmbedTranslation), Unsayable> {
    let memory: Arc<dyn Memory> = Arc::new(Nothing);
    let to = TranslationFor {
        client: &ClientCall::in_protocol(from),
        provider: Provider::find("openai").unwrap(),
        protocol: to,
        model: "m",
        id: "1",
        created: 0,
        memory: &memory,
    };
    let (sent, translation) = EmbedTranslation::request(&body.to_string().into(), to)?;
    Ok((serde_json::from_slice(&sent).unwrap(), translation))
}

fn answered(translation: &EmbedTranslation, body: &str) -> Value {
    serde_json::from_slice(&translation.answer(body.as_bytes()).unwrap()).unwrap()
}

/// The same request of every client, with what each has to say more.
fn requests() -> [(Protocol, Value); 6] {
    [
        (
            Protocol::OpenAiEmbeddings,
            json!({ "model": "x", "input": "hi", "dimensions": 2, "user": "u" }),
        ),
        (
            Protocol::GeminiEmbed,
            json!({ "content": { "parts": [{ "text": "h" }, { "text": "i" }] }, "taskType": "RETRIEVAL_QUERY",
                "output_dimensionality": 2 }),
        ),
        (
            Protocol::GeminiBatchEmbed,
            json!({ "requests": [{ "model": "models/x", "content": { "parts": [{ "text": "hi" }] },
                "outputDimensionality": 2 }] }),
        ),
        (
            Protocol::OllamaEmbed,
            json!({ "model": "x", "input": ["hi"], "dimensions": 2, "truncate": true }),
        ),
        (
            Protocol::OllamaEmbeddings,
            json!({ "model": "x", "prompt": "hi", "keep_alive": "5m" }),
        ),
        (
            Protocol::CohereEmbed,
            json!({ "model": "x", "texts": ["hi"], "input_type": "search_query", "output_dimension": 2,
                "truncate": "END" }),
        ),
    ]
}

/// What each provider answers to one text.
const ANSWERS: [(Protocol, &str); 5] = [
    (
        Protocol::OpenAiEmbeddings,
        r#"{"data":[{"index":0,"embedding":[0.50,-1]}],"model":"up","usage":{"prompt_tokens":3,"total_tokens":3}}"#,
    ),
    (
        Protocol::GeminiBatchEmbed,
        r#"{"embeddings":[{"values":[0.50,-1]}]}"#,
    ),
    (
        Protocol::OllamaEmbed,
        r#"{"model":"up","embeddings":[[0.50,-1]],"prompt_eval_count":3}"#,
    ),
    (
        Protocol::CohereEmbed,
        r#"{"id":"i","embeddings":{"float":[[0.50,-1]]},"meta":{"billed_units":{"input_tokens":3}}}"#,
    ),
    (
        Protocol::VertexPredict,
        r#"{"predictions":[{"embeddings":{"values":[0.50,-1],"statistics":{"token_count":3}}}]}"#,
    ),
];

#[test]
fn any_client_on_any_provider() {
    for (client, request) in requests() {
        for (provider, answer) in ANSWERS {
            let (sent, translation) = translate(client, provider, &request).unwrap();
            assert!(sent.to_string().contains("\"hi\""), "{client} {provider}: {sent}");
            let got = answered(&translation, answer);
            let vector = json!([0.50, -1]);
            let expected = match client {
                Protocol::OpenAiEmbeddings => &got["data"][0]["embedding"],
                Protocol::GeminiEmbed => &got["embedding"]["values"],
                Protocol::GeminiBatchEmbed => &got["embeddings"][0]["values"],
                Protocol::OllamaEmbed => &got["embeddings"][0],
                Protocol::OllamaEmbeddings => &got["embedding"],
                _ => &got["embeddings"]["float"][0],
            };
            assert_eq!(*expected, vector, "{client} {provider}: {got}");
        }
    }
}

#[test]
fn what_is_left_out_is_named() {
    let dropped = |from, to, body: &Value| {
        let (_, translation) = translate(from, to, body).unwrap();
        translation.dropped().join(" ")
    };
    let [openai, gemini, _, ollama, older, cohere] = requests();
    assert_eq!(dropped(openai.0, Protocol::GeminiBatchEmbed, &openai.1), "user");
    assert_eq!(dropped(gemini.0, Protocol::OpenAiEmbeddings, &gemini.1), "task");
    assert_eq!(dropped(gemini.0, Protocol::CohereEmbed, &gemini.1), "");
    assert_eq!(
        dropped(ollama.0, Protocol::OpenAiEmbeddings, &ollama.1),
        "truncate"
    );
    assert_eq!(dropped(older.0, Protocol::OllamaEmbed, &older.1), "keep_alive");
    assert_eq!(
        dropped(cohere.0, Protocol::OpenAiEmbeddings, &cohere.1),
        "task truncate"
    );
    let similar =
        json!({ "content": { "parts": [{ "text": "a" }] }, "taskType": "SEMANTIC_SIMILARITY", "title": "t" });
    assert_eq!(
        dropped(Protocol::GeminiEmbed, Protocol::CohereEmbed, &similar),
        "title taskType"
    );
    let (sent, _) = translate(Protocol::GeminiEmbed, Protocol::VertexPredict, &similar).unwrap();
    assert_eq!(sent["instances"][0]["task_type"], "SEMANTIC_SIMILARITY");
}

#[test]
fn base64_is_little_endian_floats() {
    let asked = json!({ "model": "x", "input": ["a"], "encoding_format": "base64" });
    let (sent, translation) =
        translate(Protocol::OpenAiEmbeddings, Protocol::GeminiBatchEmbed, &asked).unwrap();
    assert!(!sent.to_string().contains("base64"));
    let got = answered(&translation, ANSWERS[1].1);
    assert_eq!(got["data"][0]["embedding"], "AAAAPwAAgL8=");
    assert_eq!(got["usage"]["prompt_tokens"], 1, "estimated");
    let asked = json!({ "texts": ["a"], "input_type": "x", "embedding_types": ["float", "base64"] });
    let (_, translation) = translate(Protocol::CohereEmbed, Protocol::OpenAiEmbeddings, &asked).unwrap();
    let got = answered(&translation, ANSWERS[0].1);
    assert_eq!(got["embeddings"]["base64"][0], "AAAAPwAAgL8=");
    assert_eq!(got["meta"]["billed_units"]["input_tokens"], 3);
}

#[test]
fn vectors_come_in_the_order_of_texts() {
    let asked = json!({ "input": ["a", "b"] });
    let (_, translation) = translate(Protocol::OllamaEmbed, Protocol::OpenAiEmbeddings, &asked).unwrap();
    let answer = r#"{"data":[{"index":1,"embedding":[2]},{"index":0,"embedding":[1]}]}"#;
    assert_eq!(answered(&translation, answer)["embeddings"], json!([[1], [2]]));
    let too_few = r#"{"data":[{"index":0,"embedding":[1]}]}"#;
    assert!(translation.answer(too_few.as_bytes()).is_err());
    let no_vector = r#"{"data":[{"embedding":[1]},{"embedding":7}]}"#;
    assert_eq!(
        translation.answer(no_vector.as_bytes()),
        Err(AnswerError::Embedding(2))
    );
    assert!(translation.answer(b"<html>").is_err());
}

#[test]
fn requests_that_are_none_are_refused() {
    let batch = json!({ "requests": [
        { "content": { "parts": [{ "text": "a" }] } },
        { "content": { "parts": [{ "text": "b" }] }, "outputDimensionality": 3 },
    ] });
    for (client, body, param) in [
        (Protocol::OpenAiEmbeddings, json!({ "model": "x" }), Some("input")),
        (Protocol::OpenAiEmbeddings, json!({ "input": [] }), None),
        (
            Protocol::OpenAiEmbeddings,
            json!({ "input": [1, "a"] }),
            Some("input"),
        ),
        (
            Protocol::OpenAiEmbeddings,
            json!({ "input": [1, 2] }),
            Some("input"),
        ),
        (
            Protocol::OpenAiEmbeddings,
            json!({ "input": "a", "encoding_format": "hex" }),
            Some("encoding_format"),
        ),
        (
            Protocol::GeminiEmbed,
            json!({ "content": { "parts": [{ "inlineData": {} }] } }),
            Some("content.parts[0]"),
        ),
        (
            Protocol::GeminiBatchEmbed,
            batch,
            Some("requests[1].outputDimensionality"),
        ),
        (Protocol::OllamaEmbed, json!({ "input": 7 }), Some("input")),
        (
            Protocol::OllamaEmbeddings,
            json!({ "prompt": ["a", "b"] }),
            Some("prompt"),
        ),
        (Protocol::CohereEmbed, json!({ "images": ["x"] }), Some("images")),
        (
            Protocol::CohereEmbed,
            json!({ "texts": ["a"], "embedding_types": ["int8"] }),
            Some("embedding_types"),
        ),
    ] {
        let refused = translate(client, Protocol::OllamaEmbed, &body).unwrap_err();
        assert_eq!(refused.param.as_deref(), param, "{client} {body}");
    }
    let tokens = json!({ "input": [[1, 2], [3]] });
    let (sent, _) = translate(Protocol::OpenAiEmbeddings, Protocol::OpenAiEmbeddings, &tokens).unwrap();
    assert_eq!(sent["input"], json!([[1, 2], [3]]));
}
