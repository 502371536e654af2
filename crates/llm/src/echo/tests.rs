use std::collections::HashMap;

use super::*;

const STAMP: EchoStamp<'static> = EchoStamp {
    id: "abc",
    created: 1_700_000_000,
};

fn count(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

fn full(protocol: Protocol, body: Value) -> Value {
    match echo(protocol, body.to_string().as_bytes(), STAMP, &count).unwrap() {
        EchoReply::Json(bytes) => serde_json::from_slice(&bytes).unwrap(),
        EchoReply::Stream(frames) => panic!("a stream of {} frames", frames.len()),
    }
}

/// The events of a stream, each with its name. `[DONE]` is a string.
fn events(protocol: Protocol, body: Value) -> Vec<(Option<String>, Value)> {
    let EchoReply::Stream(frames) = echo(protocol, body.to_string().as_bytes(), STAMP, &count).unwrap()
    else {
        panic!("not a stream")
    };
    frames
        .iter()
        .map(|frame| event(std::str::from_utf8(frame).unwrap()))
        .collect()
}

fn event(frame: &str) -> (Option<String>, Value) {
    let lines = frame.strip_suffix("\n\n").unwrap().split('\n');
    let fields: HashMap<&str, &str> = lines.map(|line| line.split_once(": ").unwrap()).collect();
    let data = match fields["data"] {
        "[DONE]" => "[DONE]".into(),
        json => serde_json::from_str(json).unwrap(),
    };
    (fields.get("event").map(ToString::to_string), data)
}

fn names(events: &[(Option<String>, Value)]) -> Vec<&str> {
    events
        .iter()
        .map(|(name, data)| {
            assert_eq!(name.as_deref(), data["type"].as_str());
            name.as_deref().unwrap()
        })
        .collect()
}

fn chat(extra: Value) -> Value {
    let mut body = json!({"model": "echo", "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "Hello from the user"}]});
    body.as_object_mut()
        .unwrap()
        .extend(extra.as_object().unwrap().clone());
    body
}

#[test]
fn chat_in_full() {
    let answer = full(
        Protocol::OpenAiChat,
        chat(json!({"stream": null, "stream_options": null})),
    );
    assert_eq!(answer["id"], "chatcmpl-abc");
    assert_eq!(answer["object"], "chat.completion");
    assert_eq!(answer["created"], 1_700_000_000);
    assert_eq!(answer["model"], "echo");
    let choice = &answer["choices"][0];
    assert_eq!(
        choice["message"],
        json!({"role": "assistant", "content": "Hello from the user", "refusal": null})
    );
    assert_eq!(choice["finish_reason"], "stop");
    let usage = &answer["usage"];
    assert_eq!(
        (
            &usage["prompt_tokens"],
            &usage["completion_tokens"],
            &usage["total_tokens"]
        ),
        (&json!(6), &json!(4), &json!(10))
    );
}

#[test]
fn chat_as_a_stream() {
    let events = events(Protocol::OpenAiChat, chat(json!({"stream": true})));
    assert!(events.iter().all(|(name, _)| name.is_none()));
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done.1, "[DONE]");
    assert!(
        chunks
            .iter()
            .all(|(_, chunk)| chunk["object"] == "chat.completion.chunk" && chunk["id"] == "chatcmpl-abc")
    );
    assert!(chunks.iter().all(|(_, chunk)| chunk.get("usage").is_none()));
    assert_eq!(chunks[0].1["choices"][0]["delta"]["role"], "assistant");
    let texts: Vec<_> = chunks[1..]
        .iter()
        .filter_map(|(_, chunk)| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(texts, ["Hello", " from", " the", " user"]);
    let finishes: Vec<_> = chunks
        .iter()
        .map(|(_, chunk)| &chunk["choices"][0]["finish_reason"])
        .collect();
    assert_eq!(
        finishes.iter().filter(|reason| reason.is_null()).count(),
        chunks.len() - 1
    );
    assert_eq!(**finishes.last().unwrap(), "stop");
}

#[test]
fn chat_usage_comes_last_and_only_when_asked_for() {
    let asked = events(
        Protocol::OpenAiChat,
        chat(json!({"stream": true, "stream_options": {"include_usage": true}})),
    );
    let (last, before) = asked[..asked.len() - 1].split_last().unwrap();
    assert_eq!(last.1["choices"], json!([]));
    assert_eq!(last.1["usage"]["total_tokens"], 10);
    assert!(
        before
            .iter()
            .all(|(_, chunk)| chunk.get("usage") == Some(&Value::Null))
    );
    let not_asked = events(
        Protocol::OpenAiChat,
        chat(json!({"stream": true, "stream_options": {"include_usage": false}})),
    );
    assert_eq!(not_asked.len(), asked.len() - 1);
}

#[test]
fn limits_of_the_client_are_obeyed() {
    let answer = full(
        Protocol::OpenAiChat,
        chat(json!({"max_tokens": 9, "max_completion_tokens": 2})),
    );
    assert_eq!(answer["choices"][0]["message"]["content"], "Hello from");
    assert_eq!(answer["choices"][0]["finish_reason"], "length");
    assert_eq!(answer["usage"]["completion_tokens"], 2);
    let body = json!({"model": "echo", "input": "one two three", "max_output_tokens": 1});
    let answer = full(Protocol::OpenAiResponses, body.clone());
    assert_eq!(
        (&answer["status"], &answer["incomplete_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
    let mut streamed = body;
    streamed["stream"] = true.into();
    assert_eq!(
        events(Protocol::OpenAiResponses, streamed).last().unwrap().1["type"],
        "response.incomplete"
    );
    let body =
        json!({"model": "echo", "max_tokens": 1, "messages": [{"role": "user", "content": "one two"}]});
    assert_eq!(
        full(Protocol::AnthropicMessages, body)["stop_reason"],
        "max_tokens"
    );
}

#[test]
fn responses_in_full() {
    let answer = full(
        Protocol::OpenAiResponses,
        json!({
        "model": "echo", "instructions": "be brief", "tools": [{"type": "function", "name": "f"}], "temperature": 0.5,
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "first"}]},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "an answer"}]},
            {"type": "function_call_output", "call_id": "c", "output": "21"},
            {"role": "user", "content": "second one"}]}),
    );
    assert_eq!(answer["id"], "resp_abc");
    assert_eq!(
        (&answer["object"], &answer["status"]),
        (&json!("response"), &json!("completed"))
    );
    assert_eq!(answer["output"][0]["content"][0]["text"], "second one");
    assert_eq!(
        (&answer["temperature"], &answer["tools"][0]["name"]),
        (&json!(0.5), &json!("f"))
    );
    assert_eq!(
        (
            &answer["usage"]["input_tokens"],
            &answer["usage"]["output_tokens"]
        ),
        (&json!(7), &json!(2))
    );
    for required in [
        "created_at",
        "model",
        "parallel_tool_calls",
        "tool_choice",
        "tools",
    ] {
        assert!(!answer[required].is_null(), "{required}");
    }
}

