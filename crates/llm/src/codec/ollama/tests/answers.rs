use serde_json::json;

use super::*;
use crate::chat::{ChatEvent, PartKind, StopReason};
use crate::codec::testing::{assemble, decode_stream, encode_stream, facts, replayed};
use crate::error::{ErrorKind, PublicError};

const RICH: &str = r#"{"model":"qwen3","created_at":"2026-01-02T03:04:05.678Z","message":{"role":"assistant","content":"hi",
    "thinking":"hm","tool_calls":[{"function":{"index":0,"name":"a","arguments":{"x":1.0}}},{"id":"c2","function":{"name":"b","arguments":{}}}],
    "extra":1},"done":true,"done_reason":"stop","total_duration":5,"load_duration":1,"prompt_eval_count":7,
    "prompt_eval_duration":2,"eval_count":3,"eval_duration":2,"logprobs":[{"token":"hi","logprob":-0.5}]}"#;

const GENERATED: &str = r#"{"model":"m","created_at":"2026-01-02T03:04:05Z","response":"hi","thinking":"hm","done":true,
    "done_reason":"load","context":[1,2],"eval_count":3}"#;

#[test]
fn nothing_is_lost_within_the_protocol() {
    for (codec, body) in [(Ollama::CHAT, RICH), (Ollama::GENERATE, GENERATED)] {
        let answer = codec.decode_answer(body.as_bytes()).unwrap();
        assert_eq!(value(&codec.encode_answer(&answer, &facts(""))), parse(body));
    }
}

