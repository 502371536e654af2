use serde_json::json;

use super::*;
use crate::chat::{ChatEvent, Extension, PartDelta, PartKind, PartStart, StopReason};
use crate::codec::testing::{assemble, decode_stream, encode_stream, facts};
use crate::error::{ErrorKind, PublicError};
use crate::protocol::Protocol;

/// A stream as Cohere's server writes it.
const STREAM: &str = r#"event: message-start
data: {"id":"r1","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[],"citations":[]}}}

event: tool-plan-delta
data: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will look"}}}

event: content-start
data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":""}}}}

event: content-delta
data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"thinking":"hm"}}}}

event: content-end
data: {"type":"content-end","index":0}

event: content-start
data: {"type":"content-start","index":1,"delta":{"message":{"content":{"type":"text","text":""}}}}

event: content-delta
data: {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"Grüße "}}}}

event: content-delta
data: {"type":"content-delta","index":1,"delta":{"message":{"content":{"text":"🎉\n"}}}}

event: citation-start
data: {"type":"citation-start","index":0,"delta":{"message":{"citations":{"start":0,"end":5}}}}

event: citation-end
data: {"type":"citation-end","index":0}

event: content-end
data: {"type":"content-end","index":1}

event: tool-call-start
data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c1","type":"function","function":{"name":"a","arguments":""}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"x\":"}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":" 1}"}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":0}

event: tool-call-start
data: {"type":"tool-call-start","index":1,"delta":{"message":{"tool_calls":{"id":"c2","type":"function","function":{"name":"b","arguments":""}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":1}

event: message-end
data: {"type":"message-end","id":"r1","delta":{"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":20,"output_tokens":4},"cached_tokens":8}}}

"#;

#[test]
fn a_stream_is_read_however_it_is_cut() {
    for stream in [
        STREAM.to_owned(),
        STREAM.replace('\n', "\r\n"),
        STREAM.replace("data: ", "data:"),
        STREAM
            .lines()
            .filter(|line| !line.starts_with("event"))
            .collect::<Vec<_>>()
            .join("\n")
            + "\n\n",
        format!(": hi\n\n{STREAM}data: [DONE]\n\n"),
        STREAM.trim_end().to_owned(),
    ] {
        let answer = assemble(&Cohere, stream.as_bytes());
        let parts: Vec<_> = answer.choices[0]
            .parts
            .iter()
            .map(|part| part.kind.clone())
            .collect();
        assert!(
            matches!(&parts[0], PartKind::Reasoning(plan) if plan.is_summary && plan.text == "I will look")
        );
        assert!(
            matches!(&parts[1], PartKind::Reasoning(thought) if !thought.is_summary && thought.text == "hm")
        );
        assert_eq!(parts[2], PartKind::Text("Grüße 🎉\n".to_owned()));
        assert!(
            matches!(&parts[3], PartKind::ToolCall(call) if call.id == "c1" && call.arguments == "{\"x\": 1}")
        );
        assert!(
            matches!(&parts[4], PartKind::ToolCall(call) if call.id == "c2" && call.arguments.is_empty())
        );
        assert_eq!(answer.choices[0].stop, StopReason::ToolCalls);
        let usage = answer.usage.unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.output), (12, 8, 4));
    }
}

#[test]
fn the_provider_s_own_stream_comes_out_as_it_was() {
    let stream = encode_stream(&Cohere, facts(""), decode_stream(&Cohere, STREAM.as_bytes()));
    let frames = |stream: &str| stream.split("\n\n").map(str::to_owned).collect::<Vec<_>>();
    for (written, expected) in frames(&stream).iter().zip(frames(STREAM)) {
        let parts = |frame: &str| {
            let (event, data) = frame.split_once("\ndata: ")?;
            Some((event.to_owned(), parse(data)))
        };
        assert_eq!(parts(written), parts(&expected));
    }
    assert_eq!(frames(&stream).len(), frames(STREAM).len());
}

