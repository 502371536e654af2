//! Streams, both ways.

use bytes::BytesMut;
use proptest::prelude::*;
use sluice_wire::{EventStreamSplitter, write_event_message};

use super::stream;
use crate::chat::{
    ChatEvent, Extension, PartDelta, PartKind, PartStart, Signature, SignatureOrigin, StopReason,
};
use crate::codec::bedrock::Bedrock;
use crate::codec::testing::{assemble, decode_stream, facts};
use crate::codec::{ChatCodec, StreamEncoder};
use crate::error::{ErrorKind, PublicError};
use crate::protocol::Protocol;
use crate::usage::Usage;

const RICH: [(&str, &str); 17] = [
    ("messageStart", r#"{"role":"assistant","p":"ab"}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"hm"}}}"#,
    ),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"EqQB"}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":0}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"AAAA"}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":1}"#),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":2,"delta":{"text":"F\u00eate \ud83c"}}"#,
    ),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":2,"delta":{"text":"\udf89"}}"#,
    ),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":2,"delta":{"citation":{"title":"t"}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":2}"#),
    (
        "contentBlockStart",
        r#"{"contentBlockIndex":3,"start":{"toolUse":{"toolUseId":"t1","name":"f"}}}"#,
    ),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":"{\"a\""}}}"#,
    ),
    (
        "contentBlockDelta",
        r#"{"contentBlockIndex":3,"delta":{"toolUse":{"input":":1}"}}}"#,
    ),
    ("contentBlockStop", r#"{"contentBlockIndex":3}"#),
    (
        "contentBlockStart",
        r#"{"contentBlockIndex":4,"start":{"toolUse":{"toolUseId":"t2","name":"g"}}}"#,
    ),
    ("messageStop", r#"{"stopReason":"tool_use"}"#),
    (
        "metadata",
        r#"{"usage":{"inputTokens":7,"outputTokens":5,"totalTokens":12},"metrics":{"latencyMs":1}}"#,
    ),
];

#[test]
fn a_stream_is_the_answer_that_it_makes() {
    let answer = assemble(&Bedrock, &stream(&RICH));
    let choice = &answer.choices[0];
    assert_eq!(choice.stop, StopReason::ToolCalls);
    assert_eq!(answer.usage.unwrap().total(), 12);
    let parts = &choice.parts;
    assert_eq!(parts.len(), 5);
    let PartKind::Reasoning(thought) = &parts[0].kind else {
        panic!()
    };
    assert_eq!(thought.text, "hm");
    assert_eq!(thought.signature.as_ref().unwrap().data, "EqQB");
    assert!(matches!(&parts[1].kind, PartKind::Reasoning(hidden) if hidden.is_redacted));
    assert_eq!(parts[2].kind, PartKind::Text("Fête 🎉".to_owned()));
    assert!(matches!(&parts[3].kind, PartKind::ToolCall(call) if call.arguments == r#"{"a":1}"#));
    assert!(
        matches!(&parts[4].kind, PartKind::ToolCall(call) if call.id == "t2" && call.arguments.is_empty())
    );
}

fn error_of(stream: &[u8]) -> PublicError {
    match decode_stream(&Bedrock, stream).pop() {
        Some(ChatEvent::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn ends_and_breaks() {
    // Usage is missing, the message is not.
    let answer = assemble(&Bedrock, &stream(&RICH[..16]));
    assert_eq!(answer.usage, None);
    for end in [0, 1, 5, 15] {
        assert_eq!(
            error_of(&stream(&RICH[..end])).code(),
            Some("upstream_cut"),
            "{end}"
        );
    }
    let mut broken = stream(&RICH);
    broken[200] ^= 1;
    assert_eq!(error_of(&broken).code(), Some("upstream_unreadable"));
}

fn exception(name: &str) -> PublicError {
    let mut out = BytesMut::from(&stream(&RICH[..8])[..]);
    let headers = [
        (":exception-type", name),
        (":content-type", "application/json"),
        (":message-type", "exception"),
    ];
    write_event_message(&mut out, &headers, br#"{"message":"said so"}"#);
    error_of(&out)
}

#[test]
fn exceptions_end_it() {
    for (name, kind) in [
        ("throttlingException", ErrorKind::RateLimit),
        ("validationException", ErrorKind::InvalidRequest),
        ("serviceUnavailableException", ErrorKind::Overloaded),
        ("internalServerException", ErrorKind::Upstream),
        ("modelStreamErrorException", ErrorKind::Upstream),
    ] {
        let error = exception(name);
        assert_eq!((error.kind(), error.message()), (kind, "said so"), "{name}");
    }
    assert_eq!(exception("accessDeniedException").code(), Some("upstream_auth"));
}

#[test]
fn json_instead_of_events() {
    let body =
        br#"{"output":{"message":{"role":"assistant","content":[{"text":"hi"}]}},"stopReason":"end_turn"}"#;
    let answer = assemble(&Bedrock, body);
    assert_eq!(answer.choices[0].parts[0].kind, PartKind::Text("hi".to_owned()));
    assert_eq!(
        error_of(br#"{"message":"no such model"}"#).message(),
        "no such model"
    );
}

/// Names and payloads of what a client gets, and the bytes.
fn encode(events: Vec<ChatEvent>) -> (Vec<(String, String)>, Vec<u8>) {
    let mut encoder: Box<dyn StreamEncoder> = Bedrock.stream_encoder(facts("{}"));
    let mut out = BytesMut::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    let mut splitter = EventStreamSplitter::new();
    splitter.push(&out);
    let mut written = Vec::new();
    while let Some(message) = splitter.next_message() {
        let name = message
            .header(":event-type")
            .or(message.header(":exception-type"));
        let payload = String::from_utf8(message.payload().to_vec()).unwrap();
        written.push((name.unwrap().to_owned(), payload));
    }
    (written, out.to_vec())
}

#[test]
fn what_is_read_is_written_in_the_same_order() {
    let events = decode_stream(&Bedrock, &stream(&RICH));
    let (written, bytes) = encode(events);
    let written: Vec<(&str, &str)> = written
        .iter()
        .map(|(name, json)| (name.as_str(), json.as_str()))
        .collect();
    let mut expected = RICH.to_vec();
    expected[0].1 = r#"{"role":"assistant"}"#;
    expected[6].1 = r#"{"contentBlockIndex":2,"delta":{"text":"Fête "}}"#;
    expected[7].1 = r#"{"contentBlockIndex":2,"delta":{"text":"🎉"}}"#;
    expected.insert(15, ("contentBlockStop", r#"{"contentBlockIndex":4}"#));
    expected[17].1 =
        r#"{"usage":{"inputTokens":7,"outputTokens":5,"totalTokens":12},"metrics":{"latencyMs":0}}"#;
    assert_eq!(written, expected);
    assert_eq!(assemble(&Bedrock, &bytes), assemble(&Bedrock, &stream(&RICH)));
}

#[test]
fn foreign_signatures_are_packed_and_empty_parts_left_out() {
    let delta = |part, delta| ChatEvent::Delta {
        choice: 0,
        part,
        delta,
    };
    let end = |part| ChatEvent::PartEnd { choice: 0, part };
    let start = |part, start| ChatEvent::PartStart {
        choice: 0,
        part,
        start,
    };
    let signature = PartDelta::Signature(Signature::new(SignatureOrigin::Gemini, "C"));
    let call = PartStart::ToolCall {
        id: "c".to_owned(),
        name: "f".to_owned(),
        is_custom: false,
    };
    let (written, _) = encode(vec![
        ChatEvent::Start {
            id: None,
            model: None,
            extension: Extension::of(Protocol::GeminiGenerate),
        },
        start(0, PartStart::Text),
        end(0),
        start(1, call),
        delta(1, signature),
        delta(1, PartDelta::Arguments("{}".to_owned())),
        end(1),
        ChatEvent::Stop {
            choice: 0,
            reason: StopReason::Refusal,
            stop_sequence: None,
        },
        ChatEvent::Usage(Usage::default()),
        ChatEvent::End,
    ]);
    let names: Vec<_> = written.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "messageStart",
            "contentBlockStart",
            "contentBlockDelta",
            "contentBlockStop",
            "contentBlockDelta",
            "contentBlockStop",
            "messageStop",
            "metadata"
        ]
    );
    let hidden = r#"{"contentBlockIndex":1,"delta":{"reasoningContent":{"redactedContent":"#;
    assert!(written[4].1.starts_with(hidden), "{}", written[4].1);
    assert_eq!(written[6].1, r#"{"stopReason":"content_filtered"}"#);
}

#[test]
fn an_error_is_an_exception() {
    let error = PublicError::new(ErrorKind::RateLimit, "slow down");
    let (written, _) = encode(vec![ChatEvent::Error(error), ChatEvent::End]);
    assert_eq!(
        written,
        [(
            "throttlingException".to_owned(),
            r#"{"message":"slow down"}"#.to_owned()
        )]
    );
}

proptest! {
    /// Events lost, repeated, out of place: the order that encoders rely on holds, however the bytes are cut.
    #[test]
    fn hostile_streams_keep_the_order(
        picks in prop::collection::vec(0_usize..RICH.len(), 0..40),
        garbage in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let events: Vec<_> = picks.into_iter().map(|pick| RICH[pick]).collect();
        let mut hostile = stream(&events);
        hostile.extend(garbage);
        decode_stream(&Bedrock, &hostile);
    }
}
