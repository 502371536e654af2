//! Requests of other clients, as Anthropic takes them.

use serde_json::{Number, Value, json};

use super::{call, openai, part, target, text};
use crate::chat::{
    ChatRequest, Drops, Effort, Json, Media, MediaKind, OutputFormat, Part, PartKind, Reasoning,
    ReasoningRequest, Role, Signature, SignatureOrigin, Source, Tool, ToolChoice, ToolKind, ToolResult, Turn,
    Unsayable,
};
use crate::codec::ChatCodec;
use crate::codec::anthropic::Anthropic;

fn request(turns: Vec<(Role, Vec<Part>)>) -> ChatRequest {
    let mut request = ChatRequest::new(openai());
    request.turns = turns
        .into_iter()
        .map(|(role, parts)| Turn::new(role, parts, openai()))
        .collect();
    request
}

fn hi() -> ChatRequest {
    request(vec![(Role::User, vec![text("hi")])])
}

fn try_encode(request: &ChatRequest, model: &str) -> Result<(Value, Vec<String>), Unsayable> {
    let mut drops = Drops::default();
    let json = Anthropic.encode_request(request, &target(model), &mut drops)?;
    let names = drops.names().iter().map(ToString::to_string).collect();
    Ok((serde_json::from_str(json.text()).unwrap(), names))
}

fn encode(request: &ChatRequest, model: &str) -> (Value, Vec<String>) {
    try_encode(request, model).unwrap()
}

fn result(id: &str, content: Vec<Part>) -> Part {
    part(PartKind::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: None,
        content,
        is_error: None,
        is_custom: false,
    }))
}

fn media(kind: MediaKind, source: Source, media_type: Option<&str>) -> Part {
    part(PartKind::Media(Media {
        kind,
        source,
        media_type: media_type.map(str::to_owned),
        name: None,
        detail: None,
    }))
}

fn function(name: &str, strict: Option<bool>) -> Tool {
    Tool {
        kind: ToolKind::Function {
            name: name.to_owned(),
            description: None,
            parameters: Json::parse(r#"{"type":"object","properties":{"n":{"minimum":1}}}"#),
            strict,
        },
        cache: None,
        extension: openai(),
    }
}

#[test]
fn nothing_is_added_but_the_limit() {
    let (body, drops) = encode(&hi(), "claude-sonnet-4-5");
    assert_eq!(
        body,
        json!({"model": "claude-sonnet-4-5", "max_tokens": 32000, "messages": [{"role": "user", "content": "hi"}]})
    );
    assert!(drops.is_empty());
    assert_eq!(encode(&hi(), "kimi-k2").0["max_tokens"], 4096);
}

#[test]
fn sides_alternate_and_results_come_first() {
    let request = request(vec![
        (Role::System, vec![text("one")]),
        (Role::Developer, vec![text("two")]),
        (Role::User, vec![text("hi"), text(" ")]),
        (Role::User, vec![text("there")]),
        (Role::Assistant, vec![text(""), call("a", "{\"b\":1.50}")]),
        (Role::Assistant, vec![call("b", "not json")]),
        (Role::Tool, vec![result("a", vec![text("x")])]),
        (Role::System, vec![text("later")]),
        (Role::Tool, vec![result("b", vec![])]),
        (Role::User, vec![text("go on")]),
        (Role::Assistant, vec![text("It is \n")]),
    ]);
    let (body, _) = encode(&request, "claude-sonnet-4-5");
    let block = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(body["system"], json!([block("one"), block("two")]));
    assert_eq!(
        body["messages"],
        json!([
            {"role": "user", "content": [block("hi"), block("there")]},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a", "name": "get_weather", "input": {"b": 1.5}},
                {"type": "tool_use", "id": "b", "name": "get_weather", "input": {"_raw": "not json"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "x"},
                {"type": "tool_result", "tool_use_id": "b"},
                block("later"),
                block("go on"),
            ]},
            {"role": "assistant", "content": [block("It is")]},
        ])
    );
}

#[test]
fn a_conversation_has_a_users_turn_first() {
    let (body, _) = encode(
        &request(vec![(Role::System, vec![text("be kind")])]),
        "claude-3-opus",
    );
    assert_eq!(
        body["messages"],
        json!([{"role": "user", "content": [{"type": "text", "text": "be kind"}]}])
    );
    assert!(body.get("system").is_none());
    let greeted = request(vec![
        (Role::Assistant, vec![text("Hello!")]),
        (Role::User, vec![text("hi")]),
    ]);
    let (body, _) = encode(&greeted, "claude-3-opus");
    assert_eq!(body["messages"][0], json!({"role": "user", "content": "Begin."}));
}

