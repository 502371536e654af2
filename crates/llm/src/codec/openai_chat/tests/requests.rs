//! Requests of clients, and those that go out as they came in.

use serde_json::json;

use super::{OpenAiChat, decode, encode, value};
use crate::chat::{CacheMark, Media, MediaKind, PartKind, Role, Source, ToolChoice};
use crate::codec::{Ask, ChatCodec, TargetRules};
use crate::provider::{EffortMember, Quirks, ReasoningBack};

static NONE: Quirks = Quirks::NONE;
static OPENROUTER: Quirks = Quirks {
    reasoning_back: ReasoningBack::Details,
    effort: EffortMember::Reasoning,
    max_tokens: "max_tokens",
    ..Quirks::NONE
};

/// Everything that the protocol has, each in the form that goes out.
const RICH: &[&str] = &[
    r#"{"model":"m","messages":[{"role":"system","content":"s","name":"op"},{"role":"developer","content":[{"type":"text","text":"a"},{"type":"text","text":"b","prompt_cache_breakpoint":{"mode":"explicit","ttl":"30m"}}]},{"role":"user","content":"hi","name":"bob"}]}"#,
    r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":""},{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"original","x":1}},{"type":"image_url","image_url":{"url":"https://a/b.png"},"prompt_cache_breakpoint":{"mode":"explicit"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"mp3"}},{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"}},{"type":"file","file":{"file_data":"data:application/pdf;base64,AAAA","filename":"a.pdf"}},{"type":"file","file":{"file_id":"file-1"}},{"type":"video_url","video_url":{"url":"https://a/v.mp4"}},{"type":"odd","odd":{"b":1,"a":2.50}}]}]}"#,
    r#"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1.0}"}},{"id":"c2","type":"custom","custom":{"name":"g","input":"SELECT"}}]},{"role":"tool","tool_call_id":"c1","content":"ok"},{"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},{"role":"assistant","content":[{"type":"text","text":"no"},{"type":"refusal","refusal":"never"}],"name":"n"},{"role":"assistant","content":null,"refusal":"never"},{"role":"assistant","content":null,"audio":{"id":"au"}},{"role":"assistant","content":"a","annotations":[{"type":"url_citation"}]}]}"#,
    r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object","properties":{"z":{"maximum":12345678901234567890},"a":{"const":1.00}}},"strict":true,"x":1},"y":2},{"type":"function","function":{"name":"bare"}},{"type":"custom","custom":{"name":"g","description":"d","format":{"type":"grammar","grammar":{"syntax":"lark","definition":"start: /a/"}}}},{"type":"web_search","filters":{"a":1}}],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"required","tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}]}},"parallel_tool_calls":false}"#,
    r#"{"model":"m","messages":[],"tools":[{"type":"custom","custom":{"name":"g"}}],"tool_choice":{"type":"custom","custom":{"name":"g"}}}"#,
    r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"required","parallel_tool_calls":true}"#,
    r#"{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":{"type":"odd"}}"#,
    r#"{"model":"m","messages":[],"max_completion_tokens":9,"temperature":0.10,"top_p":1,"top_k":40,"stop":["a","b"],"seed":-7,"frequency_penalty":-0.5,"presence_penalty":2.0,"n":3,"logprobs":true,"top_logprobs":5,"logit_bias":{"5":-100}}"#,
    r#"{"model":"m","messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{"type":"object","properties":{"b":{},"a":{}}},"strict":true}}}"#,
    r#"{"model":"m","messages":[],"response_format":{"type":"json_object"}}"#,
    r#"{"model":"m","messages":[],"response_format":{"type":"text"}}"#,
    r#"{"model":"m","messages":[],"response_format":{"type":"grammar","grammar":"x"}}"#,
    r#"{"model":"m","messages":[],"reasoning_effort":"xhigh","verbosity":"low","modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"},"prediction":{"type":"content","content":"x"},"web_search_options":{},"service_tier":"fast","user":"u","safety_identifier":"s","prompt_cache_key":"k","prompt_cache_retention":"24h","prompt_cache_options":{"mode":"explicit"},"metadata":{"a":"b"},"store":true,"moderation":{"model":"x"},"unknown":{"z":1.50}}"#,
    r#"{"model":"m","messages":[],"reasoning_effort":"odd"}"#,
    r#"{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true,"include_obfuscation":false}}"#,
];

