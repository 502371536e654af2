//! Conversations between this protocol and others, through the model.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::check::check;
use super::streams_in::{frames, full};
use crate::chat::{ChatEvent, Drops};
use crate::codec::openai_responses::OpenAiResponses;
use crate::codec::testing::{check_order, facts};
use crate::codec::{Ask, ChatCodec, ReplyFacts, TargetRules, codec};
use crate::protocol::Protocol;
use crate::provider::Quirks;

/// What a coding agent asks in its second turn.
fn agents_request() -> Value {
    json!({
        "model": "m", "instructions": "You code.", "store": false, "stream": true, "parallel_tool_calls": false,
        "include": ["reasoning.encrypted_content"], "reasoning": {"effort": "medium", "summary": "auto"},
        "tool_choice": "auto",
        "tools": [
            {"type": "function", "name": "shell", "strict": false, "description": "d",
                "parameters": {"type": "object", "properties": {"command": {"type": "string"}}}},
            {"type": "custom", "name": "apply_patch", "description": "d",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"a\""}},
            {"type": "namespace", "name": "mcp", "description": "d", "tools": [
                {"type": "function", "name": "get", "parameters": {"type": "object", "properties": {}}}]},
        ],
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "rules"}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "look"}]},
            {"type": "reasoning", "id": "rs_0", "summary": []},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
            {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{\"command\":\"ls\"}"},
            {"type": "function_call", "call_id": "c2", "name": "get", "namespace": "mcp", "arguments": "{}"},
            {"type": "custom_tool_call", "call_id": "c3", "name": "apply_patch", "input": "a"},
            {"type": "function_call_output", "call_id": "c1", "output": "a.txt"},
            {"type": "function_call_output", "call_id": "c2", "output": "got"},
            {"type": "custom_tool_call_output", "call_id": "c3", "output": "done"},
        ],
    })
}

fn translated(
    body: &Value,
    from: &dyn ChatCodec,
    to: Protocol,
    quirks: &'static Quirks,
) -> (Value, Vec<String>) {
    let mut request = from
        .decode_request(body.to_string().as_bytes(), &Ask::default())
        .unwrap();
    request.mend_tool_results("none");
    request.name_results();
    let rules = TargetRules { model: "m", quirks };
    let mut drops = Drops::default();
    let json = codec(to)
        .unwrap()
        .encode_request(&request, &rules, &mut drops)
        .unwrap();
    let names = drops.names().iter().map(ToString::to_string).collect();
    (serde_json::from_str(json.text()).unwrap(), names)
}

/// What a client gets of a provider's stream.
fn streamed(stream: &str, from: Protocol, to: &dyn ChatCodec, facts: ReplyFacts) -> String {
    let mut decoder = codec(from).unwrap().stream_decoder();
    let mut encoder = to.stream_encoder(facts);
    let mut events = Vec::new();
    decoder.push(&Bytes::copy_from_slice(stream.as_bytes()), &mut events);
    decoder.finish(&mut events);
    let mut out = BytesMut::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn an_agents_turn_reaches_a_chat_provider() {
    let (body, drops) = translated(
        &agents_request(),
        &OpenAiResponses,
        Protocol::OpenAiChat,
        &Quirks::COMPATIBLE,
    );
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<_> = messages
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(
        roles,
        ["system", "system", "user", "assistant", "tool", "tool", "tool"]
    );
    let calls = messages[3]["tool_calls"].as_array().unwrap();
    let names: Vec<_> = calls
        .iter()
        .map(|call| call["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["shell", "mcp__get", "apply_patch"]);
    assert_eq!(calls[2]["function"]["arguments"], "{\"input\":\"a\"}");
    assert_eq!(body["tools"][2]["function"]["name"], "mcp__get");
    assert!(
        !drops
            .iter()
            .any(|name| name.contains("id") || name.contains("type")),
        "{drops:?}"
    );
}

#[test]
fn an_agents_turn_reaches_anthropic() {
    let (body, _) = translated(
        &agents_request(),
        &OpenAiResponses,
        Protocol::AnthropicMessages,
        &Quirks::NONE,
    );
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<_> = messages
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(messages[1]["content"].as_array().unwrap().len(), 4);
    assert_eq!(messages[2]["content"].as_array().unwrap().len(), 3);
}

#[test]
fn a_chat_stream_is_a_responses_stream() {
    let chunk = |delta: Value| {
        format!(
            "data: {}\n\n",
            json!({"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]})
        )
    };
    let call = |index: u32, function: Value| json!({"tool_calls": [{"index": index, "id": format!("c{index}"), "type": "function", "function": function}]});
    let stream = [
        chunk(json!({"role": "assistant", "reasoning_content": "hm"})),
        chunk(json!({"content": "I look."})),
        chunk(call(0, json!({"name": "mcp__get", "arguments": "{"}))),
        chunk(call(1, json!({"name": "apply_patch", "arguments": "{\"input\":\"a\"}"}))),
        chunk(json!({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]})),
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"tool_calls\"}]}\n\n".to_owned(),
        "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n".to_owned(),
        "data: [DONE]\n\n".to_owned(),
    ];
    let facts = facts(&agents_request().to_string());
    let checked = check(&streamed(
        &stream.concat(),
        Protocol::OpenAiChat,
        &OpenAiResponses,
        facts.clone(),
    ));
    let kinds: Vec<_> = checked
        .output()
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].clone())
        .collect();
    assert_eq!(
        kinds,
        ["reasoning", "message", "function_call", "custom_tool_call"]
    );
    assert_eq!(
        (&checked.output()[2]["namespace"], &checked.output()[2]["name"]),
        (&json!("mcp"), &json!("get"))
    );
    assert_eq!(checked.output()[3]["input"], "a");
    assert_eq!(checked.response["usage"]["total_tokens"], 5);
    let cut = check(&streamed(
        &stream[..4].concat(),
        Protocol::OpenAiChat,
        &OpenAiResponses,
        facts,
    ));
    assert_eq!(cut.response["error"]["code"], "upstream_cut");
}

#[test]
fn citations_of_chat_are_annotations() {
    let citation = json!({"url": "u", "title": "t", "start_index": 0, "end_index": 1});
    let annotations = json!([{"type": "url_citation", "url_citation": citation}]);
    let message = json!({"role": "assistant", "content": "x", "annotations": annotations});
    let answer = json!({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let decoded = codec(Protocol::OpenAiChat)
        .unwrap()
        .decode_answer(answer.to_string().as_bytes())
        .unwrap();
    let response = super::answers::written(&decoded, "{}");
    let flat = json!([{"type": "url_citation", "url": "u", "title": "t", "start_index": 0, "end_index": 1}]);
    assert_eq!(response["output"][0]["content"][0]["annotations"], flat);
    let delta = json!({"content": "x", "annotations": annotations});
    let stream = format!(
        "data: {}\n\ndata: [DONE]\n\n",
        json!({"choices": [{"index": 0, "delta": delta, "finish_reason": "stop"}]})
    );
    let checked = check(&streamed(
        &stream,
        Protocol::OpenAiChat,
        &OpenAiResponses,
        facts("{}"),
    ));
    assert_eq!(checked.output()[0]["content"][0]["annotations"], flat);
}

#[test]
fn signed_thoughts_of_openai_survive_an_anthropic_client() {
    let anthropic = codec(Protocol::AnthropicMessages).unwrap();
    let stream = streamed(
        &frames(&full()),
        Protocol::OpenAiResponses,
        anthropic,
        facts("{}"),
    );
    let signature = stream
        .split("\"signature\":\"")
        .last()
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    assert!(signature.contains("gAAA"), "{stream}");
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "one", "signature": signature},
            {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "ok"}]},
    ]});
    let (body, _) = translated(&body, anthropic, Protocol::OpenAiResponses, &Quirks::NONE);
    assert_eq!(
        body["input"],
        json!([
            {"type": "message", "role": "user", "content": "hi"},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "one"}], "encrypted_content": "gAAA"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": "c1", "output": "ok"},
        ])
    );
}

