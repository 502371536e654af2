//! What clients get.

use serde_json::{Value, json};

use crate::chat::{ChatEvent, Extension, Json, PartDelta, PartStart, Signature, SignatureOrigin, StopReason};
use crate::codec::openai_chat::OpenAiChat;
use crate::codec::testing::{assemble, decode_stream, encode_stream, facts};
use crate::error::{ErrorKind, PublicError};
use crate::protocol::Protocol;
use crate::usage::Usage;

const BODY: &str = r#"{"model":"asked","messages":[]}"#;

fn start() -> ChatEvent {
    ChatEvent::Start {
        id: Some("msg_1".to_owned()),
        model: Some("m".to_owned()),
        extension: Extension::of(Protocol::AnthropicMessages),
    }
}

fn begin(part: u32, start: PartStart) -> ChatEvent {
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

fn text(part: u32, text: &str) -> ChatEvent {
    delta(part, PartDelta::Text(text.to_owned()))
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

fn call(part: u32, id: &str) -> ChatEvent {
    let start = PartStart::ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        is_custom: false,
    };
    begin(part, start)
}

fn thought() -> PartStart {
    PartStart::Reasoning {
        is_summary: false,
        is_redacted: false,
        id: None,
    }
}

/// The data of a stream's frames, the head of each checked and left out.
fn chunks(stream: &str) -> Vec<String> {
    let head =
        r#"{"id":"msg_1","object":"chat.completion.chunk","created":1700000000,"model":"m","choices":"#;
    stream
        .split_terminator("\n\n")
        .map(|frame| {
            let data = frame.strip_prefix("data: ").unwrap();
            match data.strip_prefix(head) {
                Some(rest) => rest.strip_suffix('}').unwrap().to_owned(),
                None => data.to_owned(),
            }
        })
        .collect()
}

fn written(body: &str, events: Vec<ChatEvent>) -> Vec<String> {
    chunks(&encode_stream(&OpenAiChat, facts(body), events))
}

const ROLE: &str = r#"[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]"#;

fn of_delta(delta: &str) -> String {
    format!(r#"[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":null}}]"#)
}

fn finish(reason: &str) -> String {
    format!(r#"[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"{reason}"}}]"#)
}

#[test]
fn role_text_finish_usage_done() {
    let usage = Usage {
        input: 3,
        cache_read: 4,
        cache_write: 2,
        output: 5,
        reasoning: 1,
        ..Usage::default()
    };
    let events = vec![
        start(),
        begin(0, PartStart::Text),
        text(0, "say \"hi\"\n"),
        ChatEvent::Usage(Usage::default()),
        end(0),
        stop(StopReason::StopSequence),
        ChatEvent::Usage(usage),
        ChatEvent::End,
    ];
    let shown = written(BODY, events.clone());
    let usage = r#"[],"usage":{"prompt_tokens":9,"completion_tokens":6,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":4,"cache_write_tokens":2,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":1,"audio_tokens":0}}"#;
    assert_eq!(
        shown,
        [
            ROLE,
            &of_delta(r#"{"content":"say \"hi\"\n"}"#),
            &finish("stop"),
            usage,
            "[DONE]"
        ]
    );
    let mut unasked = facts(BODY);
    unasked.stream_usage = false;
    let hidden = encode_stream(&OpenAiChat, unasked, events);
    assert!(!hidden.contains("usage") && hidden.ends_with("data: [DONE]\n\n"));
}

#[test]
fn thoughts_with_their_signature() {
    let signature = PartDelta::Signature(Signature::new(SignatureOrigin::Anthropic, "Eq=="));
    let redacted = PartStart::Reasoning {
        is_summary: false,
        is_redacted: true,
        id: None,
    };
    let hidden = PartDelta::Signature(Signature::new(SignatureOrigin::Anthropic, "xx"));
    let shown = written(
        BODY,
        vec![
            start(),
            begin(0, thought()),
            text(0, "h"),
            text(0, "m"),
            delta(0, signature),
            end(0),
            begin(1, redacted),
            delta(1, hidden),
            end(1),
            stop(StopReason::Stop),
            ChatEvent::End,
        ],
    );
    let signed = r#"{"reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"Eq==","format":"anthropic-claude-v1","index":0}]}"#;
    let secret = r#"{"reasoning_details":[{"type":"reasoning.encrypted","data":"xx","format":"anthropic-claude-v1","index":1}]}"#;
    assert_eq!(
        shown,
        [
            ROLE,
            &of_delta(r#"{"reasoning_content":"h"}"#),
            &of_delta(r#"{"reasoning_content":"m"}"#),
            &of_delta(signed),
            &of_delta(secret),
            &finish("stop"),
            "[DONE]"
        ]
    );
}

#[test]
fn parallel_calls_are_numbered_densely() {
    let arguments = |part, text: &str| delta(part, PartDelta::Arguments(text.to_owned()));
    let shown = written(
        BODY,
        vec![
            start(),
            begin(0, PartStart::Text),
            end(0),
            call(1, "a"),
            arguments(1, "{\"x\":"),
            call(2, "b"),
            arguments(1, "1}"),
            end(1),
            end(2),
            stop(StopReason::ToolCalls),
            ChatEvent::End,
        ],
    );
    let open = |index: u32, id: &str| {
        of_delta(&format!(
            r#"{{"tool_calls":[{{"index":{index},"id":"{id}","type":"function","function":{{"name":"f","arguments":""}}}}]}}"#
        ))
    };
    let piece = |index: u32, text: &str| {
        of_delta(&format!(
            r#"{{"tool_calls":[{{"index":{index},"function":{{"arguments":{}}}}}]}}"#,
            Json::of(text).text()
        ))
    };
    assert_eq!(
        shown,
        [
            ROLE.to_owned(),
            open(0, "a"),
            piece(0, "{\"x\":"),
            open(1, "b"),
            piece(0, "1}"),
            piece(1, "{}"),
            finish("tool_calls"),
            "[DONE]".to_owned()
        ]
    );
}

#[test]
fn the_signature_of_a_call_stands_in_its_opening() {
    let signature = |origin| PartDelta::Signature(Signature::new(origin, "s"));
    let shown = written(
        BODY,
        vec![
            start(),
            call(0, "a"),
            delta(0, signature(SignatureOrigin::Gemini)),
            delta(0, PartDelta::Arguments("{}".to_owned())),
            end(0),
            call(1, "b"),
            delta(1, PartDelta::Arguments("{}".to_owned())),
            delta(1, signature(SignatureOrigin::Anthropic)),
            end(1),
        ],
    );
    assert_eq!(
        shown[1],
        of_delta(
            r#"{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""},"extra_content":{"google":{"thought_signature":"s"}}}]}"#
        )
    );
    assert_eq!(
        shown[5],
        of_delta(
            r#"{"tool_calls":[{"index":1,"extra_content":{"google":{"thought_signature":"sluice.anthropic-claude-v1.s"}}}]}"#
        )
    );
}

#[test]
fn clients_of_functions_read_one_function_call() {
    let body = r#"{"messages":[],"functions":[{"name":"f"}]}"#;
    let shown = written(
        body,
        vec![
            start(),
            call(0, "a"),
            delta(0, PartDelta::Arguments("{}".to_owned())),
            end(0),
            call(1, "b"),
            end(1),
            stop(StopReason::ToolCalls),
            ChatEvent::End,
        ],
    );
    assert_eq!(
        shown,
        [
            ROLE,
            &of_delta(r#"{"function_call":{"name":"f","arguments":""}}"#),
            &of_delta(r#"{"function_call":{"arguments":"{}"}}"#),
            &finish("function_call"),
            "[DONE]"
        ]
    );
}

#[test]
fn custom_tools_that_were_sent_as_functions_are_custom_again() {
    let body = r#"{"messages":[],"tools":[{"type":"custom","custom":{"name":"f"}}]}"#;
    let arguments = |text: &str| delta(0, PartDelta::Arguments(text.to_owned()));
    let shown = written(
        body,
        vec![
            start(),
            call(0, "a"),
            arguments("{\"input\":"),
            arguments("\"x\\ny\"}"),
            end(0),
        ],
    );
    assert_eq!(
        shown[1..],
        [
            of_delta(
                r#"{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":""}}]}"#
            ),
            of_delta(r#"{"tool_calls":[{"index":0,"custom":{"input":"x\ny"}}]}"#),
        ]
    );
}

#[test]
fn an_error_ends_the_stream_without_done() {
    let error = PublicError::new(ErrorKind::Upstream, "broke off").with_code("upstream_cut");
    let shown = encode_stream(
        &OpenAiChat,
        facts(BODY),
        vec![start(), ChatEvent::Error(error), ChatEvent::End],
    );
    assert_eq!(
        chunks(&shown)[1..],
        [r#"{"error":{"message":"broke off","type":"server_error","param":null,"code":"upstream_cut"}}"#]
    );
}

#[test]
fn names_of_the_gateways_where_the_provider_gives_none() {
    let start = ChatEvent::Start {
        id: None,
        model: None,
        extension: Extension::of(Protocol::GeminiGenerate),
    };
    let shown = encode_stream(&OpenAiChat, facts(BODY), vec![start]);
    let chunk: Value = serde_json::from_str(shown.trim().strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(chunk["id"], json!("chatcmpl-0123456789abcdef0123456789abcdef"));
    assert_eq!(chunk["model"], json!("asked"));
}

#[test]
fn citations_and_images_of_others() {
    let foreign = |protocol, json: &str| {
        let fields = crate::chat::Fields::from_slice(json.as_bytes()).unwrap();
        fields.into_extension(protocol)
    };
    let citation = foreign(
        Protocol::OpenAiResponses,
        r#"{"type":"url_citation","url":"https://a","title":"A","start_index":0,"end_index":1}"#,
    );
    let image = foreign(
        Protocol::GeminiGenerate,
        r#"{"inlineData":{"mimeType":"image/png","data":"AA"}}"#,
    );
    let shown = written(
        BODY,
        vec![
            start(),
            begin(0, PartStart::Text),
            delta(0, PartDelta::Annotation(citation)),
            end(0),
            begin(1, PartStart::Foreign(image)),
            end(1),
        ],
    );
    assert_eq!(
        shown[1..],
        [
            of_delta(
                r#"{"annotations":[{"type":"url_citation","url_citation":{"url":"https://a","title":"A","start_index":0,"end_index":1}}]}"#
            ),
            of_delta(
                r#"{"images":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA"},"index":0}]}"#
            ),
        ]
    );
}

#[test]
fn a_stream_comes_back_as_it_was() {
    let chunk = |choice: &str| {
        format!(
            "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"m\",\"system_fingerprint\":\"fp\",\"choices\":[{choice}]}}\n\n"
        )
    };
    let of = |index: u32, delta: &str, logprobs: &str| {
        chunk(&format!(
            r#"{{"index":{index},"delta":{delta},"logprobs":{logprobs},"finish_reason":null}}"#
        ))
    };
    let role = r#"{"role":"assistant","content":"","refusal":null}"#;
    let stream = [
        of(0, role, "null"),
        of(0, r#"{"reasoning_content":"hm"}"#, "null"),
        of(0, r#"{"content":"a"}"#, r#"{"content":[{"token":"a","logprob":-0.10,"bytes":[97],"top_logprobs":[]}],"refusal":null}"#),
        of(1, role, "null"),
        of(1, r#"{"refusal":"no"}"#, "null"),
        of(0, r#"{"audio":{"id":"au","transcript":"x"}}"#, "null"),
        of(0, r#"{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":""}}]}"#, "null"),
        of(0, r#"{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}"#, "null"),
        of(0, r#"{"tool_calls":[{"index":1,"id":"u","type":"custom","custom":{"name":"g","input":""}}]}"#, "null"),
        of(0, r#"{"tool_calls":[{"index":1,"custom":{"input":"x"}}]}"#, "null"),
        chunk(r#"{"index":0,"delta":{},"logprobs":null,"finish_reason":"tool_calls"}"#),
        chunk(r#"{"index":1,"delta":{},"logprobs":null,"finish_reason":"stop"}"#),
        "data: [DONE]\n\n".to_owned(),
    ]
    .concat();
    let events = decode_stream(&OpenAiChat, stream.as_bytes());
    let again = encode_stream(&OpenAiChat, facts(BODY), events);
    pretty_assertions(&again, &stream);
    assert_eq!(
        assemble(&OpenAiChat, again.as_bytes()),
        assemble(&OpenAiChat, stream.as_bytes())
    );
}

fn pretty_assertions(got: &str, expected: &str) {
    for (got, expected) in got.split("\n\n").zip(expected.split("\n\n")) {
        assert_eq!(got, expected);
    }
    assert_eq!(got, expected);
}