#[test]
fn requests_go_out_as_they_came_in() {
    for body in RICH {
        let (sent, drops) = encode(&decode(body), &NONE).unwrap();
        assert_eq!(sent, value(body), "{body}");
        assert!(drops.is_empty(), "{drops:?} {body}");
    }
}

#[test]
fn numbers_and_the_order_of_schemas_keep_their_spelling() {
    let request = decode(RICH[3]);
    let mut drops = crate::chat::Drops::default();
    let rules = TargetRules {
        model: "m",
        quirks: &NONE,
    };
    let sent = OpenAiChat.encode_request(&request, &rules, &mut drops).unwrap();
    let schema =
        r#"{"type":"object","properties":{"z":{"maximum":12345678901234567890},"a":{"const":1.00}}}"#;
    assert!(sent.text().contains(schema), "{}", sent.text());
}

#[test]
fn reasoning_comes_back_to_those_who_want_it() {
    let body = r#"{"model":"m","messages":[{"role":"assistant","content":"a","reasoning_details":[{"type":"reasoning.text","text":"hm","signature":"s","format":"anthropic-claude-v1","index":0},{"type":"reasoning.encrypted","data":"e","format":"xai-responses-v1","index":1}]}],"reasoning":{"max_tokens":2000,"exclude":true},"max_tokens":5}"#;
    assert_eq!(encode(&decode(body), &OPENROUTER).unwrap().0, value(body));
    let effort = r#"{"model":"m","messages":[],"reasoning":{"effort":"high"}}"#;
    assert_eq!(encode(&decode(effort), &OPENROUTER).unwrap().0, value(effort));
    // OpenAI itself knows neither.
    let (sent, _) = encode(&decode(body), &NONE).unwrap();
    assert_eq!(sent["messages"][0], json!({"role": "assistant", "content": "a"}));
    assert_eq!(
        (&sent["reasoning_effort"], &sent["max_completion_tokens"]),
        (&json!("low"), &json!(5))
    );
}

