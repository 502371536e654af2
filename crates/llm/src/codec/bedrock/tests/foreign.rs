//! Requests of other clients, as Converse takes them.

use serde_json::{Number, Value, json};

use super::{CLAUDE, target};
use crate::chat::{
    ChatRequest, Drops, Effort, Extension, Json, Media, MediaKind, OutputFormat, Part, PartKind,
    ReasoningRequest, Role, Source, ToolCall, ToolChoice, Turn, Unsayable,
};
use crate::codec::anthropic::Anthropic;
use crate::codec::bedrock::Bedrock;
use crate::codec::{Ask, ChatCodec};
use crate::protocol::Protocol;

const NOVA: &str = "amazon.nova-pro-v1:0";

fn try_encode(request: &ChatRequest, model: &str) -> Result<(Value, Vec<String>), Unsayable> {
    let mut drops = Drops::default();
    let json = Bedrock.encode_request(request, &target(model), &mut drops)?;
    let names = drops.names().iter().map(ToString::to_string).collect();
    Ok((serde_json::from_str(json.text()).unwrap(), names))
}

fn encode(request: &ChatRequest, model: &str) -> (Value, Vec<String>) {
    try_encode(request, model).unwrap()
}

fn anthropic(body: &Value) -> ChatRequest {
    Anthropic
        .decode_request(body.to_string().as_bytes(), &Ask::default())
        .unwrap()
}

fn openai() -> Extension {
    Extension::of(Protocol::OpenAiChat)
}

fn said(role: Role, kinds: Vec<PartKind>) -> ChatRequest {
    let parts = kinds.into_iter().map(|kind| Part::new(kind, openai()));
    let mut request = ChatRequest::new(openai());
    request.turns = vec![Turn::new(role, parts.collect(), openai())];
    request
}

fn hi() -> ChatRequest {
    said(Role::User, vec![PartKind::Text("hi".to_owned())])
}

#[test]
fn nothing_is_added() {
    assert_eq!(
        encode(&hi(), CLAUDE),
        (
            json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]}),
            vec![]
        )
    );
}

#[test]
fn a_conversation_of_an_anthropic_client() {
    let request = anthropic(&json!({
        "model": "m", "max_tokens": 4000, "temperature": 1, "top_k": 5, "stop_sequences": ["END"],
        "metadata": {"user_id": "u1"},
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "EqQB"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "now"},
                {"type": "tool_result", "tool_use_id": "t1", "content": "21", "is_error": true},
            ]},
        ],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tool_choice": {"type": "none"},
        "thinking": {"type": "enabled", "budget_tokens": 2000},
    }));
    let (body, drops) = encode(&request, CLAUDE);
    assert_eq!(
        body,
        json!({
            "messages": [
                {"role": "user", "content": [{"text": "hi"}, {"image": {"format": "png", "source": {"bytes": "AA=="}}}]},
                {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "hm", "signature": "EqQB"}}},
                    {"toolUse": {"toolUseId": "t1", "name": "f", "input": {"a": 1}}},
                ]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "t1", "content": [{"text": "21"}], "status": "error"}},
                    {"text": "now"},
                ]},
            ],
            "system": [{"text": "Be kind."}, {"cachePoint": {"type": "default"}}],
            "inferenceConfig": {"maxTokens": 4000, "temperature": 1, "stopSequences": ["END"]},
            "toolConfig": {"tools": [
                {"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}},
                {"cachePoint": {"type": "default", "ttl": "1h"}},
            ]},
            "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 2000}, "top_k": 5},
            "requestMetadata": {"user_id": "u1"},
        })
    );
    assert_eq!(drops, ["tool_choice"]);

    let (body, drops) = encode(&request, "meta.llama3-3-70b-instruct-v1:0");
    assert!(body.get("additionalModelRequestFields").is_none());
    assert_eq!(body["system"], json!([{"text": "Be kind."}]));
    assert_eq!(
        drops,
        [
            "cache_control",
            "tool_choice",
            "reasoning_content",
            "top_k",
            "thinking"
        ]
    );
}

#[test]
fn history_with_calls_needs_tools() {
    let call = |name: &str| {
        PartKind::ToolCall(ToolCall {
            id: "c".to_owned(),
            name: name.to_owned(),
            arguments: String::new(),
            is_custom: false,
            signature: None,
        })
    };
    let (body, _) = encode(
        &said(Role::Assistant, vec![call("g"), call("f"), call("g")]),
        NOVA,
    );
    let schema = json!({"json": {"type": "object", "properties": {}}});
    assert_eq!(
        body["toolConfig"]["tools"],
        json!([{"toolSpec": {"name": "f", "inputSchema": schema}}, {"toolSpec": {"name": "g", "inputSchema": schema}}])
    );
    assert_eq!(
        body["messages"][0],
        json!({"role": "user", "content": [{"text": "Begin."}]})
    );
    assert_eq!(body["messages"][1]["content"][0]["toolUse"]["input"], json!({}));

    let mut forbidden = hi();
    let offer = json!({"messages": [], "tools": [{"name": "f", "input_schema": {}}]});
    forbidden.tools = anthropic(&offer).tools;
    forbidden.tool_choice = Some(ToolChoice::None);
    let (body, drops) = encode(&forbidden, NOVA);
    assert!(body.get("toolConfig").is_none() && drops.is_empty());
}

