//! Streams of providers.

use proptest::prelude::*;

use crate::chat::{ChatEvent, PartDelta, PartKind, StopReason};
use crate::codec::anthropic::Anthropic;
use crate::codec::testing::{assemble, decode_stream};
use crate::error::ErrorKind;
use crate::usage::Usage;

/// Events under the names that their data begins with.
fn stream(events: &[&str]) -> String {
    events
        .iter()
        .map(|data| format!("event: {}\ndata: {data}\n\n", data.split('"').nth(3).unwrap()))
        .collect()
}

const START: &str = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":25,"cache_read_input_tokens":4,"output_tokens":1}}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;

fn rich() -> String {
    stream(&[
        START,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"hm "}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"ja"}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQB"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"Emw"}}"#,
        r#"{"type":"content_block_stop","index":1}"#,
        r#"{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"Fête \ud83c"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"\udf89!"}}"#,
        r#"{"type":"content_block_delta","index":2,"delta":{"type":"citations_delta","citation":{"type":"x"}}}"#,
        r#"{"type":"content_block_stop","index":2}"#,
        r#"{"type":"content_block_start","index":3,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{\"q\":"}}"#,
        r#"{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"1}"}}"#,
        r#"{"type":"content_block_stop","index":3}"#,
        r#"{"type":"content_block_start","index":4,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}"#,
        r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":""}}"#,
        r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
        r#"{"type":"content_block_delta","index":4,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
        r#"{"type":"content_block_stop","index":4}"#,
        r#"{"type":"content_block_start","index":5,"content_block":{"type":"tool_use","id":"t2","name":"g","input":{"whole":true}}}"#,
        r#"{"type":"content_block_stop","index":5}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15,"output_tokens_details":{"thinking_tokens":5}}}"#,
        STOP,
    ])
}

