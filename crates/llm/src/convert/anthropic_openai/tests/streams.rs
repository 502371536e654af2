use std::collections::BTreeMap;

use bytes::BytesMut;
use proptest::prelude::*;
use serde_json::{Value, json};
use sluice_wire::{SseFrame, SsePart, SseSplitter};

use super::*;

/// A stream of these chunks, ended by `[DONE]`.
fn stream(chunks: &[Value]) -> String {
    let mut stream: String = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    stream.push_str("data: [DONE]\n\n");
    stream
}

fn delta(delta: Value) -> Value {
    json!({"id": "c1", "model": "gpt-5", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]})
}

fn finish(reason: &str) -> Value {
    json!({"id": "c1", "model": "gpt-5", "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
}

fn usage() -> Value {
    json!({"id": "c1", "choices": [], "usage": {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27,
        "prompt_tokens_details": {"cached_tokens": 8}}})
}

fn tool(index: u64, id: &str, name: &str, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "id": id, "type": "function",
        "function": {"name": name, "arguments": arguments}}]})
}

fn arguments(index: u64, arguments: &str) -> Value {
    json!({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]})
}

fn convert<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> (String, StreamOutcome) {
    let mut converter = conversion().into_stream();
    let mut splitter = SseSplitter::new();
    let mut out = BytesMut::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(part) = splitter.next_part() {
            if let SsePart::Frame(frame) = part {
                converter.push(&frame, &mut out);
            }
        }
    }
    let outcome = converter.finish(&mut out);
    (String::from_utf8(out.to_vec()).unwrap(), outcome)
}

fn complete(chunks: &[Value]) -> String {
    let (out, outcome) = convert([stream(chunks).as_bytes()]);
    assert_eq!(outcome, StreamOutcome::Complete);
    out
}

/// The data of all events; each must have its name in the `event` line.
fn events(out: &str) -> Vec<Value> {
    let frames = out.split_inclusive("\n\n").map(|frame| {
        let frame = SseFrame::parse(frame.as_bytes());
        let data: Value = serde_json::from_slice(&frame.data.unwrap()).unwrap();
        assert_eq!(data["type"], frame.event.unwrap());
        data
    });
    frames.collect()
}

fn types(out: &str) -> Vec<String> {
    events(out)
        .iter()
        .map(|event| event["type"].as_str().unwrap().to_owned())
        .collect()
}

/// Puts events together as Anthropic's SDKs do: blocks by index, pieces appended.
fn assemble(out: &str) -> (Vec<Value>, Value) {
    let mut blocks: BTreeMap<u64, Value> = BTreeMap::new();
    let mut inputs: BTreeMap<u64, String> = BTreeMap::new();
    let mut closing = Value::Null;
    for event in events(out) {
        let index = event["index"].as_u64().unwrap_or_default();
        match event["type"].as_str().unwrap() {
            "content_block_start" => {
                assert_eq!(index, blocks.len() as u64, "blocks open in order");
                blocks.insert(index, event["content_block"].clone());
            }
            "content_block_delta" => {
                let delta = &event["delta"];
                let block = blocks.get_mut(&index).expect("a block that was opened");
                let member = match delta["type"].as_str().unwrap() {
                    "input_json_delta" => {
                        inputs
                            .entry(index)
                            .or_default()
                            .push_str(delta["partial_json"].as_str().unwrap());
                        continue;
                    }
                    "text_delta" => "text",
                    _ => "thinking",
                };
                let joined = block[member].as_str().unwrap().to_owned() + delta[member].as_str().unwrap();
                block[member] = joined.into();
            }
            "message_delta" => closing = event,
            _ => {}
        }
    }
    for (index, input) in inputs {
        blocks.get_mut(&index).unwrap()["input"] =
            serde_json::from_str(&input).unwrap_or(Value::String(input));
    }
    (blocks.into_values().collect(), closing)
}

#[test]
fn text_with_usage() {
    let out = complete(&[
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": "lo \"you\""})),
        finish("stop"),
        usage(),
    ]);
    insta::assert_snapshot!(out);
}

#[test]
fn reasoning_text_and_tools() {
    let out = complete(&[
        delta(json!({"role": "assistant", "reasoning_content": "Two "})),
        delta(json!({"reasoning_content": "calls."})),
        delta(json!({"content": "Let me look."})),
        delta(tool(0, "call_1", "weather", "")),
        delta(arguments(0, "{\"city\":")),
        delta(arguments(0, "\"Oslo\"}")),
        delta(tool(1, "call_2", "weather", "{}")),
        finish("tool_calls"),
        usage(),
    ]);
    insta::assert_snapshot!(out);
}

#[test]
fn names_are_restored() {
    let request = json!({"messages": [], "tools": [{"name": "weather.get"}]});
    let (chat, conversion) = AnthropicToChat::convert(&view(&request)).unwrap();
    let chat: Value = serde_json::from_slice(&chat).unwrap();
    let name = chat["tools"][0]["function"]["name"].as_str().unwrap();
    let mut out = BytesMut::new();
    let frame = format!("data: {}\n\n", delta(tool(0, "call_1", name, "{}")));
    conversion.into_stream().push(frame.as_bytes(), &mut out);
    let (blocks, _) = assemble(std::str::from_utf8(&out).unwrap());
    assert_eq!(blocks[0]["name"], "weather.get");
}

