//! Requests: what comes back as it was, what means what, what is refused.

use serde_json::{Value, json};

use super::{decode, encode, refused};
use crate::chat::Drops;
use crate::chat::{
    CacheMark, Effort, MediaKind, OutputFormat, PartKind, Role, SignatureOrigin, Source, ToolChoice, ToolKind,
};
use crate::codec::openai_responses::OpenAiResponses;
use crate::codec::{Ask, ChatCodec as _, TargetRules};
use crate::provider::Quirks;

/// Leaves out what means the same as nothing.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => members
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name, without_nulls(value)))
            .collect(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect(),
        other => other,
    }
}

fn assert_round_trip(body: Value) {
    let (written, drops) = encode(&decode(&body));
    assert_eq!(written, without_nulls(body));
    assert_eq!(drops, Vec::<String>::new());
}

#[test]
fn members_of_requests_come_back() {
    assert_round_trip(json!({
        "model": "gpt-5.1", "input": "hi", "instructions": "be kind", "max_output_tokens": 100,
        "max_tool_calls": 3, "temperature": 0.10, "top_p": 0.9, "top_logprobs": 3,
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs", "file_search_call.results"],
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object", "b": 1, "a": 2},
            "strict": true, "description": "d", "x_new": 1}, "verbosity": "low"},
        "reasoning": {"effort": "high", "summary": "detailed", "mode": "pro", "context": "auto"},
        "previous_response_id": "resp_1", "store": false, "background": false, "stream": true,
        "stream_options": {"include_obfuscation": false}, "truncation": "auto", "metadata": {"a": "b"},
        "service_tier": "flex", "prompt_cache_key": "k", "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
        "context_management": [{"type": "compaction", "compact_threshold": 1000}], "safety_identifier": "u1",
        "parallel_tool_calls": false, "moderation": {"model": "omni"}, "x_unknown": 12345678901234567890_u64,
    }));
    assert_round_trip(
        json!({"input": [], "user": "u", "safety_identifier": "s", "text": {"format": {"type": "text"}}}),
    );
    assert_round_trip(json!({"input": "", "instructions": "", "reasoning": {"effort": "ludicrous"}}));
    assert_round_trip(json!({"instructions": "only these", "text": {"format": {"type": "grammar", "g": 1}}}));
    assert_round_trip(json!({"model": "m", "input": "hi", "temperature": null, "tools": null}));
}

#[test]
fn items_of_every_type_come_back() {
    assert_round_trip(json!({"input": [
        {"role": "system", "content": "s"},
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
        {"role": "user", "content": "u"},
        {"role": "user", "content": []},
        {"type": "message", "role": "user", "status": "completed", "id": "msg_0", "content": [
            {"type": "input_text", "text": "", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
            {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "new"}},
            {"type": "input_image", "image_url": "https://a/b.png", "detail": "original"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"},
            {"type": "input_image", "image_url": "data:,odd"},
            {"type": "input_image", "file_id": "file_1"},
            {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA", "filename": "a.pdf"},
            {"type": "input_file", "file_data": "AAAA"},
            {"type": "input_file", "file_url": "https://a/b.pdf", "detail": "high"},
            {"type": "input_file", "file_id": "file_2"},
            {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "mp3", "x": 1}},
            {"type": "input_new", "anything": [1, 2]},
        ]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"},
            {"type": "summary_text", "text": "b"}], "encrypted_content": "gAAA", "status": "completed"},
        {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
        {"type": "reasoning", "id": "rs_3", "summary": []},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "phase": "commentary",
            "content": [{"type": "output_text", "text": "t", "annotations": [], "logprobs": []},
                {"type": "output_text", "text": "t2", "annotations": [{"type": "url_citation", "url": "u",
                    "title": "t", "start_index": 0, "end_index": 1}]},
                {"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": "one"},
        {"role": "assistant", "content": "two", "phase": "final_answer"},
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{ \"a\" :1e2}",
            "status": "completed"},
        {"type": "function_call", "call_id": "c2", "name": "g", "namespace": "ns", "arguments": "",
            "caller": {"type": "direct"}},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c3", "name": "sh", "input": "ls"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": "q"}},
        {"type": "function_call_output", "call_id": "c1", "output": "r", "id": "fco_1", "status": "completed"},
        {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "r"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]},
        {"type": "custom_tool_call_output", "call_id": "c3", "output": "r", "name": "sh", "namespace": "ns"},
        {"type": "local_shell_call", "id": "l", "call_id": "c4", "action": {}, "status": "completed"},
        {"type": "local_shell_call_output", "id": "l", "output": "x"},
        {"type": "mcp_approval_response", "approval_request_id": "a", "approve": true},
        {"type": "compaction", "id": "cmp_1", "encrypted_content": "gBBB"},
        {"type": "compaction_trigger"},
        {"type": "item_of_the_future", "x": {"y": [1.50]}},
    ]}));
}

