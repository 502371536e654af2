//! Requests of Anthropic clients: what is read is written again.

use serde_json::{Value, json};

use super::target;
use crate::chat::{
    CacheMark, ChatRequest, Drops, Effort, MediaKind, OutputFormat, PartKind, Role, Source, ToolChoice,
    ToolKind,
};
use crate::codec::anthropic::Anthropic;
use crate::codec::{Ask, ChatCodec};

fn decode(body: &Value) -> ChatRequest {
    Anthropic
        .decode_request(body.to_string().as_bytes(), &Ask::default())
        .unwrap()
}

fn again(body: &Value) -> Value {
    let request = decode(body);
    let mut drops = Drops::default();
    let model = body["model"].as_str().unwrap();
    let written = Anthropic
        .encode_request(&request, &target(model), &mut drops)
        .unwrap();
    assert!(drops.names().is_empty(), "{drops:?}");
    serde_json::from_str(written.text()).unwrap()
}

fn assert_kept(body: &Value) {
    assert_eq!(again(body), *body);
}

/// A body with that member beside the necessary ones.
fn with(name: &str, value: Value) -> Value {
    let mut body = json!({
        "model": "claude-sonnet-4-5", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}],
    });
    body[name] = value;
    body
}

fn user(content: Value) -> Value {
    with("messages", json!([{ "role": "user", "content": content }]))
}

#[test]
fn members_are_kept() {
    for (name, value) in [
        ("system", json!("Be kind.")),
        (
            "system",
            json!([{"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"type": "text", "text": "b"}]),
        ),
        ("temperature", json!(0.7)),
        ("top_p", json!(0.9)),
        ("top_k", json!(40)),
        ("stop_sequences", json!(["\n\nHuman:", "END"])),
        ("metadata", json!({"user_id": "u1"})),
        ("metadata", json!({"user_id": "u1", "more": {"a": 1}})),
        ("service_tier", json!("standard_only")),
        ("stream", json!(true)),
        ("thinking", json!({"type": "enabled", "budget_tokens": 2048})),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 2048, "display": "omitted"}),
        ),
        ("thinking", json!({"type": "adaptive", "display": "summarized"})),
        ("thinking", json!({"type": "disabled"})),
        ("thinking", json!({"type": "between_tools", "x": [1]})),
        ("output_config", json!({"effort": "xhigh"})),
        (
            "output_config",
            json!({"effort": "low", "task_budget": {"total": 1.50}}),
        ),
        (
            "output_config",
            json!({"format": {"type": "json_schema", "schema": {"type": "object", "properties": {"b": {}, "a": {"maximum": 12345678901234567890_u64}}}}}),
        ),
        ("cache_control", json!({"type": "ephemeral"})),
        ("speed", json!("fast")),
        ("container", json!({"id": "c", "skills": []})),
        ("mcp_servers", json!([{"type": "url", "url": "https://a"}])),
    ] {
        assert_kept(&with(name, value));
    }
}

#[test]
fn thinking_and_effort_are_kept_together() {
    for (thinking, effort) in [("adaptive", "max"), ("disabled", "high")] {
        let mut body = with("thinking", json!({ "type": thinking }));
        body["output_config"] = json!({ "effort": effort, "more": true });
        assert_kept(&body);
    }
    let mut body = with("thinking", json!({"type": "disabled"}));
    body["output_config"] = json!({"effort": "high"});
    assert_eq!(decode(&body).reasoning.unwrap().effort, Some(Effort::None));
}

#[test]
fn blocks_of_users_are_kept() {
    for block in [
        json!({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral"}}),
        json!({"type": "text", "text": "hi", "cache_control": {"type": "ephemeral", "scope": "x"}}),
        json!({"type": "text", "text": "hi", "citations": [{"type": "char_location", "start_char_index": 0}]}),
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}),
        json!({"type": "image", "source": {"type": "url", "url": "https://a/b.png"}, "cache_control": {"type": "ephemeral", "ttl": "5m"}}),
        json!({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
        json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}, "title": "T", "context": "C", "citations": {"enabled": true}}),
        json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}}),
        json!({"type": "document", "source": {"type": "url", "url": "https://a/b.pdf"}}),
        json!({"type": "document", "source": {"type": "file", "file_id": "file_2"}}),
        json!({"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]}, "title": "T"}),
        json!({"type": "document", "source": {"type": "content", "content": [{"type": "image", "source": {"type": "url", "url": "https://a"}}]}}),
        json!({"type": "search_result", "source": "https://a", "title": "A", "content": [{"type": "text", "text": "found"}], "citations": {"enabled": true}, "cache_control": {"type": "ephemeral"}}),
        json!({"type": "container_upload", "file_id": "f"}),
        json!({"type": "from_the_future", "x": {"b": 1, "a": 2}}),
    ] {
        assert_kept(&user(json!([block])));
    }
}

