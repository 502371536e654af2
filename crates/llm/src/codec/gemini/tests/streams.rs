use serde_json::json;

use super::*;
use crate::chat::{
    ChatEvent, Extension, PartDelta, PartKind, PartStart, Signature, SignatureOrigin, StopReason,
};
use crate::codec::testing::{assemble, decode_stream, encode_stream, facts};
use crate::error::{ErrorKind, PublicError};
use crate::protocol::Protocol;
use crate::usage::Usage;

fn frames() -> Vec<Value> {
    let frame = |parts: Value, more: Value| {
        let mut frame = json!({"candidates":[{"content":{"parts":parts,"role":"model"},"index":0}],
            "usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"gemini-2.5-flash","responseId":"r1"});
        for (name, value) in more.as_object().unwrap() {
            frame["candidates"][0][name] = value.clone();
        }
        frame
    };
    let mut last = frame(
        json!([{"text":"","thoughtSignature":"c2ln"}]),
        json!({"finishReason":"STOP"}),
    );
    last["usageMetadata"] =
        json!({"promptTokenCount":9,"candidatesTokenCount":4,"thoughtsTokenCount":2,"totalTokenCount":15});
    vec![
        frame(json!([{"text":"hm {","thought":true}]), json!({})),
        frame(json!([{"text":"Grüße "}]), json!({})),
        frame(json!([{"text":"🎉 \"}\\"}]), json!({"groundingMetadata":{"a":1}})),
        frame(
            json!([{"functionCall":{"name":"a","args":{"x":"}"}},"thoughtSignature":"Y2FsbA=="},
            {"functionCall":{"id":"f2","name":"b","args":{}}}]),
            json!({}),
        ),
        frame(json!([{"executableCode":{"code":"1"}}]), json!({})),
        last,
    ]
}

fn sse(frames: &[Value], end: &str) -> String {
    frames.iter().map(|frame| format!("data: {frame}{end}")).collect()
}

fn array(frames: &[Value]) -> String {
    let frames: Vec<String> = frames.iter().map(|frame| format!("{frame:#}")).collect();
    format!("[{}\n]", frames.join("\n,\r\n"))
}

#[test]
fn events_and_arrays_say_the_same() {
    let frames = frames();
    let whole = assemble(&Gemini, sse(&frames, "\r\n\r\n").as_bytes());
    for stream in [
        sse(&frames, "\n\n"),
        sse(&frames, "\r\r"),
        array(&frames),
        sse(&frames, "\r\n\r\n").replace("data: ", "data:"),
    ] {
        let same = assemble(&Gemini, stream.as_bytes());
        // Pretty-printed arguments are other text for the same.
        assert_eq!(same.choices[0].parts.len(), whole.choices[0].parts.len());
        assert_eq!(same.usage, whole.usage);
    }
    let parts = &whole.choices[0].parts;
    assert!(matches!(&parts[0].kind, PartKind::Reasoning(thought) if thought.text == "hm {"));
    assert!(matches!(&parts[1].kind, PartKind::Text(text) if text == "Grüße 🎉 \"}\\"));
    let PartKind::ToolCall(call) = &parts[2].kind else {
        panic!("no call")
    };
    assert_eq!(
        (call.name.as_str(), call.arguments.as_str()),
        ("a", r#"{"x":"}"}"#)
    );
    assert_eq!(
        call.signature,
        Some(Signature::new(SignatureOrigin::Gemini, "Y2FsbA=="))
    );
    assert!(matches!(&parts[3].kind, PartKind::ToolCall(call) if call.id == "f2"));
    assert!(matches!(&parts[4].kind, PartKind::Foreign));
    assert!(matches!(&parts[5].kind, PartKind::Reasoning(thought) if thought.signature.is_some()));
    assert_eq!(whole.choices[0].stop, StopReason::ToolCalls);
    let usage = whole.usage.unwrap();
    assert_eq!((usage.input, usage.output, usage.reasoning), (9, 4, 2));
    assert_eq!(whole.model.as_deref(), Some("gemini-2.5-flash"));
}

#[test]
fn grounding_annotates_the_open_text() {
    let events = decode_stream(&Gemini, sse(&frames(), "\n\n").as_bytes());
    let annotation = events.iter().find_map(|event| match event {
        ChatEvent::Delta {
            delta: PartDelta::Annotation(extension),
            ..
        } => extension.get(PROTOCOL, "groundingMetadata"),
        _ => None,
    });
    assert_eq!(annotation.unwrap().text(), r#"{"a":1}"#);
}

#[test]
fn an_object_in_place_of_a_stream_is_read() {
    let answer = assemble(
        &Gemini,
        b"\n{\"candidates\": [{\"content\": {\"parts\": [{\"text\": \"hi\"}]}, \"finishReason\": \"MAX_TOKENS\"}]}\n",
    );
    assert_eq!(answer.choices[0].stop, StopReason::Length);
}

#[test]
fn several_candidates_may_come_in_turns() {
    let candidate = |index: u32, text: &str, reason: Option<&str>| {
        json!({"candidates":[
        {"index":index,"content":{"parts":[{"text":text}]},"finishReason":reason}]})
    };
    let frames = [
        candidate(1, "b", None),
        candidate(0, "a", Some("STOP")),
        candidate(0, "A", Some("STOP")),
        candidate(1, "B", Some("SAFETY")),
    ];
    let answer = assemble(&Gemini, sse(&frames, "\n\n").as_bytes());
    let texts: Vec<_> = answer
        .choices
        .iter()
        .map(|choice| choice.parts[0].kind.clone())
        .collect();
    assert_eq!(texts, [PartKind::Text("aA".into()), PartKind::Text("bB".into())]);
    assert_eq!(answer.choices[1].stop, StopReason::ContentFilter);
}

#[test]
fn a_blocked_prompt_ends_filtered() {
    let answer = assemble(&Gemini, b"data: {\"promptFeedback\":{\"blockReason\":\"OTHER\"},\"usageMetadata\":{\"promptTokenCount\":4}}\n\n");
    assert_eq!(answer.choices[0].stop, StopReason::ContentFilter);
    assert_eq!(answer.usage.unwrap().input, 4);
}

fn error(stream: &str) -> PublicError {
    match decode_stream(&Gemini, stream.as_bytes()).pop() {
        Some(ChatEvent::Error(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn broken_streams_end_with_an_error() {
    let frames = frames();
    let cut = &frames[..3];
    for stream in [
        sse(cut, "\n\n"),
        array(cut),
        String::new(),
        ": hi\n\n".to_owned(),
        "<html>oh</html>".to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ] {
        assert_eq!(error(&stream).code(), Some("upstream_cut"), "{stream}");
    }
    let half = sse(&frames, "\n\n");
    assert_eq!(error(&half[..half.len() - 40]).code(), Some("upstream_cut"));
    assert_eq!(
        error("data: {\"candidates\":7}\n\n").code(),
        Some("upstream_unreadable")
    );
}

#[test]
fn the_last_frame_needs_no_blank_line() {
    let stream = sse(&frames(), "\n\n");
    assemble(&Gemini, stream.trim_end().as_bytes());
}

#[test]
fn errors_of_the_provider_are_told() {
    let told = json!({"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}});
    let begun = sse(&frames()[..1], "\n\n");
    for stream in [
        format!("{begun}data: {told}\n\n"),
        format!("{begun}{told:#}\n"),
        format!("[{told}]"),
        told.to_string(),
    ] {
        let error = error(&stream);
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::RateLimit, "slow down"),
            "{stream}"
        );
    }
    let hidden = error("data: {\"error\":{\"code\":403,\"message\":\"key AIza is bad\"}}\n\n");
    assert!(!hidden.message().contains("AIza"));
}

fn events() -> Vec<ChatEvent> {
    let start = |part, start| ChatEvent::PartStart {
        choice: 0,
        part,
        start,
    };
    let delta = |part, delta| ChatEvent::Delta {
        choice: 0,
        part,
        delta,
    };
    let end = |part| ChatEvent::PartEnd { choice: 0, part };
    let call = |id: &str, name: &str| PartStart::ToolCall {
        id: id.into(),
        name: name.into(),
        is_custom: false,
    };
    vec![
        ChatEvent::Start {
            id: Some("msg_1".into()),
            model: Some("claude".into()),
            extension: Extension::of(Protocol::AnthropicMessages),
        },
        start(
            0,
            PartStart::Reasoning {
                is_summary: false,
                is_redacted: false,
                id: None,
            },
        ),
        delta(0, PartDelta::Text("hm".into())),
        delta(
            0,
            PartDelta::Signature(Signature::new(SignatureOrigin::Anthropic, "EqQB")),
        ),
        end(0),
        start(1, PartStart::Text),
        delta(1, PartDelta::Text("a\n\"b\"".into())),
        end(1),
        start(2, call("c1", "f")),
        start(3, call("c2", "g")),
        delta(2, PartDelta::Arguments("{\n\"x\":".into())),
        delta(3, PartDelta::Arguments(String::new())),
        delta(2, PartDelta::Arguments("1.0}".into())),
        end(2),
        end(3),
        ChatEvent::Stop {
            choice: 0,
            reason: StopReason::ToolCalls,
            stop_sequence: None,
        },
        ChatEvent::Usage(Usage {
            input: 3,
            output: 2,
            ..Usage::default()
        }),
        ChatEvent::End,
    ]
}

#[test]
fn clients_get_events() {
    insta::assert_snapshot!(encode_stream(&Gemini, facts(""), events()).replace('\r', ""), @r#"
    data: {"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}

    data: {"candidates":[{"content":{"parts":[{"text":"","thought":true,"thoughtSignature":"c2x1aWNlLmFudGhyb3BpYy1jbGF1ZGUtdjEuRXFRQg=="}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}

    data: {"candidates":[{"content":{"parts":[{"text":"a\n\"b\""}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}

    data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"c1","name":"f","args":{ "x":1.0}}}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}

    data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"c2","name":"g","args":{}}}],"role":"model"},"index":0}],"modelVersion":"claude","responseId":"msg_1"}

    data: {"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},"modelVersion":"claude","responseId":"msg_1"}
    "#);
}

#[test]
fn clients_without_alt_sse_get_an_array() {
    let array_facts = || crate::codec::ReplyFacts {
        is_sse: false,
        ..facts("")
    };
    let stream = encode_stream(&Gemini, array_facts(), events());
    let items: Vec<Value> = serde_json::from_str(&stream).unwrap();
    assert_eq!(items.len(), 6);
    assert_eq!(items[5]["candidates"][0]["finishReason"], "STOP");
    // Every piece ends where an item ends.
    assert!(
        stream.starts_with("[{") && stream.contains("}\n,\r\n{") && stream.ends_with("}\n]"),
        "{stream}"
    );

    let failing = vec![
        events().remove(0),
        ChatEvent::Error(PublicError::new(ErrorKind::Upstream, "gone")),
    ];
    let items: Vec<Value> = serde_json::from_str(&encode_stream(&Gemini, array_facts(), failing)).unwrap();
    assert_eq!(
        items,
        [json!({"error":{"code":502,"message":"gone","status":"UNAVAILABLE"}})]
    );
}

#[test]
fn what_is_written_is_read() {
    let stream = encode_stream(&Gemini, facts(""), events());
    let answer = assemble(&Gemini, stream.as_bytes());
    assert_eq!(answer.id.as_deref(), Some("msg_1"));
    let kinds: Vec<_> = answer.choices[0]
        .parts
        .iter()
        .map(|part| part.kind.clone())
        .collect();
    assert!(matches!(&kinds[0], PartKind::Reasoning(thought)
        if thought.text == "hm" && thought.signature == Some(Signature::new(SignatureOrigin::Anthropic, "EqQB"))));
    assert!(
        matches!(&kinds[2], PartKind::ToolCall(call) if call.id == "c1" && call.arguments == "{ \"x\":1.0}")
    );
    assert_eq!(answer.usage.unwrap().total(), 5);
}

#[test]
fn errors_are_gemini_s() {
    let failing = vec![
        events().remove(0),
        ChatEvent::Error(PublicError::new(ErrorKind::RateLimit, "slow")),
        ChatEvent::End,
    ];
    assert_eq!(
        encode_stream(&Gemini, facts(""), failing),
        "data: {\"error\":{\"code\":429,\"message\":\"slow\",\"status\":\"RESOURCE_EXHAUSTED\"}}\n\n"
    );
}

#[test]
fn the_provider_s_own_stream_comes_out_again() {
    let stream = encode_stream(
        &Gemini,
        facts(""),
        decode_stream(&Gemini, sse(&frames(), "\n\n").as_bytes()),
    );
    let again = assemble(&Gemini, stream.as_bytes());
    assert_eq!(
        again.choices,
        assemble(&Gemini, sse(&frames(), "\n\n").as_bytes()).choices
    );
}