#[test]
fn tools_and_choices_come_back() {
    let tools = json!([
        {"type": "function", "name": "f", "description": "d", "strict": true, "defer_loading": true,
            "parameters": {"type": "object", "properties": {"z": {"type": "number", "maximum": 1e300},
                "a": {}}}},
        {"type": "function", "name": "bare"},
        {"type": "namespace", "name": "crm", "description": "n", "x": 1, "tools": [
            {"type": "function", "name": "get", "parameters": {}},
            {"type": "custom", "name": "run", "format": {"type": "text"}}]},
        {"type": "namespace", "name": "empty", "description": "n", "tools": []},
        {"type": "custom", "name": "sh", "description": "d",
            "format": {"type": "grammar", "syntax": "lark", "definition": "start: \"a\""}},
        {"type": "custom", "name": "free"},
        {"type": "web_search", "filters": {"allowed_domains": ["a"]}},
        {"type": "mcp", "server_label": "l", "server_url": "https://a", "require_approval": "never"},
    ]);
    for choice in [
        json!("auto"),
        json!("none"),
        json!("required"),
        json!({"type": "function", "name": "f"}),
        json!({"type": "custom", "name": "sh"}),
        json!({"type": "function", "name": "get"}),
        json!({"type": "mcp", "server_label": "l", "name": "x"}),
        json!({"type": "web_search"}),
        json!({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"},
            {"type": "custom", "name": "free"}]}),
        json!({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "l"}]}),
    ] {
        assert_round_trip(json!({"input": "x", "tools": tools, "tool_choice": choice}));
    }
}

#[test]
fn documents_come_back_letter_by_letter() {
    let body = r#"{"input":[{"type":"function_call","call_id":"c","name":"f","arguments":"{ \"b\":1.50,\"a\":2 }"}],"tools":[{"type":"function","name":"f","parameters":{"z":1.50,"a":12345678901234567890123,"e":1E2}}],"text":{"format":{"type":"json_schema","name":"n","schema":{"z":0.10,"a":1}}},"metadata":{"z":"1","a":"2"},"x_new":{"z":1.0,"a":2}}"#;
    let request = OpenAiResponses
        .decode_request(body.as_bytes(), &Ask::default())
        .unwrap();
    let rules = TargetRules {
        model: "m",
        quirks: &Quirks::NONE,
    };
    let written = OpenAiResponses
        .encode_request(&request, &rules, &mut Drops::default())
        .unwrap();
    for document in [
        r#""{ \"b\":1.50,\"a\":2 }""#,
        r#"{"z":1.50,"a":12345678901234567890123,"e":1E2}"#,
        r#"{"z":0.10,"a":1}"#,
        r#"{"z":"1","a":"2"}"#,
        r#"{"z":1.0,"a":2}"#,
    ] {
        assert!(written.text().contains(document), "{document}");
    }
}

#[test]
fn a_conversation_means_what_it_says() {
    let request = decode(&json!({
        "model": "m", "instructions": "be kind",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "look",
                "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "30m"}},
                {"type": "input_file", "file_data": "data:application/pdf;base64,QQ==", "filename": "a.pdf"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"},
                {"type": "summary_text", "text": "b"}], "encrypted_content": "gAAA"},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "wait"}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call", "call_id": "c2", "name": "get", "namespace": "crm", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "1"},
            {"type": "function_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "2"}]},
        ],
        "tools": [{"type": "namespace", "name": "crm", "tools": [{"type": "function", "name": "get"}]}],
        "tool_choice": {"type": "function", "name": "get"},
        "text": {"format": {"type": "json_schema", "name": "a", "schema": {"x": 1}}},
        "reasoning": {"effort": "minimal", "summary": "auto"}, "max_output_tokens": 7, "top_logprobs": 2,
    }));
    let roles: Vec<_> = request
        .turns
        .iter()
        .map(|turn| (turn.role, turn.parts.len()))
        .collect();
    assert_eq!(
        roles,
        [
            (Role::System, 1),
            (Role::User, 2),
            (Role::Assistant, 4),
            (Role::Tool, 2)
        ]
    );
    let user = &request.turns[1].parts;
    assert_eq!(user[0].cache, Some(CacheMark { ttl: Some(1800) }));
    let PartKind::Media(pdf) = &user[1].kind else {
        panic!()
    };
    assert_eq!(
        (pdf.kind, &pdf.source),
        (MediaKind::Document, &Source::Base64("QQ==".into()))
    );
    let said = &request.turns[2].parts;
    let PartKind::Reasoning(thought) = &said[0].kind else {
        panic!()
    };
    assert_eq!((thought.text.as_str(), thought.is_summary), ("a\n\nb", true));
    assert_eq!(
        thought.signature.as_ref().unwrap().origin,
        SignatureOrigin::OpenAi
    );
    let PartKind::ToolCall(call) = &said[3].kind else {
        panic!()
    };
    assert_eq!((call.id.as_str(), call.name.as_str()), ("c2", "crm__get"));
    assert_eq!(request.tools[0].name(), Some("crm__get"));
    assert_eq!(request.tool_choice, Some(ToolChoice::Tool("crm__get".into())));
    assert!(
        matches!(&request.format, Some(OutputFormat::JsonSchema { name: Some(name), .. }) if name == "a")
    );
    let reasoning = request.reasoning.unwrap();
    assert_eq!(
        (reasoning.effort, reasoning.show),
        (Some(Effort::Minimal), Some(true))
    );
    assert_eq!(request.sampling.max_tokens, Some(7));
    assert_eq!(
        (request.sampling.logprobs, request.sampling.top_logprobs),
        (Some(true), Some(2))
    );
}

