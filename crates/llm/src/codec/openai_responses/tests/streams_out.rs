//! Streams for clients, each checked against the rules.

use serde_json::json;

use super::answers::{call, foreign};
use super::check::{Checked, check};
use crate::chat::{
    ChatEvent, Extension, Json, PartDelta, PartKind, PartStart, Reasoning, Signature, SignatureOrigin,
    StopReason,
};
use crate::codec::openai_responses::OpenAiResponses;
use crate::codec::testing::{encode_stream, facts, replayed};
use crate::error::{ErrorKind, PublicError};
use crate::protocol::Protocol;
use crate::usage::Usage;

fn begin() -> ChatEvent {
    ChatEvent::Start {
        id: Some("chatcmpl-1".to_owned()),
        model: Some("m".to_owned()),
        extension: Extension::of(Protocol::OpenAiChat),
    }
}

fn start(part: u32, start: PartStart) -> ChatEvent {
    ChatEvent::PartStart {
        choice: 0,
        part,
        start,
    }
}

fn tool(part: u32, name: &str) -> ChatEvent {
    let start_of = PartStart::ToolCall {
        id: format!("call_{part}"),
        name: name.to_owned(),
        is_custom: false,
    };
    start(part, start_of)
}

fn thinking(part: u32) -> ChatEvent {
    let start_of = PartStart::Reasoning {
        is_summary: false,
        is_redacted: false,
        id: None,
    };
    start(part, start_of)
}

fn delta(part: u32, delta: PartDelta) -> ChatEvent {
    ChatEvent::Delta {
        choice: 0,
        part,
        delta,
    }
}

fn text(part: u32, text: &str) -> ChatEvent {
    delta(part, PartDelta::Text(text.to_owned()))
}

fn arguments(part: u32, text: &str) -> ChatEvent {
    delta(part, PartDelta::Arguments(text.to_owned()))
}

fn end(part: u32) -> ChatEvent {
    ChatEvent::PartEnd { choice: 0, part }
}

fn stop(reason: StopReason) -> ChatEvent {
    ChatEvent::Stop {
        choice: 0,
        reason,
        stop_sequence: None,
    }
}

fn stream(body: &str, events: Vec<ChatEvent>) -> Checked {
    check(&encode_stream(&OpenAiResponses, facts(body), events))
}

#[test]
fn thoughts_text_and_a_call_come_in_the_order_of_the_real_server() {
    let usage = Usage {
        input: 3,
        output: 4,
        reasoning: 1,
        ..Usage::default()
    };
    let checked = stream(
        r#"{"tools": [
            {"type":"function","name":"f"}]}"#,
        vec![
            begin(),
            thinking(0),
            text(0, "hm"),
            text(0, " \u{1f389}\n"),
            delta(
                0,
                PartDelta::Signature(Signature::new(SignatureOrigin::Anthropic, "EqQB")),
            ),
            end(0),
            start(1, PartStart::Text),
            text(1, "Hel"),
            text(1, "lo"),
            end(1),
            tool(2, "f"),
            arguments(2, "{\"a\""),
            arguments(2, ":1}"),
            end(2),
            stop(StopReason::ToolCalls),
            ChatEvent::Usage(usage),
            ChatEvent::End,
        ],
    );
    assert_eq!(
        checked.types(),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_text.delta",
            "response.reasoning_summary_text.done",
            "response.reasoning_summary_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    assert_eq!(
        checked.output()[0]["encrypted_content"],
        "sluice.anthropic-claude-v1.EqQB"
    );
    assert_eq!(checked.output()[0]["summary"][0]["text"], "hm \u{1f389}\n");
    assert_eq!(checked.output()[1]["content"][0]["text"], "Hello");
    assert_eq!(checked.output()[2]["arguments"], "{\"a\":1}");
    assert_eq!(checked.response["usage"]["total_tokens"], 8);
}

#[test]
fn parallel_calls_may_overlap() {
    let checked = stream(
        "{}",
        vec![
            begin(),
            start(0, PartStart::Text),
            text(0, "two calls"),
            tool(1, "a"),
            arguments(1, "{"),
            tool(2, "b"),
            arguments(2, "{\"x\":"),
            end(0),
            arguments(1, "}"),
            arguments(2, "1}"),
            end(2),
            tool(3, "c"),
            end(3),
            end(1),
            stop(StopReason::ToolCalls),
            ChatEvent::End,
        ],
    );
    let calls: Vec<_> = (1..4)
        .map(|index| checked.output()[index]["arguments"].clone())
        .collect();
    assert_eq!(calls, ["{}", "{\"x\":1}", "{}"]);
}

#[test]
fn texts_in_a_row_are_one_message() {
    let citation = Extension::with(
        Protocol::OpenAiResponses,
        vec![
            ("type".to_owned(), Json::of("url_citation")),
            ("url".to_owned(), Json::of("u")),
        ],
    );
    let checked = stream(
        "{}",
        vec![
            begin(),
            start(0, PartStart::Text),
            text(0, "a"),
            delta(0, PartDelta::Annotation(citation)),
            delta(
                0,
                PartDelta::Annotation(Extension::of(Protocol::AnthropicMessages)),
            ),
            end(0),
            start(1, PartStart::Refusal),
            text(1, "no"),
            end(1),
            stop(StopReason::Refusal),
            ChatEvent::End,
        ],
    );
    assert_eq!(checked.response["status"], "completed");
    assert_eq!(
        checked.output()[0]["content"],
        json!([
            {"type": "output_text", "text": "a", "annotations": [{"type": "url_citation", "url": "u"}], "logprobs": []},
            {"type": "refusal", "refusal": "no"},
        ])
    );
}