#[test]
fn media_in_all_sources() {
    let url = || Source::Url("https://a/b".to_owned());
    let data = || Source::Base64("aGk=".to_owned());
    for (medium, expected) in [
        (
            media(MediaKind::Image, data(), Some("image/jpg")),
            json!({"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "aGk="}}),
        ),
        (
            media(MediaKind::Image, url(), None),
            json!({"type": "image", "source": {"type": "url", "url": "https://a/b"}}),
        ),
        (
            media(MediaKind::Document, data(), None),
            json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "aGk="}}),
        ),
        (
            media(MediaKind::Document, data(), Some("text/csv")),
            json!({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}),
        ),
    ] {
        let (body, _) = encode(&request(vec![(Role::User, vec![medium])]), "claude-sonnet-4-5");
        assert_eq!(body["messages"][0]["content"][0], expected);
    }
    for (medium, message) in [
        (media(MediaKind::Audio, data(), None), "audio"),
        (media(MediaKind::Video, data(), None), "video"),
        (media(MediaKind::Image, data(), Some("image/bmp")), "image/bmp"),
        (
            media(MediaKind::Document, data(), Some("application/msword")),
            "application/msword",
        ),
        (
            media(MediaKind::Image, Source::File("file-1".to_owned()), None),
            "another provider",
        ),
        (
            media(MediaKind::Image, Source::Url("gs://a/b".to_owned()), None),
            "http address",
        ),
    ] {
        let error = try_encode(&request(vec![(Role::User, vec![medium])]), "claude-sonnet-4-5").unwrap_err();
        assert!(error.message.contains(message), "{error}");
        assert_eq!(error.param.as_deref(), Some("messages"));
    }
}

#[test]
fn thoughts_go_back_only_with_a_signature_of_anthropics() {
    let thought = |origin: Option<SignatureOrigin>| {
        part(PartKind::Reasoning(Reasoning {
            text: "hm".to_owned(),
            signature: origin.map(|origin| Signature::new(origin, "S")),
            ..Reasoning::default()
        }))
    };
    let request = request(vec![
        (Role::User, vec![text("hi")]),
        (
            Role::Assistant,
            vec![
                thought(None),
                thought(Some(SignatureOrigin::Gemini)),
                thought(Some(SignatureOrigin::Anthropic)),
                text("yes"),
            ],
        ),
        (Role::User, vec![text("go on")]),
    ]);
    let (body, drops) = encode(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"type": "thinking", "thinking": "hm", "signature": "S"}, {"type": "text", "text": "yes"}])
    );
    assert_eq!(drops, ["reasoning_content"]);
}

#[test]
fn reasoning_by_effort() {
    let mut request = hi();
    request.reasoning = Some(ReasoningRequest {
        effort: Some(Effort::High),
        ..ReasoningRequest::default()
    });
    request.sampling.temperature = Number::from_f64(0.2);
    let (body, drops) = encode(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["thinking"],
        json!({"type": "enabled", "budget_tokens": 16384})
    );
    assert!(body.get("temperature").is_none());
    assert_eq!(drops, ["temperature"]);
    let (body, _) = encode(&request, "claude-opus-4-6");
    assert_eq!(body["thinking"], json!({"type": "adaptive"}));
    assert_eq!(body["output_config"], json!({"effort": "high"}));
}

#[test]
fn a_tool_loop_without_its_thoughts_goes_on_without_thinking() {
    let mut request = request(vec![
        (Role::User, vec![text("hi")]),
        (Role::Assistant, vec![call("a", "")]),
        (Role::Tool, vec![result("a", vec![text("x")])]),
    ]);
    request.reasoning = Some(ReasoningRequest {
        effort: Some(Effort::Low),
        ..ReasoningRequest::default()
    });
    let (body, drops) = encode(&request, "claude-sonnet-4-5");
    assert!(body.get("thinking").is_none());
    assert_eq!(drops, ["reasoning_effort"]);
}

