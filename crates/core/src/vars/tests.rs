use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::HeaderValue;
use http::uri::PathAndQuery;
use serde_json::json;
use sluice_llm::{Protocol, ReportedCounts, RequestView};
use sluice_net::{Body, OriginConfig, Scheme};
use sluice_record::Text;

use super::*;
use crate::ai::{AiCall, AiLogging, Picked, Progress};
use crate::context::{RateLimitInfo, Trial, UpstreamCall};
use crate::request::RequestBody;
use crate::testing::{Gateway, STARTED_US, matched};

/// Checks variables; `None` stands for "has no value".
fn check(cx: &Context, expected: &[(&str, Option<&str>)]) {
    for (name, value) in expected {
        assert_eq!(cx.get(name).as_deref(), *value, "{name}");
    }
}

#[test]
fn of_the_request() {
    let mut cx = Gateway::new().context("POST", "/a%20b/%7Ec?x=1&y=%20&x=2");
    cx.request.path = Text::from("/a b/~c");
    for (name, value) in [
        ("user-agent", "curl"),
        ("x-one-two", "12"),
        ("cookie", "sid=7; t=8"),
    ] {
        cx.request.headers.insert(name, HeaderValue::from_static(value));
    }
    cx.request
        .headers
        .insert("content-type", HeaderValue::from_static("text/plain"));
    cx.request
        .headers
        .insert("content-length", HeaderValue::from_static("4"));
    cx.request.body = RequestBody::new(Body::from("body"));
    cx.request.body.read(4).now_or_never().unwrap().unwrap();
    check(
        &cx,
        &[
            ("uri", Some("/a b/~c")),
            ("request_uri", Some("/a b/~c?x=1&y=%20&x=2")),
            ("real_request_uri", Some("/a%20b/%7Ec?x=1&y=%20&x=2")),
            ("args", Some("x=1&y=%20&x=2")),
            ("query_string", Some("x=1&y=%20&x=2")),
            ("is_args", Some("?")),
            ("scheme", Some("http")),
            ("host", Some("gw.example")),
            ("hostname", Some("gw-1")),
            ("server_name", Some("_")),
            ("server_addr", Some("10.0.0.1")),
            ("server_port", Some("9080")),
            ("server_protocol", Some("HTTP/1.1")),
            ("remote_addr", Some("10.0.0.7")),
            ("realip_remote_addr", Some("10.0.0.7")),
            ("remote_port", Some("50000")),
            ("request_method", Some("POST")),
            ("method", Some("POST")),
            ("request", Some("POST /a%20b/%7Ec?x=1&y=%20&x=2 HTTP/1.1")),
            ("request_length", Some("104")),
            ("content_length", Some("4")),
            ("content_type", Some("text/plain")),
            ("request_body", Some("body")),
            ("request_id", Some("0123456789abcdef0123456789abcdef")),
            ("apisix_request_id", Some("0123456789abcdef0123456789abcdef")),
            ("http_user_agent", Some("curl")),
            ("http_x_one_two", Some("12")),
            ("http_none", None),
            ("arg_x", Some("1")),
            ("arg_y", Some(" ")),
            ("arg_none", None),
            ("cookie_sid", Some("7")),
            ("cookie_none", None),
            ("nobody_knows", None),
        ],
    );
    cx.request_id = Some(Text::from("r-1"));
    cx.request.remove_query_arg("x");
    check(
        &cx,
        &[
            ("apisix_request_id", Some("r-1")),
            ("args", Some("y=%20")),
            ("request_uri", Some("/a b/~c?x=1&y=%20&x=2")),
        ],
    );
}

#[test]
fn of_a_bare_request() {
    let cx = Gateway::new().context("GET", "/");
    check(
        &cx,
        &[
            ("request_uri", Some("/")),
            ("args", None),
            ("is_args", Some("")),
            ("request_length", Some("100")),
            ("request_body", None),
            ("content_type", None),
            ("status", None),
            ("bytes_sent", Some("0")),
            ("upstream_addr", None),
            ("upstream_status", None),
            ("upstream_response_time", None),
            ("upstream_host", None),
            ("balancer_ip", None),
            ("balancer_port", None),
            ("route_id", None),
            ("route_name", None),
            ("service_id", None),
            ("service_name", None),
            ("matched_uri", None),
            ("matched_host", None),
            ("consumer_name", None),
            ("consumer_group_id", None),
            ("credential_id", None),
            ("uri_param_id", None),
            ("rate_limiting_info", None),
        ],
    );
}

