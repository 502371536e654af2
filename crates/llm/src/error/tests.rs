use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use sluice_wire::SseFrame;

use super::*;

const DIALECTS: [Dialect; 7] = [
    Dialect::OpenAi,
    Dialect::OpenAiResponses,
    Dialect::Anthropic,
    Dialect::Gemini,
    Dialect::Bedrock,
    Dialect::Cohere,
    Dialect::Ollama,
];

fn body(error: &PublicError, dialect: Dialect) -> Value {
    serde_json::from_slice(&error.body(dialect, Some("req_1"))).unwrap()
}

fn event(error: &PublicError, dialect: Dialect) -> (Option<String>, Value) {
    let event = error.event(dialect, Some("req_1"), 7);
    let frame = SseFrame::parse(&event);
    (
        frame.event.map(str::to_owned),
        serde_json::from_slice(&frame.data.unwrap()).unwrap(),
    )
}

#[test]
fn bodies() {
    let error = PublicError::new(ErrorKind::RateLimit, "slow \"down\"")
        .with_code("budget")
        .with_param("model");
    let openai = json!({"error": {
        "message": "slow \"down\"", "type": "rate_limit_error", "param": "model", "code": "budget"}});
    assert_eq!(body(&error, Dialect::OpenAi), openai);
    assert_eq!(body(&error, Dialect::OpenAiResponses), openai);
    assert_eq!(
        body(&error, Dialect::Anthropic),
        json!({"type": "error", "error": {"type": "rate_limit_error", "message": "slow \"down\""},
            "request_id": "req_1"})
    );
    assert_eq!(
        body(&error, Dialect::Gemini),
        json!({"error": {"code": 429, "message": "slow \"down\"", "status": "RESOURCE_EXHAUSTED"}})
    );
    assert_eq!(
        body(&error, Dialect::Bedrock),
        json!({"message": "slow \"down\""})
    );
    assert_eq!(body(&error, Dialect::Cohere), json!({"message": "slow \"down\""}));
    assert_eq!(body(&error, Dialect::Ollama), json!({"error": "slow \"down\""}));
    let nameless = error.body(Dialect::Anthropic, None);
    assert!(!String::from_utf8_lossy(&nameless).contains("request_id"));
}

#[test]
fn events() {
    let error = PublicError::new(ErrorKind::Timeout, "too\nslow");
    let (name, data) = event(&error, Dialect::OpenAi);
    assert_eq!((name, &data["error"]["type"]), (None, &json!("server_error")));
    let (name, data) = event(&error, Dialect::Anthropic);
    assert_eq!(
        (name.as_deref(), &data["error"]["type"]),
        (Some("error"), &json!("timeout_error"))
    );
    let (name, data) = event(&error, Dialect::OpenAiResponses);
    assert_eq!(name.as_deref(), Some("error"));
    assert_eq!(
        data,
        json!({"type": "error", "code": null, "message": "too\nslow", "param": null, "sequence_number": 7})
    );
    let (name, data) = event(&error, Dialect::Gemini);
    assert_eq!(
        (name, &data["error"]["status"]),
        (None, &json!("DEADLINE_EXCEEDED"))
    );
    let (name, data) = event(&error, Dialect::Cohere);
    assert_eq!(
        (name.as_deref(), &data["delta"]["finish_reason"]),
        (Some("message-end"), &json!("ERROR"))
    );
    assert_eq!(
        error.event(Dialect::Ollama, None, 0),
        "{\"error\":\"too\\nslow\"}\n"
    );
    let mut splitter = sluice_wire::EventStreamSplitter::new();
    splitter.push(&error.event(Dialect::Bedrock, None, 0));
    let message = splitter.next_message().unwrap();
    assert_eq!(message.header(":message-type"), Some("exception"));
    assert_eq!(
        message.header(":exception-type"),
        Some("modelStreamErrorException")
    );
    assert_eq!(message.payload(), br#"{"message":"too\nslow"}"#);
}

#[test]
fn overload_has_a_status_of_its_own_for_anthropic() {
    let error = PublicError::new(ErrorKind::Overloaded, "busy");
    assert_eq!(error.status(Dialect::OpenAi).as_u16(), 503);
    assert_eq!(error.status(Dialect::Anthropic).as_u16(), 529);
    assert_eq!(
        body(&error, Dialect::Anthropic)["error"]["type"],
        "overloaded_error"
    );
    let error =
        PublicError::new(ErrorKind::InvalidRequest, "odd").with_status(StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(error.status(Dialect::Anthropic).as_u16(), 422);
}

#[test]
fn dialects_by_path_and_header() {
    let no_headers = HeaderMap::new();
    for (path, expected) in [
        ("/v1/messages", Dialect::Anthropic),
        ("/team/v1/messages/count_tokens", Dialect::Anthropic),
        ("/v1beta/models/gemini-2.5-flash:generateContent", Dialect::Gemini),
        ("/v1/models/gemini-2.5-flash:countTokens", Dialect::Gemini),
        ("/v1/models/a:b", Dialect::OpenAi),
        ("/v1beta/openai/chat/completions", Dialect::OpenAi),
        ("/v1/responses", Dialect::OpenAiResponses),
        ("/v1/responses/resp_1/cancel", Dialect::OpenAiResponses),
        ("/model/anthropic.claude/converse-stream", Dialect::Bedrock),
        ("/v2/rerank", Dialect::Cohere),
        ("/api/chat", Dialect::Ollama),
        ("/api/v1/chat/completions", Dialect::OpenAi),
        ("/v1/models", Dialect::OpenAi),
        ("/", Dialect::OpenAi),
    ] {
        assert_eq!(Dialect::of(path, &no_headers), expected, "{path}");
    }
    for (header, expected) in [
        ("anthropic-version", Dialect::Anthropic),
        ("x-goog-api-key", Dialect::Gemini),
    ] {
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static(header), HeaderValue::from_static("x"))]);
        assert_eq!(Dialect::of("/v1/models", &headers), expected);
        assert_eq!(Dialect::of("/v1/chat/completions", &headers), Dialect::OpenAi);
    }
}

