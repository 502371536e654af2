//! Conversations of other protocols, written for a Responses provider.

use serde_json::json;

use super::{encode, try_encode};
use crate::chat::{
    CacheMark, ChatRequest, Drops, Effort, Extension, Json, Media, MediaKind, OutputFormat, Part, PartKind,
    Reasoning, ReasoningRequest, Role, Signature, SignatureOrigin, Source, Tool, ToolCall, ToolChoice,
    ToolKind, ToolResult, Turn,
};
use crate::protocol::Protocol;

fn nothing() -> Extension {
    Extension::of(Protocol::AnthropicMessages)
}

fn part(kind: PartKind) -> Part {
    Part::new(kind, nothing())
}

fn text(text: &str) -> Part {
    part(PartKind::Text(text.to_owned()))
}

fn request(turns: Vec<(Role, Vec<Part>)>) -> ChatRequest {
    let mut request = ChatRequest::new(nothing());
    let turns = turns
        .into_iter()
        .map(|(role, parts)| Turn::new(role, parts, nothing()));
    request.turns = turns.collect();
    request
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

fn thought(signature: Option<Signature>) -> Part {
    part(PartKind::Reasoning(Reasoning {
        text: "hm".to_owned(),
        signature,
        ..Reasoning::default()
    }))
}

fn result(content: Vec<Part>, is_error: bool) -> Part {
    part(PartKind::ToolResult(ToolResult {
        call_id: "c1".to_owned(),
        name: Some("f".to_owned()),
        content,
        is_error: is_error.then_some(true),
        is_custom: false,
    }))
}

#[test]
fn turns_become_items() {
    let call = ToolCall {
        id: "c1".to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
        is_custom: false,
        signature: Some(Signature::new(SignatureOrigin::Gemini, "x")),
    };
    let mut marked = text("b");
    marked.cache = Some(CacheMark { ttl: Some(300) });
    let (body, drops) = encode(&request(vec![
        (Role::System, vec![text("be kind")]),
        (Role::User, vec![text(""), text("a"), marked]),
        (Role::User, vec![text("")]),
        (
            Role::Assistant,
            vec![
                thought(Some(Signature::new(SignatureOrigin::Anthropic, "EqQB"))),
                thought(Some(Signature::new(SignatureOrigin::OpenAi, "gAAA"))),
                text("one"),
                text("two"),
                part(PartKind::ToolCall(call)),
                text("three"),
            ],
        ),
        (Role::Tool, vec![result(vec![text("1"), text("2")], false)]),
        (Role::Tool, vec![result(vec![text("no")], true)]),
        (
            Role::Tool,
            vec![result(
                vec![
                    text("see"),
                    media(MediaKind::Image, Source::Base64("AAAA".into()), Some("image/gif")),
                ],
                true,
            )],
        ),
    ]));
    assert_eq!(
        body["input"],
        json!([
            {"type": "message", "role": "system", "content": "be kind"},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "a"},
                {"type": "input_text", "text": "b"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "one", "annotations": []},
                {"type": "output_text", "text": "two", "annotations": []}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "message", "role": "assistant", "content": "three"},
            {"type": "function_call_output", "call_id": "c1", "output": "1\n2"},
            {"type": "function_call_output", "call_id": "c1", "output": "ERROR: no"},
            {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "ERROR:"},
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:image/gif;base64,AAAA"}]},
        ])
    );
    assert_eq!(drops, ["cache_control", "reasoning"]);
}

#[test]
fn media_are_said_or_refused() {
    for (kind, source, media_type, expected) in [
        (
            MediaKind::Image,
            Source::Url("https://a/b".into()),
            None,
            json!({"type": "input_image", "image_url": "https://a/b"}),
        ),
        (
            MediaKind::Document,
            Source::Base64("QQ==".into()),
            None,
            json!({"type": "input_file", "file_data": "data:application/pdf;base64,QQ==", "filename": "document.pdf"}),
        ),
        (
            MediaKind::Document,
            Source::Url("https://a/b".into()),
            None,
            json!({"type": "input_file", "file_url": "https://a/b"}),
        ),
        (
            MediaKind::Document,
            Source::Text("plain".into()),
            None,
            json!({"type": "input_text", "text": "plain"}),
        ),
        (
            MediaKind::Audio,
            Source::Base64("QQ==".into()),
            Some("audio/mpeg"),
            json!({"type": "input_audio", "input_audio": {"data": "QQ==", "format": "mp3"}}),
        ),
    ] {
        let (body, _) = encode(&request(vec![(
            Role::User,
            vec![media(kind, source, media_type)],
        )]));
        assert_eq!(body["input"][0]["content"][0], expected);
    }
    for (role, kind, source, reason) in [
        (Role::User, MediaKind::Video, Source::Url("u".into()), "video"),
        (
            Role::User,
            MediaKind::Image,
            Source::File("files/1".into()),
            "another provider",
        ),
        (Role::User, MediaKind::Audio, Source::Url("u".into()), "sound"),
        (
            Role::Assistant,
            MediaKind::Image,
            Source::Base64("AAAA".into()),
            "assistant",
        ),
    ] {
        let request = request(vec![(role, vec![media(kind, source, None)])]);
        let error = try_encode(&request, &mut Drops::default()).unwrap_err();
        assert!(error.message.contains(reason), "{error}");
    }
}