#[test]
fn overlapping_calls_of_others_come_one_after_the_other() {
    let start = |part, id: &str| ChatEvent::PartStart {
        choice: 0,
        part,
        start: PartStart::ToolCall {
            id: id.into(),
            name: "f".into(),
            is_custom: false,
        },
    };
    let delta = |part, text: &str| ChatEvent::Delta {
        choice: 0,
        part,
        delta: PartDelta::Arguments(text.into()),
    };
    let end = |part| ChatEvent::PartEnd { choice: 0, part };
    let events = vec![
        ChatEvent::Start {
            id: None,
            model: None,
            extension: Extension::of(Protocol::OpenAiChat),
        },
        start(0, "a"),
        start(1, "b"),
        delta(1, "{}"),
        delta(0, "{"),
        delta(0, "}"),
        end(0),
        end(1),
        ChatEvent::Stop {
            choice: 0,
            reason: StopReason::ToolCalls,
            stop_sequence: None,
        },
        ChatEvent::End,
    ];
    let stream = encode_stream(&Cohere, facts(""), events);
    let names: Vec<_> = stream
        .lines()
        .filter_map(|line| line.strip_prefix("event: "))
        .collect();
    assert_eq!(
        names,
        [
            "message-start",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-delta",
            "tool-call-end",
            "tool-call-start",
            "tool-call-delta",
            "tool-call-end",
            "message-end",
        ]
    );
    assert!(stream.contains(r#""finish_reason":"TOOL_CALL""#), "{stream}");
}

#[test]
fn an_answer_in_place_of_a_stream_is_read() {
    let answer = assemble(
        &Cohere,
        br#" {"id":"r","message":{"content":[{"type":"text","text":"hi"}]},"finish_reason":"COMPLETE"}"#,
    );
    assert_eq!(answer.choices[0].parts[0].kind, PartKind::Text("hi".to_owned()));
}

fn error(stream: &str) -> PublicError {
    match decode_stream(&Cohere, stream.as_bytes()).pop() {
        Some(ChatEvent::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn broken_streams_end_with_an_error() {
    let (begun, _) = STREAM.split_once("event: message-end").unwrap();
    for stream in [
        begun,
        "",
        "<html>",
        "data: [DONE]\n\n",
        &STREAM[..STREAM.len() - 20],
    ] {
        assert_eq!(error(stream).code(), Some("upstream_cut"), "{stream}");
    }
    assert_eq!(error("data: {\"type\":\n\n").code(), Some("upstream_unreadable"));
    let failed = json!({"type":"message-end","delta":{"finish_reason":"ERROR","error":"out of memory"}});
    for stream in [
        format!("{begun}data: {failed}\n\n"),
        format!("{begun}data: {}\n\n", json!({"message":"out of memory"})),
        json!({"message":"out of memory"}).to_string(),
    ] {
        let error = error(&stream);
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Upstream, "out of memory")
        );
    }
    let late = error(&format!(
        "{begun}data: {}\n\n",
        json!({"type":"message-end","delta":{"finish_reason":"TIMEOUT"}})
    ));
    assert_eq!(late.kind(), ErrorKind::Upstream);
}

#[test]
fn errors_end_the_message() {
    let events = vec![
        ChatEvent::Error(PublicError::new(ErrorKind::Upstream, "gone")),
        ChatEvent::End,
    ];
    let stream = encode_stream(&Cohere, facts(""), events);
    assert!(
        stream.starts_with("event: message-end\n") && stream.contains("\"error\":\"gone\""),
        "{stream}"
    );
    assert_eq!(stream.matches("data:").count(), 1);
}

#[test]
fn logprobs_come_with_the_text() {
    let with = STREAM.replace(r#""index":1,"delta":{"message":{"content":{"text":"Grüße "}}}"#,
        r#""index":1,"delta":{"message":{"content":{"text":"Grüße "}}},"logprobs":{"token_ids":[1],"text":"Grüße ","logprobs":[-1]}"#);
    let answer = assemble(&Cohere, with.as_bytes());
    assert!(
        answer.choices[0]
            .logprobs
            .as_ref()
            .unwrap()
            .text()
            .contains(r#""token":"Grüße ","logprob":-1.0"#)
    );
    let stream = encode_stream(&Cohere, facts(""), decode_stream(&Cohere, with.as_bytes()));
    assert_eq!(
        stream
            .matches("\"logprobs\":{\"token_ids\":[],\"text\":\"Grüße \"")
            .count(),
        1,
        "{stream}"
    );
}
