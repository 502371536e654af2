//! Whole answers.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{OpenAiChat, value};
use crate::chat::{
    ChatAnswer, Choice, Extension, Json, Part, PartKind, Reasoning, Signature, SignatureOrigin, StopReason,
    ToolCall,
};
use crate::codec::ChatCodec;
use crate::codec::testing::{assemble, facts, replayed};
use crate::convert::AnswerError;
use crate::protocol::Protocol;
use crate::usage::Usage;

fn decode(body: &str) -> ChatAnswer {
    OpenAiChat.decode_answer(body.as_bytes()).unwrap()
}

fn shown(answer: &ChatAnswer, body: &str) -> Value {
    value(OpenAiChat.encode_answer(answer, &facts(body)).text())
}

#[test]
fn answers_go_out_as_they_came_in() {
    for body in [
        r#"{"id":"c","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null,"annotations":[{"type":"url_citation","url_citation":{"url":"u"}}],"odd":1},"logprobs":{"content":[{"token":"hi","logprob":-0.10}],"refusal":null},"finish_reason":"stop","content_filter_results":{"a":1}}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"cost":0.0010,"completion_tokens_details":{"accepted_prediction_tokens":7}},"service_tier":"default","system_fingerprint":"fp","citations":["u"]}"#,
        r#"{"id":"c","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1.0}"}},{"id":"b","type":"custom","custom":{"name":"g","input":"x"}},{"id":"d","type":"function","function":{"name":"f","arguments":"{}"},"extra_content":{"google":{"thought_signature":"s"}}}]},"logprobs":null,"finish_reason":"tool_calls"},{"index":1,"message":{"role":"assistant","content":null,"refusal":"no","audio":{"id":"au","data":"AA","transcript":"x","expires_at":1}},"logprobs":null,"finish_reason":"length"}]}"#,
        r#"{"id":"c","object":"chat.completion","created":5,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a","refusal":null,"reasoning_content":"hm","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"e","format":"xai-responses-v1","index":1}],"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"},"index":0}]},"logprobs":null,"finish_reason":"content_filter"}]}"#,
    ] {
        assert_eq!(shown(&decode(body), "{}"), value(body));
    }
}

#[test]
fn a_streamed_answer_is_the_same_as_a_whole_one() {
    let body = r#"{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"a","reasoning_content":"hm","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"},{"index":1,"message":{"content":"b"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}"#;
    let mut whole = decode(body);
    whole.extension = Extension::of(Protocol::OpenAiChat);
    let stream = replayed(&OpenAiChat, facts("{}"), whole.clone());
    let mut streamed = assemble(&OpenAiChat, stream.as_bytes());
    streamed.extension = Extension::of(Protocol::OpenAiChat);
    assert_eq!(streamed.usage, whole.usage);
    assert_eq!(shown(&streamed, "{}"), shown(&whole, "{}"));
}

