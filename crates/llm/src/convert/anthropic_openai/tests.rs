//! Golden files: requests, answers and streams as they are on the wire, and what becomes of them.

mod streams;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::*;

fn view(body: &Value) -> RequestView {
    RequestView::parse(body.to_string().into()).unwrap()
}

fn converted(body: &Value) -> Value {
    let (chat, _) = AnthropicToChat::convert(&view(body)).unwrap();
    serde_json::from_slice(&chat).unwrap()
}

fn refused(body: &Value) -> String {
    AnthropicToChat::convert(&view(body)).unwrap_err().to_string()
}

fn conversion() -> AnthropicToChat {
    AnthropicToChat::convert(&view(&json!({"messages": []})))
        .unwrap()
        .1
}

fn answer(status: u16, body: &str) -> Value {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = conversion().answer(
        status,
        Some("asked-model"),
        &Bytes::copy_from_slice(body.as_bytes()),
    );
    serde_json::from_slice(&answer.unwrap()).unwrap()
}

mod requests {
    use super::*;

    #[test]
    fn plain() {
        let chat = converted(&json!({
            "model": "claude-sonnet-4-5",
            "max_tokens": 1024,
            "system": "Be brief.",
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 40,
            "stop_sequences": ["END"],
            "service_tier": "auto",
            "metadata": {"user_id": "user_7", "other": 1},
            "stream": true,
            "container": "c",
            "messages": [
                {"role": "user", "content": "Hello"},
                {"role": "assistant", "content": "Hi"},
                {"role": "user", "content": [{"type": "text", "text": "Why?", "cache_control": {"type": "ephemeral"}}]},
            ],
        }));
        insta::assert_json_snapshot!(chat);
    }

    #[test]
    fn system_blocks() {
        let system = json!([
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197; cch=4f1d2;"},
            {"type": "text", "text": "You are Claude Code."},
            {"type": "text", "text": " Be careful.", "cache_control": {"type": "ephemeral"}},
        ]);
        let chat = converted(&json!({"system": system, "messages": []}));
        let expected = "x-anthropic-billing-header: cc_version=2.1.197;You are Claude Code. Be careful.";
        assert_eq!(chat["messages"], json!([{"role": "system", "content": expected}]));
        for empty in [
            json!(""),
            json!([]),
            json!([{"type": "text", "text": ""}]),
            json!(null),
        ] {
            assert_eq!(
                converted(&json!({"system": empty, "messages": []}))["messages"],
                json!([])
            );
        }
    }