#[test]
fn a_stream_is_the_answer_that_it_makes() {
    let answer = assemble(&Anthropic, rich().as_bytes());
    assert_eq!(answer.id.as_deref(), Some("msg_1"));
    assert_eq!(answer.model.as_deref(), Some("claude-x"));
    assert_eq!(
        answer.usage,
        Some(Usage {
            input: 25,
            cache_read: 4,
            output: 10,
            reasoning: 5,
            ..Usage::default()
        })
    );
    let choice = &answer.choices[0];
    assert_eq!(choice.stop, StopReason::ToolCalls);
    let parts = &choice.parts;
    let PartKind::Reasoning(thought) = &parts[0].kind else {
        panic!()
    };
    assert_eq!(thought.text, "hm ja");
    assert_eq!(thought.signature.as_ref().unwrap().data, "EqQB");
    assert!(matches!(&parts[1].kind, PartKind::Reasoning(hidden) if hidden.is_redacted));
    assert_eq!(parts[2].kind, PartKind::Text("Fête 🎉!".to_owned()));
    let foreign = parts[3].extension.get(super::super::HERE, "input").unwrap();
    assert_eq!(foreign.text(), r#"{"q":1}"#);
    let arguments: Vec<_> = parts
        .iter()
        .filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some(call.arguments.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(arguments, [r#"{"a":1}"#, r#"{"whole":true}"#]);
    let citations = decode_stream(&Anthropic, rich().as_bytes())
        .into_iter()
        .filter(|event| {
            matches!(
                event,
                ChatEvent::Delta {
                    delta: PartDelta::Annotation(_),
                    ..
                }
            )
        });
    assert_eq!(citations.count(), 1);
}

#[test]
fn odd_framing_makes_no_difference() {
    let expected = assemble(&Anthropic, rich().as_bytes());
    let carriage = rich().replace('\n', "\r\n");
    assert_eq!(assemble(&Anthropic, carriage.as_bytes()), expected);
    let bare = rich().replace("data: ", "data:").replace("event: ", "event:");
    assert_eq!(
        assemble(&Anthropic, format!("\u{feff}: hello\n\n{bare}").as_bytes()),
        expected
    );
    assert_eq!(assemble(&Anthropic, rich().trim_end().as_bytes()), expected);
    let nameless: String = rich()
        .lines()
        .filter(|line| !line.starts_with("event"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(
        assemble(&Anthropic, format!("{nameless}data: [DONE]\n\n").as_bytes()),
        expected
    );
}

fn error_of(stream: &str) -> (ErrorKind, String, Option<String>) {
    let events = decode_stream(&Anthropic, stream.as_bytes());
    match events.last() {
        Some(ChatEvent::Error(error)) => (
            error.kind(),
            error.message().to_owned(),
            error.code().map(str::to_owned),
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_without_its_end_is_cut() {
    let whole = rich();
    for end in [
        0,
        20,
        whole.len() / 2,
        whole.find("event: message_stop").unwrap(),
        whole.len() - 4,
    ] {
        let cut = &whole[..(end..).find(|end| whole.is_char_boundary(*end)).unwrap()];
        let (kind, _, code) = error_of(cut);
        assert_eq!(
            (kind, code.as_deref()),
            (ErrorKind::Upstream, Some("upstream_cut")),
            "{cut}"
        );
    }
}

#[test]
fn errors_of_the_provider_end_it() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let (kind, message, _) = error_of(&stream(&[START, overloaded, STOP]));
    assert_eq!((kind, message.as_str()), (ErrorKind::Overloaded, "Overloaded"));
    let (kind, message, code) = error_of(&format!(
        "data: {}\n\n",
        r#"{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key sk-1"}}"#
    ));
    assert_eq!(
        (kind, code.as_deref()),
        (ErrorKind::Upstream, Some("upstream_auth"))
    );
    assert!(!message.contains("sk-1"));
    assert_eq!(
        error_of(r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}"#).0,
        ErrorKind::RateLimit
    );
    assert_eq!(error_of("data: {\"error\":{\"message\":\"no\"}}\n\n").1, "no");
    assert_eq!(
        error_of("event: x\ndata: {broken\n\n").2.as_deref(),
        Some("upstream_unreadable")
    );
}

#[test]
fn a_whole_answer_instead_of_events_is_replayed() {
    let body = r#" {"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"hi"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":2}}"#;
    let answer = assemble(&Anthropic, body.as_bytes());
    assert_eq!(answer.choices[0].parts[0].kind, PartKind::Text("hi".to_owned()));
}

#[test]
fn blocks_that_nobody_began_or_closed() {
    let answer = assemble(
        &Anthropic,
        stream(&[
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":{"a":1}}}"#,
            r#"{"type":"content_block_delta","index":9,"delta":{"type":"input_json_delta","partial_json":"x"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":3}}"#,
            STOP,
            STOP,
        ])
        .as_bytes(),
    );
    assert_eq!(answer.choices[0].stop, StopReason::ToolCalls);
    assert_eq!(answer.choices[0].parts.len(), 2);
    assert_eq!(answer.usage.unwrap().output, 3);
}

#[test]
fn blocks_of_compatible_servers_may_overlap() {
    let answer = assemble(
        &Anthropic,
        stream(&[
            START,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"f","input":{}}}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","id":"s","name":"w","input":{}}}"#,
            r#"{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"b","name":"g","input":{}}}"#,
            r#"{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{}"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"[]"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"}}"#,
            STOP,
        ])
        .as_bytes(),
    );
    let parts = &answer.choices[0].parts;
    assert!(matches!(&parts[0].kind, PartKind::ToolCall(call) if call.id == "a" && call.arguments == "[]"));
    assert!(matches!(&parts[1].kind, PartKind::ToolCall(call) if call.id == "b" && call.arguments == "{}"));
    assert_eq!(parts[2].kind, PartKind::Foreign);
}

proptest! {
    /// Events lost, repeated, out of place: the order that encoders rely on holds, however the bytes are cut.
    #[test]
    fn hostile_streams_keep_the_order(picks in prop::collection::vec(0_usize..64, 0..40), garbage in "[ -~]{0,40}") {
        let rich = rich();
        let frames: Vec<&str> = rich.split_inclusive("\n\n").collect();
        let mut hostile: String = picks.iter().map(|pick| frames[pick % frames.len()]).collect();
        hostile.push_str(&garbage);
        decode_stream(&Anthropic, hostile.as_bytes());
    }
}
