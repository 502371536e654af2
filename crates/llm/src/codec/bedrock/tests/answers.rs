//! Whole answers.

use serde_json::{Value, json};

use crate::chat::{
    ChatAnswer, Choice, Extension, Part, PartKind, Reasoning, Signature, SignatureOrigin, StopReason,
    ToolCall,
};
use crate::codec::ChatCodec;
use crate::codec::bedrock::Bedrock;
use crate::codec::testing::facts;
use crate::protocol::Protocol;
use crate::usage::Usage;

fn answer(content: Value, stop_reason: &str) -> Value {
    json!({
        "output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop_reason,
        "usage": {"inputTokens": 10, "outputTokens": 9, "totalTokens": 31, "cacheReadInputTokens": 5,
            "cacheWriteInputTokens": 7, "cacheDetails": [{"ttl": "1h", "inputTokens": 4}]},
        "metrics": {"latencyMs": 551}, "trace": {"guardrail": {}}, "serviceTier": {"type": "flex"},
    })
}

fn again(answer: &Value) -> Value {
    let decoded = Bedrock.decode_answer(answer.to_string().as_bytes()).unwrap();
    serde_json::from_str(Bedrock.encode_answer(&decoded, &facts("{}")).text()).unwrap()
}

#[test]
fn answers_are_kept() {
    let whole = answer(
        json!([
            {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "EqQB"}}},
            {"reasoningContent": {"reasoningText": {"text": "unsigned"}}},
            {"reasoningContent": {"redactedContent": "AAAA"}},
            {"text": "hi"},
            {"citationsContent": {"content": [{"text": "x"}], "citations": []}},
            {"image": {"format": "png", "source": {"bytes": "AA=="}}},
            {"toolUse": {"toolUseId": "t", "name": "f", "input": {"b": 1, "a": 2}}},
        ]),
        "tool_use",
    );
    assert_eq!(again(&whole), whole);
    for reason in [
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "guardrail_intervened",
        "content_filtered",
        "malformed_model_output",
        "malformed_tool_use",
        "model_context_window_exceeded",
        "newer",
    ] {
        let answer = answer(json!([{"text": "hi"}]), reason);
        assert_eq!(again(&answer), answer);
    }
}

#[test]
fn what_it_means() {
    let body = answer(
        json!([{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]),
        "end_turn",
    );
    let decoded = Bedrock.decode_answer(body.to_string().as_bytes()).unwrap();
    assert_eq!(decoded.choices[0].stop, StopReason::ToolCalls);
    assert_eq!(decoded.service_tier.as_deref(), Some("flex"));
    assert_eq!(
        decoded.usage,
        Some(Usage {
            input: 10,
            cache_read: 5,
            cache_write: 3,
            cache_write_1h: 4,
            output: 9,
            ..Usage::default()
        })
    );
    for refused in [r#"{"message":"no"}"#, "{}", "[]", ""] {
        assert!(Bedrock.decode_answer(refused.as_bytes()).is_err(), "{refused}");
    }
}

#[test]
fn answers_of_other_providers() {
    let part = |kind| Part::new(kind, Extension::of(Protocol::GeminiGenerate));
    let gemini = |data: &str| Some(Signature::new(SignatureOrigin::Gemini, data));
    let thought = Reasoning {
        text: "hm".to_owned(),
        signature: gemini("T"),
        ..Reasoning::default()
    };
    let call = ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        arguments: "{}".to_owned(),
        is_custom: false,
        signature: gemini("C"),
    };
    let answer = ChatAnswer {
        id: None,
        model: None,
        created: None,
        choices: vec![Choice {
            parts: vec![
                part(PartKind::Reasoning(thought)),
                part(PartKind::Text("hi".to_owned())),
                part(PartKind::ToolCall(call)),
            ],
            stop: StopReason::ToolCalls,
            stop_sequence: None,
            logprobs: None,
            extension: Extension::of(Protocol::GeminiGenerate),
        }],
        usage: Some(Usage {
            input: 1,
            output: 2,
            reasoning: 3,
            ..Usage::default()
        }),
        service_tier: None,
        extension: Extension::of(Protocol::GeminiGenerate),
    };
    let written = Bedrock.encode_answer(&answer, &facts("{}"));
    let body: Value = serde_json::from_str(written.text()).unwrap();
    assert_eq!(body["stopReason"], "tool_use");
    assert_eq!(
        body["usage"],
        json!({"inputTokens": 1, "outputTokens": 5, "totalTokens": 6})
    );
    assert_eq!(body["metrics"], json!({"latencyMs": 0}));
    assert_eq!(
        body["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"],
        json!({"text": "hm", "signature": "sluice.google-gemini-v1.T"})
    );
    // What comes back is what was sent.
    let back = Bedrock.decode_answer(written.text().as_bytes()).unwrap();
    let kinds = |answer: &ChatAnswer| -> Vec<PartKind> {
        let parts = answer.choices[0].parts.iter();
        parts.map(|part| part.kind.clone()).collect()
    };
    assert_eq!(kinds(&back), kinds(&answer));
}