    #[test]
    fn tool_loop() {
        let chat = converted(&json!({
            "model": "m",
            "max_tokens": 4096,
            "messages": [
                {"role": "user", "content": "Weather in Oslo and Rome?"},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Two calls.", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "xx"},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "toolu_1", "name": "weather.get", "input": {"city": "Oslo", "n": 9007199254740993_u64}},
                    {"type": "tool_use", "id": "toolu_2", "name": "weather.get", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain"},
                    {"type": "text", "text": "And?"},
                    {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": [
                        {"type": "text", "text": "No "}, {"type": "text", "text": "idea"}]},
                ]},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_3", "name": "screenshot", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_3", "content": [
                        {"type": "text", "text": "Here"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}}]},
                    {"type": "tool_result", "tool_use_id": "toolu_4"},
                ]},
            ],
            "tools": [
                {"name": "weather.get", "description": "Weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string", "maximum": 1.0}}}},
                {"type": "custom", "name": "screenshot", "input_schema": {"type": "object"}},
                {"type": "bash_20250124", "name": "bash"},
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
                {"description": "nameless"},
            ],
            "tool_choice": {"type": "tool", "name": "weather.get", "disable_parallel_tool_use": true},
        }));
        insta::assert_json_snapshot!(chat);
    }

    #[test]
    fn media() {
        let chat = converted(&json!({"messages": [
            {"role": "user", "content": [
                {"type": "image", "source": {"type": "base64", "data": "iVBO"}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                {"type": "document", "source": {"type": "base64", "data": "JVBE"}, "title": "T"},
                {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}},
                {"type": "search_result", "source": "https://example.com", "title": "T", "content": []},
            ]},
            {"role": "user", "content": []},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "s"}]},
        ]}));
        let url = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
        let expected = json!([
            {"role": "user", "content": [
                url("data:image/png;base64,iVBO"),
                url("https://example.com/a.png"),
                url("data:application/pdf;base64,JVBE"),
            ]},
            {"role": "user", "content": ""},
            {"role": "assistant", "content": ""},
        ]);
        assert_eq!(chat["messages"], expected);
    }

    #[test]
    fn thinking_becomes_effort() {
        let effort = |thinking: Value, config: Value| {
            let body = json!({"messages": [], "thinking": thinking, "output_config": config});
            converted(&body).get("reasoning_effort").cloned()
        };
        for (budget, expected) in [
            (4096, "high"),
            (4095, "medium"),
            (2048, "medium"),
            (2047, "low"),
            (1024, "low"),
            (1023, "minimal"),
        ] {
            let thinking = json!({"type": "enabled", "budget_tokens": budget});
            assert_eq!(effort(thinking, json!(null)), Some(json!(expected)), "{budget}");
        }
        assert_eq!(
            effort(json!({"type": "adaptive"}), json!({"effort": "xhigh"})),
            Some(json!("xhigh"))
        );
        assert_eq!(
            effort(json!({"type": "adaptive"}), json!(null)),
            Some(json!("medium"))
        );
        assert_eq!(
            effort(json!({"type": "disabled"}), json!({"effort": "low"})),
            None
        );
    }

    #[test]
    fn structured_output() {
        let format =
            json!({"type": "json_schema", "schema": {"type": "object", "properties": {"b": {}, "a": {}}}});
        let expected = json!({"type": "json_schema", "json_schema": {"name": "structured_output", "strict": true,
            "schema": {"type": "object", "properties": {"b": {}, "a": {}}, "additionalProperties": false,
                "required": ["a", "b"]}}});
        let either = [
            json!({"messages": [], "output_format": format}),
            json!({"messages": [], "output_config": {"format": format}}),
        ];
        for body in either {
            assert_eq!(converted(&body)["response_format"], expected);
        }
    }

    #[test]
    fn tool_choices() {
        let choice = |choice: Value| {
            let body = json!({"messages": [], "tools": [{"name": "f"}], "tool_choice": choice});
            let chat = converted(&body);
            (
                chat.get("tool_choice").cloned(),
                chat.get("parallel_tool_calls").cloned(),
            )
        };
        assert_eq!(choice(json!({"type": "auto"})), (Some(json!("auto")), None));
        assert_eq!(
            choice(json!({"type": "any", "disable_parallel_tool_use": true})),
            (Some(json!("required")), Some(json!(false)))
        );
        assert_eq!(choice(json!({"type": "none"})), (Some(json!("none")), None));
        assert_eq!(choice(json!({"type": "other"})), (None, None));
    }

    #[test]
    fn without_tools_there_is_no_choice() {
        let chat = converted(
            &json!({"messages": [], "tools": [{"type": "bash_20250124", "name": "bash"}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": true}}),
        );
        assert_eq!(chat, json!({"messages": []}));
    }

    #[test]
    fn members_of_the_wrong_type_are_dropped() {
        let chat = converted(
            &json!({"model": 1, "service_tier": {}, "metadata": "x", "thinking": [], "tools": {},
            "output_config": 7, "tool_choice": "auto", "stream": false, "max_tokens": null, "messages": []}),
        );
        assert_eq!(chat, json!({"messages": [], "stream": false}));
    }

    #[test]
    fn refusals() {
        assert_eq!(refused(&json!({})), "missing messages");
        assert_eq!(refused(&json!({"messages": "x"})), "missing messages");
        assert_eq!(refused(&json!([1])), "request body must be a table");
        let with =
            |message: Value| refused(&json!({"messages": [{"role": "user", "content": "x"}, message]}));
        assert_eq!(with(json!("x")), "invalid message at index 2");
        assert_eq!(with(json!(["user", "x"])), "invalid message at index 2");
        assert_eq!(with(json!({"content": "x"})), "invalid message at index 2");
        assert_eq!(
            with(json!({"role": "user"})),
            "invalid message content at index 2"
        );
        assert_eq!(
            with(json!({"role": "user", "content": null})),
            "invalid message content at index 2"
        );
        assert_eq!(
            with(json!({"role": "user", "content": 7})),
            "invalid message content at index 2"
        );
        assert_eq!(
            with(json!({"role": "user", "content": {"type": "text"}})),
            "invalid message content at index 2"
        );
    }

    #[test]
    fn headers() {
        let mut headers = HeaderMap::from_iter(
            [
                ("x-api-key", "sk-1"),
                ("anthropic-version", "2023-06-01"),
                ("anthropic-beta", "a,b"),
                ("x-stainless-lang", "js"),
                ("accept", "*/*"),
            ]
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))),
        );
        let mut with_bearer = headers.clone();
        AnthropicToChat::convert_headers(&mut headers);
        assert_eq!(headers.len(), 2);
        assert_eq!(headers["authorization"], "Bearer sk-1");
        assert!(headers["authorization"].is_sensitive());

        with_bearer.insert("authorization", HeaderValue::from_static("Bearer other"));
        AnthropicToChat::convert_headers(&mut with_bearer);
        assert_eq!(with_bearer["authorization"], "Bearer other");
        assert!(!with_bearer.contains_key("x-api-key"));
    }
}

mod answers {
    use super::*;