#[test]
fn what_others_read_of_it() {
    let answer = Ollama::CHAT.decode_answer(RICH.as_bytes()).unwrap();
    let choice = &answer.choices[0];
    assert_eq!(choice.stop, StopReason::ToolCalls);
    assert_eq!(answer.created, Some(1_767_323_045));
    assert_eq!(
        choice.logprobs.as_ref().unwrap().text(),
        r#"{"content":[{"token":"hi","logprob":-0.5}]}"#
    );
    let PartKind::ToolCall(call) = &choice.parts[2].kind else {
        panic!("no call")
    };
    assert!(
        call.id.starts_with("call_") && call.arguments == r#"{"x":1.0}"#,
        "{call:?}"
    );
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input, usage.output), (7, 3));
    for body in ["[]", "{}", r#"{"error":"no"}"#, r#"{"message":7}"#] {
        assert!(Ollama::CHAT.decode_answer(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn other_providers_answers_have_every_member() {
    let mut answer = Ollama::CHAT
        .decode_answer(br#"{"message":{"content":"hi"},"done_reason":"length"}"#)
        .unwrap();
    answer.usage = Some(crate::usage::Usage {
        input: 2,
        cache_read: 1,
        output: 4,
        ..Default::default()
    });
    assert_eq!(
        value(&Ollama::CHAT.encode_answer(&answer, &facts(""))),
        json!({"model":"asked","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":"hi"},
            "done":true,"done_reason":"length","prompt_eval_count":3,"eval_count":4})
    );
}

fn lines() -> String {
    let line =
        |message: Value| json!({"model":"qwen3","created_at":"t","message":message,"done":false}).to_string();
    [
        line(json!({"role":"assistant","content":"","thinking":"hm"})),
        line(json!({"role":"assistant","content":"Grü"})),
        line(json!({"role":"assistant","content":"ße {\"🎉"})),
        line(json!({"role":"assistant","content":"","tool_calls":[{"function":{"name":"a","arguments":{"x":"}"}}},{"function":{"name":"a","arguments":{"x":"}"}}}]})),
        json!({"model":"qwen3","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop",
            "prompt_eval_count":7,"eval_count":3,"total_duration":1}).to_string(),
    ]
    .join("\n")
}

#[test]
fn lines_are_read_however_they_are_cut() {
    for stream in [
        lines(),
        lines() + "\n",
        lines().replace('\n', "\r\n"),
        lines().replace('\n', "\n\n"),
    ] {
        let answer = assemble(&Ollama::CHAT, stream.as_bytes());
        let parts = &answer.choices[0].parts;
        assert!(matches!(&parts[0].kind, PartKind::Reasoning(thought) if thought.text == "hm"));
        assert_eq!(parts[1].kind, PartKind::Text("Grüße {\"🎉".to_owned()));
        let ids: Vec<_> = parts
            .iter()
            .filter_map(|part| match &part.kind {
                PartKind::ToolCall(call) => Some(&call.id),
                _ => None,
            })
            .collect();
        assert!(ids.len() == 2 && ids[0] != ids[1], "{ids:?}");
        assert_eq!(answer.choices[0].stop, StopReason::ToolCalls);
        assert_eq!(answer.usage.unwrap().total(), 10);
    }
    let generated = "{\"model\":\"m\",\"response\":\"a\",\"done\":false}\n{\"response\":\"b\",\"done\":true,\"done_reason\":\"length\"}\n";
    let answer = assemble(&Ollama::GENERATE, generated.as_bytes());
    assert_eq!(answer.choices[0].parts[0].kind, PartKind::Text("ab".to_owned()));
    assert_eq!(answer.choices[0].stop, StopReason::Length);
}

#[test]
fn a_whole_answer_in_place_of_a_stream_is_read() {
    let pretty = format!("{:#}", parse(RICH));
    assert_eq!(
        assemble(&Ollama::CHAT, pretty.as_bytes()).choices[0].parts.len(),
        4
    );
}

#[test]
fn broken_streams_end_with_an_error() {
    let error = |stream: &str| match decode_stream(&Ollama::CHAT, stream.as_bytes()).pop() {
        Some(ChatEvent::Error(error)) => error,
        other => panic!("{other:?}"),
    };
    let lines = lines();
    let (begun, _) = lines.rsplit_once('\n').unwrap();
    for stream in [begun, "", "<html>", &lines[..lines.len() - 1]] {
        assert_eq!(error(stream).code(), Some("upstream_cut"), "{stream}");
    }
    let told = error(&format!("{begun}\n{{\"error\":\"out of memory\"}}\n"));
    assert_eq!(
        (told.kind(), told.message()),
        (ErrorKind::Upstream, "out of memory")
    );
    assert_eq!(error("{\"message\":7}\n").code(), Some("upstream_unreadable"));
}

/// The last line without its durations, which differ from run to run.
fn without_durations(stream: &str) -> String {
    let (first, last) = stream.trim_end().rsplit_once('\n').unwrap();
    let mut last = parse(last);
    for name in [
        "total_duration",
        "load_duration",
        "prompt_eval_duration",
        "eval_duration",
    ] {
        assert!(
            last.as_object_mut()
                .unwrap()
                .shift_remove(name)
                .is_some_and(|value| value.is_u64()),
            "{name}"
        );
    }
    format!("{first}\n{last}")
}

#[test]
fn clients_get_lines() {
    let events = decode_stream(
        &Ollama::CHAT,
        lines()
            .replace("\"function\":{", "\"id\":\"c\",\"function\":{")
            .as_bytes(),
    );
    let stream = encode_stream(&Ollama::CHAT, facts(""), events);
    insta::assert_snapshot!(without_durations(&stream), @r#"
    {"model":"qwen3","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":"","thinking":"hm"},"done":false}
    {"model":"qwen3","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":"Grü"},"done":false}
    {"model":"qwen3","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":"ße {\"🎉"},"done":false}
    {"model":"qwen3","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"c","function":{"name":"a","arguments":{"x":"}"}}}]},"done":false}
    {"model":"qwen3","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":"","tool_calls":[{"id":"c","function":{"name":"a","arguments":{"x":"}"}}}]},"done":false}
    {"model":"qwen3","created_at":"2023-11-14T22:13:20Z","message":{"role":"assistant","content":""},"done":true,"done_reason":"stop","prompt_eval_count":7,"eval_count":3}
    "#);
    let answer = Ollama::GENERATE.decode_answer(GENERATED.as_bytes()).unwrap();
    let stream = replayed(&Ollama::GENERATE, facts(""), answer);
    insta::assert_snapshot!(without_durations(&stream), @r#"
    {"model":"m","created_at":"2023-11-14T22:13:20Z","response":"","thinking":"hm","done":false}
    {"model":"m","created_at":"2023-11-14T22:13:20Z","response":"hi","done":false}
    {"model":"m","created_at":"2023-11-14T22:13:20Z","response":"","done":true,"done_reason":"stop","eval_count":3}
    "#);
}

#[test]
fn errors_are_a_line() {
    let events = vec![
        ChatEvent::Error(PublicError::new(ErrorKind::Upstream, "gone")),
        ChatEvent::End,
    ];
    assert_eq!(
        encode_stream(&Ollama::CHAT, facts(""), events),
        "{\"error\":\"gone\"}\n"
    );
}

#[test]
fn logprobs_stand_beside_the_message() {
    let line = json!({"message":{"content":"a"},"logprobs":[{"token":"a","logprob":-1}],"done":true});
    let events = decode_stream(&Ollama::CHAT, line.to_string().as_bytes());
    let stream = encode_stream(&Ollama::CHAT, facts(""), events);
    assert!(
        stream.contains(r#""done":false,"logprobs":[{"token":"a","logprob":-1}]}"#),
        "{stream}"
    );
}
