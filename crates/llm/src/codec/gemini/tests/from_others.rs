use serde_json::json;

use super::*;
use crate::chat::{
    Effort, Extension, Media, MediaKind, Part, PartKind, Reasoning, ReasoningRequest, Role, Signature,
    SignatureOrigin, Source, Tool, ToolCall, ToolChoice, ToolKind, ToolResult, Turn,
};
use crate::protocol::Protocol;

fn nothing() -> Extension {
    Extension::of(Protocol::OpenAiChat)
}

fn part(kind: PartKind) -> Part {
    Part::new(kind, nothing())
}

fn text(text: &str) -> Part {
    part(PartKind::Text(text.to_owned()))
}

fn call(id: &str, name: &str, arguments: &str, signature: Option<Signature>) -> Part {
    part(PartKind::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        is_custom: false,
        signature,
    }))
}

fn result(id: &str, name: &str, content: Vec<Part>) -> Part {
    part(PartKind::ToolResult(ToolResult {
        call_id: id.into(),
        name: Some(name.into()),
        content,
        is_error: None,
        is_custom: false,
    }))
}

fn image(source: Source) -> Part {
    part(PartKind::Media(Media {
        kind: MediaKind::Image,
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

fn function(name: &str) -> Tool {
    let kind = ToolKind::Function {
        name: name.into(),
        description: None,
        parameters: Json::parse(r#"{"type":"object"}"#),
        strict: None,
    };
    Tool {
        kind,
        cache: None,
        extension: nothing(),
    }
}

#[test]
fn a_conversation_with_tools() {
    let own = Signature::new(SignatureOrigin::Gemini, "b3du");
    let foreign = Signature::new(SignatureOrigin::Anthropic, "EqQB");
    let thought = |text: &str, signature: &Signature| {
        part(PartKind::Reasoning(Reasoning {
            text: text.into(),
            signature: Some(signature.clone()),
            ..Reasoning::default()
        }))
    };
    let request = request(vec![
        (Role::System, vec![text("be kind")]),
        (Role::Developer, vec![text("be brief")]),
        (Role::User, vec![text("weather?"), text("")]),
        (
            Role::User,
            vec![
                image(Source::Base64("/9j/AA".into())),
                image(Source::Url("https://a/b.webp?x".into())),
            ],
        ),
        (
            Role::Assistant,
            vec![
                thought("theirs", &foreign),
                text("let me see"),
                thought("", &own),
                call("c1", "w", r#"{"city":"Ulm"}"#, None),
                call("c2", "w", "", Some(foreign.clone())),
            ],
        ),
        (
            Role::Tool,
            vec![result(
                "c1",
                "w",
                vec![text("sunny"), image(Source::Base64("iVBORw0KGgo".into()))],
            )],
        ),
        (Role::Tool, vec![result("c2", "w", vec![text(r#"{"t":7.0}"#)])]),
        (Role::System, vec![text("hurry")]),
    ]);
    let (body, drops) = encode(&request, "gemini-2.5-flash");
    assert_eq!(
        body,
        json!({
        "systemInstruction":{"parts":[{"text":"be kind"},{"text":"be brief"}]},
        "contents":[
            {"role":"user","parts":[{"text":"weather?"},
                {"inlineData":{"mimeType":"image/jpeg","data":"/9j/AA"}},
                {"fileData":{"mimeType":"image/webp","fileUri":"https://a/b.webp?x"}}]},
            {"role":"model","parts":[{"text":"let me see","thoughtSignature":"b3du"},
                {"functionCall":{"id":"c1","name":"w","args":{"city":"Ulm"}}},
                {"functionCall":{"id":"c2","name":"w"}}]},
            {"role":"user","parts":[
                {"functionResponse":{"id":"c1","name":"w","response":{"output":"sunny"}}},
                {"functionResponse":{"id":"c2","name":"w","response":{"t":7.0}}},
                {"inlineData":{"mimeType":"image/png","data":"iVBORw0KGgo"}},
                {"text":"hurry"}]}]})
    );
    assert_eq!(drops, Vec::<String>::new());
    // The third generation takes media within results, and needs a signature on the first call of a turn.
    let (body, _) = encode(&request, "gemini-3-pro-preview");
    let response = &body["contents"][2]["parts"][0]["functionResponse"];
    assert_eq!(response["parts"][0]["inlineData"]["mimeType"], "image/png");
    let said = &body["contents"][1]["parts"];
    assert_eq!(said[0]["thoughtSignature"], "b3du");
    assert_eq!(said[1]["thoughtSignature"], "skip_thought_signature_validator");
}

#[test]
fn calls_of_other_models_get_the_documented_signature_where_one_is_needed() {
    let request = request(vec![
        (Role::User, vec![text("x")]),
        (
            Role::Assistant,
            vec![call("a", "f", "{}", None), call("b", "f", "{}", None)],
        ),
        (
            Role::Tool,
            vec![result("a", "f", vec![]), result("b", "f", vec![])],
        ),
    ]);
    let signatures = |model: &str| {
        let (body, _) = encode(&request, model);
        let parts = body["contents"][1]["parts"].as_array().unwrap().clone();
        parts
            .iter()
            .map(|part| part["thoughtSignature"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        signatures("gemini-3-flash"),
        [Some("skip_thought_signature_validator".to_owned()), None]
    );
    assert_eq!(signatures("gemini-2.5-pro"), [None, None]);
}

#[test]
fn choices_of_tools() {
    let mut request = request(vec![(Role::User, vec![text("x")])]);
    request.tools = vec![function("a"), function("b")];
    let names = || vec!["b".to_owned()];
    for (choice, config, functions) in [
        (ToolChoice::Auto, json!({"mode":"AUTO"}), 2),
        (ToolChoice::None, json!({"mode":"NONE"}), 2),
        (ToolChoice::Required, json!({"mode":"ANY"}), 2),
        (
            ToolChoice::Tool("b".into()),
            json!({"mode":"ANY","allowedFunctionNames":["b"]}),
            2,
        ),
        (
            ToolChoice::Allowed {
                required: true,
                names: names(),
            },
            json!({"mode":"ANY","allowedFunctionNames":["b"]}),
            2,
        ),
        (
            ToolChoice::Allowed {
                required: false,
                names: names(),
            },
            json!({"mode":"AUTO"}),
            1,
        ),
    ] {
        request.tool_choice = Some(choice);
        let (body, _) = encode(&request, "gemini-2.5-flash");
        assert_eq!(body["toolConfig"]["functionCallingConfig"], config);
        assert_eq!(
            body["tools"][0]["functionDeclarations"].as_array().unwrap().len(),
            functions
        );
    }
    request.tools.clear();
    assert_eq!(encode(&request, "gemini-2.5-flash").0.get("toolConfig"), None);
}

#[test]
fn what_gemini_cannot_say_is_told_or_refused() {
    let mut asked = request(vec![(Role::User, vec![text("x")])]);
    asked.extension.push("logit_bias", Json::parse("{}").unwrap());
    asked.parallel_tool_calls = Some(false);
    asked.end_user = Some("me".into());
    asked.store = Some(true);
    asked.service_tier = Some("scale".into());
    asked.sampling.stop = (0..6).map(|n| n.to_string()).collect();
    asked.reasoning = Some(ReasoningRequest {
        effort: Some(Effort::High),
        ..ReasoningRequest::default()
    });
    let kind = ToolKind::BuiltIn {
        kind: "web_search".into(),
    };
    asked.tools.push(Tool {
        kind,
        cache: None,
        extension: nothing(),
    });
    let (body, mut drops) = encode(&asked, "gemini-2.0-flash");
    drops.sort();
    assert_eq!(
        drops,
        [
            "logit_bias",
            "parallel_tool_calls",
            "reasoning_effort",
            "service_tier",
            "stop",
            "store",
            "tools.web_search",
            "user"
        ]
    );
    assert_eq!(
        body["generationConfig"],
        json!({"stopSequences":["0","1","2","3","4"]})
    );

    let file = request(vec![(Role::User, vec![image(Source::File("file-1".into()))])]);
    let error = Gemini
        .encode_request(&file, &target("gemini-2.5-flash"), &mut Drops::default())
        .unwrap_err();
    assert!(error.message.contains("file-1"), "{error}");
    asked.previous_response = Some("resp_1".into());
    let error = Gemini
        .encode_request(&asked, &target("gemini-2.5-flash"), &mut Drops::default())
        .unwrap_err();
    assert_eq!(error.param.as_deref(), Some("previous_response_id"));
}

#[test]
fn a_system_message_alone_is_said_by_the_user() {
    let request = request(vec![(Role::System, vec![text("say hi")])]);
    let (body, _) = encode(&request, "gemini-2.5-flash");
    assert_eq!(
        body,
        json!({"contents":[{"role":"user","parts":[{"text":"say hi"}]}]})
    );
}