fn medium(kind: MediaKind, source: Source, media_type: Option<&str>, name: Option<&str>) -> ChatRequest {
    let media = Media {
        kind,
        source,
        media_type: media_type.map(str::to_owned),
        name: name.map(str::to_owned),
        detail: None,
    };
    said(Role::User, vec![PartKind::Media(media)])
}

#[test]
fn media_formats_and_sources() {
    let data = || Source::Base64("AA==".to_owned());
    let stored = || Source::Url("s3://b/k".to_owned());
    for (request, expected) in [
        (
            medium(MediaKind::Image, data(), Some("image/jpg"), None),
            json!([{"image": {"format": "jpeg", "source": {"bytes": "AA=="}}}]),
        ),
        (
            medium(MediaKind::Audio, data(), Some("audio/mpeg"), None),
            json!([{"audio": {"format": "mp3", "source": {"bytes": "AA=="}}}]),
        ),
        (
            medium(MediaKind::Video, stored(), Some("video/quicktime"), None),
            json!([{"video": {"format": "mov", "source": {"s3Location": {"uri": "s3://b/k"}}}}]),
        ),
        (
            medium(MediaKind::Document, data(), None, Some("a_b/c.pdf")),
            json!([{"document": {"format": "pdf", "name": "a b c pdf", "source": {"bytes": "AA=="}}}, {"text": "Begin."}]),
        ),
        (
            medium(MediaKind::Document, Source::Text("hi".to_owned()), None, None),
            json!([{"document": {"format": "txt", "name": "document", "source": {"bytes": "aGk="}}}, {"text": "Begin."}]),
        ),
    ] {
        assert_eq!(encode(&request, NOVA).0["messages"][0]["content"], expected);
    }
    let far = Source::Url("https://a/b.png".to_owned());
    for (request, message) in [
        (medium(MediaKind::Image, far, None, None), "base64"),
        (
            medium(MediaKind::Image, data(), Some("image/tiff"), None),
            "image/tiff",
        ),
        (
            medium(MediaKind::Document, Source::File("f".to_owned()), None, None),
            "another provider",
        ),
    ] {
        let error = try_encode(&request, CLAUDE).unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn reasoning_and_dials_by_model() {
    let mut request = hi();
    request.reasoning = Some(ReasoningRequest {
        effort: Some(Effort::Medium),
        ..ReasoningRequest::default()
    });
    request.sampling.temperature = Number::from_f64(1.5);
    let (body, _) = encode(&request, CLAUDE);
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"thinking": {"type": "enabled", "budget_tokens": 4096}})
    );
    assert_eq!(
        body["inferenceConfig"],
        json!({"maxTokens": 32_000, "temperature": 1})
    );
    let (body, _) = encode(&request, "global.anthropic.claude-opus-4-6-v1");
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"thinking": {"type": "adaptive"}})
    );
    assert_eq!(body["outputConfig"], json!({"effort": "medium"}));
    let (body, drops) = encode(&request, NOVA);
    assert_eq!(body["inferenceConfig"], json!({"temperature": 1}));
    assert_eq!(drops, ["reasoning_effort", "temperature"]);
}

#[test]
fn structured_output_is_enforced_or_asked_for() {
    let mut request = hi();
    request.format = Some(OutputFormat::JsonSchema {
        name: Some("n".to_owned()),
        description: None,
        schema: Json::parse(r#"{"type":"object"}"#).unwrap(),
        strict: None,
    });
    let (body, _) = encode(&request, CLAUDE);
    assert_eq!(
        body["outputConfig"]["textFormat"]["structure"]["jsonSchema"],
        json!({"schema": "{\"type\":\"object\",\"additionalProperties\":false}", "name": "n"})
    );
    let (body, _) = encode(&request, NOVA);
    assert!(
        body["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains("JSON Schema")
    );
}

#[test]
fn what_cannot_be_said_is_noted() {
    let mut request = hi();
    request.sampling.seed = Some(Number::from(1));
    request.sampling.choices = Some(3);
    request.sampling.top_logprobs = Some(2);
    request.sampling.stop = vec![" ".to_owned()];
    request.metadata = Json::parse(r#"{"a":"b€"}"#);
    request.end_user = Some("ü".to_owned());
    request.service_tier = Some("scale".to_owned());
    request.extension.push("logit_bias", Json::parse("{}").unwrap());
    let (body, drops) = encode(&request, CLAUDE);
    assert_eq!(
        drops,
        [
            "seed",
            "n",
            "top_logprobs",
            "logit_bias",
            "stop",
            "metadata",
            "user",
            "service_tier"
        ]
    );
    assert_eq!(body.as_object().unwrap().len(), 1);
}
