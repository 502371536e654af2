//! Streams of providers: what the real one sends, and what others make of it.

use serde_json::{Value, json};

use super::check::check;
use crate::chat::{ChatEvent, PartDelta, PartKind, StopReason};
use crate::codec::openai_responses::OpenAiResponses;
use crate::codec::testing::{assemble, decode_stream, encode_stream, facts};
use crate::error::{ErrorKind, PublicError};
use crate::usage::Usage;

/// Events as frames, numbered.
pub(super) fn frames(events: &[Value]) -> String {
    let frame = |(number, event): (usize, &Value)| {
        let mut event = event.clone();
        event["sequence_number"] = number.into();
        format!(
            "event: {}\ndata: {event}\n\n",
            event["type"].as_str().unwrap_or("x")
        )
    };
    events.iter().enumerate().map(frame).collect()
}

/// The same without names and numbers, as LiteLLM passes them on.
fn bare_frames(events: &[Value]) -> String {
    events
        .iter()
        .map(|event| format!("data:{event}\r\n\r\n"))
        .collect()
}

fn created() -> Value {
    json!({"type": "response.created", "response": {"id": "resp_1", "model": "gpt", "status": "in_progress", "output": []}})
}

fn completed(output: &Value) -> Value {
    json!({"type": "response.completed", "response": {"id": "resp_1", "model": "gpt", "status": "completed",
        "output": output, "error": null, "incomplete_details": null,
        "usage": {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 9}}})
}

fn at(kind: &str, index: u32, id: &str, rest: Value) -> Value {
    let mut event = json!({"type": format!("response.{kind}"), "output_index": index, "item_id": id});
    event
        .as_object_mut()
        .unwrap()
        .extend(rest.as_object().unwrap().clone());
    event
}

fn item(kind: &str, index: u32, item: &Value) -> Value {
    json!({"type": format!("response.output_item.{kind}"), "output_index": index, "item": item})
}

/// Items of a full answer, as they are when they are done.
fn output() -> Value {
    json!([
        {"id": "rs_1", "type": "reasoning", "encrypted_content": "gAAA",
            "summary": [{"type": "summary_text", "text": "one"}, {"type": "summary_text", "text": "two"}]},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [
            {"type": "output_text", "text": "Hi \u{1f389}", "annotations": [{"type": "url_citation", "url": "u"}],
                "logprobs": [{"token": "Hi", "logprob": -0.5}]},
            {"type": "refusal", "refusal": "no"}]},
        {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}", "status": "completed"},
        {"id": "ctc_1", "type": "custom_tool_call", "call_id": "c2", "name": "sh", "input": "ls"},
        {"id": "ws_1", "type": "web_search_call", "status": "completed"},
    ])
}

