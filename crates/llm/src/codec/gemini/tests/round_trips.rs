//! What a provider signed comes back to it through clients of other protocols.

use serde_json::json;

use super::*;
use crate::codec::codec;
use crate::codec::testing::{assemble, decode_stream, encode_stream, facts};
use crate::protocol::Protocol;

const THINKING: &str = r#"data: {"candidates":[{"content":{"parts":[{"text":"hm","thought":true}]}}],"responseId":"r"}

data: {"candidates":[{"content":{"parts":[{"functionCall":{"id":"f1","name":"a","args":{"x":1}},"thoughtSignature":"Y2FsbA=="},{"functionCall":{"id":"f2","name":"b","args":{}}}]},"finishReason":"STOP"}]}

"#;

fn other(protocol: Protocol) -> &'static dyn ChatCodec {
    codec(protocol).unwrap()
}

/// The parts that Gemini gets back of its answer, given the next request of a client.
fn parts_back(client: &dyn ChatCodec, body: &Value) -> Value {
    let ask = Ask::default();
    let mut request = client.decode_request(body.to_string().as_bytes(), &ask).unwrap();
    request.name_results();
    encode(&request, "gemini-3-pro-preview").0["contents"][1]["parts"].clone()
}

fn expected() -> Value {
    json!([
        {"functionCall":{"id":"f1","name":"a","args":{"x":1}},"thoughtSignature":"Y2FsbA=="},
        {"functionCall":{"id":"f2","name":"b","args":{}}},
    ])
}

#[test]
fn through_an_anthropic_client() {
    let client = other(Protocol::AnthropicMessages);
    let answer = assemble(&Gemini, THINKING.as_bytes());
    let content = value(&client.encode_answer(&answer, &facts("")))["content"].clone();
    let results = ["f1", "f2"].map(|id| json!({"type":"tool_result","tool_use_id":id,"content":"ok"}));
    let body = json!({"model":"m","max_tokens":9,"messages":[
        {"role":"user","content":"x"},{"role":"assistant","content":content},{"role":"user","content":results}]});
    assert_eq!(parts_back(client, &body), expected());
}

#[test]
fn through_an_openai_client() {
    let client = other(Protocol::OpenAiChat);
    let answer = assemble(&Gemini, THINKING.as_bytes());
    let message = value(&client.encode_answer(&answer, &facts("")))["choices"][0]["message"].clone();
    let result = |id: &str| json!({"role":"tool","tool_call_id":id,"content":"ok"});
    let body = json!({"model":"m","messages":[
        {"role":"user","content":"x"},message,result("f1"),result("f2")]});
    assert_eq!(parts_back(client, &body), expected());
}

#[test]
fn an_anthropic_thought_through_a_gemini_client() {
    let provider = other(Protocol::AnthropicMessages);
    let answer = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude","stop_reason":"tool_use","content":[
        {"type":"thinking","thinking":"hm","signature":"EqQB+/=="},{"type":"redacted_thinking","data":"EmwK"},
        {"type":"tool_use","id":"toolu_1","name":"a","input":{"x":1}}],"usage":{"input_tokens":1,"output_tokens":2}}"#;
    let answer = provider.decode_answer(answer.as_bytes()).unwrap();
    let whole = value(&Gemini.encode_answer(&answer, &facts("")))["candidates"][0]["content"].clone();
    // A client of the stream has the same in pieces.
    let stream = encode_stream(&Gemini, facts(""), crate::chat::replay(answer));
    let mut pieces = Vec::new();
    for frame in stream
        .split("\r\n\r\n")
        .filter_map(|frame| frame.strip_prefix("data: "))
    {
        pieces.extend(
            parse(frame)["candidates"][0]["content"]["parts"]
                .as_array()
                .unwrap()
                .clone(),
        );
    }
    for content in [whole, json!({"role":"model","parts":pieces})] {
        let body = json!({"contents":[{"role":"user","parts":[{"text":"x"}]},content,
            {"role":"user","parts":[{"functionResponse":{"id":"toolu_1","name":"a","response":{"output":"ok"}}}]}],
            "generationConfig":{"maxOutputTokens":9000,"thinkingConfig":{"thinkingBudget":2000}}});
        let request = decode(&body.to_string());
        let target = TargetRules {
            model: "claude-sonnet-4-5",
            quirks: &Quirks::NONE,
        };
        let body = provider
            .encode_request(&request, &target, &mut Drops::default())
            .unwrap();
        let body = value(&body);
        assert_eq!(
            body["messages"][1]["content"],
            json!([
            {"type":"thinking","thinking":"hm","signature":"EqQB+/=="},
            {"type":"redacted_thinking","data":"EmwK"},
            {"type":"tool_use","id":"toolu_1","name":"a","input":{"x":1}}])
        );
    }
}

#[test]
fn streams_reach_every_client_whole() {
    let events = decode_stream(&Gemini, THINKING.as_bytes());
    for protocol in [
        Protocol::AnthropicMessages,
        Protocol::OpenAiChat,
        Protocol::OpenAiResponses,
        Protocol::CohereChat,
        Protocol::OllamaChat,
    ] {
        let client = other(protocol);
        let stream = encode_stream(client, facts(""), events.clone());
        let names: Vec<_> = assemble(client, stream.as_bytes()).choices[0]
            .parts
            .iter()
            .filter_map(|part| match &part.kind {
                crate::chat::PartKind::ToolCall(call) => Some(call.name.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(names, ["a", "b"], "{protocol}");
    }
}
