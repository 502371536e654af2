//! Streams for clients.

use super::openai;
use crate::chat::{ChatEvent, Extension, Json, PartDelta, PartStart, Signature, SignatureOrigin, StopReason};
use crate::codec::ChatCodec;
use crate::codec::anthropic::Anthropic;
use crate::codec::testing::{assemble, encode_stream, facts, replayed};
use crate::error::{ErrorKind, PublicError};
use crate::protocol::Protocol;
use crate::usage::Usage;

fn start(part: u32, start: PartStart) -> ChatEvent {
    ChatEvent::PartStart {
        choice: 0,
        part,
        start,
    }
}

fn delta(part: u32, delta: PartDelta) -> ChatEvent {
    ChatEvent::Delta {
        choice: 0,
        part,
        delta,
    }
}

fn end(part: u32) -> ChatEvent {
    ChatEvent::PartEnd { choice: 0, part }
}

fn said(part: u32, text: &str) -> ChatEvent {
    delta(part, PartDelta::Text(text.to_owned()))
}

fn arguments(part: u32, text: &str) -> ChatEvent {
    delta(part, PartDelta::Arguments(text.to_owned()))
}

fn head() -> ChatEvent {
    ChatEvent::Start {
        id: Some("chatcmpl-1".to_owned()),
        model: None,
        extension: openai(),
    }
}

fn thoughts() -> PartStart {
    PartStart::Reasoning {
        is_summary: false,
        is_redacted: false,
        id: None,
    }
}

fn call(id: &str) -> PartStart {
    PartStart::ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        is_custom: false,
    }
}

fn stop(reason: StopReason) -> ChatEvent {
    ChatEvent::Stop {
        choice: 0,
        reason,
        stop_sequence: None,
    }
}

fn encode(events: Vec<ChatEvent>) -> String {
    encode_stream(&Anthropic, facts("{}"), events)
}

#[test]
fn blocks_come_one_after_the_other() {
    let written = encode(vec![
        head(),
        start(0, thoughts()),
        said(0, "hm"),
        end(0),
        start(1, PartStart::Text),
        said(1, "Hi \"you\"\n"),
        start(2, call("a")),
        start(3, call("b")),
        arguments(3, "{}"),
        arguments(2, "{\"x\":"),
        end(1),
        arguments(2, "1}"),
        end(3),
        end(2),
        stop(StopReason::ToolCalls),
        ChatEvent::Usage(Usage {
            input: 3,
            cache_read: 2,
            output: 4,
            ..Usage::default()
        }),
        ChatEvent::End,
    ]);
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"chatcmpl-1","type":"message","role":"assistant","model":"asked","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi \"you\"\n"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"x\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":2}

event: content_block_start
data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"b","name":"f","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":3}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":3,"cache_creation_input_tokens":0,"cache_read_input_tokens":2,"output_tokens":4}}

event: message_stop
data: {"type":"message_stop"}

"#;
    assert_eq!(written, expected);
}

fn names(stream: &str) -> Vec<&str> {
    stream
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect()
}

