//! The answer's side.

use bytes::Bytes;
use http::HeaderMap;
use sluice_core::{AiCall, AiLogging, FilterStep, Flow, WholeAnswer};
use sluice_llm::{StreamEvent, TextKind, event_texts};

use super::*;
use crate::fixture::chat;

/// A call whose request had the address `a "b"@x.example` masked as `[EMAIL_1]`, if the guard does so.
fn call(protocol: Protocol) -> Box<AiCall> {
    let mut ai = chat("{}", AiLogging::default());
    let placeholders = Placeholders::default();
    let _ = placeholders.give(&Text::from("EMAIL"), "a\"b@x.example", true);
    ai.placeholders = Some(Arc::new(placeholders));
    ai.protocol = protocol;
    ai
}

fn filter(conf: &Value, ai: &AiCall) -> GuardFilter {
    GuardFilter::new(Arc::new(guard(conf)), ai)
}

/// Runs frames through a filter, in batches of this size.
fn run(filter: &mut GuardFilter, frames: &[String], batch: usize) -> Vec<String> {
    let mut out = Vec::new();
    for frames in frames.chunks(batch) {
        let mut events: Vec<_> = frames
            .iter()
            .map(|frame| StreamEvent::new(Bytes::from(frame.clone())))
            .collect();
        let FilterStep::Done(flow) = filter.events(&mut events) else {
            panic!("a guard never waits")
        };
        out.append(&mut events);
        if flow == Flow::End {
            return texts_of(out);
        }
    }
    let mut last = Vec::new();
    filter.end(&mut last, false);
    out.append(&mut last);
    texts_of(out)
}

fn texts_of(events: Vec<StreamEvent>) -> Vec<String> {
    events
        .into_iter()
        .map(|event| String::from_utf8(event.into_frame().to_vec()).unwrap())
        .collect()
}

fn data(frame: &str) -> Value {
    let event = StreamEvent::new(Bytes::from(frame.to_owned()));
    serde_json::from_slice(&event.data().unwrap_or_default()).unwrap_or_default()
}

/// What the frames say: in pieces, and once more as a whole.
fn said(protocol: Protocol, frames: &[String], wanted: TextKind) -> (String, Vec<String>) {
    let (mut pieces, mut repeats) = (String::new(), Vec::new());
    for frame in frames {
        let data = data(frame).to_string();
        for span in event_texts(protocol, data.as_bytes()) {
            match span.repeats {
                _ if span.kind != wanted => {}
                true => repeats.push(span.text.to_string()),
                false => pieces.push_str(&span.text),
            }
        }
    }
    (pieces, repeats)
}

fn frame(name: Option<&str>, data: &Value) -> String {
    match name {
        Some(name) => format!("event: {name}\ndata: {data}\n\n"),
        None => format!("data: {data}\n\n"),
    }
}

