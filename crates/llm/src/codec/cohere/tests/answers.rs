use serde_json::json;

use super::*;
use crate::chat::{PartKind, StopReason};
use crate::codec::testing::facts;

const RICH: &str = r#"{"id":"r1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_plan":"I will look",
    "content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"hi"}],
    "tool_calls":[{"id":"c1","type":"function","function":{"name":"a","arguments":"{\"x\": 1.0}"}}],"citations":[{"start":0}]},
    "usage":{"billed_units":{"input_tokens":5,"output_tokens":3},"tokens":{"input_tokens":20,"output_tokens":4},"cached_tokens":8},
    "logprobs":[{"token_ids":[5],"text":"hi","logprobs":[-0.5]}]}"#;

#[test]
fn nothing_is_lost_within_the_protocol() {
    let answer = Cohere.decode_answer(RICH.as_bytes()).unwrap();
    assert_eq!(value(&Cohere.encode_answer(&answer, &facts(""))), parse(RICH));
}

#[test]
fn what_others_read_of_it() {
    let answer = Cohere.decode_answer(RICH.as_bytes()).unwrap();
    let choice = &answer.choices[0];
    assert_eq!(choice.stop, StopReason::ToolCalls);
    assert!(matches!(&choice.parts[0].kind, PartKind::Reasoning(plan) if plan.is_summary));
    assert!(matches!(&choice.parts[3].kind, PartKind::ToolCall(call) if call.arguments == "{\"x\": 1.0}"));
    let usage = answer.usage.unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output), (12, 8, 4));
    assert_eq!(
        choice.logprobs.as_ref().unwrap().text(),
        r#"{"content":[{"token":"hi","logprob":-0.5,"bytes":[104,105],"top_logprobs":[]}]}"#
    );
}

#[test]
fn counts_may_be_floats_or_billed_ones() {
    let body = br#"{"message":{"content":[]},"finish_reason":"COMPLETE","usage":{"billed_units":{"input_tokens":5.0,"output_tokens":3.0}}}"#;
    let usage = Cohere.decode_answer(body).unwrap().usage.unwrap();
    assert_eq!((usage.input, usage.output), (5, 3));
}

#[test]
fn other_providers_answers_have_every_member() {
    let mut answer = Cohere
        .decode_answer(br#"{"message":{"content":"hi"},"finish_reason":"MAX_TOKENS"}"#)
        .unwrap();
    answer.extension = crate::chat::Extension::of(crate::protocol::Protocol::OpenAiChat);
    answer.usage = Some(crate::usage::Usage {
        input: 2,
        cache_read: 1,
        output: 4,
        ..Default::default()
    });
    let counts = json!({"input_tokens":3,"output_tokens":4});
    assert_eq!(
        value(&Cohere.encode_answer(&answer, &facts(""))),
        json!({"id":"0123456789abcdef0123456789abcdef","message":{"role":"assistant","content":[{"type":"text","text":"hi"}]},
            "finish_reason":"MAX_TOKENS","usage":{"billed_units":counts,"tokens":counts,"cached_tokens":1}})
    );
}

#[test]
fn what_is_no_answer_is_refused() {
    for body in [
        "[]",
        "{}",
        r#"{"message":"invalid api token"}"#,
        r#"{"message":{"content":[1]}}"#,
    ] {
        assert!(Cohere.decode_answer(body.as_bytes()).is_err(), "{body}");
    }
}