#[test]
fn other_spellings_of_the_same() {
    let cases = [
        (r#""stop":"x""#, json!({"stop": ["x"]})),
        (r#""max_tokens":7"#, json!({"max_completion_tokens": 7})),
        (
            r#""max_tokens":7,"max_completion_tokens":8"#,
            json!({"max_completion_tokens": 8}),
        ),
        (r#""stream":false"#, json!({})),
        (r#""safety_identifier":"s""#, json!({"user": "s"})),
        (r#""temperature":null"#, json!({})),
    ];
    for (member, expected) in cases {
        let body = format!(r#"{{"model":"m","messages":[],{member}}}"#);
        let (mut sent, _) = encode(&decode(&body), &NONE).unwrap();
        let sent = sent.as_object_mut().unwrap();
        sent.remove("model");
        sent.remove("messages");
        assert_eq!(serde_json::Value::Object(sent.clone()), expected, "{member}");
    }
}

#[test]
fn functions_become_tools() {
    let request = decode(
        r#"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{}"}},{"role":"function","name":"f","content":"ok"}],"functions":[{"name":"f","parameters":{"type":"object","properties":{}}}],"function_call":{"name":"f"}}"#,
    );
    assert_eq!(request.tool_choice, Some(ToolChoice::Tool("f".to_owned())));
    let (sent, _) = encode(&request, &NONE).unwrap();
    let expected = value(
        r#"{"model":"m","messages":[{"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"ok"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false}"#,
    );
    assert_eq!(sent, expected);
}

#[test]
fn what_the_model_reads_is_understood() {
    let request = decode(
        r#"{"messages":[{"role":"developer","content":"d"},{"role":"user","content":[{"type":"text","text":"t","cache_control":{"type":"ephemeral","ttl":"1h"}},{"type":"image_url","image_url":"https://a/b.png"},{"type":"file","file":{"file_data":"data:text/csv;base64,AA","filename":"f.csv"}}]},{"role":"assistant","content":"","reasoning_content":"hm","tool_calls":[{"id":"c","type":"custom","custom":{"name":"g","input":"x"},"extra_content":{"google":{"thought_signature":"sig"}}}]},{"role":"tool","tool_call_id":"c","content":"r"}]}"#,
    );
    let roles: Vec<Role> = request.turns.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::Developer, Role::User, Role::Assistant, Role::Tool]);
    let user = &request.turns[1].parts;
    assert_eq!(user[0].cache, Some(CacheMark { ttl: Some(3600) }));
    assert!(user[0].extension.is_empty());
    assert_eq!(
        user[1].kind,
        PartKind::Media(Media::from_url(MediaKind::Image, "https://a/b.png"))
    );
    let PartKind::Media(file) = &user[2].kind else {
        panic!("no file")
    };
    assert_eq!(
        (file.kind, file.media_type(), file.name.as_deref()),
        (MediaKind::Document, "text/csv", Some("f.csv"))
    );
    assert_eq!(file.source, Source::Base64("AA".to_owned()));
    let PartKind::Reasoning(thought) = &request.turns[2].parts[0].kind else {
        panic!("no thought")
    };
    assert_eq!((thought.text.as_str(), thought.signature.is_none()), ("hm", true));
    let PartKind::ToolCall(call) = &request.turns[2].parts[2].kind else {
        panic!("no call")
    };
    assert_eq!(
        (call.is_custom, call.signature.as_ref().map(|it| it.data.as_str())),
        (true, Some("sig"))
    );
    let PartKind::ToolResult(result) = &request.turns[3].parts[0].kind else {
        panic!("no result")
    };
    assert!(result.is_custom);
}

#[test]
fn the_path_wins_over_the_body() {
    let body = br#"{"model":"m","messages":[]}"#;
    let ask = Ask {
        model: Some("deployment"),
        stream: Some(true),
    };
    let request = OpenAiChat.decode_request(body, &ask).unwrap();
    assert_eq!(
        (request.model.as_deref(), request.stream),
        (Some("deployment"), true)
    );
}

#[test]
fn mistakes_are_named_by_their_place() {
    let cases = [
        ("[]", None, "the body must be a JSON object"),
        (r#"{"model":"m"}"#, Some("messages"), "`messages` is required"),
        (r#"{"messages":{}}"#, Some("messages"), "must be an array"),
        (
            r#"{"messages":[{"content":"x"}]}"#,
            Some("messages[0].role"),
            "`role` is required",
        ),
        (
            r#"{"messages":[{"role":"wizard"}]}"#,
            Some("messages[0].role"),
            "there is no role `wizard`",
        ),
        (
            r#"{"messages":[{"role":"user","content":7}]}"#,
            Some("messages[0].content"),
            "must be a string or an array of parts",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"text":7}]}]}"#,
            Some("messages[0].content[0].text"),
            "invalid type: integer `7`, expected a string",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"image_url"}]}]}"#,
            Some("messages[0].content[0].image_url"),
            "`image_url` is required",
        ),
        (
            r#"{"messages":[{"role":"user","content":[{"type":"file","file":{}}]}]}"#,
            Some("messages[0].content[0].file.file_data"),
            "`file_data` is required",
        ),
        (
            r#"{"messages":[{"role":"tool","content":"x"}]}"#,
            Some("messages[0].tool_call_id"),
            "`tool_call_id` is required",
        ),
        (
            r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{}}]}]}"#,
            Some("messages[0].tool_calls[0].function.name"),
            "`name` is required",
        ),
        (
            r#"{"messages":[],"temperature":"hot"}"#,
            Some("temperature"),
            "invalid type: string \"hot\", expected a JSON number",
        ),
        (
            r#"{"messages":[],"tools":[{"type":"function","function":{}}]}"#,
            Some("tools[0].function.name"),
            "`name` is required",
        ),
        (
            r#"{"messages":[],"tool_choice":"maybe"}"#,
            Some("tool_choice"),
            "must be \"none\", \"auto\", \"required\" or an object",
        ),
        (
            r#"{"messages":[],"response_format":{}}"#,
            Some("response_format.type"),
            "`type` is required",
        ),
        (
            r#"{"messages":[],"stream_options":{"include_usage":1}}"#,
            Some("stream_options.include_usage"),
            "invalid type: integer `1`, expected a boolean",
        ),
    ];
    for (body, param, message) in cases {
        let error = OpenAiChat
            .decode_request(body.as_bytes(), &Ask::default())
            .unwrap_err();
        assert_eq!(
            (error.param.as_deref(), error.message.as_str()),
            (param, message),
            "{body}"
        );
    }
}