/// The events of that answer as the real server sends them, one line each.
const EVENTS: &str = r#"
response.output_item.added {"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[]}}
response.reasoning_summary_part.added {"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}
response.reasoning_summary_text.delta {"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"on"}
response.reasoning_summary_text.delta {"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"e"}
response.reasoning_summary_text.done {"item_id":"rs_1","output_index":0,"summary_index":0,"text":"one"}
response.reasoning_summary_text.delta {"item_id":"rs_1","output_index":0,"summary_index":1,"delta":"two"}
response.output_item.done {"output_index":0,"item":0}
response.output_item.added {"output_index":1,"item":{"id":"msg_1","type":"message","role":"assistant","content":[]}}
response.content_part.added {"item_id":"msg_1","output_index":1,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}
response.output_text.delta {"item_id":"msg_1","output_index":1,"content_index":0,"delta":"Hi ","logprobs":[{"token":"Hi","logprob":-0.5}],"obfuscation":"x"}
response.output_text.delta {"item_id":"msg_1","output_index":1,"content_index":0,"delta":"\ud83c\udf89","logprobs":[]}
response.output_text.annotation.added {"item_id":"msg_1","output_index":1,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","url":"u"}}
response.output_text.done {"item_id":"msg_1","output_index":1,"content_index":0,"text":"Hi \ud83c\udf89","logprobs":[]}
response.content_part.done {"item_id":"msg_1","output_index":1,"content_index":0,"part":0}
response.content_part.added {"item_id":"msg_1","output_index":1,"content_index":1,"part":{"type":"refusal","refusal":""}}
response.refusal.delta {"item_id":"msg_1","output_index":1,"content_index":1,"delta":"no"}
response.refusal.done {"item_id":"msg_1","output_index":1,"content_index":1,"refusal":"no"}
response.content_part.done {"item_id":"msg_1","output_index":1,"content_index":1,"part":1}
response.output_item.done {"output_index":1,"item":1}
response.output_item.added {"output_index":2,"item":{"id":"fc_1","type":"function_call","call_id":"c1","name":"f","arguments":""}}
response.output_item.added {"output_index":3,"item":{"id":"ctc_1","type":"custom_tool_call","call_id":"c2","name":"sh","input":""}}
response.function_call_arguments.delta {"item_id":"fc_1","output_index":2,"delta":"{\"a\""}
response.custom_tool_call_input.delta {"item_id":"ctc_1","output_index":3,"delta":"ls"}
response.function_call_arguments.delta {"item_id":"fc_1","output_index":2,"delta":":1}"}
response.function_call_arguments.done {"item_id":"fc_1","output_index":2,"arguments":"{\"a\":1}"}
response.output_item.done {"output_index":2,"item":2}
response.output_item.done {"output_index":3,"item":3}
response.output_item.added {"output_index":4,"item":{"id":"ws_1","type":"web_search_call","status":"in_progress"}}
response.web_search_call.searching {"item_id":"ws_1","output_index":4}
response.output_item.done {"output_index":4,"item":4}
"#;

/// The events of the whole answer. A number stands for the item, or the part of the message, of that number.
pub(super) fn full() -> Vec<Value> {
    let output = output();
    let in_progress = json!({"type": "response.in_progress", "response": created()["response"]});
    let mut events = vec![created(), in_progress];
    for line in EVENTS.trim().lines() {
        let (kind, members) = line.split_once(' ').unwrap();
        let mut event: Value = serde_json::from_str(members).unwrap();
        event["type"] = kind.into();
        for (name, of) in [("item", &output), ("part", &output[1]["content"])] {
            if let Some(number) = event.get(name).and_then(Value::as_u64) {
                event[name] = of[usize::try_from(number).unwrap()].clone();
            }
        }
        events.push(event);
    }
    events.push(completed(&output));
    events
}

fn check_full(stream: &str) {
    let answer = assemble(&OpenAiResponses, stream.as_bytes());
    assert_eq!(
        (answer.id.as_deref(), answer.model.as_deref()),
        (Some("resp_1"), Some("gpt"))
    );
    assert_eq!(
        answer.usage,
        Some(Usage {
            input: 3,
            cache_read: 2,
            output: 3,
            reasoning: 1,
            ..Usage::default()
        })
    );
    let choice = &answer.choices[0];
    assert_eq!(choice.stop, StopReason::ToolCalls);
    let kinds: Vec<_> = choice.parts.iter().map(|part| &part.kind).collect();
    let PartKind::Reasoning(thought) = kinds[0] else {
        panic!()
    };
    assert_eq!((thought.text.as_str(), thought.is_summary), ("one\n\ntwo", true));
    assert_eq!(thought.id.as_deref(), Some("rs_1"));
    assert_eq!(thought.signature.as_ref().unwrap().data, "gAAA");
    assert_eq!(kinds[1], &PartKind::Text("Hi \u{1f389}".to_owned()));
    assert_eq!(kinds[2], &PartKind::Refusal("no".to_owned()));
    let PartKind::ToolCall(f) = kinds[3] else { panic!() };
    assert_eq!(
        (f.id.as_str(), f.name.as_str(), f.arguments.as_str()),
        ("c1", "f", "{\"a\":1}")
    );
    let PartKind::ToolCall(sh) = kinds[4] else {
        panic!()
    };
    assert_eq!((sh.is_custom, sh.arguments.as_str()), (true, "ls"));
    assert_eq!(kinds[5], &PartKind::Foreign);
    assert_eq!(kinds.len(), 6);
    assert!(choice.logprobs.as_ref().unwrap().text().contains("-0.5"));
}

#[test]
fn the_real_servers_stream_is_read() {
    check_full(&frames(&full()));
}

#[test]
fn streams_without_names_and_numbers_are_read() {
    let noise = ": keep-alive\r\n\r\n".to_owned();
    check_full(&(noise + &bare_frames(&full()) + "data: [DONE]\n\ndata: [DONE]\n\n"));
}

#[test]
fn whatever_events_are_missing_the_answer_is_the_same() {
    let all = full();
    // Without `added`, without `delta`, without `done`, and with the last event only. What only some of them say is
    // taken from the others.
    for missing in ["added", "delta", "done"] {
        let events: Vec<_> = all
            .iter()
            .filter(|event| !event["type"].as_str().unwrap().ends_with(missing))
            .cloned()
            .collect();
        check_full(&frames(&events));
    }
    check_full(&frames(&all[all.len() - 1..]));
    check_full(&json!(all.last().unwrap()["response"]).to_string());
}

#[test]
fn a_stream_that_is_read_can_be_written_again() {
    let events = decode_stream(&OpenAiResponses, frames(&full()).as_bytes());
    let checked = check(&encode_stream(&OpenAiResponses, facts("{}"), events));
    assert_eq!(checked.response["id"], "resp_1");
    let output = checked.output();
    assert_eq!(output[0]["encrypted_content"], "gAAA");
    assert_eq!(
        output[1]["content"],
        json!([
            {"type": "output_text", "text": "Hi \u{1f389}", "annotations": [{"type": "url_citation", "url": "u"}],
                "logprobs": [{"token": "Hi", "logprob": -0.5}]},
            {"type": "refusal", "refusal": "no"},
        ])
    );
    assert_eq!(
        output[4],
        json!({"id": "ws_1", "type": "web_search_call", "status": "completed"})
    );
}

#[test]
fn thoughts_that_are_no_summary_stay_what_they_are() {
    let thought = json!({"id": "rs_1", "type": "reasoning", "summary": [],
        "content": [{"type": "reasoning_text", "text": "raw"}]});
    let events = [
        created(),
        item(
            "added",
            0,
            &json!({"id": "rs_1", "type": "reasoning", "summary": []}),
        ),
        at(
            "reasoning_text.delta",
            0,
            "rs_1",
            json!({"content_index": 0, "delta": "raw"}),
        ),
        item("done", 0, &thought),
        completed(&json!([thought])),
    ];
    let events = decode_stream(&OpenAiResponses, frames(&events).as_bytes());
    let checked = check(&encode_stream(&OpenAiResponses, facts("{}"), events));
    assert_eq!(checked.output()[0], thought);
}

#[test]
fn ids_that_change_and_indexes_that_do_not_are_coped_with() {
    let call = |id: &str, call_id: &str| json!({"id": id, "type": "function_call", "call_id": call_id, "name": call_id, "arguments": ""});
    let events = [
        created(),
        item("added", 0, &call("fc_a", "a")),
        at("function_call_arguments.delta", 0, "fc_a", json!({"delta": "1"})),
        item("added", 0, &call("fc_b", "b")),
        at("function_call_arguments.delta", 0, "fc_b", json!({"delta": "2"})),
        at("function_call_arguments.delta", 0, "fc_a", json!({"delta": "1"})),
        at("function_call_arguments.delta", 0, "fc_b", json!({"delta": "2"})),
        item(
            "done",
            0,
            &json!({"id": "fc_a", "type": "function_call", "call_id": "a", "name": "a", "arguments": "11"}),
        ),
        item(
            "done",
            0,
            &json!({"id": "fc_b", "type": "function_call", "call_id": "b", "name": "b", "arguments": "22"}),
        ),
        json!({"type": "response.completed", "response": {"status": "completed"}}),
    ];
    let answer = assemble(&OpenAiResponses, frames(&events).as_bytes());
    let calls: Vec<_> = answer.choices[0]
        .parts
        .iter()
        .map(|part| match &part.kind {
            PartKind::ToolCall(call) => (call.id.as_str(), call.arguments.as_str()),
            _ => panic!(),
        })
        .collect();
    assert_eq!(calls, [("a", "11"), ("b", "22")]);
}

#[test]
fn events_that_name_no_item_are_about_the_last() {
    let delta = |delta: &str| json!({"type": "response.output_text.delta", "delta": delta});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": ""});
    let arguments = json!({"type": "response.function_call_arguments.delta", "delta": "{}"});
    let events = [
        delta("a"),
        delta("b"),
        json!({"type": "response.output_item.added", "item": call}),
        arguments,
        json!({"type": "response.completed"}),
    ];
    let answer = assemble(&OpenAiResponses, frames(&events).as_bytes());
    let parts = &answer.choices[0].parts;
    assert_eq!(parts[0].kind, PartKind::Text("ab".to_owned()));
    assert!(matches!(&parts[1].kind, PartKind::ToolCall(call) if call.arguments == "{}"));
    assert_eq!(parts.len(), 2);
}

#[test]
fn what_is_no_event_is_skipped_and_broken_events_are_errors() {
    let last = frames(&full()[32..]);
    check_full(&format!("\n\n  \r\ndata: ping\n\n: x\n\ndata:\n\n{last}"));
    let broken = format!("data: {{\"type\":\"response.output_text.delta\",\"delta\":\"x\n\n{last}");
    assert_eq!(error_of(&broken).code(), Some("upstream_unreadable"));
}

#[test]
fn arguments_of_any_type_are_text() {
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": {"a": 1}});
    let events = [created(), item("done", 0, &call), completed(&json!([call]))];
    let answer = assemble(&OpenAiResponses, frames(&events).as_bytes());
    let PartKind::ToolCall(call) = &answer.choices[0].parts[0].kind else {
        panic!()
    };
    assert_eq!(call.arguments, "{\"a\":1}");
    assert_eq!(answer.choices[0].parts.len(), 1);
}

#[test]
fn pairs_cut_in_two_are_joined() {
    let delta = |delta: &str| {
        format!(
            r#"data: {{"type":"response.output_text.delta","item_id":"m","output_index":0,"delta":"{delta}"}}"#
        )
    };
    let end = r#"data: {"type":"response.completed","response":{}}"#;
    let stream = [&delta("a\\ud83c"), &delta("\\udf89"), end, ""].join("\n\n");
    let answer = assemble(&OpenAiResponses, stream.as_bytes());
    assert_eq!(
        answer.choices[0].parts[0].kind,
        PartKind::Text("a\u{1f389}".to_owned())
    );
}

fn error_of(stream: &str) -> PublicError {
    let events = decode_stream(&OpenAiResponses, stream.as_bytes());
    match events.into_iter().last() {
        Some(ChatEvent::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_cut_is_an_error() {
    let all = full();
    for length in 0..all.len() {
        let error = error_of(&frames(&all[..length]));
        assert_eq!(error.code(), Some("upstream_cut"), "{length}");
    }
    assert_eq!(
        error_of(&(frames(&all[..3]) + "data: [DONE]\n\n")).code(),
        Some("upstream_cut")
    );
    let half = frames(&all[..12]);
    assert_eq!(error_of(&half[..half.len() - 20]).code(), Some("upstream_cut"));
    // Only the blank line behind the last event is missing.
    check_full(frames(&all).trim_end());
}

#[test]
fn failures_are_told_in_the_providers_words() {
    let failed = |error: Value| {
        frames(&[
            created(),
            json!({"type": "response.failed", "response": {"status": "failed", "error": error}}),
        ])
    };
    for (stream, kind, code, message) in [
        (
            failed(json!({"code": "rate_limit_exceeded", "message": "slow"})),
            ErrorKind::RateLimit,
            Some("rate_limit_exceeded"),
            "slow",
        ),
        (
            failed(json!({"code": "server_error", "message": "oops"})),
            ErrorKind::Upstream,
            Some("server_error"),
            "oops",
        ),
        (
            failed(Value::Null),
            ErrorKind::Upstream,
            None,
            "the provider failed within its answer",
        ),
        (
            frames(&[
                created(),
                json!({"type": "error", "code": "invalid_prompt", "message": "bad", "param": "input"}),
            ]),
            ErrorKind::InvalidRequest,
            Some("invalid_prompt"),
            "bad",
        ),
        (
            frames(&[
                json!({"type": "error", "error": {"type": "server_error", "code": null, "message": "m"}}),
            ]),
            ErrorKind::Upstream,
            None,
            "m",
        ),
        (
            "data: {\"error\":{\"message\":\"Key sk-1 is wrong\",\"code\":\"invalid_api_key\"}}\n\n"
                .to_owned(),
            ErrorKind::Upstream,
            Some("upstream_auth"),
            "the provider refused the gateway's credentials",
        ),
        (
            "\u{feff}{\"error\":{\"message\":\"whole\",\"type\":\"invalid_request_error\"}}".to_owned(),
            ErrorKind::InvalidRequest,
            None,
            "whole",
        ),
        (
            "[1]".to_owned(),
            ErrorKind::Upstream,
            None,
            "the provider's answer cannot be read: it is no JSON object",
        ),
        (
            json!({"status": "failed", "output": [], "error": {"code": "server_error", "message": "x"}})
                .to_string(),
            ErrorKind::Upstream,
            Some("server_error"),
            "x",
        ),
    ] {
        let error = error_of(&stream);
        assert_eq!(
            (error.kind(), error.code(), error.message()),
            (kind, code, message)
        );
    }
}

#[test]
fn ends_that_are_no_completion_say_why() {
    let events = [
        created(),
        at("output_text.delta", 0, "msg_1", json!({"delta": "x"})),
        json!({"type": "response.incomplete", "response": {"status": "incomplete",
            "incomplete_details": {"reason": "content_filter"}, "output": []}}),
    ];
    let answer = assemble(&OpenAiResponses, frames(&events).as_bytes());
    assert_eq!(answer.choices[0].stop, StopReason::ContentFilter);
}

#[test]
fn nothing_is_read_behind_the_end() {
    let mut events = full();
    events.push(at("output_text.delta", 9, "msg_9", json!({"delta": "late"})));
    events.push(json!({"type": "error", "message": "late"}));
    check_full(&frames(&events));
    let late = decode_stream(&OpenAiResponses, frames(&events).as_bytes());
    let is_late = |event: &ChatEvent| matches!(event, ChatEvent::Delta { delta: PartDelta::Text(text), .. } if text == "late");
    assert!(!late.iter().any(is_late));
}