#[test]
fn tools_are_called_by_the_names_that_the_client_knows() {
    let checked = stream(
        r#"{"tools":[{"type":"namespace","name":"crm","tools":[{"type":"function","name":"get"}]},
            {"type":"custom","name":"sh"}]}"#,
        vec![
            begin(),
            tool(0, "crm__get"),
            arguments(0, "{}"),
            delta(
                0,
                PartDelta::Signature(Signature::new(SignatureOrigin::Gemini, "Sig")),
            ),
            end(0),
            tool(1, "sh"),
            arguments(1, "{\"input\":\"l"),
            arguments(1, "s\\n\"}"),
            end(1),
            stop(StopReason::ToolCalls),
            ChatEvent::End,
        ],
    );
    let output = checked.output();
    assert_eq!(
        (&output[0]["name"], &output[0]["namespace"]),
        (&json!("get"), &json!("crm"))
    );
    assert_eq!(
        output[1]["encrypted_content"],
        "sluice-call:sluice.google-gemini-v1.Sig:call_0"
    );
    assert_eq!(
        (&output[2]["type"], &output[2]["input"]),
        (&json!("custom_tool_call"), &json!("ls\n"))
    );
}

#[test]
fn probabilities_come_with_the_text() {
    let logprobs = |token: &str| ChatEvent::Logprobs {
        choice: 0,
        logprobs: Json::parse(&format!(
            r#"{{"content":[{{"token":"{token}","logprob":-1.0}}]}}"#
        ))
        .unwrap(),
    };
    let checked = stream(
        "{}",
        vec![
            begin(),
            start(0, PartStart::Text),
            logprobs("a"),
            text(0, "a"),
            text(0, "b"),
            logprobs("b"),
            end(0),
            stop(StopReason::Stop),
            ChatEvent::End,
        ],
    );
    let told = checked.output()[0]["content"][0]["logprobs"].as_array().unwrap();
    assert_eq!(told.len(), 2);
    let done = checked
        .events
        .iter()
        .find(|event| event["type"] == "response.output_text.done")
        .unwrap();
    assert_eq!(done["logprobs"], json!(told));
}

#[test]
fn length_and_filter_end_incomplete() {
    for (reason, word) in [
        (StopReason::Length, "max_output_tokens"),
        (StopReason::ContentFilter, "content_filter"),
    ] {
        let events = vec![
            begin(),
            start(0, PartStart::Text),
            text(0, "on and"),
            end(0),
            stop(reason),
            ChatEvent::End,
        ];
        let checked = stream("{}", events);
        assert_eq!(checked.types().last(), Some(&"response.incomplete"));
        assert_eq!(checked.response["incomplete_details"]["reason"], word);
        assert_eq!(checked.output()[0]["status"], "incomplete");
    }
}

#[test]
fn a_cut_fails_with_what_was_said() {
    let cut =
        PublicError::new(ErrorKind::Upstream, "the provider broke off its answer").with_code("upstream_cut");
    let events = vec![
        begin(),
        start(0, PartStart::Text),
        text(0, "half"),
        tool(1, "f"),
        ChatEvent::Error(cut),
        ChatEvent::End,
        text(0, "late"),
    ];
    let checked = stream("{}", events);
    let types = checked.types();
    assert_eq!(types[types.len() - 2..], ["error", "response.failed"]);
    let error = &checked.events[checked.events.len() - 2];
    assert_eq!(error["error"]["code"], "upstream_cut");
    assert_eq!(error["code"], "upstream_cut");
    assert_eq!(
        checked.response["error"],
        json!({"code": "upstream_cut", "message": "the provider broke off its answer"})
    );
    assert_eq!(checked.output()[0]["content"][0]["text"], "half");
    assert_eq!(checked.output()[0]["status"], "incomplete");
}

#[test]
fn errors_before_anything_else_are_told_too() {
    let events = vec![ChatEvent::Error(PublicError::new(
        ErrorKind::RateLimit,
        "slow down",
    ))];
    let checked = stream("", events);
    assert_eq!(checked.response["error"]["code"], "rate_limit_exceeded");
    let failed = stream("{}", vec![begin(), stop(StopReason::Failed), ChatEvent::End]);
    assert_eq!(failed.response["status"], "failed");
    let empty = stream("{}", vec![ChatEvent::End]);
    assert_eq!(empty.response["status"], "completed");
}

#[test]
fn replayed_answers_and_further_alternatives_keep_the_rules() {
    let hidden = Reasoning {
        signature: Some(Signature::new(SignatureOrigin::Anthropic, "Hidden")),
        is_redacted: true,
        ..Reasoning::default()
    };
    let mut answer = foreign(
        vec![
            PartKind::Reasoning(hidden),
            PartKind::Text("a".to_owned()),
            PartKind::ToolCall(call("f", "{}")),
        ],
        StopReason::ToolCalls,
    );
    let second = answer.choices[0].clone();
    answer.choices.push(second);
    let checked = check(&replayed(&OpenAiResponses, facts("{}"), answer));
    assert_eq!(checked.output().as_array().unwrap().len(), 3);
    assert_eq!(
        checked.output()[0]["encrypted_content"],
        "sluice-redacted:sluice.anthropic-claude-v1.Hidden"
    );
}
