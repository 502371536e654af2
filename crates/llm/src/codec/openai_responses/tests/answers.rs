//! Whole answers, both ways.

use serde_json::{Value, json};

use super::check::check_response;
use crate::chat::{
    ChatAnswer, Choice, Extension, Json, Part, PartKind, Reasoning, Signature, SignatureOrigin, StopReason,
    ToolCall,
};
use crate::codec::ChatCodec as _;
use crate::codec::openai_responses::OpenAiResponses;
use crate::codec::testing::facts;
use crate::protocol::Protocol;
use crate::usage::Usage;

pub(super) fn written(answer: &ChatAnswer, body: &str) -> Value {
    let json = OpenAiResponses.encode_answer(answer, &facts(body));
    let response: Value = serde_json::from_str(json.text()).unwrap();
    check_response(&response);
    response
}

/// An answer of a provider that speaks another protocol.
pub(super) fn foreign(parts: Vec<PartKind>, stop: StopReason) -> ChatAnswer {
    let nothing = || Extension::of(Protocol::AnthropicMessages);
    ChatAnswer {
        id: Some("msg_theirs".to_owned()),
        model: Some("claude".to_owned()),
        created: None,
        choices: vec![Choice {
            parts: parts.into_iter().map(|kind| Part::new(kind, nothing())).collect(),
            stop,
            stop_sequence: None,
            logprobs: None,
            extension: nothing(),
        }],
        usage: Some(Usage {
            input: 10,
            cache_read: 5,
            cache_write: 2,
            output: 7,
            reasoning: 3,
            ..Usage::default()
        }),
        service_tier: None,
        extension: nothing(),
    }
}

pub(super) fn call(name: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: format!("call_{name}"),
        name: name.to_owned(),
        arguments: arguments.to_owned(),
        is_custom: false,
        signature: None,
    }
}

