use serde_json::json;

use super::*;
use crate::chat::{
    Effort, Extension, Media, MediaKind, OutputFormat, Part, PartKind, Reasoning, ReasoningRequest, Role,
    Source, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
};
use crate::protocol::Protocol;

const RICH: &str = r#"{"model":"command-a-03-2025","messages":[
    {"role":"system","content":"be kind"},
    {"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}},
        {"type":"unheard_of","x":1}]},
    {"role":"assistant","tool_plan":"I will look","tool_calls":[
        {"id":"c1","type":"function","function":{"name":"a","arguments":"{\"z\": 1,  \"a\":2}"}},
        {"id":"c2","type":"function","function":{"name":"b","arguments":"{}"}}]},
    {"role":"tool","tool_call_id":"c1","content":[{"type":"document","document":{"id":"d1","data":{"rows":[1.0]}}},
        {"type":"document","document":{"data":"plain"}},{"type":"text","text":"t"}]},
    {"role":"tool","tool_call_id":"c2","content":"two"},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"so"}],"citations":[{"start":0}]}],
    "tools":[{"type":"function","function":{"name":"a","description":"A","parameters":{"type":"object","z":1,"a":2}}},
        {"type":"function","function":{"name":"b"}}],
    "tool_choice":"REQUIRED","strict_tools":false,"response_format":{"type":"json_object","json_schema":{"type":"object"}},
    "thinking":{"type":"enabled","token_budget":500},"documents":["d",{"data":{"a":"b"}}],"citation_options":{"mode":"FAST"},
    "safety_mode":"OFF","max_tokens":100,"stop_sequences":["x"],"temperature":0.5,"p":0.75,"k":40,"seed":7,
    "frequency_penalty":0.1,"presence_penalty":0.2,"logprobs":true,"priority":3,"stream":true}"#;

#[test]
fn nothing_is_lost_within_the_protocol() {
    let (body, drops) = encode(&decode(RICH), "command-a-03-2025");
    assert_eq!(body, parse(RICH));
    assert_eq!(drops, Vec::<String>::new());
}

#[test]
fn what_others_read_of_it() {
    let request = decode(RICH);
    assert!(request.stream);
    let PartKind::Reasoning(plan) = &request.turns[2].parts[0].kind else {
        panic!("no plan")
    };
    assert!(plan.is_summary);
    let PartKind::ToolResult(result) = &request.turns[3].parts[0].kind else {
        panic!("no result")
    };
    assert_eq!(result.text(), "{\"rows\":[1.0]}\nplain\nt");
    assert_eq!(request.tool_choice, Some(ToolChoice::Required));
    assert!(matches!(request.format, Some(OutputFormat::JsonSchema { .. })));
    assert_eq!(request.reasoning.unwrap().budget, Some(500));
}

#[test]
fn errors_name_the_place() {
    for (body, param) in [
        ("{}", "messages"),
        (
            r#"{"messages":[{"role":"user","content":7}]}"#,
            "messages[0].content",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{}}]}]}"#,
            "messages[0].content[0].image_url.url",
        ),
        (r#"{"messages":[],"tool_choice":"AUTO"}"#, "tool_choice"),
        (
            r#"{"messages":[],"response_format":{"type":"xml"}}"#,
            "response_format.type",
        ),
        (
            r#"{"messages":[],"tools":[{"function":{}}]}"#,
            "tools[0].function.name",
        ),
    ] {
        let error = Cohere
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

fn call(id: &str, arguments: &str) -> Part {
    let (id, name, arguments) = (id.to_owned(), "w".to_owned(), arguments.to_owned());
    part(PartKind::ToolCall(ToolCall {
        id,
        name,
        arguments,
        is_custom: false,
        signature: None,
    }))
}

fn result(id: &str, content: Vec<Part>, is_error: Option<bool>) -> Part {
    let result = ToolResult {
        call_id: id.into(),
        name: None,
        content,
        is_error,
        is_custom: false,
    };
    part(PartKind::ToolResult(result))
}

fn request(turns: Vec<(Role, Vec<Part>)>) -> ChatRequest {
    let mut request = ChatRequest::new(nothing());
    request.turns = turns
        .into_iter()
        .map(|(role, parts)| Turn::new(role, parts, nothing()))
        .collect();
    request
}

fn function(name: &str, strict: Option<bool>) -> Tool {
    let kind = ToolKind::Function {
        name: name.into(),
        description: None,
        parameters: None,
        strict,
    };
    Tool {
        kind,
        cache: None,
        extension: nothing(),
    }
}

#[test]
fn a_conversation_from_another_protocol() {
    let thought = Reasoning {
        text: "hm".into(),
        ..Reasoning::default()
    };
    let asked = request(vec![
        (Role::Developer, vec![text("be kind"), text("be brief")]),
        (
            Role::User,
            vec![
                text(""),
                text("a"),
                media(MediaKind::Image, Source::Url("https://a/b".into())),
            ],
        ),
        (
            Role::Assistant,
            vec![
                part(PartKind::Reasoning(thought)),
                text("let me see"),
                call("c1", ""),
                call("c2", "[1]"),
            ],
        ),
        (
            Role::Tool,
            vec![
                result(
                    "c1",
                    vec![
                        text("one"),
                        media(MediaKind::Image, Source::Base64("/9j/".into())),
                    ],
                    None,
                ),
                result("c2", vec![text("no net")], Some(true)),
            ],
        ),
        (Role::Assistant, vec![text("done")]),
        (Role::Assistant, vec![text("")]),
    ]);
    let (body, drops) = encode(&asked, "command-a");
    assert_eq!(
        body,
        json!({"model":"command-a","stream":false,"messages":[
        {"role":"system","content":[{"type":"text","text":"be kind"},{"type":"text","text":"be brief"}]},
        {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"https://a/b"}}]},
        {"role":"assistant","tool_plan":"let me see","tool_calls":[
            {"id":"c1","type":"function","function":{"name":"w","arguments":"{}"}},
            {"id":"c2","type":"function","function":{"name":"w","arguments":"{\"_raw\":\"[1]\"}"}}]},
        {"role":"tool","tool_call_id":"c1","content":"one"},
        {"role":"tool","tool_call_id":"c2","content":"ERROR: no net"},
        {"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/jpeg;base64,/9j/"}}]},
        {"role":"assistant","content":"done"}]})
    );
    assert_eq!(drops, Vec::<String>::new());
}