#[test]
fn times() {
    let mut cx = Gateway::new().context("GET", "/");
    cx.started = Instant::now().checked_sub(Duration::from_secs(5)).unwrap();
    let number = |name: &str| cx.get(name).unwrap().parse::<f64>().unwrap();
    assert!((5.0..60.0).contains(&number("request_time")));
    let now = STARTED_US as f64 / 1e6 + 5.0;
    assert!(
        (now - 0.001..now + 60.0).contains(&number("msec")),
        "the time of reading"
    );
    assert!(cx.get("time_iso8601").unwrap().starts_with("2025-11-20T15:47:"));
    assert_eq!(iso8601(STARTED_US), "2025-11-20T15:47:00+00:00");
}

#[test]
fn of_what_was_matched() {
    let mut gateway = Gateway::new();
    gateway.put("/services/s", json!({"name": "shop"}));
    gateway.put(
        "/routes/1",
        json!({"uri": "/r", "name": "buy", "service_id": "s"}),
    );
    gateway.put("/consumers/jack", json!({"group_id": "g"}));
    let mut cx = gateway.context("GET", "/r");
    let mut route = matched(gateway.route("/r"));
    route.uri = Text::from("/r/:id");
    route.host = Some(Text::from("*.example"));
    route.params = vec![(Text::from("id"), "7".to_owned())];
    cx.route = Some(route);
    let mut caller = gateway.caller("jack");
    caller.credential = Some(Text::from("c1"));
    cx.attach(caller);
    check(
        &cx,
        &[
            ("route_id", Some("1")),
            ("route_name", Some("buy")),
            ("service_id", Some("s")),
            ("service_name", Some("shop")),
            ("matched_uri", Some("/r/:id")),
            ("matched_host", Some("*.example")),
            ("uri_param_id", Some("7")),
            ("uri_param_none", None),
            ("consumer_name", Some("jack")),
            ("consumer_group_id", Some("g")),
            ("credential_id", Some("c1")),
            ("http_x_consumer_username", Some("jack")),
        ],
    );
}

#[test]
fn of_the_answer() {
    let mut cx = Gateway::new().context("GET", "/");
    cx.answer.status = 502;
    cx.answer.head_bytes = 200;
    cx.answer.body_bytes = 42;
    cx.node = Some(Text::from("10.1.0.2"));
    let started = Instant::now();
    let trial = |addr: &str, status, millis| Trial {
        addr: Text::from(addr),
        status,
        started,
        ended: Some(started + Duration::from_millis(millis)),
    };
    cx.attempts = vec![trial("10.1.0.1:80", 504, 1500), trial("10.1.0.2:81", 502, 3)];
    let info = RateLimitInfo {
        key: "k".to_owned(),
        limit: 10,
        remaining: 9,
        reset: 59.5,
    };
    cx.rate_limit = Some(info);
    let origin = OriginConfig::new(Scheme::Https, "10.1.0.2", 81);
    cx.upstream_call = Some(UpstreamCall {
        origin: cx.services.origins.get(origin).unwrap(),
        host: None,
        target: PathAndQuery::from_static("/v1?key=secret"),
    });
    check(
        &cx,
        &[
            ("status", Some("502")),
            ("bytes_sent", Some("242")),
            ("body_bytes_sent", Some("42")),
            ("upstream_addr", Some("10.1.0.1:80, 10.1.0.2:81")),
            ("upstream_status", Some("504, 502")),
            ("upstream_response_time", Some("1.500, 0.003")),
            ("apisix_upstream_response_time", Some("1.500, 0.003")),
            ("upstream_host", Some("10.1.0.2")),
            ("upstream_scheme", Some("https")),
            ("upstream_unresolved_host", Some("10.1.0.2")),
            ("balancer_ip", Some("10.1.0.2")),
            ("balancer_port", Some("81")),
        ],
    );
    let info: Value = serde_json::from_str(&cx.get("rate_limiting_info").unwrap()).unwrap();
    let expected = json!({
        "rate_limiting_key": "k", "rate_limiting_limit": 10,
        "rate_limiting_remaining": 9, "rate_limiting_reset": 59.5,
    });
    assert_eq!(info, expected);
}

/// The table of compat §4.1.6 for a request that is no AI call.
const LLM_DEFAULTS: [(&str, Option<&str>); 17] = [
    ("request_type", Some("traditional_http")),
    ("request_llm_model", Some("")),
    ("llm_model", Some("")),
    ("llm_stream", Some("false")),
    ("llm_tool_count", Some("0")),
    ("llm_end_user_id", Some("")),
    ("llm_time_to_first_token", Some("0")),
    ("llm_prompt_tokens", Some("0")),
    ("llm_completion_tokens", Some("0")),
    ("llm_total_tokens", Some("0")),
    ("llm_cache_read_input_tokens", Some("0")),
    ("llm_cache_creation_input_tokens", Some("0")),
    ("llm_reasoning_tokens", Some("0")),
    ("llm_has_tool_calls", Some("false")),
    ("llm_content_risk_level", Some("")),
    ("llm_response_text", None),
    ("llm_request_body", None),
];

