//! Sessions of coding agents, in the shape in which they call: Claude Code (Anthropic Messages) and Codex (OpenAI
//! Responses), on providers of three protocols that refuse what the real ones refuse.

use bytes::Bytes;
use serde_json::{Value, json};
use sluice_testkit::{Completion, FakeProvider, Gateway, Reply};

use super::client_of;
use super::clients::{CLIENTS, Client};
use super::neutral::Seen;

const PROVIDERS: [&str; 3] = ["anthropic", "openai-compatible", "gemini"];
const SIGNATURE: &str = "c2lnbmVkIGJ5IHRoZSBwcm92aWRlcg==";

fn client(name: &str) -> &'static dyn Client {
    *CLIENTS.iter().find(|client| client.name() == name).unwrap()
}

/// What the model says, turn by turn: one call, two calls at once, the end.
fn answers() -> [Completion; 3] {
    [
        Completion::new()
            .thinking("I look at the files first.", SIGNATURE)
            .text("I'll look around.")
            .tool_call(
                "",
                "Bash",
                json!({ "command": "ls -la", "description": "List files" }),
            ),
        Completion::new()
            .thinking("Two of them matter.", SIGNATURE)
            .tool_call("", "Read", json!({ "file_path": "/repo/a.rs" }))
            .tool_call("", "Read", json!({ "file_path": "/repo/b.rs", "limit": 20 })),
        Completion::new().text("Both files are fine."),
    ]
}

fn tools(schema: &str) -> Vec<Value> {
    let tool = |name: &str, properties: Value, required: Value| {
        let parameters = json!({
            "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": properties,
            "required": required, "additionalProperties": false,
        });
        json!({ "name": name, "description": format!("{name} of the agent"), schema: parameters })
    };
    vec![
        tool(
            "Bash",
            json!({
                "command": { "type": "string" }, "description": { "type": "string" },
                "timeout": { "type": "number", "maximum": 600_000 },
            }),
            json!(["command"]),
        ),
        tool(
            "Read",
            json!({ "file_path": { "type": "string" }, "limit": { "type": "integer", "exclusiveMinimum": 0 } }),
            json!(["file_path"]),
        ),
    ]
}

/// A request of Claude Code with these messages, the last of which ends the part of the prompt that is to be cached.
fn claude_code(mut messages: Vec<Value>) -> Value {
    let cached = json!({ "type": "ephemeral" });
    if let Some(block) = messages
        .last_mut()
        .and_then(|message| message["content"].as_array_mut()?.last_mut())
    {
        block["cache_control"] = cached.clone();
    }
    json!({
        "model": "claude-sonnet-4-5", "max_tokens": 32_000, "temperature": 1, "stream": true,
        "system": [
            { "type": "text", "text": "You are a coding agent.", "cache_control": cached },
            { "type": "text", "text": "The working directory is /repo.", "cache_control": cached },
        ],
        "tools": tools("input_schema"),
        "metadata": { "user_id": "user_0f_account__session_1" },
        "thinking": { "type": "enabled", "budget_tokens": 31_999 },
        "messages": messages,
    })
}

async fn call_claude_code(gateway: &Gateway, path: &str, body: &Value) -> Bytes {
    let call = gateway
        .client()
        .post(&format!("{path}?beta=true"))
        .header("authorization", "Bearer sk-native")
        .header("anthropic-version", "2023-06-01")
        .header(
            "anthropic-beta",
            "claude-code-20250219,interleaved-thinking-2025-05-14",
        )
        .header("anthropic-dangerous-direct-browser-access", "true")
        .header("user-agent", "claude-cli/2.0.1 (external, cli)")
        .header("x-app", "cli")
        .header("x-stainless-lang", "js")
        .json(body);
    call.send().await.expect_status(200).await.bytes().await
}

/// The answer to a turn, read as Claude Code reads it.
async fn claude_code_turn(
    gateway: &Gateway,
    fake: &FakeProvider,
    messages: &[Value],
    answer: Completion,
) -> Seen {
    fake.next(Reply::completion(answer).in_pieces_of(17));
    let bytes = call_claude_code(gateway, "/v1/messages", &claude_code(messages.to_vec())).await;
    let seen = client("Anthropic Messages").stream(&bytes);
    assert!(seen.is_ended && seen.error.is_none(), "{seen:?}");
    seen
}

