//! Whole answers.

use serde_json::{Value, json};

use super::{call, openai, part, text};
use crate::chat::{ChatAnswer, Choice, PartKind, Reasoning, Signature, SignatureOrigin, StopReason};
use crate::codec::ChatCodec;
use crate::codec::anthropic::Anthropic;
use crate::codec::testing::facts;
use crate::usage::Usage;

fn again(answer: &Value) -> Value {
    let decoded = Anthropic.decode_answer(answer.to_string().as_bytes()).unwrap();
    serde_json::from_str(Anthropic.encode_answer(&decoded, &facts("{}")).text()).unwrap()
}

fn answer(content: Value, stop_reason: &str) -> Value {
    json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5", "content": content,
        "stop_reason": stop_reason, "stop_sequence": null,
        "usage": {"input_tokens": 10, "cache_creation_input_tokens": 7, "cache_read_input_tokens": 5,
            "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
            "output_tokens": 9, "server_tool_use": {"web_search_requests": 1}, "service_tier": "standard"},
    })
}

#[test]
fn answers_are_kept() {
    let content = json!([
        {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
        {"type": "redacted_thinking", "data": "Emw"},
        {"type": "text", "text": "hi", "citations": [{"type": "page_location", "cited_text": "x"}]},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": []},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"b": 1, "a": 2}},
    ]);
    let mut whole = answer(content, "tool_use");
    whole["container"] = json!({"id": "c"});
    assert_eq!(again(&whole), whole);
    for reason in [
        "end_turn",
        "max_tokens",
        "refusal",
        "pause_turn",
        "model_context_window_exceeded",
        "newer",
    ] {
        let mut answer = answer(json!([{"type": "text", "text": "hi"}]), reason);
        if reason == "refusal" {
            answer["stop_details"] = json!({"type": "refusal", "category": "cyber"});
        }
        assert_eq!(again(&answer), answer);
    }
    let mut stopped = answer(json!([]), "stop_sequence");
    stopped["stop_sequence"] = json!("END");
    assert_eq!(again(&stopped), stopped);
}

#[test]
fn what_it_means() {
    let body = answer(
        json!([{"type": "tool_use", "id": "t", "name": "f", "input": {}}]),
        "end_turn",
    );
    let decoded = Anthropic.decode_answer(body.to_string().as_bytes()).unwrap();
    assert_eq!(decoded.choices[0].stop, StopReason::ToolCalls);
    assert_eq!(decoded.service_tier.as_deref(), Some("standard"));
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
    for refused in [
        r#"{"type":"error","error":{"type":"x","message":"y"}}"#,
        "{}",
        "[]",
        "<html>",
    ] {
        assert!(Anthropic.decode_answer(refused.as_bytes()).is_err(), "{refused}");
    }
}

#[test]
fn answers_of_other_providers() {
    let gemini = |data: &str| Some(Signature::new(SignatureOrigin::Gemini, data));
    let mut signed = call("c1", "{\"a\":1}");
    if let PartKind::ToolCall(call) = &mut signed.kind {
        call.signature = gemini("CALL");
    }
    let thought = PartKind::Reasoning(Reasoning {
        text: "hm".to_owned(),
        signature: gemini("THOUGHT"),
        ..Reasoning::default()
    });
    let unsigned = PartKind::Reasoning(Reasoning {
        text: "so".to_owned(),
        ..Reasoning::default()
    });
    let answer = ChatAnswer {
        id: None,
        model: None,
        created: Some(1),
        choices: vec![Choice {
            parts: vec![
                part(thought),
                part(unsigned),
                text(""),
                text("hi"),
                signed,
                call("c2", ""),
            ],
            stop: StopReason::ToolCalls,
            stop_sequence: None,
            logprobs: None,
            extension: openai(),
        }],
        usage: Some(Usage {
            input: 1,
            cache_read: 2,
            output: 3,
            reasoning: 4,
            ..Usage::default()
        }),
        service_tier: None,
        extension: openai(),
    };
    let body: Value = serde_json::from_str(Anthropic.encode_answer(&answer, &facts("{}")).text()).unwrap();
    assert_eq!(
        body,
        json!({
            "id": "msg_0123456789abcdef0123456789abcdef", "type": "message", "role": "assistant", "model": "asked",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sluice.google-gemini-v1.THOUGHT"},
                {"type": "thinking", "thinking": "so", "signature": ""},
                {"type": "text", "text": "hi"},
                {"type": "tool_use", "id": "c1", "name": "get_weather", "input": {"a": 1}},
                {"type": "redacted_thinking", "data": "sluice.google-gemini-v1.CALL"},
                {"type": "tool_use", "id": "c2", "name": "get_weather", "input": {}},
            ],
            "stop_reason": "tool_use", "stop_sequence": null,
            "usage": {"input_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 2,
                "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 4}},
        })
    );
}
