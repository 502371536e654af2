//! Conversations that came in other protocols.

use serde_json::{Value, json};

use super::{encode, encode_for};
use crate::chat::{
    CacheMark, ChatRequest, Effort, Extension, Json, Media, MediaKind, OutputFormat, Part, PartKind,
    Reasoning, ReasoningRequest, Role, Signature, SignatureOrigin, Source, Tool, ToolCall, ToolChoice,
    ToolKind, ToolResult, Turn,
};
use crate::protocol::Protocol;
use crate::provider::Quirks;

static NONE: Quirks = Quirks::NONE;
static COMPATIBLE: Quirks = Quirks::COMPATIBLE;

fn nothing() -> Extension {
    Extension::of(Protocol::AnthropicMessages)
}

fn part(kind: PartKind) -> Part {
    Part::new(kind, nothing())
}

fn text(text: &str) -> Part {
    part(PartKind::Text(text.to_owned()))
}

fn image() -> Part {
    part(PartKind::Media(Media::from_url(
        MediaKind::Image,
        "data:image/png;base64,AA",
    )))
}

fn call(id: &str) -> Part {
    let signature = Some(Signature::new(SignatureOrigin::Gemini, "s"));
    part(PartKind::ToolCall(ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: String::new(),
        is_custom: false,
        signature,
    }))
}

fn result(id: &str, content: Vec<Part>, is_error: Option<bool>) -> Part {
    part(PartKind::ToolResult(ToolResult {
        call_id: id.to_owned(),
        name: Some("f".to_owned()),
        content,
        is_error,
        is_custom: false,
    }))
}

fn thought() -> Part {
    part(PartKind::Reasoning(Reasoning {
        text: "hm".to_owned(),
        signature: Some(Signature::new(SignatureOrigin::Anthropic, "Eq")),
        ..Reasoning::default()
    }))
}

fn request(turns: Vec<(Role, Vec<Part>)>) -> ChatRequest {
    let mut request = ChatRequest::new(nothing());
    let turns = turns
        .into_iter()
        .map(|(role, parts)| Turn::new(role, parts, nothing()));
    request.turns = turns.collect();
    request
}

fn messages(turns: Vec<(Role, Vec<Part>)>, quirks: &'static Quirks) -> Value {
    encode(&request(turns), quirks).unwrap().0["messages"].take()
}