#[test]
fn tools_and_choices() {
    let mut request = hi();
    request.tools = vec![
        function("f", Some(true)),
        function("g", Some(false)),
        Tool {
            kind: ToolKind::Custom {
                name: "sql".to_owned(),
                description: None,
                format: None,
            },
            cache: None,
            extension: openai(),
        },
        Tool {
            kind: ToolKind::BuiltIn {
                kind: "web_search".to_owned(),
            },
            cache: None,
            extension: openai(),
        },
    ];
    request.parallel_tool_calls = Some(false);
    let (body, drops) = encode(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["tools"],
        json!([
            {"name": "f", "strict": true, "input_schema": {"type": "object", "properties": {"n": {"description": "{minimum: 1}"}}, "additionalProperties": false}},
            {"name": "g", "input_schema": {"type": "object", "properties": {"n": {"minimum": 1}}}},
            {"name": "sql", "input_schema": {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}},
        ])
    );
    assert_eq!(
        body["tool_choice"],
        json!({"type": "auto", "disable_parallel_tool_use": true})
    );
    assert_eq!(drops, ["tools.web_search"]);

    request.parallel_tool_calls = Some(true);
    request.tool_choice = Some(ToolChoice::Allowed {
        required: true,
        names: vec!["g".to_owned()],
    });
    let (body, _) = encode(&request, "claude-sonnet-4-5");
    assert_eq!(body["tools"].as_array().unwrap().len(), 1);
    assert_eq!(body["tool_choice"], json!({"type": "any"}));

    request.tools.clear();
    let (body, _) = encode(&request, "claude-sonnet-4-5");
    assert!(body.get("tool_choice").is_none() && body.get("tools").is_none());
}

#[test]
fn structured_output_is_enforced_or_asked_for() {
    let mut request = hi();
    request.format = Some(OutputFormat::JsonSchema {
        name: Some("n".to_owned()),
        description: None,
        schema: Json::parse(r#"{"type":"object"}"#).unwrap(),
        strict: Some(true),
    });
    let (body, _) = encode(&request, "claude-sonnet-4-5");
    assert_eq!(
        body["output_config"]["format"],
        json!({"type": "json_schema", "schema": {"type": "object", "additionalProperties": false}})
    );
    let (body, _) = encode(&request, "claude-3-5-haiku");
    let asked = body["system"][0]["text"].as_str().unwrap();
    assert!(asked.ends_with(r#"{"type":"object"}"#), "{asked}");
    request.format = Some(OutputFormat::JsonObject);
    let (body, _) = encode(&request, "claude-sonnet-4-5");
    assert!(
        body["system"][0]["text"]
            .as_str()
            .unwrap()
            .contains("JSON object")
    );
}

#[test]
fn what_cannot_be_said_is_noted() {
    let mut request = hi();
    request.sampling.seed = Some(Number::from(7));
    request.sampling.frequency_penalty = Some(Number::from(1));
    request.sampling.choices = Some(2);
    request.sampling.logprobs = Some(true);
    request.sampling.stop = vec!["\n".to_owned(), "END".to_owned()];
    request.service_tier = Some("flex".to_owned());
    request.end_user = Some("u".to_owned());
    request.extension.push("logit_bias", Json::parse("{}").unwrap());
    let (body, drops) = encode(&request, "claude-sonnet-4-5");
    assert_eq!(
        drops,
        [
            "seed",
            "frequency_penalty",
            "n",
            "logprobs",
            "logit_bias",
            "stop",
            "service_tier"
        ]
    );
    assert_eq!(body["stop_sequences"], json!(["END"]));
    assert_eq!(body["metadata"], json!({"user_id": "u"}));

    request.previous_response = Some("resp_1".to_owned());
    let error = try_encode(&request, "claude-sonnet-4-5").unwrap_err();
    assert_eq!(error.param.as_deref(), Some("previous_response_id"));
}

#[test]
fn four_marks_of_the_cache_and_no_more() {
    let marked = |index: usize| Part {
        cache: Some(crate::chat::CacheMark {
            ttl: (index == 0).then_some(600),
        }),
        ..text(&index.to_string())
    };
    let (body, drops) = encode(
        &request(vec![(Role::User, (0..6).map(marked).collect())]),
        "claude-sonnet-4-5",
    );
    let content = body["messages"][0]["content"].as_array().unwrap();
    assert_eq!(
        content[0]["cache_control"],
        json!({"type": "ephemeral", "ttl": "1h"})
    );
    let marks = content
        .iter()
        .filter(|block| block.get("cache_control").is_some());
    assert_eq!(marks.count(), 4);
    assert_eq!(drops, ["cache_control"]);
}
