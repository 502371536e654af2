//! What providers are spared.

use serde_json::json;

use super::{decode, encode};
use crate::provider::{EffortMember, Quirks, ReasoningBack, StreamUsageAsk};

static COMPATIBLE: Quirks = Quirks::COMPATIBLE;

const TOOLS: &str = r#""tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g","format":{"type":"text"}}}]"#;

fn body(members: &str) -> String {
    format!(r#"{{"model":"m","messages":[{{"role":"developer","content":"d"}}],{members}}}"#)
}

#[test]
fn names_of_members() {
    static QUIRKS: Quirks = Quirks {
        seed: "random_seed",
        stream_usage: StreamUsageAsk::Unasked,
        refuses: &["logit_bias", "n", "user"],
        required: Some("any"),
        ..Quirks::COMPATIBLE
    };
    let request = decode(&body(&format!(
        r#"{TOOLS},"tool_choice":"required","max_completion_tokens":5,"seed":1,"stream":true,"stream_options":{{"include_usage":true}},"logit_bias":{{}},"n":2,"user":"u""#
    )));
    let (sent, drops) = encode(&request, &QUIRKS).unwrap();
    assert_eq!(
        sent,
        json!({
            "model": "m",
            "messages": [{"role": "system", "content": "d"}],
            "tools": [
                {"type": "function", "function": {"name": "f"}},
                {"type": "function", "function": {"name": "g", "parameters": {
                    "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]
                }}}
            ],
            "tool_choice": "any",
            "max_tokens": 5,
            "random_seed": 1,
            "stream": true
        })
    );
    assert_eq!(drops, ["tools.custom.format", "n", "user", "logit_bias"]);
}

#[test]
fn usage_is_asked_for_even_if_the_client_does_not() {
    let (sent, _) = encode(&decode(&body(r#""stream":true"#)), &COMPATIBLE).unwrap();
    assert_eq!(sent["stream_options"], json!({"include_usage": true}));
}

#[test]
fn choices_that_cannot_be_said() {
    static UNFORCED: Quirks = Quirks {
        required: None,
        ..Quirks::COMPATIBLE
    };
    let choice = |choice: &str, quirks| {
        let (mut sent, drops) = encode(
            &decode(&body(&format!("{TOOLS},\"tool_choice\":{choice}"))),
            quirks,
        )
        .unwrap();
        let tools = sent["tools"].as_array().map_or(0, Vec::len);
        (
            sent["tool_choice"].take(),
            tools,
            drops.contains(&"tool_choice".to_owned()),
        )
    };
    assert_eq!(choice("\"required\"", &UNFORCED), (json!(null), 2, true));
    let allowed = r#"{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[{"type":"function","function":{"name":"f"}}]}}"#;
    assert_eq!(choice(allowed, &COMPATIBLE), (json!("auto"), 1, false));
    let custom = r#"{"type":"custom","custom":{"name":"g"}}"#;
    let function = json!({"type": "function", "function": {"name": "g"}});
    assert_eq!(choice(custom, &COMPATIBLE), (function, 2, false));
}

#[test]
fn calls_of_custom_tools_are_calls_of_functions() {
    let request = decode(
        r#"{"model":"m","messages":[{"role":"assistant","tool_calls":[{"id":"c","type":"custom","custom":{"name":"g","input":"a\nb"}}]}]}"#,
    );
    let (sent, _) = encode(&request, &COMPATIBLE).unwrap();
    assert_eq!(
        sent["messages"][0]["tool_calls"][0],
        json!({"id": "c", "type": "function", "function": {"name": "g", "arguments": "{\"input\":\"a\\nb\"}"}})
    );
}

#[test]
fn formats_that_cannot_be_said() {
    static ONLY_OBJECT: Quirks = Quirks {
        json_schema: false,
        ..Quirks::COMPATIBLE
    };
    static ONLY_SCHEMA: Quirks = Quirks {
        json_object: false,
        ..Quirks::COMPATIBLE
    };
    static NEITHER: Quirks = Quirks {
        json_object: false,
        ..ONLY_OBJECT
    };
    let schema = decode(&body(
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}"#,
    ));
    let object = decode(&body(r#""response_format":{"type":"json_object"}"#));
    let instruction = json!({
        "role": "system",
        "content": "Answer with nothing but one JSON value that is valid by this JSON Schema:\n{\"type\":\"object\"}"
    });
    let (sent, drops) = encode(&schema, &ONLY_OBJECT).unwrap();
    assert_eq!(sent["response_format"], json!({"type": "json_object"}));
    assert_eq!((&sent["messages"][1], drops.len()), (&instruction, 0));
    let (sent, _) = encode(&object, &ONLY_SCHEMA).unwrap();
    assert_eq!(
        sent["response_format"],
        json!({"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}})
    );
    let (sent, drops) = encode(&schema, &NEITHER).unwrap();
    assert_eq!(
        (sent.get("response_format"), &sent["messages"][1]),
        (None, &instruction)
    );
    assert_eq!(drops, ["response_format"]);
}

#[test]
fn thoughts_go_back_where_they_are_wanted() {
    static CONTENT: Quirks = Quirks {
        reasoning_back: ReasoningBack::Content,
        ..Quirks::COMPATIBLE
    };
    static DETAILS: Quirks = Quirks {
        reasoning_back: ReasoningBack::Details,
        ..Quirks::COMPATIBLE
    };
    let request = decode(
        r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":"a","reasoning_content":"hm"}]}"#,
    );
    let (sent, drops) = encode(&request, &CONTENT).unwrap();
    assert_eq!(
        sent["messages"][1],
        json!({"role": "assistant", "content": "a", "reasoning_content": "hm"})
    );
    assert_eq!(drops, ["prompt_cache_breakpoint"]);
    let (sent, drops) = encode(&request, &DETAILS).unwrap();
    let details = json!([{"type": "reasoning.text", "text": "hm", "index": 0}]);
    assert_eq!(sent["messages"][1]["reasoning_details"], details);
    assert_eq!(
        sent["messages"][0]["content"][0]["cache_control"],
        json!({"type": "ephemeral"})
    );
    assert!(drops.is_empty());
    let (sent, _) = encode(&request, &COMPATIBLE).unwrap();
    assert_eq!(sent["messages"][1], json!({"role": "assistant", "content": "a"}));
}

#[test]
fn depth_of_thinking_where_it_is_said() {
    static OBJECT: Quirks = Quirks {
        effort: EffortMember::Reasoning,
        ..Quirks::COMPATIBLE
    };
    static NOWHERE: Quirks = Quirks {
        effort: EffortMember::Nowhere,
        ..Quirks::COMPATIBLE
    };
    let request = decode(&body(r#""reasoning_effort":"high""#));
    assert_eq!(
        encode(&request, &OBJECT).unwrap().0["reasoning"],
        json!({"effort": "high"})
    );
    let (sent, drops) = encode(&request, &NOWHERE).unwrap();
    assert_eq!(
        (sent.get("reasoning_effort"), drops),
        (None, vec!["reasoning_effort".to_owned()])
    );
}