#[test]
fn dials_are_written_or_noted() {
    let mut request = request(vec![(Role::User, vec![text("hi")])]);
    request.model = Some("gpt-5.1".to_owned());
    request.format = Some(OutputFormat::JsonSchema {
        name: None,
        description: None,
        schema: Json::parse("{}").unwrap(),
        strict: None,
    });
    request.reasoning = Some(ReasoningRequest {
        budget: Some(5000),
        show: Some(true),
        ..ReasoningRequest::default()
    });
    request.end_user = Some("u".to_owned());
    request.service_tier = Some("standard_only".to_owned());
    request.sampling.stop = vec!["x".to_owned()];
    request.sampling.top_k = Some(3.into());
    request.sampling.choices = Some(2);
    request.sampling.logprobs = Some(true);
    request.sampling.max_tokens = Some(9);
    request.stream = true;
    request.extension.push("container", Json::of("c"));
    let (body, drops) = encode(&request);
    assert_eq!(
        body,
        json!({
            "model": "gpt-5.1", "input": [{"type": "message", "role": "user", "content": "hi"}],
            "text": {"format": {"type": "json_schema", "name": "answer", "schema": {}}},
            "reasoning": {"effort": "medium", "summary": "auto"}, "max_output_tokens": 9,
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
            "safety_identifier": "u", "service_tier": "default", "store": false, "stream": true,
        })
    );
    assert_eq!(drops, ["stop", "top_k", "n", "container"]);
}

#[test]
fn models_are_asked_for_what_they_take() {
    let mut request = request(vec![(Role::User, vec![text("hi")])]);
    request.reasoning = Some(ReasoningRequest {
        effort: Some(Effort::High),
        ..ReasoningRequest::default()
    });
    request.sampling.temperature = serde_json::Number::from_f64(0.5);
    request.model = Some("gpt-4.1".to_owned());
    let (body, drops) = encode(&request);
    assert_eq!(
        (&body["reasoning"], &body["include"]),
        (&json!(null), &json!(null))
    );
    assert_eq!(body["temperature"], 0.5);
    assert_eq!(drops, ["reasoning_effort"]);
    request.model = Some("gpt-5".to_owned());
    let (body, drops) = encode(&request);
    assert_eq!(body["reasoning"]["effort"], "high");
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(drops, ["temperature"]);
}

#[test]
fn members_that_chat_shares_are_kept() {
    let mut request = ChatRequest::new(Extension::of(Protocol::OpenAiChat));
    request.reasoning = Some(ReasoningRequest {
        effort: Some(Effort::None),
        ..ReasoningRequest::default()
    });
    for name in ["verbosity", "prompt_cache_key", "logit_bias"] {
        request.extension.push(name, Json::of("x"));
    }
    let (body, drops) = encode(&request);
    assert_eq!(
        body,
        json!({
            "prompt_cache_key": "x", "text": {"verbosity": "x"}, "reasoning": {"effort": "none"}, "store": false,
        })
    );
    assert_eq!(drops, ["logit_bias"]);
}

#[test]
fn tools_are_flat_and_not_strict_unless_asked() {
    let tool = |kind| Tool {
        kind,
        cache: None,
        extension: nothing(),
    };
    let mut request = request(vec![(Role::User, vec![text("hi")])]);
    request.tools = vec![
        tool(ToolKind::Function {
            name: "f".to_owned(),
            description: None,
            parameters: None,
            strict: None,
        }),
        tool(ToolKind::Custom {
            name: "c".to_owned(),
            description: Some("d".to_owned()),
            format: Json::parse(r#"{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}"#),
        }),
        tool(ToolKind::BuiltIn {
            kind: "web_search_20250305".to_owned(),
        }),
        tool(ToolKind::BuiltIn {
            kind: "bash_20250124".to_owned(),
        }),
    ];
    request.tool_choice = Some(ToolChoice::Allowed {
        required: true,
        names: vec!["f".to_owned(), "c".to_owned()],
    });
    let (body, drops) = encode(&request);
    assert_eq!(
        body["tools"],
        json!([
            {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": false},
            {"type": "custom", "name": "c", "description": "d",
                "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
            {"type": "web_search"},
        ])
    );
    assert_eq!(
        body["tool_choice"],
        json!({"type": "allowed_tools", "mode": "required",
            "tools": [{"type": "function", "name": "f"}, {"type": "custom", "name": "c"}]})
    );
    assert_eq!(drops, ["tools.bash_20250124"]);
}