#[test]
fn responses_as_a_stream() {
    let events = events(
        Protocol::OpenAiResponses,
        json!({"model": "echo", "input": "Hello there", "stream": true}),
    );
    assert_eq!(
        names(&events),
        [
            "response.created",
            "response.in_progress",
            "response.output_item.added",
            "response.content_part.added",
            "response.output_text.delta",
            "response.output_text.delta",
            "response.output_text.done",
            "response.content_part.done",
            "response.output_item.done",
            "response.completed",
        ]
    );
    let numbers: Vec<_> = events
        .iter()
        .filter_map(|(_, event)| event["sequence_number"].as_u64())
        .collect();
    assert_eq!(numbers, (0..10).collect::<Vec<_>>());
    assert_eq!(events[0].1["response"]["status"], "in_progress");
    assert_eq!(events[0].1["response"]["usage"], Value::Null);
    assert!(
        events[3..8]
            .iter()
            .all(|(_, event)| event["item_id"] == "msg_abc" && event["content_index"] == 0)
    );
    assert_eq!(
        (&events[4].1["delta"], &events[5].1["delta"]),
        (&json!("Hello"), &json!(" there"))
    );
    assert_eq!(events[6].1["text"], "Hello there");
    assert_eq!(events[8].1["item"], events[9].1["response"]["output"][0]);
    assert_eq!(events[9].1["response"]["usage"]["total_tokens"], 4);
}

#[test]
fn messages_in_full() {
    let answer = full(
        Protocol::AnthropicMessages,
        json!({
        "model": "echo", "max_tokens": 64,
        "system": [{"type": "text", "text": "be brief", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "base64"}}, {"type": "text", "text": "Hello there"}]}]}),
    );
    assert_eq!(
        (&answer["id"], &answer["type"], &answer["role"]),
        (&json!("msg_abc"), &json!("message"), &json!("assistant"))
    );
    assert_eq!(
        answer["content"],
        json!([{"type": "text", "text": "Hello there"}])
    );
    assert_eq!(
        (&answer["stop_reason"], &answer["stop_sequence"]),
        (&json!("end_turn"), &Value::Null)
    );
    assert_eq!(
        (
            &answer["usage"]["input_tokens"],
            &answer["usage"]["output_tokens"]
        ),
        (&json!(4), &json!(2))
    );
}

