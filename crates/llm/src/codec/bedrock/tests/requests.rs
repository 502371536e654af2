//! Requests of Bedrock clients: what is read is written again.

use serde_json::{Value, json};

use super::{CLAUDE, target};
use crate::chat::{
    CacheMark, ChatRequest, Drops, Effort, MediaKind, OutputFormat, PartKind, Role, Source, ToolChoice,
};
use crate::codec::bedrock::Bedrock;
use crate::codec::{Ask, ChatCodec};

fn decode(body: &Value, model: &str) -> ChatRequest {
    let ask = Ask {
        model: Some(model),
        stream: Some(true),
    };
    Bedrock.decode_request(body.to_string().as_bytes(), &ask).unwrap()
}

fn assert_kept_by(body: &Value, model: &str) {
    let mut drops = Drops::default();
    let request = decode(body, model);
    assert!(request.stream);
    assert_eq!(request.model.as_deref(), Some(model));
    let written = Bedrock
        .encode_request(&request, &target(model), &mut drops)
        .unwrap();
    assert!(drops.names().is_empty(), "{drops:?}");
    assert_eq!(serde_json::from_str::<Value>(written.text()).unwrap(), *body);
}

fn assert_kept(body: &Value) {
    assert_kept_by(body, CLAUDE);
    assert_kept_by(body, "amazon.nova-pro-v1:0");
}

fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    body[name] = value;
    body
}

#[test]
fn members_are_kept() {
    for (name, value) in [
        (
            "system",
            json!([{"text": "a"}, {"cachePoint": {"type": "default", "ttl": "1h"}}, {"text": "b"}]),
        ),
        ("system", json!([{"guardContent": {"text": {"text": "a"}}}])),
        (
            "inferenceConfig",
            json!({"maxTokens": 9, "temperature": 0.3, "topP": 0.5, "stopSequences": ["a", " "], "x": 1}),
        ),
        (
            "additionalModelRequestFields",
            json!({"thinking": {"type": "enabled", "budget_tokens": 2000}, "top_k": 7, "z": {"b": 1, "a": 12345678901234567890_u64}}),
        ),
        (
            "additionalModelRequestFields",
            json!({"thinking": {"type": "newer"}}),
        ),
        (
            "additionalModelRequestFields",
            json!({"inferenceConfig": {"topK": 5}}),
        ),
        (
            "outputConfig",
            json!({"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{\"type\": \"object\"}", "name": "n", "description": "d"}}}, "effort": "high"}),
        ),
        (
            "outputConfig",
            json!({"textFormat": {"type": "newer"}, "effort": "newer"}),
        ),
        ("requestMetadata", json!({"a": "b"})),
        ("serviceTier", json!({"type": "flex"})),
        (
            "guardrailConfig",
            json!({"guardrailIdentifier": "g", "guardrailVersion": "1"}),
        ),
        ("performanceConfig", json!({"latency": "optimized"})),
        ("promptVariables", json!({"v": {"text": "x"}})),
        ("additionalModelResponseFieldPaths", json!(["/stop_sequence"])),
    ] {
        assert_kept(&with(name, value));
    }
    let mut off = with("outputConfig", json!({"effort": "high"}));
    off["additionalModelRequestFields"] = json!({"thinking": {"type": "disabled"}});
    assert_kept(&off);
}

#[test]
fn blocks_are_kept() {
    for block in [
        json!({"image": {"format": "png", "source": {"bytes": "iVBORw0KGgo="}}}),
        json!({"image": {"format": "jpeg", "source": {"s3Location": {"uri": "s3://b/k"}}}}),
        json!({"image": {"format": "webp", "source": {"s3Location": {"uri": "s3://b/k", "bucketOwner": "1"}}}}),
        json!({"document": {"format": "docx", "name": "My file", "source": {"bytes": "AAAA"}, "context": "c", "citations": {"enabled": true}}}),
        json!({"document": {"format": "txt", "name": "n", "source": {"text": "hello"}}}),
        json!({"document": {"name": "n", "source": {"content": [{"text": "hello"}]}}}),
        json!({"video": {"format": "three_gp", "source": {"bytes": "AAAA"}}}),
        json!({"video": {"format": "mp4", "source": {"bytes": "AAAA"}}}),
        json!({"audio": {"format": "mp3", "source": {"bytes": "AAAA"}}}),
        json!({"audio": {"format": "wav", "source": {"bytes": "AAAA"}}}),
        json!({"guardContent": {"text": {"text": "a", "qualifiers": ["query"]}}}),
        json!({"searchResult": {"source": "s", "title": "t", "content": [{"text": "found"}], "citations": {"enabled": true}}}),
        json!({"citationsContent": {"content": [{"text": "x"}], "citations": [{"title": "t"}]}}),
        json!({"cachePoint": {"type": "default"}}),
        json!({"newer": {"b": 1, "a": 2.50}}),
    ] {
        assert_kept(&with("messages", json!([{ "role": "user", "content": [block] }])));
    }
}