fn results(seen: &Seen, texts: &[(&str, bool)]) -> Vec<Value> {
    let result = |(call, (text, is_error)): (&super::neutral::Call, &(&str, bool))| {
        let mut result = json!({ "type": "tool_result", "tool_use_id": call.id, "content": text });
        if *is_error {
            result["is_error"] = json!(true);
        }
        result
    };
    seen.calls.iter().zip(texts).map(result).collect()
}

#[tokio::test]
async fn claude_code_works_on_any_provider() {
    for name in PROVIDERS {
        let fake = FakeProvider::strict();
        let gateway = client_of(name, &fake).await;
        let reminder = "<system-reminder>Nothing to remember.</system-reminder>";
        let question = json!({ "role": "user", "content": [
            { "type": "text", "text": reminder }, { "type": "text", "text": "Are the files fine?" },
        ] });
        let mut messages = vec![question];
        let mut counted = claude_code(messages.clone());
        for member in ["max_tokens", "temperature", "stream", "metadata"] {
            counted.as_object_mut().unwrap().remove(member);
        }
        let tokens = call_claude_code(&gateway, "/v1/messages/count_tokens", &counted).await;
        let tokens: Value = serde_json::from_slice(&tokens).unwrap();
        assert!(tokens["input_tokens"].as_u64().unwrap() > 50, "{name}: {tokens}");

        let [first, second, third] = answers();
        let seen = claude_code_turn(&gateway, &fake, &messages, first).await;
        assert_eq!(
            (&*seen.thoughts, &*seen.text),
            ("I look at the files first.", "I'll look around."),
            "{name}"
        );
        assert_eq!(seen.calls[0].name, "Bash", "{name}");
        messages.push(json!({ "role": "assistant", "content": seen.history }));
        messages.push(json!({ "role": "user", "content": results(&seen, &[("a.rs b.rs", false)]) }));

        let seen = claude_code_turn(&gateway, &fake, &messages, second).await;
        assert_eq!(seen.calls.len(), 2, "{name}");
        let sent = fake.last_request();
        // What the provider signed comes back to it.
        assert_eq!(
            sent.json().to_string().contains(SIGNATURE),
            name != "openai-compatible",
            "{name}"
        );
        messages.push(json!({ "role": "assistant", "content": seen.history }));
        let mut answers = results(&seen, &[("fn a() {}", false), ("no such file", true)]);
        answers.push(json!({ "type": "text", "text": reminder }));
        messages.push(json!({ "role": "user", "content": answers }));

        let seen = claude_code_turn(&gateway, &fake, &messages, third).await;
        assert_eq!(seen.text, "Both files are fine.", "{name}");
        let sent = fake.last_request();
        assert_eq!(
            sent.header("anthropic-beta").is_some(),
            name == "anthropic",
            "{name}"
        );
        assert_eq!(sent.header("x-app"), None, "{name}");
        for needle in [
            "a.rs b.rs",
            "no such file",
            "Are the files fine?",
            "The working directory is /repo.",
        ] {
            assert!(sent.json().to_string().contains(needle), "{name}: {needle}");
        }
        let keeps_marks = sent.json().to_string().contains("ephemeral");
        assert_eq!(keeps_marks, name == "anthropic", "{name}");
        assert_eq!(fake.refused(), Vec::<String>::new(), "{name}");
    }
}

/// A request of Codex with these items.
fn codex(input: &[Value]) -> Value {
    let mut offered = tools("parameters");
    for tool in &mut offered {
        tool["type"] = json!("function");
        tool["strict"] = json!(false);
    }
    offered.push(json!({
        "type": "custom", "name": "apply_patch", "description": "Edits files.",
        "format": { "type": "grammar", "syntax": "lark", "definition": "start: \"*** Begin Patch\"" },
    }));
    json!({
        "model": "gpt-5-codex", "instructions": "You are a coding agent.", "input": input, "tools": offered,
        "tool_choice": "auto", "parallel_tool_calls": true,
        "reasoning": { "effort": "medium", "summary": "auto" },
        "store": false, "stream": true, "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0198f2c4-6a0e-7d53-9f3a-3c1d2b4e5f60",
    })
}

