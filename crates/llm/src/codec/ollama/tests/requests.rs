use serde_json::json;

use super::*;
use crate::chat::{
    Effort, Extension, Media, MediaKind, OutputFormat, Part, PartKind, Reasoning, ReasoningRequest, Role,
    Source, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
};
use crate::protocol::Protocol;

const RICH: &str = r#"{"model":"qwen3","messages":[
    {"role":"system","content":"be kind"},
    {"role":"user","content":"look","images":["iVBORw0KGgo="]},
    {"role":"assistant","content":"","thinking":"hm","tool_calls":[
        {"function":{"index":0,"name":"a","arguments":{"big":12345678901234567890}}},
        {"id":"x1","type":"function","function":{"name":"b","arguments":{}}}]},
    {"role":"tool","content":"two","tool_name":"b","tool_call_id":"x1"},
    {"role":"tool","content":"one","tool_name":"a"},
    {"role":"assistant","content":"done","unheard_of":1}],
    "tools":[{"type":"function","function":{"name":"a","description":"A","parameters":{"type":"object","z":1,"a":2},"x":1},"items":[]}],
    "format":{"type":"object"},"think":"high","options":{"temperature":0.5,"top_p":0.9,"top_k":40,"seed":7,
        "frequency_penalty":0.1,"presence_penalty":0.2,"stop":["x"],"num_predict":100,"num_ctx":8192,"mirostat":1},
    "logprobs":true,"top_logprobs":2,"keep_alive":"5m","truncate":false,"stream":false}"#;

const GENERATE: &str = r#"{"model":"codellama","system":"be kind","prompt":"def f(","suffix":"return","images":["AA=="],
    "template":"{{ .Prompt }}","context":[1,2,3],"raw":false,"format":"json","think":false,
    "options":{"num_predict":-1,"stop":["a","b"]},"keep_alive":0,"stream":true}"#;

#[test]
fn nothing_is_lost_within_the_protocol() {
    let (body, drops) = encode(&Ollama::CHAT, &decode(&Ollama::CHAT, RICH), "qwen3");
    assert_eq!(body, parse(RICH));
    assert_eq!(drops, Vec::<String>::new());
    let (body, drops) = encode(
        &Ollama::GENERATE,
        &decode(&Ollama::GENERATE, GENERATE),
        "codellama",
    );
    assert_eq!(body, parse(GENERATE));
    assert_eq!(drops, Vec::<String>::new());
}