#[test]
fn a_conversation_with_tools() {
    let turns = || {
        vec![
            (Role::System, vec![text("a"), text("b")]),
            (Role::User, vec![text("hi"), text("")]),
            (Role::Assistant, vec![thought(), text(""), call("c1")]),
            (Role::Assistant, vec![call("c2")]),
            (
                Role::Tool,
                vec![
                    result("c1", vec![text("x"), text("y")], None),
                    result("c2", vec![image()], Some(true)),
                ],
            ),
            (Role::User, vec![text("and?")]),
        ]
    };
    let called =
        |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let sent = messages(turns(), &NONE);
    assert_eq!(
        sent,
        json!([
            {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "assistant", "content": null, "tool_calls": [called("c1"), called("c2")]},
            {"role": "tool", "tool_call_id": "c1", "content": "x\ny"},
            {"role": "tool", "tool_call_id": "c2", "content": "ERROR: The output follows in the next message."},
            {"role": "user", "content": [
                {"type": "text", "text": "Output of the tool call c2:"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
            ]},
            {"role": "user", "content": "and?"}
        ])
    );
    let compatible = messages(turns(), &COMPATIBLE);
    assert_eq!(
        (&compatible[0]["content"], &compatible[1]["content"]),
        (&json!("a\n\nb"), &json!("hi"))
    );
    assert_eq!(
        compatible[2]["tool_calls"][0]["extra_content"],
        json!({"google": {"thought_signature": "s"}})
    );
}

#[test]
fn what_is_nothing_without_its_thought_is_left_out() {
    let sent = messages(
        vec![(Role::User, vec![text("a")]), (Role::Assistant, vec![thought()])],
        &NONE,
    );
    assert_eq!(sent, json!([{"role": "user", "content": "a"}]));
}

#[test]
fn media_from_everywhere() {
    let media = |kind, source, name: Option<&str>| {
        let name = name.map(str::to_owned);
        part(PartKind::Media(Media {
            kind,
            source,
            media_type: None,
            name,
            detail: None,
        }))
    };
    let data = || Source::Base64("AA".to_owned());
    let user = vec![
        media(MediaKind::Document, data(), None),
        media(
            MediaKind::Document,
            Source::Text("plain".to_owned()),
            Some("notes"),
        ),
        media(MediaKind::Audio, data(), None),
        media(MediaKind::Image, Source::Url("https://a/b".to_owned()), None),
    ];
    assert_eq!(
        messages(vec![(Role::User, user)], &NONE)[0]["content"],
        json!([
            {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,AA"}},
            {"type": "text", "text": "notes\n\nplain"},
            {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            {"type": "image_url", "image_url": {"url": "https://a/b"}}
        ])
    );
    let url = || Source::Url("https://a".to_owned());
    let file = || Source::File("f".to_owned());
    for refused in [
        media(MediaKind::Document, url(), None),
        media(MediaKind::Document, file(), None),
        media(MediaKind::Audio, url(), None),
        media(MediaKind::Image, file(), None),
        media(MediaKind::Video, url(), None),
    ] {
        let request = request(vec![(Role::User, vec![text("a"), refused])]);
        let error = encode(&request, &NONE).unwrap_err();
        assert_eq!(error.param.as_deref(), Some("messages[0].content[1]"), "{error}");
    }
    let drawn = request(vec![(Role::Assistant, vec![image()])]);
    assert_eq!(
        encode(&drawn, &NONE).unwrap_err().param.as_deref(),
        Some("messages[0]")
    );
}

#[test]
fn members_of_others_are_noted() {
    let mut request = request(vec![(Role::User, vec![text("a")])]);
    request.turns[0].parts[0].cache = Some(CacheMark { ttl: None });
    request.turns[0].parts[0]
        .extension
        .push("citations", Json::of(&true));
    request.extension.push("container", Json::of("c"));
    request.metadata = Some(Json::of("m"));
    request.sampling.top_k = Some(5.into());
    request.service_tier = Some("standard_only".to_owned());
    request.tools = vec![Tool {
        kind: ToolKind::BuiltIn {
            kind: "web_search_20250305".to_owned(),
        },
        cache: None,
        extension: nothing(),
    }];
    request.tool_choice = Some(ToolChoice::Auto);
    let (sent, drops) = encode(&request, &NONE).unwrap();
    assert_eq!(
        sent,
        json!({"model": "m", "messages": [{"role": "user", "content": "a"}]})
    );
    assert_eq!(
        drops,
        [
            "messages.content.citations",
            "cache_control",
            "tools.web_search_20250305",
            "top_k",
            "service_tier",
            "metadata",
            "container"
        ]
    );
}

#[test]
fn schemas_are_what_openai_takes() {
    let mut request = request(Vec::new());
    let function = |schema: &str| Tool {
        kind: ToolKind::Function {
            name: "f".to_owned(),
            description: None,
            parameters: Json::parse(schema),
            strict: None,
        },
        cache: None,
        extension: nothing(),
    };
    request.tools = vec![
        function(r#"{"type":"object"}"#),
        function(r#"{"$schema":"s","anyOf":[]}"#),
    ];
    let (sent, _) = encode(&request, &NONE).unwrap();
    assert_eq!(
        sent["tools"][0]["function"]["parameters"],
        json!({"type": "object", "properties": {}})
    );
    assert_eq!(sent["tools"][1]["function"]["parameters"], json!({"anyOf": []}));
}

#[test]
fn thinking_in_words() {
    let effort = |reasoning: ReasoningRequest, quirks, model: &str| {
        let mut request = request(Vec::new());
        request.reasoning = Some(reasoning);
        let (sent, drops) = encode_for(&request, quirks, model).unwrap();
        (sent["reasoning_effort"].as_str().map(str::to_owned), drops)
    };
    let budget = |budget| ReasoningRequest {
        budget: Some(budget),
        ..ReasoningRequest::default()
    };
    let word = |effort| ReasoningRequest {
        effort: Some(effort),
        ..ReasoningRequest::default()
    };
    let noted = vec!["reasoning_effort".to_owned()];
    assert_eq!(
        effort(budget(10_000), &NONE, "gpt-5"),
        (Some("medium".to_owned()), Vec::new())
    );
    assert_eq!(
        effort(budget(10_000), &NONE, "gpt-4o-mini"),
        (None, noted.clone())
    );
    assert_eq!(effort(budget(0), &NONE, "gpt-5"), (None, noted));
    assert_eq!(
        effort(word(Effort::Max), &COMPATIBLE, "x"),
        (Some("high".to_owned()), Vec::new())
    );
    assert_eq!(
        effort(word(Effort::Minimal), &COMPATIBLE, "x"),
        (Some("low".to_owned()), Vec::new())
    );
}

#[test]
fn what_openai_refuses_of_others() {
    let mut request = request(Vec::new());
    request.sampling.stop = ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec();
    request.sampling.temperature = Some(0.into());
    request.sampling.top_p = Some(1.into());
    request.sampling.top_logprobs = Some(2);
    request.end_user = Some("u".repeat(100));
    let (sent, drops) = encode_for(&request, &NONE, "gpt-5-mini").unwrap();
    assert_eq!(sent["stop"], json!(["a", "b", "c", "d"]));
    assert_eq!(sent["logprobs"], json!(true));
    assert_eq!(sent["user"].as_str().map(str::len), Some(64));
    assert_eq!((sent.get("temperature"), sent.get("top_p")), (None, None));
    assert_eq!(drops, ["temperature", "stop"]);
    let (sent, drops) = encode_for(&request, &COMPATIBLE, "gpt-5-mini").unwrap();
    assert_eq!(
        (&sent["temperature"], sent["stop"].as_array().map(Vec::len)),
        (&json!(0), Some(5))
    );
    assert!(drops.is_empty());
}

#[test]
fn the_default_format_goes_without_saying() {
    let mut request = request(Vec::new());
    request.format = Some(OutputFormat::Text);
    assert_eq!(encode(&request, &NONE).unwrap().0.get("response_format"), None);
    request.format = Some(OutputFormat::JsonSchema {
        name: None,
        description: None,
        schema: Json::of(&true),
        strict: None,
    });
    assert_eq!(
        encode(&request, &NONE).unwrap().0["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": true}})
    );
}

#[test]
fn a_stored_answer_cannot_be_continued() {
    let mut request = request(Vec::new());
    request.previous_response = Some("resp_1".to_owned());
    let error = encode(&request, &NONE).unwrap_err();
    assert_eq!(error.param.as_deref(), Some("previous_response_id"));
}