#[test]
fn empty_parts_and_other_choices_leave_no_trace() {
    let written = encode(vec![
        head(),
        start(0, PartStart::Text),
        said(0, ""),
        end(0),
        start(1, thoughts()),
        end(1),
        ChatEvent::PartStart {
            choice: 1,
            part: 0,
            start: PartStart::Text,
        },
        start(
            2,
            PartStart::Foreign(Extension::with(
                Protocol::GeminiGenerate,
                vec![("x".to_owned(), Json::of("y"))],
            )),
        ),
        end(2),
        stop(StopReason::Length),
        ChatEvent::End,
    ]);
    assert_eq!(
        names(&written),
        ["message_start", "message_delta", "message_stop"]
    );
    assert!(written.contains(r#""stop_reason":"max_tokens""#));
}

#[test]
fn signatures_of_thoughts_and_calls() {
    let signature = |data: &str| PartDelta::Signature(Signature::new(SignatureOrigin::Gemini, data));
    let written = encode(vec![
        head(),
        start(0, thoughts()),
        delta(0, signature("T")),
        end(0),
        start(1, call("a")),
        arguments(1, "{}"),
        delta(1, signature("C")),
        end(1),
        start(
            2,
            PartStart::Reasoning {
                is_summary: false,
                is_redacted: true,
                id: None,
            },
        ),
        delta(
            2,
            PartDelta::Signature(Signature::new(SignatureOrigin::Anthropic, "R")),
        ),
        end(2),
        stop(StopReason::ToolCalls),
        ChatEvent::End,
    ]);
    assert!(written.contains(r#"{"type":"signature_delta","signature":"sluice.google-gemini-v1.T"}"#));
    assert!(written.contains(
        r#""index":2,"content_block":{"type":"redacted_thinking","data":"sluice.google-gemini-v1.C"}"#
    ));
    assert!(written.contains(r#""index":3,"content_block":{"type":"redacted_thinking","data":"R"}"#));
}

#[test]
fn an_error_ends_it_and_nothing_follows() {
    let written = encode(vec![
        head(),
        start(0, PartStart::Text),
        said(0, "hi"),
        ChatEvent::Error(PublicError::new(ErrorKind::Overloaded, "busy")),
        ChatEvent::End,
    ]);
    assert_eq!(names(&written).last(), Some(&"error"));
    assert!(written.ends_with(
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"busy\"}}\n\n"
    ));
}

#[test]
fn what_is_written_reads_as_the_same_answer() {
    let body = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"thinking","thinking":"hm","signature":"S"},{"type":"redacted_thinking","data":"D"},{"type":"text","text":"héllo"},{"type":"server_tool_use","id":"s","name":"w","input":{"q":1}},{"type":"tool_use","id":"t","name":"f","input":{"a": 1.0}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#;
    let mut answer = Anthropic.decode_answer(body.as_bytes()).unwrap();
    answer.extension = Extension::of(Protocol::AnthropicMessages);
    let stream = replayed(&Anthropic, facts("{}"), answer.clone());
    let mut again = assemble(&Anthropic, stream.as_bytes());
    again.extension = Extension::of(Protocol::AnthropicMessages);
    for (part, expected) in again.choices[0].parts.iter().zip(&answer.choices[0].parts) {
        assert_eq!(part.kind, expected.kind);
    }
    assert_eq!(again.choices[0].parts.len(), 5);
    assert_eq!(again.usage, answer.usage);
}

#[test]
fn custom_tools_get_an_object_around_their_text() {
    let written = encode(vec![
        head(),
        start(
            0,
            PartStart::ToolCall {
                id: "a".to_owned(),
                name: "sql".to_owned(),
                is_custom: true,
            },
        ),
        arguments(0, "select \"x\""),
        end(0),
        stop(StopReason::ToolCalls),
        ChatEvent::End,
    ]);
    let answer = assemble(&Anthropic, written.as_bytes());
    let crate::chat::PartKind::ToolCall(call) = &answer.choices[0].parts[0].kind else {
        panic!()
    };
    assert_eq!(call.arguments, r#"{"input":"select \"x\""}"#);
}

#[test]
fn an_answer_ends_with_no_signature_of_its_text() {
    let signature = Signature::new(SignatureOrigin::Gemini, "c2lnbmVk");
    let written = encode(vec![
        head(),
        start(0, thoughts()),
        said(0, "hm"),
        end(0),
        start(1, PartStart::Text),
        said(1, "Warm."),
        end(1),
        start(2, thoughts()),
        delta(2, PartDelta::Signature(signature)),
        end(2),
        ChatEvent::End,
    ]);
    let starts = names(&written)
        .iter()
        .filter(|name| **name == "content_block_start")
        .count();
    assert_eq!(starts, 2, "{written}");
    assert!(!written.contains("signature_delta"));
}