#[test]
fn messages_as_a_stream() {
    let events = events(
        Protocol::AnthropicMessages,
        json!({
        "model": "echo", "max_tokens": 64, "stream": true, "messages": [{"role": "user", "content": "Hello there"}]}),
    );
    assert_eq!(
        names(&events),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        ]
    );
    let start = &events[0].1["message"];
    assert_eq!(
        (
            &start["content"],
            &start["stop_reason"],
            &start["usage"]["input_tokens"]
        ),
        (&json!([]), &Value::Null, &json!(2))
    );
    assert_eq!(
        events[3].1["delta"],
        json!({"type": "text_delta", "text": " there"})
    );
    assert_eq!(events[5].1["delta"]["stop_reason"], "end_turn");
    assert_eq!(events[5].1["usage"]["output_tokens"], 2);
}

#[test]
fn embeddings_of_every_kind_of_input() {
    let embed = |input: Value| {
        full(
            Protocol::OpenAiEmbeddings,
            json!({"model": "e", "input": input, "dimensions": 16}),
        )
    };
    let one = embed(json!("hello world"));
    assert_eq!((&one["object"], &one["model"]), (&json!("list"), &json!("e")));
    assert_eq!(one["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
    let two = embed(json!(["other", "hello world"]));
    let indexes: Vec<_> = two["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["index"].as_u64().unwrap())
        .collect();
    assert_eq!(indexes, [0, 1]);
    assert_eq!(two["data"][1]["embedding"], one["data"][0]["embedding"]);
    assert_ne!(two["data"][0]["embedding"], one["data"][0]["embedding"]);
    assert_eq!(embed(json!([1, 2, 3]))["usage"]["prompt_tokens"], 3);
    assert_eq!(embed(json!([[1, 2], [3]]))["data"].as_array().unwrap().len(), 2);
}

#[test]
fn base64_holds_the_same_numbers() {
    use base64::Engine;
    let embed = |format: &str| {
        full(
            Protocol::OpenAiEmbeddings,
            json!({"input": "hello", "encoding_format": format}),
        )
    };
    let floats: Vec<f32> = serde_json::from_value(embed("float")["data"][0]["embedding"].clone()).unwrap();
    let encoded = embed("base64")["data"][0]["embedding"]
        .as_str()
        .unwrap()
        .to_owned();
    let bytes = base64::engine::general_purpose::STANDARD.decode(encoded).unwrap();
    let decoded: Vec<f32> = bytes
        .chunks_exact(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect();
    assert_eq!((floats.len(), floats), (256, decoded));
}

#[test]
fn bad_requests_are_refused() {
    let refused =
        |protocol, body: Value| echo(protocol, body.to_string().as_bytes(), STAMP, &count).unwrap_err();
    assert!(matches!(
        refused(Protocol::OpenAiChat, json!({"model": "echo"})),
        EchoError::Body(_)
    ));
    assert!(matches!(
        refused(Protocol::OpenAiChat, json!({"messages": "hi"})),
        EchoError::Body(_)
    ));
    assert!(matches!(
        refused(Protocol::OpenAiResponses, json!({"input": 5})),
        EchoError::Body(_)
    ));
    assert!(matches!(
        refused(Protocol::Passthrough, json!({})),
        EchoError::Protocol(_)
    ));
    for body in [
        json!({"input": "x", "dimensions": 0}),
        json!({"input": "x", "dimensions": 4_000}),
        json!({"input": []}),
        json!({"input": vec!["x"; 2_049]}),
        json!({"input": vec!["x"; 2_000], "dimensions": 3_000}),
    ] {
        assert!(matches!(
            refused(Protocol::OpenAiEmbeddings, body),
            EchoError::Bounds(_)
        ));
    }
}

#[test]
fn a_huge_message_streams_in_few_frames() {
    let body = json!({"messages": [{"role": "user", "content": "word ".repeat(10_000)}], "stream": true});
    let events = events(Protocol::OpenAiChat, body);
    assert!(events.len() < 300);
}

#[test]
fn the_models_are_listed() {
    let list: Value = serde_json::from_slice(&echo_models()).unwrap();
    assert_eq!(
        (&list["object"], &list["data"][0]["id"]),
        (&json!("list"), &json!("echo"))
    );
}