#[test]
fn keep_alives_are_frames_that_say_nothing() {
    for dialect in DIALECTS {
        if let Some(bytes) = dialect.keep_alive() {
            assert!(bytes.ends_with(b"\n\n"));
            let frame = SseFrame::parse(&bytes);
            assert!(frame.data.is_none() || frame.event == Some("ping"), "{dialect:?}");
        }
    }
    assert_eq!(Dialect::Gemini.keep_alive(), None);
}

#[test]
fn messages_of_providers() {
    let read = |body: &str| ProviderMessage::read(body.as_bytes());
    let message = |body| read(body).map(|said| said.message);
    let openai = read(
        r#"{"error":{"message":"Unknown parameter: 'foo'.","type":"invalid_request_error","param":"foo","code":"unknown_parameter"}}"#,
    );
    let expected = ProviderMessage {
        message: "Unknown parameter: 'foo'.".to_owned(),
        kind: Some("invalid_request_error".to_owned()),
        code: Some("unknown_parameter".to_owned()),
        param: Some("foo".to_owned()),
    };
    assert_eq!(openai, Some(expected));
    let gemini = read(r#"[{"error":{"code":400,"message":"Bad","status":"INVALID_ARGUMENT"}}]"#).unwrap();
    assert_eq!(
        (gemini.message.as_str(), gemini.code.as_deref()),
        ("Bad", Some("INVALID_ARGUMENT"))
    );
    let cases = [
        (
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
            Some("Overloaded"),
        ),
        (r#"{"error":"model 'x' not found"}"#, Some("model 'x' not found")),
        (
            r#"{"message":"The security token is invalid."}"#,
            Some("The security token is invalid."),
        ),
        (
            r#"{"object":"error","message":"too long","code":40303}"#,
            Some("too long"),
        ),
        (r#"{"detail":"Not Found"}"#, Some("Not Found")),
        (
            r#"{"detail":[{"loc":["body"],"msg":"field required"}]}"#,
            Some("field required"),
        ),
        (
            r#"{"error_msg":"404 Route Not Found"}"#,
            Some("404 Route Not Found"),
        ),
        ("<html><h1>502 Bad Gateway</h1></html>", None),
        (r#"{"ok":false}"#, None),
        ("\"text\"", None),
        ("", None),
    ];
    for (body, expected) in cases {
        assert_eq!(message(body).as_deref(), expected, "{body}");
    }
    let long = json!({"error": "é".repeat(5000)}).to_string();
    assert_eq!(message(&long).unwrap().chars().count(), 2000);
}

#[test]
fn what_clients_are_told_of_upstream_errors() {
    let told = |status: u16, body: &str| {
        let error = PublicError::from_upstream(StatusCode::from_u16(status).unwrap(), body.as_bytes());
        (
            error.status(Dialect::OpenAi).as_u16(),
            error.kind(),
            error.message().to_owned(),
        )
    };
    let body = r#"{"error":{"message":"said","code":"c"}}"#;
    let said = || "said".to_owned();
    assert_eq!(told(400, body), (400, ErrorKind::InvalidRequest, said()));
    assert_eq!(told(404, body), (404, ErrorKind::NotFound, said()));
    assert_eq!(told(422, body), (422, ErrorKind::InvalidRequest, said()));
    assert_eq!(told(429, body), (429, ErrorKind::RateLimit, said()));
    assert_eq!(told(500, body), (502, ErrorKind::Upstream, said()));
    assert_eq!(told(529, body), (503, ErrorKind::Overloaded, said()));
    assert_eq!(told(504, body), (504, ErrorKind::Timeout, said()));
    assert_eq!(
        told(500, "<html>"),
        (
            502,
            ErrorKind::Upstream,
            "the provider answered with status 500".to_owned()
        )
    );
    let leak = r#"{"error":{"message":"Incorrect API key provided: sk-canary"}}"#;
    for status in [401, 402, 403] {
        let (status, kind, message) = told(status, leak);
        assert_eq!((status, kind), (502, ErrorKind::Upstream));
        assert!(!message.contains("canary"));
    }
}