async fn codex_turn(gateway: &Gateway, fake: &FakeProvider, input: &[Value], answer: Completion) -> Seen {
    fake.next(Reply::completion(answer).in_pieces_of(17));
    let call = gateway
        .client()
        .post("/v1/responses")
        .header("authorization", "Bearer sk-native")
        .header("accept", "text/event-stream")
        .header("originator", "codex_cli_rs")
        .header("session_id", "0198f2c4-6a0e-7d53-9f3a-3c1d2b4e5f60")
        .header("user-agent", "codex_cli_rs/0.50.0 (Debian 13; x86_64)")
        .json(&codex(input));
    let bytes = call.send().await.expect_status(200).await.bytes().await;
    let seen = client("OpenAI Responses").stream(&bytes);
    assert!(seen.is_ended && seen.error.is_none(), "{seen:?}");
    seen
}

fn message(role: &str, text: &str) -> Value {
    json!({ "type": "message", "role": role, "content": [{ "type": "input_text", "text": text }] })
}

/// The items that Codex keeps of an answer, and the results of its calls. Ids of items are not sent back.
fn keep(input: &mut Vec<Value>, seen: &Seen, texts: &[&str]) {
    for item in seen.history.as_array().unwrap() {
        let mut item = item.clone();
        let members = item.as_object_mut().unwrap();
        members.remove("id");
        members.remove("status");
        input.push(item);
    }
    for (call, text) in seen.calls.iter().zip(texts) {
        input.push(json!({ "type": "function_call_output", "call_id": call.id, "output": text }));
    }
}

#[tokio::test]
async fn codex_works_on_any_provider() {
    for name in PROVIDERS {
        let fake = FakeProvider::strict();
        let gateway = client_of(name, &fake).await;
        let mut input = vec![
            message("developer", "Approvals are not needed."),
            message(
                "user",
                "<environment_context><cwd>/repo</cwd></environment_context>",
            ),
            message("user", "Are the files fine?"),
        ];
        let [first, second, third] = answers();
        let seen = codex_turn(&gateway, &fake, &input, first).await;
        assert_eq!(seen.calls[0].name, "Bash", "{name}");
        keep(&mut input, &seen, &["a.rs b.rs"]);

        let seen = codex_turn(&gateway, &fake, &input, second).await;
        assert_eq!(seen.calls.len(), 2, "{name}");
        let sent = fake.last_request().json().to_string();
        assert_eq!(sent.contains(SIGNATURE), name != "openai-compatible", "{name}");
        keep(&mut input, &seen, &["fn a() {}", "no such file"]);

        let seen = codex_turn(&gateway, &fake, &input, third).await;
        assert_eq!(seen.text, "Both files are fine.", "{name}");
        let sent = fake.last_request().json().to_string();
        for needle in [
            "a.rs b.rs",
            "no such file",
            "Approvals are not needed.",
            "You are a coding agent.",
        ] {
            assert!(sent.contains(needle), "{name}: {needle}");
        }
        assert_eq!(fake.refused(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_patch_of_codex_is_text_whatever_the_provider_calls_it() {
    const PATCH: &str = "*** Begin Patch\n*** Add File: a.rs\n+fn \"a\"() {}\n*** End Patch";
    for name in PROVIDERS {
        let fake = FakeProvider::strict();
        let gateway = client_of(name, &fake).await;
        let mut input = vec![message("user", "Add a file.")];
        let call = Completion::new().tool_call("", "apply_patch", json!({ "input": PATCH }));
        let seen = codex_turn(&gateway, &fake, &input, call).await;
        let items = seen.history.as_array().unwrap();
        let call = items.iter().find(|item| item["type"] == "custom_tool_call");
        let call = call.unwrap_or_else(|| panic!("{name}: no custom call in {}", seen.history));
        assert_eq!(
            (&call["name"], &call["input"]),
            (&json!("apply_patch"), &json!(PATCH)),
            "{name}"
        );
        let (id, call) = (call["call_id"].clone(), call.clone());
        input.push(call);
        input.push(json!({ "type": "custom_tool_call_output", "call_id": id, "output": "Success." }));
        let seen = codex_turn(&gateway, &fake, &input, Completion::new().text("Done.")).await;
        assert_eq!(seen.text, "Done.", "{name}");
        assert_eq!(fake.refused(), Vec::<String>::new(), "{name}");
    }
}