    #[test]
    fn whole_message() {
        let request = json!({"messages": [], "tools": [{"name": "weather.get"}]});
        let (chat, conversion) = AnthropicToChat::convert(&view(&request)).unwrap();
        let chat: Value = serde_json::from_slice(&chat).unwrap();
        let name = &chat["tools"][0]["function"]["name"];
        let body = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "gpt-5-2026-01-01",
            "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
                "role": "assistant", "reasoning_content": "Hm.", "content": "Let me look.", "refusal": null,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": name, "arguments": "{\"city\": \"Oslo\", \"n\": 1.50}"}},
                    {"id": "call_2", "type": "function", "function": {"name": "f", "arguments": "[1]"}},
                    {"id": "call_3", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
                    {"id": "call_4", "type": "function", "function": {"name": "f"}},
                ]}}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
                "prompt_tokens_details": {"cached_tokens": 64, "cache_creation_input_tokens": 5}},
        });
        let message = conversion
            .answer(StatusCode::OK, Some("asked-model"), &body.to_string().into())
            .unwrap();
        let message: Value = serde_json::from_slice(&message).unwrap();
        insta::assert_json_snapshot!(message);
    }

    #[test]
    fn finish_reasons() {
        for (finish, stop) in [
            (json!("stop"), "end_turn"),
            (json!("length"), "max_tokens"),
            (json!("function_call"), "tool_use"),
            (json!("content_filter"), "end_turn"),
            (json!(null), "end_turn"),
        ] {
            let body = json!({"choices": [{"message": {"content": "x"}, "finish_reason": finish}]});
            assert_eq!(answer(200, &body.to_string())["stop_reason"], stop, "{finish}");
        }
    }

    #[test]
    fn an_empty_message_has_an_empty_text() {
        for message in [json!({"content": null}), json!({"content": ""}), json!(null)] {
            let message = answer(
                200,
                &json!({"id": "c", "choices": [{"message": message}]}).to_string(),
            );
            assert_eq!(message["content"], json!([{"type": "text", "text": ""}]));
            assert_eq!(message["usage"], json!({"input_tokens": 0, "output_tokens": 0}));
            assert_eq!(message.get("stop_sequence"), None);
        }
    }

    #[test]
    fn model_and_id_when_not_given() {
        let body = Bytes::from_static(br#"{"model":"theirs","choices":[{"message":{"content":"x"}}]}"#);
        let message = conversion().answer(StatusCode::OK, None, &body).unwrap();
        let message: Value = serde_json::from_slice(&message).unwrap();
        assert_eq!(message["model"], "theirs");
        assert!(message["id"].as_str().unwrap().starts_with("msg_"));
    }

    #[test]
    fn usage_with_and_without_details() {
        let usage = |usage: Value| {
            let body = json!({"choices": [{"message": {"content": "x"}}], "usage": usage});
            answer(200, &body.to_string())["usage"].clone()
        };
        assert_eq!(
            usage(json!({"prompt_tokens": 9, "completion_tokens": 2})),
            json!({"input_tokens": 9, "output_tokens": 2})
        );
        assert_eq!(
            usage(
                json!({"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 12}})
            ),
            json!({"input_tokens": 0, "output_tokens": 2, "cache_read_input_tokens": 12})
        );
    }

    #[test]
    fn errors() {
        let error =
            |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}});
        let cases = [
            (
                400,
                r#"{"error":{"message":"bad","type":"invalid_request_error","code":"c"}}"#,
                error("invalid_request_error", "bad"),
            ),
            (
                404,
                r#"{"error":{"message":"bad","code":"model_not_found"}}"#,
                error("model_not_found", "bad"),
            ),
            (
                400,
                r#"{"error":{"message":"bad","code":400}}"#,
                error("400", "bad"),
            ),
            (
                200,
                r#"{"error":"out of order"}"#,
                error("api_error", "out of order"),
            ),
            (400, r#"{"error":{}}"#, error("api_error", "unknown error")),
        ];
        for (status, body, expected) in cases {
            assert_eq!(answer(status, body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_handed_back_as_it_is() {
        let error = r#"{"error":{"message":"slow down"}}"#;
        for (status, body) in [
            (429, error),
            (500, error),
            (404, r#"{"detail":"x"}"#),
            (200, "<html>"),
            (400, "nope"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let body = Bytes::copy_from_slice(body.as_bytes());
            assert_eq!(conversion().answer(status, None, &body).unwrap(), body);
        }
    }

    #[test]
    fn a_success_without_choices_is_an_error() {
        for body in [
            r#"{"object":"list"}"#,
            r#"{"choices":[]}"#,
            r#"{"choices":7}"#,
            "[]",
        ] {
            let refused = conversion().answer(StatusCode::OK, None, &Bytes::from_static(body.as_bytes()));
            assert_eq!(
                refused.unwrap_err().to_string(),
                "no choices in response",
                "{body}"
            );
        }
    }
}
