//! OpenAI's rules.

use super::*;

fn chat_request() -> Value {
    let call = json!({"id": "call_0", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let result = json!({"role": "tool", "tool_call_id": "call_0", "content": "21"});
    let function = json!({"name": "f", "parameters": {"type": "object", "properties": {}}});
    json!({
        "model": "m", "max_tokens": 5, "temperature": null,
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "brief"}]},
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            result,
        ],
        "tools": [{"type": "function", "function": function}], "tool_choice": "auto",
    })
}

#[tokio::test]
async fn openai_chat() {
    let case = Case {
        path: "/v1/chat/completions",
        good: chat_request(),
        bad: vec![
            ("/top_k", json!(1), "Unknown parameter: 'top_k'."),
            ("/model", json!(null), "Missing required parameter: 'model'."),
            ("/messages", json!([]), "Invalid 'messages': empty array."),
            (
                "/max_completion_tokens",
                json!(5),
                "at the same time is not supported",
            ),
            (
                "/messages/3",
                json!(null),
                "did not have response messages: call_0",
            ),
            (
                "/messages/2",
                json!(null),
                "must be a response to a preceeding message",
            ),
            (
                "/messages/3/tool_call_id",
                json!("x"),
                "messages[3] with role 'tool' must be a response",
            ),
            (
                "/messages/2/tool_calls/0/function/arguments",
                json!({}),
                "Invalid type for 'messages[2].tool_calls[0].function.arguments': expected a string.",
            ),
            (
                "/messages/2/reasoning_content",
                json!("x"),
                "Unknown parameter: 'messages[2].reasoning_content'.",
            ),
            (
                "/messages/1/content",
                json!([{"type": "image"}]),
                "'messages[1].content[0].type'",
            ),
            (
                "/messages/1/content",
                json!([{"type": "image_url", "image_url": {"url": "aGk="}}]),
                "Invalid 'image_url.url'",
            ),
            (
                "/messages/1/content",
                json!([{"type": "image_url", "image_url": {"url": "data:image/png;base64,?"}}]),
                "Invalid 'image_url.url'",
            ),
            (
                "/tools",
                json!(null),
                "'tool_choice' is only allowed when 'tools' are specified.",
            ),
            ("/tools/0/function/name", json!("a b"), "does not match pattern"),
            (
                "/stream_options",
                json!({"include_usage": true}),
                "only allowed when 'stream' is enabled",
            ),
            ("/stop", json!(["1", "2", "3", "4", "5"]), "array too long"),
            (
                "/response_format",
                json!({"type": "json_object"}),
                "must contain the word 'json'",
            ),
        ],
    };
    case.check().await;
}

#[tokio::test]
async fn openai_responses() {
    let case = Case {
        path: "/v1/responses",
        good: json!({
            "model": "m", "max_output_tokens": 5,
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hm"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "21"},
            ],
            "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}],
        }),
        bad: vec![
            ("/max_tokens", json!(1), "Unknown parameter: 'max_tokens'."),
            ("/input", json!(null), "Missing required parameter: 'input'."),
            (
                "/input/3",
                json!(null),
                "No tool output found for function call c.",
            ),
            (
                "/input/2",
                json!(null),
                "No tool call found for function call output with call_id c.",
            ),
            (
                "/input/0/content/0/type",
                json!("output_text"),
                "Invalid value: 'output_text'.",
            ),
            (
                "/input/0/content/0/type",
                json!("text"),
                "'input[0].content[0].type'",
            ),
            (
                "/tools/0",
                json!({"type": "function", "function": {"name": "f"}}),
                "'tools[0].function'",
            ),
        ],
    };
    case.check().await;
}