#[test]
fn a_responses_answer_comes_back_as_it_was() {
    let answer = json!({
        "id": "resp_1", "object": "response", "created_at": 1_700_000_001, "completed_at": 1_700_000_002,
        "status": "completed", "error": null, "incomplete_details": null, "instructions": "i",
        "max_output_tokens": null, "max_tool_calls": null, "model": "gpt-5.1-2026", "background": false,
        "output": [
            {"id": "rs_1", "type": "reasoning", "summary": [{"type": "summary_text", "text": "a"}],
                "encrypted_content": "gAAA"},
            {"id": "rs_2", "type": "reasoning", "summary": []},
            {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "phase": "final_answer",
                "content": [{"type": "output_text", "text": "t", "annotations": [{"type": "url_citation", "url": "u",
                    "title": "t", "start_index": 0, "end_index": 1}], "logprobs": [{"token": "t", "logprob": -0.5,
                    "bytes": [116], "top_logprobs": []}]},
                    {"type": "refusal", "refusal": "no"}]},
            {"id": "fc_1", "type": "function_call", "status": "completed", "arguments": "", "call_id": "c1",
                "name": "get", "namespace": "crm"},
            {"id": "ctc_1", "type": "custom_tool_call", "status": "completed", "call_id": "c2", "input": "ls", "name": "sh"},
            {"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}},
        ],
        "parallel_tool_calls": false, "previous_response_id": "resp_0", "reasoning": {"effort": "high", "summary": null},
        "service_tier": "default", "store": false, "temperature": 1.0, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": [{"type": "web_search"}], "top_p": 0.98, "truncation": "disabled",
        "metadata": {"a": "b"}, "x_new": {"y": 1},
        "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 1,
            "cache_write_tokens_details": {"ttl_30m_tokens": 1, "ttl_12h_tokens": 0}}, "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 2}, "total_tokens": 15},
    });
    let decoded = OpenAiResponses
        .decode_answer(answer.to_string().as_bytes())
        .unwrap();
    assert_eq!(
        decoded.usage,
        Some(Usage {
            input: 5,
            cache_read: 4,
            cache_write: 1,
            output: 3,
            reasoning: 2,
            ..Usage::default()
        })
    );
    let choice = &decoded.choices[0];
    assert_eq!(choice.stop, StopReason::ToolCalls);
    let logprobs = choice.logprobs.as_ref().unwrap().text();
    assert!(
        logprobs.starts_with(r#"{"content":[{"#) && logprobs.contains("-0.5"),
        "{logprobs}"
    );
    assert_eq!(
        written(&decoded, r#"{"model":"asked","temperature":0.2}"#),
        answer
    );
}

#[test]
fn ends_of_answers_are_read() {
    let stop = |rest: Value| {
        let mut body = json!({"id": "r", "output": []});
        body.as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        OpenAiResponses
            .decode_answer(body.to_string().as_bytes())
            .map(|answer| answer.choices[0].stop)
    };
    let incomplete =
        |reason: &str| stop(json!({"status": "incomplete", "incomplete_details": {"reason": reason}}));
    assert_eq!(incomplete("max_output_tokens"), Ok(StopReason::Length));
    assert_eq!(incomplete("content_filter"), Ok(StopReason::ContentFilter));
    assert_eq!(
        stop(json!({"status": "failed", "error": {"message": "m"}})),
        Ok(StopReason::Failed)
    );
    assert_eq!(stop(json!({})), Ok(StopReason::Stop));
    assert!(stop(json!({"status": "queued"})).is_err());
    for body in [
        "",
        "[]",
        "{}",
        r#"{"error":{"message":"m"}}"#,
        r#"{"output":{}}"#,
        r#"{"output":[{}]}"#,
    ] {
        assert!(OpenAiResponses.decode_answer(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn an_answer_of_another_protocol_is_a_response() {
    let thought = Reasoning {
        text: "hm".to_owned(),
        signature: Some(Signature::new(SignatureOrigin::Anthropic, "EqQB")),
        ..Reasoning::default()
    };
    let mut signed = call("crm__get", "{\"a\":1}");
    signed.signature = Some(Signature::new(SignatureOrigin::Gemini, "Sig"));
    let mut answer = foreign(
        vec![
            PartKind::Reasoning(thought),
            PartKind::Text("a".to_owned()),
            PartKind::Text("b".to_owned()),
            PartKind::ToolCall(signed),
            PartKind::ToolCall(call("sh", "{\"input\":\"ls\"}")),
            PartKind::ToolCall(call("bare", "")),
        ],
        StopReason::ToolCalls,
    );
    answer.choices[0].logprobs = Json::parse(r#"{"content":[{"token":"a"}]}"#);
    let response = written(
        &answer,
        r#"{"model":"asked","instructions":"i","store":false,"user":"u","tools":[
            {"type":"namespace","name":"crm","tools":[{"type":"function","name":"get"}]},
            {"type":"custom","name":"sh"}]}"#,
    );
    let id = "0123456789abcdef0123456789abcdef";
    assert_eq!(response["id"], format!("resp_{id}"));
    assert_eq!(
        (&response["model"], &response["instructions"], &response["store"]),
        (&json!("claude"), &json!("i"), &json!(false))
    );
    assert_eq!(response["tools"].as_array().unwrap().len(), 2);
    assert_eq!(response["user"], "u");
    let item = |prefix: &str, index: u32| format!("{prefix}_{id}_{index}");
    assert_eq!(
        response["output"],
        json!([
            {"id": item("rs", 0), "type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}],
                "encrypted_content": "sluice.anthropic-claude-v1.EqQB"},
            {"id": item("msg", 1), "type": "message", "status": "completed", "role": "assistant", "content": [
                {"type": "output_text", "text": "a", "annotations": [], "logprobs": [{"token": "a"}]},
                {"type": "output_text", "text": "b", "annotations": [], "logprobs": []}]},
            {"id": item("fc", 2), "type": "function_call", "status": "completed", "arguments": "{\"a\":1}",
                "call_id": "call_crm__get", "name": "get", "namespace": "crm"},
            {"id": item("rs", 3), "type": "reasoning", "summary": [],
                "encrypted_content": "sluice-call:sluice.google-gemini-v1.Sig:call_crm__get"},
            {"id": item("fc", 4), "type": "custom_tool_call", "status": "completed", "input": "ls",
                "call_id": "call_sh", "name": "sh"},
            {"id": item("fc", 5), "type": "function_call", "status": "completed", "arguments": "{}",
                "call_id": "call_bare", "name": "bare"},
        ])
    );
    assert_eq!(
        response["usage"],
        json!({"input_tokens": 17, "input_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 2},
            "output_tokens": 10, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 27})
    );
}

#[test]
fn every_end_has_its_status() {
    let text = || vec![PartKind::Text("x".to_owned())];
    for (stop, status, reason) in [
        (StopReason::Stop, "completed", None),
        (StopReason::StopSequence, "completed", None),
        (StopReason::Pause, "completed", None),
        (StopReason::Length, "incomplete", Some("max_output_tokens")),
        (StopReason::ContextWindow, "incomplete", Some("max_output_tokens")),
        (StopReason::ContentFilter, "incomplete", Some("content_filter")),
        (StopReason::Refusal, "incomplete", Some("content_filter")),
        (StopReason::Failed, "failed", None),
    ] {
        let response = written(&foreign(text(), stop), "{}");
        assert_eq!(response["status"], status, "{stop:?}");
        assert_eq!(
            response["incomplete_details"]["reason"].as_str(),
            reason,
            "{stop:?}"
        );
        assert_eq!(response["error"].is_object(), status == "failed", "{stop:?}");
    }
    let refusal = foreign(vec![PartKind::Refusal("no".to_owned())], StopReason::Refusal);
    assert_eq!(written(&refusal, "{}")["status"], "completed");
    let mut blocked = foreign(Vec::new(), StopReason::Stop);
    blocked.choices.clear();
    assert_eq!(
        written(&blocked, "not JSON")["incomplete_details"],
        json!({"reason": "content_filter"})
    );
}