#[test]
fn the_message_delta_waits_for_usage() {
    let usage_of = |chunks: &[Value]| assemble(&complete(chunks)).1.get("usage").cloned();
    let text = delta(json!({"content": "x"}));
    assert_eq!(usage_of(&[text.clone(), finish("stop")]), None);
    let mut finishing = finish("length");
    finishing["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 1});
    let reported = Some(json!({"input_tokens": 3, "output_tokens": 1}));
    assert_eq!(usage_of(&[text.clone(), finishing.clone()]), reported);
    let trailing = Some(json!({"input_tokens": 12, "output_tokens": 7, "cache_read_input_tokens": 8}));
    assert_eq!(usage_of(&[text.clone(), finishing, usage()]), trailing);
    let filter = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    assert_eq!(usage_of(&[text, finish("stop"), filter, usage()]), trailing);
}

#[test]
fn done_without_a_finish_reason_ends_the_turn() {
    let out = complete(&[delta(json!({"content": "x"}))]);
    let (_, closing) = assemble(&out);
    assert_eq!(closing["delta"], json!({"stop_reason": "end_turn"}));
    assert_eq!(closing["usage"], json!({"input_tokens": 0, "output_tokens": 0}));
    assert_eq!(
        types(&out)[3..],
        ["content_block_stop", "message_delta", "message_stop"]
    );
}

#[test]
fn blank_finish_reasons_do_not_count() {
    let out = complete(&[
        finish(""),
        finish("null"),
        finish(" "),
        delta(json!({"content": "x"})),
        finish("length"),
    ]);
    let (blocks, closing) = assemble(&out);
    assert_eq!(blocks, [json!({"type": "text", "text": "x"})]);
    assert_eq!(closing["delta"]["stop_reason"], "max_tokens");
}

#[test]
fn what_comes_after_the_end_is_ignored() {
    let mut chunks = vec![delta(json!({"content": "x"})), finish("stop"), usage()];
    let expected = complete(&chunks);
    chunks.extend([delta(json!({"content": "y"})), usage()]);
    assert_eq!(complete(&chunks), expected);
}

#[test]
fn outcomes_of_broken_streams() {
    let text = format!("data: {}\n\n", delta(json!({"content": "x"})));
    let (out, outcome) = convert([text.as_bytes()]);
    assert_eq!(outcome, StreamOutcome::Truncated);
    assert!(!types(&out).contains(&"message_stop".to_owned()));

    let finished = format!("{text}data: {}\n\n", finish("stop"));
    let (out, outcome) = convert([finished.as_bytes()]);
    assert_eq!(outcome, StreamOutcome::Complete);
    assert_eq!(types(&out).last().unwrap(), "message_stop");

    for nothing in [
        "",
        "data: [DONE]\n\n",
        ": wait\n\n",
        "data: {\"type\":\"message_start\"}\n\n",
        "data: nope\n\n",
    ] {
        assert_eq!(
            convert([nothing.as_bytes()]),
            (String::new(), StreamOutcome::Empty),
            "{nothing}"
        );
    }
}

#[test]
fn an_error_inside_the_stream_is_an_error_event() {
    let text = delta(json!({"content": "x"}));
    let error = json!({"error": {"message": "gone", "type": "server_error"}});
    let (out, outcome) = convert([stream(&[text, error]).as_bytes()]);
    assert_eq!(outcome, StreamOutcome::Failed);
    assert_eq!(
        events(&out).last().unwrap(),
        &json!({"type": "error", "error": {"type": "server_error", "message": "gone"}})
    );
}

#[test]
fn half_a_surrogate_pair_passes_as_it_is() {
    let pieces = [r"\ud83c", r"\udf89"].map(|piece| {
        format!("data: {{\"id\":\"c\",\"choices\":[{{\"delta\":{{\"content\":\"{piece}\"}}}}]}}\n\n")
    });
    let (out, _) = convert([pieces.concat().as_bytes()]);
    assert!(
        out.contains(r#""text":"\ud83c""#) && out.contains(r#""text":"\udf89""#),
        "{out}"
    );
}

#[test]
fn odd_tool_calls() {
    let inputs = |deltas: Vec<Value>| -> Vec<(String, Value)> {
        let chunks: Vec<Value> = deltas.into_iter().map(delta).collect();
        let blocks = assemble(&complete(&chunks)).0.into_iter();
        blocks
            .map(|block| (block["id"].as_str().unwrap().to_owned(), block["input"].clone()))
            .collect()
    };
    let two = |a: Value, b: Value| vec![("a".to_owned(), a), ("b".to_owned(), b)];
    // All calls numbered 0.
    let calls = vec![
        tool(0, "a", "f", "{\"x\":"),
        arguments(0, "1}"),
        tool(0, "b", "f", "{}"),
    ];
    assert_eq!(inputs(calls), two(json!({"x": 1}), json!({})));
    // The id repeated on every piece.
    let calls = vec![
        tool(0, "a", "f", "{\"x\":"),
        tool(0, "a", "", "1}"),
        tool(1, "b", "f", "{}"),
    ];
    assert_eq!(inputs(calls), two(json!({"x": 1}), json!({})));
    // No index at all.
    let piece = |id: Value, arguments: &str| json!({"tool_calls": [{"id": id, "function": {"name": "f", "arguments": arguments}}]});
    let calls = vec![
        piece(json!("a"), "{\"x\":"),
        piece(json!(null), "1}"),
        piece(json!("b"), "{}"),
    ];
    assert_eq!(inputs(calls), two(json!({"x": 1}), json!({})));
    // Pieces of two calls interleaved.
    let calls = vec![
        tool(0, "a", "f", "{\"x\""),
        tool(1, "b", "f", "{\"y\""),
        arguments(0, ":1}"),
        arguments(1, ":2}"),
    ];
    assert_eq!(inputs(calls), two(json!({"x": 1}), json!({"y": 2})));
    // Arguments as an object, as null, and not at all.
    let whole = |arguments: Value| json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "f", "arguments": arguments}}]});
    assert_eq!(inputs(vec![whole(json!({"x": 1}))])[0].1, json!({"x": 1}));
    assert_eq!(inputs(vec![whole(json!(null))])[0].1, json!({}));
    assert_eq!(inputs(vec![whole(json!(""))])[0].1, json!({}));
}