#[test]
fn signatures_of_geminis_calls_come_back_with_them() {
    let gemini = Protocol::GeminiGenerate;
    let call = |name: &str| json!({"name": name, "args": {"a": 1}});
    let parts = json!([{"functionCall": call("f"), "thoughtSignature": "U2ln"}, {"functionCall": call("g")}]);
    let answer = json!({"responseId": "r", "modelVersion": "gemini", "candidates": [{"index": 0, "finishReason": "STOP",
        "content": {"role": "model", "parts": parts}}]});
    let stream = format!("data: {answer}\r\n\r\n");
    let checked = check(&streamed(&stream, gemini, &OpenAiResponses, facts("{}")));
    let mut input = checked.output().as_array().unwrap().clone();
    let calls = input.iter().filter(|item| item["type"] == "function_call");
    let results: Vec<_> = calls
        .map(|call| json!({"type": "function_call_output", "call_id": call["call_id"], "output": "ok"}))
        .collect();
    // Agents keep neither ids nor the order of items that they do not know.
    input.rotate_left(1);
    for item in &mut input {
        item.as_object_mut().unwrap().remove("id");
    }
    input.insert(0, json!({"role": "user", "content": "go"}));
    input.extend(results);
    let body = json!({"model": "m", "input": input});
    let (body, _) = translated(&body, &OpenAiResponses, gemini, &Quirks::NONE);
    let said = body["contents"][1]["parts"].as_array().unwrap();
    let signed: Vec<_> = said
        .iter()
        .map(|part| {
            (
                part["functionCall"]["name"].clone(),
                part["thoughtSignature"].clone(),
            )
        })
        .collect();
    assert_eq!(signed.len(), 2, "{body}");
    assert!(signed.contains(&(json!("f"), json!("U2ln"))), "{body}");
}

proptest! {
    /// Servers leave events out; whatever is left, the events keep their order and make a stream that keeps the rules.
    #[test]
    fn any_part_of_a_stream_is_read_in_order(kept in prop::collection::vec(any::<bool>(), 33), size in 1_usize..200) {
        let events: Vec<_> = full().into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(event, _)| event).collect();
        let mut decoder = OpenAiResponses.stream_decoder();
        let mut read = Vec::new();
        for piece in frames(&events).as_bytes().chunks(size) {
            decoder.push(&Bytes::copy_from_slice(piece), &mut read);
        }
        decoder.finish(&mut read);
        check_order(&read);
        let is_whole = matches!(read.last(), Some(ChatEvent::End));
        let mut encoder = OpenAiResponses.stream_encoder(facts("{}"));
        let mut out = BytesMut::new();
        read.into_iter().for_each(|event| encoder.push(event, &mut out));
        let checked = check(std::str::from_utf8(&out).unwrap());
        prop_assert_eq!(checked.response["status"] == "completed", is_whole);
    }

    #[test]
    fn nothing_that_is_read_can_panic(text in "[\\[\\]{}\",:a-z0-9 ]{0,200}") {
        let _ = OpenAiResponses.decode_request(text.as_bytes(), &Ask::default());
        let _ = OpenAiResponses.decode_answer(text.as_bytes());
        let mut decoder = OpenAiResponses.stream_decoder();
        let mut read = Vec::new();
        decoder.push(&Bytes::from(format!("data: {text}\n\n")), &mut read);
        decoder.finish(&mut read);
        prop_assert!(matches!(read.last(), Some(ChatEvent::Error(_))));
    }
}