#[test]
fn grammars_are_nested_as_in_openai_chat() {
    let request = decode(&json!({"input": "x", "tools": [{"type": "custom", "name": "sh",
        "format": {"type": "grammar", "syntax": "regex", "definition": "a+"}}]}));
    let ToolKind::Custom {
        format: Some(format), ..
    } = &request.tools[0].kind
    else {
        panic!()
    };
    assert_eq!(
        format.text(),
        r#"{"type":"grammar","grammar":{"syntax":"regex","definition":"a+"}}"#
    );
}

#[test]
fn what_is_wrong_is_named_by_its_path() {
    for (body, param) in [
        (json!({"input": 1}), "input"),
        (json!({"input": [1]}), "input[0]"),
        (json!({"input": [{"id": "msg_1"}]}), "input[0].type"),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
            "input[0].type",
        ),
        (json!({"input": [{"role": "user"}]}), "input[0].content"),
        (
            json!({"input": [{"role": "robot", "content": ""}]}),
            "input[0].role",
        ),
        (
            json!({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}),
            "input[0].content[0].text",
        ),
        (
            json!({"input": [{"type": "function_call", "name": "f"}]}),
            "input[0].call_id",
        ),
        (
            json!({"input": [{"type": "function_call_output", "output": ""}]}),
            "input[0].call_id",
        ),
        (json!({"input": "x", "temperature": "hot"}), "temperature"),
        (
            json!({"input": "x", "tools": [{"type": "function"}]}),
            "tools[0].name",
        ),
        (json!({"input": "x", "tool_choice": "maybe"}), "tool_choice"),
        (
            json!({"input": "x", "text": {"format": {"type": "json_schema"}}}),
            "text.format.schema",
        ),
        (json!({"input": "x", "conversation": "conv_1"}), "conversation"),
        (json!({"prompt": {"id": "pmpt_1"}}), "prompt"),
    ] {
        let error = refused(&body);
        assert_eq!(error.param.as_deref(), Some(param), "{body}: {error}");
    }
}

#[test]
fn signatures_of_others_find_their_thoughts_and_calls_again() {
    let request = decode(&json!({"input": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "t"}],
            "encrypted_content": "sluice.anthropic-claude-v1.EqQB"},
        {"type": "reasoning", "id": "rs_2", "summary": [],
            "encrypted_content": "sluice-redacted:sluice.anthropic-claude-v1.Hidden"},
        {"type": "function_call", "call_id": "c:1", "name": "f", "arguments": "{}"},
        {"type": "reasoning", "id": "rs_3", "summary": [],
            "encrypted_content": "sluice-call:sluice.google-gemini-v1.Sig=:c:1"},
        {"type": "function_call_output", "call_id": "c:1", "output": "x"},
    ]}));
    assert_eq!(request.turns.len(), 2);
    let parts = &request.turns[0].parts;
    assert_eq!(parts.len(), 3);
    let PartKind::Reasoning(hidden) = &parts[1].kind else {
        panic!()
    };
    assert!(hidden.is_redacted);
    assert_eq!(hidden.signature.as_ref().unwrap().data, "Hidden");
    let PartKind::ToolCall(call) = &parts[2].kind else {
        panic!()
    };
    let signature = call.signature.as_ref().unwrap();
    assert_eq!(
        (signature.origin, signature.data.as_str()),
        (SignatureOrigin::Gemini, "Sig=")
    );
    // OpenAI cannot read them.
    let (body, drops) = encode(&request);
    let kinds: Vec<_> = body["input"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["type"].clone())
        .collect();
    assert_eq!(kinds, ["function_call", "function_call_output"]);
    assert_eq!(drops, ["reasoning"]);
}