#[test]
fn odd_answers_are_understood() {
    let answer = decode(
        r#"{"id":"","choices":[{"finish_reason":"","message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},{"type":"text","text":"hi"}],"tool_calls":[{"function":{"name":"f","arguments":{"x":1}}}]}}],"x_groq":{"usage":{"prompt_tokens":2,"completion_tokens":3}}}"#,
    );
    assert_eq!((answer.id.as_deref(), answer.usage.unwrap().total()), (None, 5));
    let choice = &answer.choices[0];
    assert_eq!(choice.stop, StopReason::ToolCalls);
    assert!(matches!(&choice.parts[0].kind, PartKind::Reasoning(thought) if thought.text == "hm"));
    assert!(matches!(&choice.parts[1].kind, PartKind::Text(text) if text == "hi"));
    let PartKind::ToolCall(call) = &choice.parts[2].kind else {
        panic!("no call")
    };
    assert!(call.id.starts_with("call_") && call.arguments == r#"{"x":1}"#);

    let legacy = decode(
        r#"{"choices":[{"finish_reason":"function_call","message":{"content":null,"function_call":{"name":"f","arguments":"{}"}}}]}"#,
    );
    assert_eq!(legacy.choices[0].stop, StopReason::ToolCalls);

    let vllm =
        decode(r#"{"choices":[{"finish_reason":"stop","stop_reason":"END","message":{"content":"a"}}]}"#);
    assert_eq!(
        (vllm.choices[0].stop, vllm.choices[0].stop_sequence.as_deref()),
        (StopReason::StopSequence, Some("END"))
    );
}

#[test]
fn what_is_no_answer_is_refused() {
    for (body, error) in [
        ("<html>", AnswerError::Unreadable("it is no JSON object")),
        ("{}", AnswerError::NoChoices),
        (
            r#"{"error":{"message":"x"}}"#,
            AnswerError::Unreadable("the provider says that it failed"),
        ),
        (
            r#"{"choices":[7]}"#,
            AnswerError::Unreadable("a choice is no object"),
        ),
        (
            r#"{"choices":[{"message":"x"}]}"#,
            AnswerError::Unreadable("a message is no object"),
        ),
    ] {
        assert_eq!(
            OpenAiChat.decode_answer(body.as_bytes()).unwrap_err(),
            error,
            "{body}"
        );
    }
}

fn foreign(parts: Vec<PartKind>, stop: StopReason) -> ChatAnswer {
    let nothing = || Extension::of(Protocol::AnthropicMessages);
    let parts = parts.into_iter().map(|kind| Part::new(kind, nothing())).collect();
    ChatAnswer {
        id: None,
        model: None,
        created: None,
        choices: vec![Choice {
            parts,
            stop,
            stop_sequence: None,
            logprobs: None,
            extension: nothing(),
        }],
        usage: Some(Usage {
            input: 1,
            output: 2,
            ..Usage::default()
        }),
        service_tier: None,
        extension: nothing(),
    }
}

fn call(arguments: &str) -> PartKind {
    PartKind::ToolCall(ToolCall {
        id: "a".to_owned(),
        name: "f".to_owned(),
        arguments: arguments.to_owned(),
        is_custom: false,
        signature: None,
    })
}

#[test]
fn answers_of_other_protocols() {
    let thought = |text: &str| {
        PartKind::Reasoning(Reasoning {
            text: text.to_owned(),
            signature: Some(Signature::new(SignatureOrigin::Anthropic, "s")),
            ..Reasoning::default()
        })
    };
    let text = |text: &str| PartKind::Text(text.to_owned());
    let parts = vec![thought("a"), thought("b"), text("x"), text("y"), call("")];
    let shown = shown(&foreign(parts, StopReason::ToolCalls), "{}");
    assert_eq!(
        shown,
        json!({
            "id": "chatcmpl-0123456789abcdef0123456789abcdef",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "asked",
            "choices": [{
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": "xy",
                    "refusal": null,
                    "reasoning_content": "a\n\nb",
                    "reasoning_details": [
                        {"type": "reasoning.text", "text": "a", "signature": "s", "format": "anthropic-claude-v1", "index": 0},
                        {"type": "reasoning.text", "text": "b", "signature": "s", "format": "anthropic-claude-v1", "index": 1},
                    ],
                    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                },
                "logprobs": null,
                "finish_reason": "tool_calls",
            }],
            "usage": {
                "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
                "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
            },
        })
    );
}

#[test]
fn citations_of_responses_are_nested() {
    let mut answer = foreign(vec![PartKind::Text("a".to_owned())], StopReason::Stop);
    let citations = json!([{"type": "url_citation", "url": "u", "end_index": 1}, {"type": "file_citation"}]);
    let text = &mut answer.choices[0].parts[0];
    text.extension = Extension::of(Protocol::OpenAiResponses);
    text.extension.push("annotations", Json::of(&citations));
    assert_eq!(
        shown(&answer, "{}")["choices"][0]["message"]["annotations"],
        json!([{"type": "url_citation", "url_citation": {"url": "u", "end_index": 1}}])
    );
}

#[test]
fn clients_of_functions_read_a_function_call() {
    let answer = foreign(vec![call("{}")], StopReason::ToolCalls);
    let shown = shown(&answer, r#"{"messages":[],"functions":[{"name":"f"}]}"#);
    let choice = &shown["choices"][0];
    assert_eq!(
        choice["message"]["function_call"],
        json!({"name": "f", "arguments": "{}"})
    );
    assert_eq!(
        (&choice["finish_reason"], choice["message"].get("tool_calls")),
        (&json!("function_call"), None)
    );
}

#[test]
fn custom_tools_that_were_sent_as_functions_are_custom_again() {
    let body = r#"{"messages":[],"tools":[{"type":"custom","custom":{"name":"f"}}]}"#;
    for (arguments, input) in [(r#"{"input":"x"}"#, "x"), ("SELECT", "SELECT")] {
        let shown = shown(&foreign(vec![call(arguments)], StopReason::ToolCalls), body);
        assert_eq!(
            shown["choices"][0]["message"]["tool_calls"],
            json!([{"id": "a", "type": "custom", "custom": {"name": "f", "input": input}}])
        );
    }
}

fn any_answer() -> impl Strategy<Value = ChatAnswer> {
    let text = || "\\PC{1,12}";
    let signed = prop::option::of(Just(Signature::new(SignatureOrigin::Anthropic, "s")));
    let thought = (text(), signed).prop_map(|(text, signature)| {
        PartKind::Reasoning(Reasoning {
            text,
            signature,
            ..Reasoning::default()
        })
    });
    let called = (0u32..9, text(), any::<bool>())
        .prop_map(|(name, arguments, is_custom)| (format!("f{name}"), arguments, is_custom));
    let said = (
        prop::collection::vec(thought, 0..3),
        prop::option::of(text().prop_map(PartKind::Text)),
        prop::option::of(text().prop_map(PartKind::Refusal)),
        prop::collection::vec(called, 0..3),
    );
    said.prop_map(|(thoughts, text, refusal, calls)| {
        // Without its signature a thought is one with the next.
        let signed =
            |kind: &PartKind| matches!(kind, PartKind::Reasoning(thought) if thought.signature.is_some());
        let last = thoughts.len().saturating_sub(1);
        let mut parts: Vec<PartKind> = thoughts
            .into_iter()
            .enumerate()
            .filter(|(index, kind)| signed(kind) || *index == last)
            .map(|(_, kind)| kind)
            .collect();
        let stop = if calls.is_empty() {
            StopReason::Length
        } else {
            StopReason::ToolCalls
        };
        parts.extend(text);
        parts.extend(refusal);
        for (index, (name, arguments, is_custom)) in calls.into_iter().enumerate() {
            let id = format!("id{index}");
            parts.push(PartKind::ToolCall(ToolCall {
                id,
                name,
                arguments,
                is_custom,
                signature: None,
            }));
        }
        foreign(parts, stop)
    })
}

proptest! {
    #[test]
    fn what_a_client_reads_is_what_was_said(answer in any_answer()) {
        let kinds = |answer: &ChatAnswer| -> Vec<PartKind> {
            answer.choices.iter().flat_map(|choice| &choice.parts).map(|part| part.kind.clone()).collect()
        };
        let whole = OpenAiChat.encode_answer(&answer, &facts("{}"));
        let whole = OpenAiChat.decode_answer(whole.text().as_bytes()).unwrap();
        prop_assert_eq!(kinds(&whole), kinds(&answer));
        prop_assert_eq!(whole.choices[0].stop, answer.choices[0].stop);
        prop_assert_eq!(whole.usage, answer.usage);
        let streamed = assemble(&OpenAiChat, replayed(&OpenAiChat, facts("{}"), answer.clone()).as_bytes());
        prop_assert_eq!(kinds(&streamed), kinds(&answer));
        prop_assert_eq!(streamed.choices[0].stop, answer.choices[0].stop);
        prop_assert_eq!(streamed.usage, answer.usage);
    }
}

#[test]
fn reasons_to_stop() {
    for (reason, word) in [
        (StopReason::Stop, "stop"),
        (StopReason::StopSequence, "stop"),
        (StopReason::Pause, "stop"),
        (StopReason::Length, "length"),
        (StopReason::ContextWindow, "length"),
        (StopReason::ContentFilter, "content_filter"),
        (StopReason::Refusal, "content_filter"),
        (StopReason::Failed, "error"),
    ] {
        assert_eq!(
            shown(&foreign(Vec::new(), reason), "{}")["choices"][0]["finish_reason"],
            json!(word)
        );
    }
}