/// A stream that says `text` in these pieces, or calls a tool with it.
fn stream(protocol: Protocol, pieces: &[String], kind: TextKind) -> Vec<String> {
    let is_call = kind == TextKind::ToolArguments;
    let whole = pieces.concat();
    let mut frames = Vec::new();
    match protocol {
        Protocol::OpenAiChat => {
            let chunk = |choice: Value| {
                frame(
                    None,
                    &json!({ "id": "c1", "object": "chat.completion.chunk", "choices": [choice] }),
                )
            };
            for (position, piece) in pieces.iter().enumerate() {
                let delta = match (is_call, position) {
                    (true, 0) => json!({ "tool_calls": [
                        { "index": 0, "id": "t", "function": { "name": "f", "arguments": piece } }] }),
                    (true, _) => {
                        json!({ "tool_calls": [{ "index": 0, "function": { "arguments": piece } }] })
                    }
                    (false, _) => json!({ "content": piece }),
                };
                frames.push(chunk(
                    json!({ "index": 0, "delta": delta, "finish_reason": null }),
                ));
            }
            frames.push(chunk(json!({ "index": 0, "delta": {}, "finish_reason": "stop" })));
            frames.push("data: [DONE]\n\n".to_owned());
        }
        Protocol::AnthropicMessages => {
            let mut push = |data: Value| frames.push(frame(data["type"].as_str(), &data));
            push(json!({ "type": "message_start", "message": { "id": "m" } }));
            push(
                json!({ "type": "content_block_start", "index": 0, "content_block": { "type": "text", "text": "" } }),
            );
            for piece in pieces {
                let delta = if is_call {
                    json!({ "type": "input_json_delta", "partial_json": piece })
                } else {
                    json!({ "type": "text_delta", "text": piece })
                };
                push(json!({ "type": "content_block_delta", "index": 0, "delta": delta }));
            }
            push(json!({ "type": "content_block_stop", "index": 0 }));
            push(json!({ "type": "message_delta", "delta": { "stop_reason": "end_turn" } }));
            push(json!({ "type": "message_stop" }));
        }
        _ => {
            let mut number = 0;
            let mut push = |mut data: Value| {
                data["sequence_number"] = json!(number);
                number += 1;
                frames.push(frame(data["type"].as_str(), &data));
            };
            push(
                json!({ "type": "response.created", "response": { "id": "r", "status": "in_progress", "output": [] } }),
            );
            let (delta, done, member) = if is_call {
                (
                    "response.function_call_arguments.delta",
                    "response.function_call_arguments.done",
                    "arguments",
                )
            } else {
                ("response.output_text.delta", "response.output_text.done", "text")
            };
            for piece in pieces {
                push(
                    json!({ "type": delta, "item_id": "i", "output_index": 0, "content_index": 0, "delta": piece }),
                );
            }
            push(json!({ "type": done, "output_index": 0, "content_index": 0, member: whole }));
            let item = if is_call {
                json!({ "type": "function_call", "arguments": whole })
            } else {
                json!({ "type": "message", "content": [{ "type": "output_text", "text": whole }] })
            };
            push(json!({ "type": "response.completed", "response": { "id": "r", "output": [item] } }));
        }
    }
    frames
}

const PROTOCOLS: [Protocol; 3] = [
    Protocol::OpenAiChat,
    Protocol::AnthropicMessages,
    Protocol::OpenAiResponses,
];

#[test]
fn streams_say_what_whole_answers_say() {
    let guard = Arc::new(guard(&json!({ "mask": ["pii"], "unmask": ["secret"] })));
    proptest!(|(text in prose(), cuts in cuts(), batch in 1_usize..9, is_call: bool)| {
        let kind = if is_call { TextKind::ToolArguments } else { TextKind::Said };
        let text = format!("{text} [EMAIL_1]");
        let sent = if is_call { json!({ "t": text }).to_string() } else { text };
        for protocol in PROTOCOLS {
            let ai = call(protocol);
            let mut filter = GuardFilter::new(guard.clone(), &ai);
            let out = run(&mut filter, &stream(protocol, &pieces(&sent, &cuts), kind), batch);
            let (streamed, repeats) = said(protocol, &out, kind);
            let span = sluice_llm::TextSpan {
                kind, channel: (0, 0), repeats: false, range: 0..0, text: sent.as_str().into(),
            };
            let matchers = if is_call { &guard.answer_arguments } else { &guard.answer };
            let whole = guard.whole(matchers, &span, call(protocol).placeholders.as_ref().unwrap(), true).text();
            prop_assert_eq!(&streamed, &whole);
            prop_assert!(repeats.iter().all(|repeat| *repeat == whole), "{:?}", repeats);
            if is_call {
                let read: Value = serde_json::from_str(&streamed).unwrap();
                prop_assert!(read["t"].as_str().unwrap().ends_with("a\"b@x.example"));
            }
            let numbers: Vec<_> = out.iter().filter_map(|frame| data(frame)["sequence_number"].as_u64()).collect();
            prop_assert!(numbers.iter().copied().eq(0..numbers.len() as u64), "{:?}", numbers);
        }
    });
}

