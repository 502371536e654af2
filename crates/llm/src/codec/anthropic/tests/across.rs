//! A conversation of an OpenAI client, there and back again.

use serde_json::{Value, json};

use super::target;
use crate::chat::Drops;
use crate::codec::anthropic::Anthropic;
use crate::codec::bedrock::Bedrock;
use crate::codec::gemini::Gemini;
use crate::codec::openai_chat::OpenAiChat;
use crate::codec::testing::facts;
use crate::codec::{Ask, ChatCodec};

fn to_anthropic(body: &Value) -> (Value, Vec<String>) {
    let request = OpenAiChat
        .decode_request(body.to_string().as_bytes(), &Ask::default())
        .unwrap();
    let mut drops = Drops::default();
    let written = Anthropic
        .encode_request(&request, &target("claude-sonnet-4-5"), &mut drops)
        .unwrap();
    let names = drops.names().iter().map(ToString::to_string).collect();
    (serde_json::from_str(written.text()).unwrap(), names)
}

#[test]
fn signed_thoughts_of_a_tool_loop_come_back() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "EqQB"});
    let hidden = json!({"type": "redacted_thinking", "data": "Emw"});
    let answer = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5",
        "content": [thinking, hidden, {"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}],
        "stop_reason": "tool_use", "stop_sequence": null, "usage": {"input_tokens": 1, "output_tokens": 2},
    });
    let answer = Anthropic.decode_answer(answer.to_string().as_bytes()).unwrap();
    let shown: Value = serde_json::from_str(OpenAiChat.encode_answer(&answer, &facts("{}")).text()).unwrap();
    let (body, drops) = to_anthropic(&json!({
        "model": "m", "reasoning_effort": "low", "max_completion_tokens": 4000,
        "messages": [
            {"role": "user", "content": "weather?"},
            shown["choices"][0]["message"],
            {"role": "tool", "tool_call_id": "t1", "content": "21"},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
    }));
    assert_eq!(
        body["messages"][1]["content"],
        json!([thinking, hidden, {"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}])
    );
    assert_eq!(
        body["thinking"],
        json!({"type": "enabled", "budget_tokens": 1024})
    );
    assert!(drops.is_empty(), "{drops:?}");
}

#[test]
fn what_openai_clients_say() {
    let (body, drops) = to_anthropic(&json!({
        "model": "m", "temperature": 0.2, "seed": 1, "n": 1, "user": "u", "stop": "END", "stream": true,
        "stream_options": {"include_usage": true}, "parallel_tool_calls": false, "logit_bias": {"1": 2},
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": true, "schema": {"type": "object", "additionalProperties": false}}},
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
            ]},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": false}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    }));
    assert_eq!(
        body,
        json!({
            "model": "claude-sonnet-4-5", "max_tokens": 32000, "system": "Be kind.",
            "messages": [{"role": "user", "content": [
                {"type": "text", "text": "look"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}},
                {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}, "title": "a.pdf"},
            ]}],
            "tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object", "additionalProperties": false}}},
            "temperature": 0.2, "stop_sequences": ["END"], "metadata": {"user_id": "u"}, "stream": true,
        })
    );
    assert_eq!(drops, ["seed", "logit_bias"]);
}

#[test]
fn the_signature_of_a_text_travels_with_the_thoughts_before_it() {
    let parts = json!([
        {"text": "hm", "thought": true},
        {"text": "Warm.", "thoughtSignature": "c2lnbmVk"},
    ]);
    let answer = json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "modelVersion": "gemini-2.5-flash",
    });
    let answer = Gemini.decode_answer(answer.to_string().as_bytes()).unwrap();
    let shown: Value = serde_json::from_str(Anthropic.encode_answer(&answer, &facts("{}")).text()).unwrap();
    let kinds: Vec<&Value> = shown["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| &block["type"])
        .collect();
    assert_eq!(kinds, ["thinking", "text"]);
    assert_ne!(shown["content"][0]["signature"], "");

    let history = json!({
        "model": "m", "max_tokens": 9000, "messages": [
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": shown["content"]},
            {"role": "user", "content": "and in Rome?"},
        ],
    });
    let request = Anthropic
        .decode_request(history.to_string().as_bytes(), &Ask::default())
        .unwrap();
    let sent = Gemini
        .encode_request(&request, &target("gemini-2.5-flash"), &mut Drops::default())
        .unwrap();
    let sent: Value = serde_json::from_str(sent.text()).unwrap();
    let last = sent["contents"][1]["parts"].as_array().unwrap().last().unwrap();
    assert_eq!(*last, json!({"text": "Warm.", "thoughtSignature": "c2lnbmVk"}));
}

#[test]
fn the_signature_of_a_text_without_thoughts_is_left_out() {
    let answer = json!({
        "candidates": [{
            "content": {"role": "model", "parts": [{"text": "Warm.", "thoughtSignature": "c2lnbmVk"}]},
            "finishReason": "STOP", "index": 0,
        }],
    });
    let answer = Gemini.decode_answer(answer.to_string().as_bytes()).unwrap();
    for codec in [&Anthropic as &dyn ChatCodec, &Bedrock] {
        let shown = codec.encode_answer(&answer, &facts("{}"));
        assert!(
            !shown.text().contains("ignature") && !shown.text().contains("thinking"),
            "{}",
            shown.text()
        );
    }
}