#[test]
fn conversations_with_tools_are_kept() {
    let mut body = with(
        "messages",
        json!([
            {"role": "user", "content": [{"text": "weather?"}, {"cachePoint": {"type": "default"}}]},
            {"role": "assistant", "content": [
                {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "EqQB"}}},
                {"reasoningContent": {"redactedContent": "AAAA"}},
                {"text": "Let me see."},
                {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"z": 1, "a": [1.5]}}},
                {"toolUse": {"toolUseId": "t2", "name": "g", "input": {}, "type": "server_tool_use"}},
            ]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "t1", "content": [{"json": {"b": 1, "a": 2}}, {"text": "x"}, {"image": {"format": "png", "source": {"bytes": "AA=="}}}], "status": "success"}},
                {"toolResult": {"toolUseId": "t2", "content": [], "status": "error"}},
                {"text": "and now?"},
            ]},
            {"role": "system", "content": [{"text": "In French."}]},
            {"role": "assistant", "content": [{"text": "Il "}]},
        ]),
    );
    for choice in [
        json!({"auto": {}}),
        json!({"any": {}}),
        json!({"tool": {"name": "f"}}),
    ] {
        body["toolConfig"] = json!({
            "tools": [
                {"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object", "b": 1, "a": 2}}, "strict": true}},
                {"cachePoint": {"type": "default"}},
                {"systemTool": {"name": "nova_grounding"}},
            ],
            "toolChoice": choice,
        });
        assert_kept(&body);
    }
}

#[test]
fn what_it_means() {
    let body = json!({
        "system": [{"text": "a"}, {"cachePoint": {"type": "default", "ttl": "5m"}}],
        "messages": [{"role": "user", "content": [
            {"toolResult": {"toolUseId": "t", "content": [{"json": {"a": 1}}], "status": "error"}},
            {"document": {"format": "md", "name": "n", "source": {"bytes": "AAAA"}}},
        ]}],
        "toolConfig": {"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}], "toolChoice": {"any": {}}},
        "additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "top_k": 7},
        "outputConfig": {"effort": "low", "textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}"}}}},
    });
    let request = decode(&body, CLAUDE);
    assert_eq!(
        request.turns[0].parts[0].cache,
        Some(CacheMark { ttl: Some(300) })
    );
    let roles: Vec<_> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::System, Role::Tool, Role::User]);
    let PartKind::ToolResult(result) = &request.turns[1].parts[0].kind else {
        panic!()
    };
    assert_eq!(
        (result.text().as_str(), result.is_error),
        (r#"{"a":1}"#, Some(true))
    );
    let PartKind::Media(media) = &request.turns[2].parts[0].kind else {
        panic!()
    };
    assert_eq!(
        (media.kind, media.media_type()),
        (MediaKind::Document, "text/markdown")
    );
    assert_eq!(media.source, Source::Base64("AAAA".to_owned()));
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    let reasoning = request.reasoning.unwrap();
    assert!(reasoning.adaptive && reasoning.effort == Some(Effort::Low));
    assert!(request.sampling.top_k.is_some());
    assert!(matches!(request.format, Some(OutputFormat::JsonSchema { .. })));
}

#[test]
fn errors_name_the_member() {
    let error = |body: &str| {
        Bedrock
            .decode_request(body.as_bytes(), &Ask::default())
            .unwrap_err()
            .param
            .unwrap_or_default()
    };
    assert_eq!(
        error(r#"{"messages":[{"role":"tool","content":[]}]}"#),
        "messages[0].role"
    );
    assert_eq!(
        error(r#"{"messages":[{"role":"user","content":"hi"}]}"#),
        "messages[0].content"
    );
    assert_eq!(
        error(r#"{"messages":[{"role":"user","content":[{"image":{"format":"png","source":{}}}]}]}"#),
        "messages[0].content[0].image.source"
    );
    assert_eq!(
        error(r#"{"inferenceConfig":{"maxTokens":"x"}}"#),
        "inferenceConfig.maxTokens"
    );
    assert_eq!(
        error(r#"{"toolConfig":{"toolChoice":{"some":{}}}}"#),
        "toolConfig.toolChoice"
    );
}

#[test]
fn model_and_stream_may_stand_in_the_body() {
    let body = br#"{"model":"m","stream":true,"messages":[]}"#;
    let request = Bedrock.decode_request(body, &Ask::default()).unwrap();
    assert_eq!((request.model.as_deref(), request.stream), (Some("m"), true));
    assert!(request.extension.is_empty());
    let path = Ask {
        model: Some("path"),
        stream: Some(false),
    };
    let request = Bedrock.decode_request(body, &path).unwrap();
    assert_eq!((request.model.as_deref(), request.stream), (Some("path"), false));
}