/// A piece of an answer.
#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Thinking(String),
    Arguments(u64, String),
}

fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let piece = prop_oneof![
        "[a\"\\\\é🎉\n]{0,6}".prop_map(Piece::Text),
        "[a\"\\\\é🎉\n]{0,6}".prop_map(Piece::Thinking),
        (0_u64..3, "[a\"\\\\é🎉\n]{0,6}").prop_map(|(index, text)| Piece::Arguments(index, text)),
    ];
    prop::collection::vec(piece, 0..16)
}

/// A provider's stream of these pieces, which names each call on its first piece.
fn chunks(pieces: &[Piece]) -> Vec<Value> {
    let mut seen = Vec::new();
    let mut chunks = vec![delta(json!({"role": "assistant"}))];
    for piece in pieces {
        chunks.push(delta(match piece {
            Piece::Text(text) => json!({ "content": text }),
            Piece::Thinking(text) => json!({ "reasoning_content": text }),
            Piece::Arguments(index, text) if seen.contains(index) => arguments(*index, text),
            Piece::Arguments(index, text) => {
                seen.push(*index);
                tool(*index, &format!("call_{index}"), "f", text)
            }
        }));
    }
    chunks.extend([finish("stop"), usage()]);
    chunks
}

proptest! {
    #[test]
    fn nothing_is_lost_or_mixed_up(pieces in pieces()) {
        let out = complete(&chunks(&pieces));
        let (mut text, mut thinking, mut calls) = (String::new(), String::new(), BTreeMap::<String, String>::new());
        for piece in pieces {
            match piece {
                Piece::Text(piece) => text.push_str(&piece),
                Piece::Thinking(piece) => thinking.push_str(&piece),
                Piece::Arguments(index, piece) => calls.entry(format!("call_{index}")).or_default().push_str(&piece),
            }
        }
        let (blocks, closing) = assemble(&out);
        let joined = |member: &str| blocks.iter().filter_map(|block| block[member].as_str()).collect::<String>();
        prop_assert_eq!(joined("text"), text);
        prop_assert_eq!(joined("thinking"), thinking);
        for block in blocks.iter().filter(|block| block["type"] == "tool_use") {
            let arguments = calls.remove(block["id"].as_str().unwrap()).unwrap();
            let expected = match serde_json::from_str(&arguments) {
                Ok(value) => value,
                Err(_) if arguments.is_empty() => json!({}),
                Err(_) => Value::String(arguments),
            };
            prop_assert_eq!(&block["input"], &expected);
        }
        prop_assert!(calls.is_empty());
        prop_assert_eq!(&closing["usage"]["output_tokens"], 7);
    }

    #[test]
    fn at_most_one_block_is_open(pieces in pieces()) {
        let mut open = None;
        for event in events(&complete(&chunks(&pieces))) {
            let index = event["index"].as_u64();
            match event["type"].as_str().unwrap() {
                "content_block_start" => prop_assert_eq!(open.replace(index), None),
                "content_block_stop" => prop_assert_eq!(open.take(), Some(index)),
                "message_delta" | "message_stop" => prop_assert_eq!(open, None),
                _ => {}
            }
        }
    }

    #[test]
    fn the_result_does_not_depend_on_chunks(pieces in pieces(), size in 1_usize..40) {
        let stream = stream(&chunks(&pieces));
        prop_assert_eq!(convert([stream.as_bytes()]), convert(stream.as_bytes().chunks(size)));
    }

    #[test]
    fn hostile_streams_do_not_crash_it(stream in "(data: (\\{\"choices\":\\[?\\{?\"delta\":[\\]\\[}{\"a:,0]{0,12}|.{0,12})\n\n){0,4}") {
        convert([stream.as_bytes()]);
    }
}