fn call() -> Box<AiCall> {
    Box::new(AiCall {
        form: None,
        protocol: Protocol::OpenAiChat,
        stream: true,
        model_asked: Text::from("gpt"),
        request: Some(RequestView::parse(r#"{"model":"gpt"}"#.into()).unwrap()),
        tool_count: 2,
        end_user: Some(Text::from("u1")),
        model: Text::from("gpt"),
        routing: None,
        picked: Picked {
            price: None,
            index: 0,
            name: Text::from("ai-proxy-openai"),
            provider: "openai",
            owner: "ai-proxy",
            model: None,
            settings: Text::from(""),
        },
        model_sent: Some(Text::from("gpt-4o")),
        keeps_raw_usage: false,
        logging: AiLogging::default(),
        active: None,
        progress: Arc::new(Progress::default()),
        placeholders: None,
    })
}

#[test]
fn of_requests_that_are_no_ai_calls() {
    check(&Gateway::new().context("GET", "/"), &LLM_DEFAULTS);
}

#[test]
fn of_an_ai_call_that_has_just_begun() {
    let mut cx = Gateway::new().context("POST", "/");
    let call = AiCall {
        stream: false,
        model_sent: None,
        end_user: None,
        ..*call()
    };
    cx.ai = Some(Box::new(call));
    check(
        &cx,
        &[
            ("request_type", Some("ai_chat")),
            ("request_llm_model", Some("gpt")),
            ("llm_model", Some("")),
            ("llm_stream", Some("false")),
            ("llm_tool_count", Some("2")),
            ("llm_end_user_id", Some("")),
            ("llm_request_body", Some(r#"{"model":"gpt"}"#)),
            ("apisix_upstream_response_time", Some("0")),
            ("llm_unknown", None),
            ("request_unknown", None),
        ],
    );
    check(&cx, &LLM_DEFAULTS[6..16]);
}

#[test]
fn of_an_ai_call_that_is_over() {
    let mut cx = Gateway::new().context("POST", "/");
    let call = call();
    let started = cx.started;
    call.progress.update(|state| {
        state.counts = ReportedCounts {
            prompt: 10,
            completion: 5,
            total: 15,
            cache_read: 3,
            cache_creation: 2,
            reasoning: 1,
        };
        state.first_token = Some(started + Duration::from_millis(120));
        state.finished = Some(started + Duration::from_millis(800));
        state.has_tool_calls = true;
        state.response_text = Some("Hi".to_owned());
    });
    cx.ai = Some(call);
    cx.node = Some(Text::from("ai-proxy-openai"));
    check(
        &cx,
        &[
            ("request_type", Some("ai_stream")),
            ("llm_model", Some("gpt-4o")),
            ("llm_stream", Some("true")),
            ("llm_end_user_id", Some("u1")),
            ("llm_time_to_first_token", Some("120")),
            ("apisix_upstream_response_time", Some("800")),
            ("llm_prompt_tokens", Some("10")),
            ("llm_completion_tokens", Some("5")),
            ("llm_total_tokens", Some("15")),
            ("llm_cache_read_input_tokens", Some("3")),
            ("llm_cache_creation_input_tokens", Some("2")),
            ("llm_reasoning_tokens", Some("1")),
            ("llm_has_tool_calls", Some("true")),
            ("llm_response_text", Some("Hi")),
            ("balancer_ip", Some("ai-proxy-openai")),
        ],
    );
}

#[test]
fn versions() {
    let names = [
        http::Version::HTTP_10,
        http::Version::HTTP_11,
        http::Version::HTTP_2,
    ]
    .map(version_name);
    assert_eq!(names, ["HTTP/1.0", "HTTP/1.1", "HTTP/2.0"]);
}

#[test]
fn known_names() {
    for name in [
        "http_x_team",
        "arg_a",
        "cookie_c",
        "post_arg.a.b",
        "llm_response_text",
        "upstream_uri",
        "request_type",
    ] {
        assert!(is_variable(name), "{name}");
    }
    for name in ["", "http", "upstream", "request_id2"] {
        assert!(!is_variable(name), "{name}");
    }
}