#[test]
fn choices_of_tools() {
    let mut asked = request(vec![(Role::User, vec![text("x")])]);
    asked.tools = vec![function("a", Some(true)), function("b", Some(true))];
    for (choice, word, count) in [
        (ToolChoice::Auto, None, 2),
        (ToolChoice::None, Some("NONE"), 2),
        (ToolChoice::Required, Some("REQUIRED"), 2),
        (ToolChoice::Tool("b".into()), Some("REQUIRED"), 1),
        (
            ToolChoice::Allowed {
                required: false,
                names: vec!["a".into()],
            },
            None,
            1,
        ),
    ] {
        asked.tool_choice = Some(choice);
        let (body, _) = encode(&asked, "command-a");
        assert_eq!(body.get("tool_choice").and_then(Value::as_str), word);
        assert_eq!(body["tools"].as_array().unwrap().len(), count);
        assert_eq!(body["strict_tools"], true);
    }
}

#[test]
fn what_cohere_cannot_say_is_told_or_refused() {
    let mut asked = request(vec![(Role::User, vec![text("x")])]);
    asked.tools = vec![function("a", Some(true)), function("b", None)];
    asked.sampling.choices = Some(2);
    asked.sampling.top_logprobs = Some(3);
    asked.sampling.top_p = serde_json::Number::from_f64(1.0);
    asked.sampling.frequency_penalty = serde_json::Number::from_f64(-1.0);
    asked.sampling.presence_penalty = serde_json::Number::from_f64(0.5);
    asked.sampling.stop = (0..7).map(|n| n.to_string()).collect();
    asked.reasoning = Some(ReasoningRequest {
        effort: Some(Effort::High),
        ..ReasoningRequest::default()
    });
    let (body, mut drops) = encode(&asked, "command-a");
    drops.sort();
    assert_eq!(
        drops,
        [
            "frequency_penalty",
            "n",
            "reasoning_effort",
            "stop",
            "tools[].strict",
            "top_logprobs"
        ]
    );
    assert_eq!(
        (&body["p"], &body["presence_penalty"]),
        (&json!(0.99), &json!(0.5))
    );
    assert_eq!(body.get("frequency_penalty"), None);
    let (body, _) = encode(&asked, "command-a-reasoning-08-2025");
    assert_eq!(body["thinking"], json!({"type":"enabled","token_budget":16384}));

    let target = TargetRules {
        model: "m",
        quirks: &Quirks::NONE,
    };
    for part in [
        media(MediaKind::Image, Source::File("file-1".into())),
        media(MediaKind::Audio, Source::Base64("AA".into())),
        media(MediaKind::Document, Source::Base64("AA".into())),
    ] {
        let request = request(vec![(Role::User, vec![part])]);
        assert!(
            Cohere
                .encode_request(&request, &target, &mut Drops::default())
                .is_err()
        );
    }
}