#[test]
fn conversations_with_tools_are_kept() {
    assert_kept(&with(
        "messages",
        json!([
            {"role": "user", "content": "weather?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "redacted_thinking", "data": "Emw"},
                {"type": "text", "text": "Let me see."},
                {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}},
                {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result", "url": "u", "encrypted_content": "E"}]},
                {"type": "tool_use", "id": "toolu_1", "name": "a", "input": {"z": 1, "a": 12345678901234567890_u64}, "cache_control": {"type": "ephemeral"}},
                {"type": "tool_use", "id": "toolu_2", "name": "b", "input": {}, "caller": {"type": "direct"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "21", "is_error": false},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/"}},
                    {"type": "tool_reference", "tool_name": "t"},
                ], "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "and now?"},
            ]},
            {"role": "system", "content": "Answer in French."},
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "It is"},
        ]),
    ));
}

#[test]
fn tools_and_choices_are_kept() {
    let tools = json!([
        {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {"b": {}, "a": {}}, "x": 1.0}, "strict": true, "cache_control": {"type": "ephemeral"}, "defer_loading": true},
        {"name": "g", "input_schema": {"type": "object"}},
        {"type": "web_search_20250305", "name": "web_search", "max_uses": 5, "allowed_domains": ["a.b"]},
        {"type": "bash_20250124", "name": "bash"},
        {"type": "mcp_toolset", "mcp_server_name": "m", "cache_control": {"type": "ephemeral"}},
    ]);
    for choice in [
        json!({"type": "auto"}),
        json!({"type": "any", "disable_parallel_tool_use": true}),
        json!({"type": "tool", "name": "f", "disable_parallel_tool_use": false}),
        json!({"type": "none"}),
    ] {
        let mut body = with("tools", tools.clone());
        body["tool_choice"] = choice;
        assert_kept(&body);
    }
}

#[test]
fn what_it_means() {
    let mut body = user(json!([
        {"type": "tool_result", "tool_use_id": "t", "content": "21", "is_error": true},
        {"type": "text", "text": "go on", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "document", "source": {"type": "content", "content": "held"}, "title": "T"},
        {"type": "search_result", "source": "https://a", "title": "A", "content": [{"type": "text", "text": "found"}]},
    ]));
    body["tools"] = json!([{"type": "custom", "name": "f", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}]);
    body["tool_choice"] = json!({"type": "any", "disable_parallel_tool_use": true});
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 4096});
    body["output_format"] = json!({"type": "json_schema", "schema": {}});
    let request = decode(&body);
    let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::Tool, Role::User]);
    let PartKind::ToolResult(result) = &request.turns[0].parts[0].kind else {
        panic!()
    };
    assert_eq!((result.text().as_str(), result.is_error), ("21", Some(true)));
    let said = &request.turns[1].parts;
    assert_eq!(said[0].cache, Some(CacheMark { ttl: Some(3600) }));
    let PartKind::Media(document) = &said[1].kind else {
        panic!()
    };
    assert_eq!(document.kind, MediaKind::Document);
    assert_eq!(document.source, Source::Text("held".to_owned()));
    assert_eq!(said[2].kind, PartKind::Text("A\nhttps://a\nfound".to_owned()));
    assert!(matches!(&request.tools[0].kind, ToolKind::Function { name, .. } if name == "f"));
    assert!(request.tools[0].extension.is_empty());
    assert!(matches!(&request.tools[1].kind, ToolKind::BuiltIn { kind } if kind == "bash_20250124"));
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    assert_eq!(request.parallel_tool_calls, Some(false));
    assert_eq!(request.reasoning.unwrap().budget, Some(4096));
    assert!(matches!(request.format, Some(OutputFormat::JsonSchema { .. })));
}

#[test]
fn signatures_of_others_come_back_to_where_they_belong() {
    let body = with(
        "messages",
        json!([{"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sluice.google-gemini-v1.AAA"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {}},
            {"type": "redacted_thinking", "data": "sluice.google-gemini-v1.BBB"},
        ]}]),
    );
    let parts = &decode(&body).turns[0].parts;
    assert_eq!(parts.len(), 2);
    let PartKind::Reasoning(thought) = &parts[0].kind else {
        panic!()
    };
    assert_eq!(thought.signature.as_ref().unwrap().data, "AAA");
    let PartKind::ToolCall(call) = &parts[1].kind else {
        panic!()
    };
    assert_eq!(call.signature.as_ref().unwrap().data, "BBB");
}

#[test]
fn errors_name_the_member() {
    let error = |body: &str| {
        Anthropic
            .decode_request(body.as_bytes(), &Ask::default())
            .unwrap_err()
            .param
    };
    assert_eq!(error("[]"), None);
    assert_eq!(error(r#"{"model":"m"}"#).as_deref(), Some("messages"));
    assert_eq!(
        error(r#"{"messages":[{"role":"tool","content":"x"}]}"#).as_deref(),
        Some("messages[0].role")
    );
    assert_eq!(
        error(r#"{"messages":[{"role":"user","content":[{"type":"text"}]}]}"#).as_deref(),
        Some("messages[0].content[0].text")
    );
    assert_eq!(
        error(r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"url"}}]}]}]}"#)
            .as_deref(),
        Some("messages[0].content[0].content[0].source.url")
    );
    assert_eq!(
        error(r#"{"messages":[],"tool_choice":{"type":"some"}}"#).as_deref(),
        Some("tool_choice.type")
    );
}
