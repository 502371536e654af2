//! Rules of Bedrock, Cohere and Ollama.

use super::*;

#[tokio::test]
async fn bedrock_converse() {
    let case = Case {
        path: "/model/m/converse",
        good: json!({
            "system": [{"text": "brief"}, {"cachePoint": {"type": "default"}}],
            "messages": [
                {"role": "user", "content": [{"text": "hi"}]},
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}]},
                {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"text": "21"}]}}]},
            ],
            "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]},
        }),
        bad: vec![
            (
                "/max_tokens",
                json!(1),
                "extraneous key [max_tokens] is not permitted",
            ),
            ("/toolConfig", json!(null), "The toolConfig field must be defined"),
            ("/messages/0", json!(null), "must start with a user message"),
            (
                "/messages/-",
                json!({"role": "user", "content": [{"text": "x"}]}),
                "must alternate between user and assistant",
            ),
            (
                "/messages/2",
                json!(null),
                "Expected toolResult blocks at messages.2.content",
            ),
            (
                "/messages/2/content/0/toolResult/toolUseId",
                json!("x"),
                "for the following Ids: t",
            ),
            (
                "/messages/0/content/0",
                json!({"image": {"format": "png", "source": {"bytes": "?"}}}),
                "base64 is malformed",
            ),
            (
                "/messages/0/content/0/text",
                json!(" "),
                "messages.0.content.0 is blank",
            ),
            (
                "/messages/0/content/0",
                json!({"type": "text", "text": "hi"}),
                "extraneous key [messages[0].content[0].type]",
            ),
            (
                "/toolConfig/tools/0/toolSpec/inputSchema/json",
                json!({}),
                "must be one of the following: object",
            ),
            (
                "/toolConfig/toolChoice",
                json!({"none": {}}),
                "extraneous key [toolConfig.toolChoice.none]",
            ),
        ],
    };
    case.check().await;
}

#[tokio::test]
async fn cohere_and_ollama() {
    let function = json!({"name": "f", "parameters": {"type": "object"}});
    let cohere_call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let cohere = Case {
        path: "/v2/chat",
        good: json!({
            "model": "m",
            "messages": [
                {"role": "user", "content": "hi"},
                {"role": "assistant", "tool_plan": "so", "tool_calls": [cohere_call]},
                {"role": "tool", "tool_call_id": "c", "content": "21"},
            ],
            "tools": [{"type": "function", "function": function}], "tool_choice": "REQUIRED",
        }),
        bad: vec![
            (
                "/top_p",
                json!(0.5),
                "unknown field: parameter 'top_p' is not a valid field",
            ),
            (
                "/tool_choice",
                json!("auto"),
                "parameter 'tool_choice' must be one of the known words",
            ),
            ("/messages/1", json!(null), "tool call id c not found"),
            (
                "/messages/2",
                json!(null),
                "missing tool results for tool calls: c.",
            ),
            (
                "/messages/0/content",
                json!(""),
                "must have content or tool calls",
            ),
        ],
    };
    cohere.check().await;
    let ollama_call = json!({"function": {"name": "f", "arguments": {}}});
    let ollama = Case {
        path: "/api/chat",
        good: json!({
            "model": "m", "options": {"num_predict": 5},
            "messages": [
                {"role": "user", "content": "hi", "images": ["aGk="]},
                {"role": "assistant", "content": "", "tool_calls": [ollama_call]},
                {"role": "tool", "tool_name": "f", "content": "21"},
            ],
        }),
        bad: vec![
            ("/max_tokens", json!(1), "json: unknown field \"max_tokens\""),
            (
                "/messages/1/tool_calls/0/function/arguments",
                json!("{}"),
                "must be an object",
            ),
            ("/messages/0/images", json!(["?"]), "illegal base64"),
            ("/messages/1", json!(null), "tool message without a tool call"),
            (
                "/messages/0/content",
                json!([]),
                "parameter 'messages[0].content' must be a string",
            ),
        ],
    };
    ollama.check().await;
}