#[test]
fn answers_are_streamed_unless_the_client_says_otherwise() {
    for (body, expected) in [
        (r#"{"messages":[]}"#, true),
        (r#"{"messages":[],"stream":null}"#, true),
        (r#"{"messages":[],"stream":false}"#, false),
    ] {
        assert_eq!(decode(&Ollama::CHAT, body).stream, expected, "{body}");
    }
}

#[test]
fn what_others_read_of_it() {
    let request = decode(&Ollama::CHAT, RICH);
    let results: Vec<_> = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| match &part.kind {
            PartKind::ToolResult(result) => Some((result.call_id.as_str(), result.text())),
            _ => None,
        })
        .collect();
    assert_eq!(results, [("x1", "two".to_owned()), ("call_1", "one".to_owned())]);
    assert_eq!(request.reasoning.as_ref().unwrap().effort, Some(Effort::High));
    assert!(matches!(request.format, Some(OutputFormat::JsonSchema { .. })));
    assert_eq!(request.sampling.max_tokens, Some(100));
    for (think, effort, adaptive) in [("true", None, true), ("false", Some(Effort::None), false)] {
        let request = decode(&Ollama::CHAT, &format!(r#"{{"messages":[],"think":{think}}}"#));
        let reasoning = request.reasoning.unwrap();
        assert_eq!((reasoning.effort, reasoning.adaptive), (effort, adaptive));
    }
    let request = decode(
        &Ollama::GENERATE,
        r#"{"prompt":"p","images":["data:image/gif;base64,R0lGOD"]}"#,
    );
    assert!(
        matches!(&request.turns[0].parts[1].kind, PartKind::Media(Media { source: Source::Base64(data), .. }) if data == "R0lGOD")
    );
}

#[test]
fn errors_name_the_place() {
    for (body, param) in [
        (
            r#"{"messages":[{"role":"user"},{"content":"x"}]}"#,
            "messages[1].role",
        ),
        (
            r#"{"messages":[{"role":"assistant","tool_calls":[{"function":{}}]}]}"#,
            "messages[0].tool_calls[0].function.name",
        ),
        (r#"{"messages":[],"think":"never"}"#, "think"),
        (r#"{"messages":[],"format":"xml"}"#, "format"),
        (r#"{"messages":[],"options":{"stop":[1]}}"#, "options.stop"),
        (r#"{"messages":[],"tools":[{}]}"#, "tools[0].function"),
    ] {
        let error = Ollama::CHAT
            .decode_request(body.as_bytes(), &Ask::default())
            .unwrap_err();
        assert_eq!(error.param.as_deref(), Some(param), "{body}");
    }
}

fn nothing() -> Extension {
    Extension::of(Protocol::OpenAiChat)
}

fn part(kind: PartKind) -> Part {
    Part::new(kind, nothing())
}

fn text(text: &str) -> Part {
    part(PartKind::Text(text.to_owned()))
}

fn media(kind: MediaKind, source: Source) -> Part {
    part(PartKind::Media(Media {
        kind,
        source,
        media_type: None,
        name: None,
        detail: None,
    }))
}

fn request(turns: Vec<(Role, Vec<Part>)>) -> ChatRequest {
    let mut request = ChatRequest::new(nothing());
    request.turns = turns
        .into_iter()
        .map(|(role, parts)| Turn::new(role, parts, nothing()))
        .collect();
    request
}

fn conversation() -> ChatRequest {
    let call = ToolCall {
        id: "c1".into(),
        name: "w".into(),
        arguments: String::new(),
        is_custom: false,
        signature: None,
    };
    let result = ToolResult {
        call_id: "c1".into(),
        name: Some("w".into()),
        content: vec![text("no net")],
        is_error: Some(true),
        is_custom: false,
    };
    request(vec![
        (Role::Developer, vec![text("be kind")]),
        (
            Role::User,
            vec![
                text("a"),
                media(MediaKind::Image, Source::Base64("AA".into())),
                text("b"),
                media(MediaKind::Document, Source::Text("doc".into())),
            ],
        ),
        (
            Role::Assistant,
            vec![
                part(PartKind::Reasoning(Reasoning {
                    text: "hm".into(),
                    ..Reasoning::default()
                })),
                part(PartKind::ToolCall(call)),
            ],
        ),
        (Role::Tool, vec![part(PartKind::ToolResult(result))]),
        (Role::User, vec![text("")]),
    ])
}

#[test]
fn a_conversation_from_another_protocol() {
    let (body, drops) = encode(&Ollama::CHAT, &conversation(), "llama3");
    assert_eq!(
        body,
        json!({"model":"llama3","messages":[
        {"role":"system","content":"be kind"},
        {"role":"user","content":"a\nb\ndoc","images":["AA"]},
        {"role":"assistant","content":"","thinking":"hm","tool_calls":[{"id":"c1","function":{"name":"w","arguments":{}}}]},
        {"role":"tool","content":"ERROR: no net","tool_name":"w","tool_call_id":"c1"}],"stream":false})
    );
    assert_eq!(drops, Vec::<String>::new());
}

#[test]
fn thinking_is_told_as_the_model_takes_it() {
    let mut request = conversation();
    let mut think = |effort, model: &str| {
        request.reasoning = Some(ReasoningRequest {
            effort: Some(effort),
            ..ReasoningRequest::default()
        });
        encode(&Ollama::CHAT, &request, model).0["think"].clone()
    };
    assert_eq!(think(Effort::XHigh, "gpt-oss:20b"), "high");
    assert_eq!(think(Effort::None, "gpt-oss:20b"), "low");
    assert_eq!(think(Effort::Low, "qwen3"), true);
    assert_eq!(think(Effort::None, "qwen3"), false);
}

#[test]
fn what_ollama_cannot_say_is_told_or_refused() {
    let mut asked = conversation();
    let function = |name: &str| {
        let kind = ToolKind::Function {
            name: name.into(),
            description: None,
            parameters: None,
            strict: Some(true),
        };
        Tool {
            kind,
            cache: None,
            extension: nothing(),
        }
    };
    asked.tools = vec![function("a"), function("b")];
    asked.tool_choice = Some(ToolChoice::Tool("b".into()));
    asked.sampling.choices = Some(2);
    asked.service_tier = Some("flex".into());
    let (body, mut drops) = encode(&Ollama::CHAT, &asked, "m");
    drops.sort();
    assert_eq!(drops, ["n", "service_tier", "tool_choice", "tools[].strict"]);
    assert_eq!(
        body["tools"],
        json!([{"type":"function","function":{"name":"b"}}])
    );
    asked.tool_choice = Some(ToolChoice::None);
    assert_eq!(encode(&Ollama::CHAT, &asked, "m").0.get("tools"), None);

    let target = TargetRules {
        model: "m",
        quirks: &Quirks::NONE,
    };
    for part in [
        media(MediaKind::Image, Source::Url("https://a/b.png".into())),
        media(MediaKind::Audio, Source::Base64("AA".into())),
        media(MediaKind::Document, Source::Base64("AA".into())),
    ] {
        let request = request(vec![(Role::User, vec![part])]);
        assert!(
            Ollama::CHAT
                .encode_request(&request, &target, &mut Drops::default())
                .is_err()
        );
    }
    let error = Ollama::GENERATE
        .encode_request(&conversation(), &target, &mut Drops::default())
        .unwrap_err();
    assert!(error.message.contains("/api/chat"), "{error}");
}

#[test]
fn a_generate_client_s_request_for_chat() {
    let request = decode(&Ollama::GENERATE, GENERATE);
    let (body, drops) = encode(&Ollama::CHAT, &request, "m");
    assert_eq!(
        body["messages"],
        json!([{"role":"system","content":"be kind"},
        {"role":"user","content":"def f(","images":["AA=="]}])
    );
    assert_eq!(body["options"]["num_predict"], -1);
    assert_eq!(drops, ["suffix", "template", "context", "raw"]);
}
