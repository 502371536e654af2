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

fn translate(from: Protocol, to: Protocol, body: &Value) -> Result<(Value, RerankTranslation), Unsayable> {
    let memory: Arc<dyn Memory> = Arc::new(Nothing);
    let to = TranslationFor {
        client: &ClientCall::in_protocol(from),
        provider: Provider::find("cohere").unwrap(),
        protocol: to,
        model: "m",
        id: "1",
        created: 0,
        memory: &memory,
    };
    let (sent, translation) = RerankTranslation::request(&body.to_string().into(), to)?;
    Ok((serde_json::from_slice(&sent).unwrap(), translation))
}

#[test]
fn a_jina_client_on_cohere() {
    let asked = json!({
        "model": "rank", "query": "q", "documents": ["a", { "text": "b" }], "top_n": 2, "return_documents": true,
        "truncation": true,
    });
    let (sent, translation) = translate(Protocol::JinaRerank, Protocol::CohereRerank, &asked).unwrap();
    assert_eq!(
        sent,
        json!({ "model": "m", "query": "q", "documents": ["a", "b"], "top_n": 2 })
    );
    assert_eq!(translation.dropped(), ["truncation"]);
    let answer = br#"{"id":"x","results":[{"index":1,"relevance_score":0.90}],"meta":{"billed_units":{"search_units":1}}}"#;
    assert_eq!(
        translation.answer(answer).unwrap(),
        r#"{"model":"rank","results":[{"index":1,"relevance_score":0.90,"document":{"text": "b"}}],"usage":{"total_tokens":0}}"#
            .replace("{\"text\": \"b\"}", "{\"text\":\"b\"}")
    );
    let invented = br#"{"results":[{"index":7,"relevance_score":0.9}]}"#;
    assert!(translation.answer(invented).is_err());
    assert!(translation.answer(b"{}").is_err());
}

#[test]
fn a_cohere_client_on_a_server_with_jinas_form() {
    let asked = json!({ "model": "rank", "query": "q", "documents": ["a"], "max_tokens_per_doc": 9 });
    let (sent, translation) = translate(Protocol::CohereRerank, Protocol::JinaRerank, &asked).unwrap();
    assert_eq!(
        sent,
        json!({ "model": "m", "query": "q", "documents": ["a"], "return_documents": false })
    );
    assert_eq!(translation.dropped(), ["max_tokens_per_doc"]);
    let answer = br#"{"model":"m","results":[{"index":0,"relevance_score":1}],"usage":{"total_tokens":4}}"#;
    assert_eq!(
        translation.answer(answer).unwrap(),
        r#"{"id":"1","results":[{"index":0,"relevance_score":1}],"meta":{"api_version":{"version":"2"}}}"#
    );
    assert_eq!(metered(answer).unwrap().usage.input, 4);
}

#[test]
fn what_cannot_be_ranked_is_refused() {
    for (body, param) in [
        (json!({ "query": "q" }), "documents"),
        (json!({ "documents": ["a"] }), "query"),
        (json!({ "query": "q", "documents": "a" }), "documents"),
        (
            json!({ "query": "q", "documents": [{ "image": "x" }] }),
            "documents[0]",
        ),
    ] {
        let refused = translate(Protocol::JinaRerank, Protocol::CohereRerank, &body).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(param), "{body}");
    }
}
