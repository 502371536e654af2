//! Anthropic's rules.

use super::*;

fn anthropic_request() -> Value {
    json!({
        "model": "m", "max_tokens": 2048,
        "system": [{"type": "text", "text": "brief", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "tool_use", "id": "t", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "21"}]},
                {"type": "text", "text": "and?"},
            ]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    })
}

#[tokio::test]
async fn anthropic_turns() {
    let text = json!({"type": "text", "text": ""});
    let result = json!({"type": "tool_result", "tool_use_id": "t"});
    let case = Case {
        path: "/v1/messages",
        good: anthropic_request(),
        bad: vec![
            ("/max_tokens", json!(null), "max_tokens: Field required"),
            ("/n", json!(1), "n: Extra inputs are not permitted"),
            (
                "/messages/-",
                json!({"role": "user", "content": "x"}),
                "multiple \"user\" roles in a row",
            ),
            (
                "/messages/0",
                json!(null),
                "first message must use the \"user\" role",
            ),
            (
                "/messages/2",
                json!(null),
                "without `tool_result` blocks immediately after: t",
            ),
            (
                "/messages/2/content/0/tool_use_id",
                json!("x"),
                "without `tool_result` blocks",
            ),
            (
                "/messages/2/content/-",
                result.clone(),
                "each tool_use must have a single result",
            ),
            (
                "/messages/2/content",
                json!([{"type": "text", "text": "x"}, result]),
                "must come first",
            ),
            (
                "/messages/0/content",
                json!([text]),
                "must contain non-whitespace text",
            ),
            (
                "/messages/0/content",
                json!([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "?"}}]),
                "invalid base64 data",
            ),
            (
                "/messages/1/content/0",
                json!({"type": "thinking", "thinking": "hm"}),
                "signature: Field required",
            ),
            (
                "/messages/1/content/0",
                json!(null),
                "Expected `thinking` or `redacted_thinking`",
            ),
        ],
    };
    case.check().await;
}

#[tokio::test]
async fn anthropic_tools_and_thinking() {
    let case = Case {
        path: "/v1/messages",
        good: anthropic_request(),
        bad: vec![
            (
                "/messages/1/content/1/input",
                json!("{}"),
                "messages.1.content.1.input: Input should be an object",
            ),
            (
                "/tools/0/input_schema",
                json!({}),
                "input_schema.type: Input should be 'object'",
            ),
            (
                "/thinking/budget_tokens",
                json!(4096),
                "must be greater than `thinking.budget_tokens`",
            ),
            (
                "/temperature",
                json!(0.5),
                "may only be set to 1 when thinking is enabled",
            ),
            (
                "/tool_choice",
                json!({"type": "any"}),
                "Thinking may not be enabled when tool_choice forces",
            ),
        ],
    };
    case.check().await;
}

#[tokio::test]
async fn anthropic_headers_and_counting() {
    let provider = FakeProvider::strict();
    post(&provider, "/v1/messages", anthropic_request())
        .await
        .expect_status(400)
        .await;
    let mut count = anthropic_request();
    post(&provider, "/v1/messages/count_tokens", count.clone())
        .await
        .expect_status(400)
        .await;
    set(&mut count, "/max_tokens", Value::Null);
    post(&provider, "/v1/messages/count_tokens", count)
        .await
        .expect_status(200)
        .await;
    assert!(provider.refused()[0].contains("POST /v1/messages: anthropic-version"));
}