fn words(text: &str) -> Vec<String> {
    text.split_inclusive(' ').map(str::to_owned).collect()
}

#[test]
fn what_is_kept_back_comes_before_its_text_ends() {
    let conf = json!({ "mask": ["email"] });
    for (protocol, end) in [
        (Protocol::OpenAiChat, "finish_reason\":\"stop"),
        (Protocol::AnthropicMessages, "content_block_stop"),
        (Protocol::OpenAiResponses, "response.output_text.done"),
    ] {
        let out = run(
            &mut filter(&conf, &call(protocol)),
            &stream(protocol, &words("Hello dear world"), TextKind::Said),
            1,
        );
        let ended = out.iter().position(|frame| frame.contains(end)).unwrap();
        assert_eq!(
            said(protocol, &out[..ended], TextKind::Said).0,
            "Hello dear world",
            "{out:?}"
        );
        assert!(
            said(protocol, &out[..ended - 1], TextKind::Said)
                .0
                .ends_with("dear "),
            "{out:?}"
        );
    }
}

#[test]
fn a_first_call_is_not_said_twice() {
    let frames = stream(
        Protocol::OpenAiChat,
        &[r#"{"to":"me"#.to_owned()],
        TextKind::ToolArguments,
    );
    let out = run(
        &mut filter(&json!({ "mask": ["email"] }), &call(Protocol::OpenAiChat)),
        &frames,
        9,
    );
    assert_eq!(
        said(Protocol::OpenAiChat, &out, TextKind::ToolArguments).0,
        r#"{"to":"me"#
    );
    assert_eq!(out.concat().matches("\"name\":\"f\"").count(), 1, "{out:?}");
}

#[test]
fn refused_streams_end_in_the_clients_protocol() {
    let conf = json!({ "block": ["email"], "deny_message": "no" });
    let text = words("Write to me@x.example now. ");
    for protocol in PROTOCOLS {
        let ai = call(protocol);
        let out = run(
            &mut filter(&conf, &ai),
            &stream(protocol, &text, TextKind::Said),
            1,
        );
        let all = out.concat();
        assert!(!all.contains("me@") && !all.contains("now"), "{all}");
        assert!(all.contains("Write ") && all.contains("\"no\""), "{all}");
        let (end, count) = match protocol {
            Protocol::OpenAiChat => ("data: [DONE]\n\n", "content_filter"),
            Protocol::AnthropicMessages => (
                "data: {\"type\":\"message_stop\"}\n\n",
                "\"stop_reason\":\"refusal\"",
            ),
            _ => ("}\n\n", "\"status\":\"incomplete\""),
        };
        assert!(all.ends_with(end), "{all}");
        assert!(all.contains(count), "{all}");
        assert!(
            all.matches("message_start").count() <= 2,
            "one event with its name: {all}"
        );
        let state = ai.progress.read(Clone::clone);
        assert_eq!(state.risk_level.as_deref(), Some("high"));
        let hits = state.guard.unwrap();
        assert_eq!(
            (&*hits[0].rule, hits[0].action, hits[0].count),
            ("email", "block", 1)
        );
    }
}

#[test]
fn thoughts_are_masked_and_keep_their_placeholders() {
    let conf = json!({ "mask": ["ip_address"], "unmask": ["email"] });
    let chunk = |delta: Value| frame(None, &json!({ "choices": [{ "index": 0, "delta": delta }] }));
    let frames = [
        chunk(json!({ "reasoning_content": "[EMAIL_1] 10.0.0.1", "reasoning": "[EMAIL_1] 10.0.0.1" })),
        chunk(json!({ "content": "[EMAIL_1] 10.0.0.1" })),
        "data: [DONE]\n\n".to_owned(),
    ];
    let out = run(&mut filter(&conf, &call(Protocol::OpenAiChat)), &frames, 1);
    assert_eq!(
        data(&out[0])["choices"][0]["delta"]["reasoning"],
        data(&out[0])["choices"][0]["delta"]["reasoning_content"],
    );
    let thought = said(Protocol::OpenAiChat, &out, TextKind::Reasoning).0;
    assert!(
        thought.ends_with("[IP_1]") && !thought.contains("10.0"),
        "{thought}"
    );
    assert_eq!(
        said(Protocol::OpenAiChat, &out, TextKind::Said).0,
        "a\"b@x.example [IP_1]"
    );
    let speech = out
        .iter()
        .position(|frame| frame.contains("\"content\""))
        .unwrap();
    assert_eq!(
        said(Protocol::OpenAiChat, &out[..speech], TextKind::Reasoning).0,
        thought,
        "thoughts come first"
    );
}

#[test]
fn log_probabilities_tell_no_secrets() {
    let conf = json!({ "mask": ["email"] });
    let chunk = json!({ "choices": [{ "index": 0, "delta": { "content": "a " },
        "logprobs": { "content": [{ "token": "a ", "logprob": -0.1 }] } }] });
    let out = run(
        &mut filter(&conf, &call(Protocol::OpenAiChat)),
        &[frame(None, &chunk)],
        1,
    );
    assert_eq!(data(&out[0])["choices"][0]["logprobs"], Value::Null);
}

#[test]
fn events_that_cannot_be_read_follow_the_fail_mode() {
    let frames = ["data: {\"choices\":[{\"delta\":{\"content\":\"a@\n\n".to_owned()];
    let strict = json!({ "mask": ["email"], "deny_message": "no" });
    let out = run(&mut filter(&strict, &call(Protocol::OpenAiChat)), &frames, 1).concat();
    assert!(out.contains("\"no\"") && !out.contains("a@"), "{out}");
    let lax = json!({ "mask": ["email"], "fail_mode": "skip" });
    let out = run(&mut filter(&lax, &call(Protocol::OpenAiChat)), &frames, 1);
    assert_eq!(out, frames);
}

#[test]
fn whole_answers() {
    let whole = |conf: &Value, protocol, body: Value| {
        let ai = call(protocol);
        let mut answer = WholeAnswer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: body.to_string().into(),
            protocol,
        };
        filter(conf, &ai).whole(&mut answer);
        (
            answer.status.as_u16(),
            serde_json::from_slice::<Value>(&answer.body).unwrap(),
        )
    };
    let conf = json!({ "mask": ["ip_address"], "unmask": ["email"], "block": ["payment_card"] });
    let chat = json!({ "choices": [{ "message": { "content": "[EMAIL_1] at 10.0.0.1",
        "tool_calls": [{ "function": { "arguments": r#"{"to":"[EMAIL_1]","n":1.50}"# } }] } }] });
    let (_, body) = whole(&conf, Protocol::OpenAiChat, chat);
    let message = &body["choices"][0]["message"];
    assert_eq!(message["content"], "a\"b@x.example at [IP_1]");
    assert_eq!(
        message["tool_calls"][0]["function"]["arguments"],
        r#"{"to":"a\"b@x.example","n":1.50}"#
    );
    let anthropic = json!({ "content": [{ "type": "tool_use", "input": { "to": "[EMAIL_1]" } }] });
    let (_, body) = whole(&conf, Protocol::AnthropicMessages, anthropic);
    assert_eq!(body["content"][0]["input"]["to"], "a\"b@x.example");
    let bad = json!({ "choices": [{ "message": { "content": "4111 1111 1111 1111" } }] });
    let (status, body) = whole(&conf, Protocol::OpenAiChat, bad);
    assert_eq!(status, 200);
    assert_eq!(
        body["choices"][0]["message"]["content"],
        "The answer contains content that must not be shown."
    );
}
