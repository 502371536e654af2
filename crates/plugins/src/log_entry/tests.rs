use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body_util::StreamBody;
use serde_json::{Value, json};
use sluice_core::{AiLogging, Caller, Consumer, KeyPlace, PluginSet, RequestBody, Step, Verdict};
use sluice_llm::ReportedCounts;
use sluice_net::BodyError;
use sluice_record::Text;

use super::*;
use crate::fixture::{self, Fixture};

fn compile(fixture: &Fixture, conf: &Value) -> EntryFormat {
    fixture.with_env(|env| EntryFormat::compile(conf, env)).unwrap()
}

fn entry(fixture: &Fixture, format: &EntryFormat, cx: &Context) -> Value {
    let line = format.line(cx, &fixture.record(cx)).unwrap();
    assert!(!line.contains(&b'\n'));
    serde_json::from_slice(&line).unwrap()
}

/// The entry of a request with the given configuration.
fn entry_of(fixture: &Fixture, conf: &Value, cx: &Context) -> Value {
    entry(fixture, &compile(fixture, conf), cx)
}

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(k, v)| (HeaderName::from_static(k), HeaderValue::from_static(v)))
        .collect()
}

fn caller() -> Caller {
    let consumer = Consumer {
        uid: 1,
        username: Text::from("alice"),
        username_header: HeaderValue::from_static("alice"),
        group_id: None,
        custom_id: None,
        plugins: PluginSet::default().into(),
    };
    Caller {
        consumer: consumer.into(),
        credential: None,
    }
}

/// A body that comes in chunks, as from a socket.
fn chunks(parts: &[&'static str]) -> Body {
    let frames: Vec<_> = parts
        .iter()
        .map(|part| Ok::<_, BodyError>(http_body::Frame::data(Bytes::from(*part))))
        .collect();
    Body::boxed(StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn the_default_entry() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("POST", "/v1/a?x=1&y&x=a%20b");
    cx.request.headers = headers(&[("host", "gw.example:9080"), ("accept", "a"), ("accept", "b")]);
    cx.route = Some(fixture::route(Some("s1")));
    cx.caller = Some(caller());
    cx.answer.headers = Some(headers(&[("content-type", "text/plain")]));
    let expected = json!({
        "request": {
            "url": "http://gw.example:9080/v1/a?x=1&y&x=a%20b",
            "uri": "/v1/a?x=1&y&x=a%20b",
            "method": "POST",
            "headers": { "host": "gw.example:9080", "accept": ["a", "b"] },
            "querystring": { "x": ["1", "a b"], "y": true },
            "size": 120,
        },
        "response": { "status": 200, "headers": { "content-type": "text/plain" }, "size": 340 },
        "server": { "hostname": "gw-1", "version": env!("CARGO_PKG_VERSION") },
        "upstream": "10.1.0.1:80, 10.1.0.2:80",
        "service_id": "s1",
        "route_id": "1",
        "consumer": { "username": "alice" },
        "client_ip": "10.0.0.7",
        "start_time": 1_763_653_620_123_i64,
        "latency": 250.0,
        "upstream_latency": 230.5,
        "apisix_latency": 19.5,
    });
    assert_eq!(entry_of(&fixture, &json!({}), &cx), expected);
}

#[tokio::test]
async fn without_upstream_consumer_and_headers_members_are_absent() {
    let fixture = Fixture::new();
    let cx = fixture.context("GET", "/");
    let format = compile(&fixture, &json!({}));
    let mut record = fixture.record(&cx);
    (record.attempts, record.upstream_us) = (Vec::new(), 0);
    let entry = serde_json::to_value(format.entry(&cx, &record)).unwrap();
    for absent in ["upstream", "upstream_latency", "consumer", "route_id"] {
        assert_eq!(entry.get(absent), None, "{absent}");
    }
    assert_eq!(
        (&entry["latency"], &entry["apisix_latency"]),
        (&json!(250.0), &json!(250.0))
    );
    assert_eq!(entry["response"]["headers"], json!({}));
    assert_eq!(entry["request"]["querystring"], json!({}));
}

#[tokio::test]
async fn ids_of_route_and_service() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("GET", "/");
    let ids = |entry: &Value| (entry.get("service_id").cloned(), entry.get("route_id").cloned());
    let (plain, custom) = (
        json!({}),
        json!({ "log_format": { "route_id": "mine", "service_id": "mine" } }),
    );

    assert_eq!(
        ids(&entry_of(&fixture, &plain, &cx)),
        (Some(json!("gw.example")), None)
    );
    assert_eq!(ids(&entry_of(&fixture, &custom, &cx)), (None, None));
    let named = compile(&fixture, &custom).with_route_id_of_unmatched("no-matched");
    assert_eq!(
        ids(&entry(&fixture, &named, &cx)),
        (None, Some(json!("no-matched")))
    );

    cx.route = Some(fixture::route(None));
    assert_eq!(
        ids(&entry_of(&fixture, &plain, &cx)),
        (Some(json!("")), Some(json!("1")))
    );
    assert_eq!(ids(&entry_of(&fixture, &custom, &cx)), (None, Some(json!("1"))));
    assert_eq!(ids(&entry(&fixture, &named, &cx)), (None, Some(json!("1"))));

    cx.route = Some(fixture::route(Some("s1")));
    assert_eq!(
        ids(&entry_of(&fixture, &custom, &cx)),
        (Some(json!("s1")), Some(json!("1")))
    );
}

#[tokio::test]
async fn a_format_of_literals_and_variables() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("GET", "/a?name=jack");
    cx.request.headers = headers(&[("x-a", "1")]);
    let conf = json!({ "log_format": {
        "host": "$host", "text": "host", "number": 7, "list": ["$host"], "none": "$http_nothing",
        "inner": { "arg": "$arg_name", "header": "$http_x_a", "none": "$nothing", "empty": {} },
    } });
    let expected = json!({
        "host": "gw.example", "text": "host", "number": 7, "list": ["$host"],
        "inner": { "arg": "jack", "header": "1", "empty": {} },
    });
    assert_eq!(entry_of(&fixture, &conf, &cx), expected);
}

#[tokio::test]
async fn formats_nest_five_levels() {
    let fixture = Fixture::new();
    let cx = fixture.context("GET", "/");
    let nested = json!({ "1": { "2": { "3": { "4": { "host": "$host", "5": { "host": "$host" } } } } } });
    let expected = json!({ "1": { "2": { "3": { "4": { "host": "gw.example", "5": {} } } } } });
    assert_eq!(
        entry_of(&fixture, &json!({ "log_format": nested }), &cx),
        expected
    );
}

#[tokio::test]
async fn the_plugin_wins_over_its_metadata() {
    let mut fixture = Fixture::new();
    let cx = fixture.context("GET", "/");
    fixture.metadata =
        Some(json!({ "log_format": { "from": "metadata" }, "log_format_extra": { "more": "metadata" } }));
    let metadata = json!({ "from": "metadata", "more": "metadata" });
    assert_eq!(entry_of(&fixture, &json!({}), &cx), metadata);
    let conf = json!({ "log_format": { "from": "plugin" }, "log_format_extra": { "more": "plugin" } });
    assert_eq!(
        entry_of(&fixture, &conf, &cx),
        json!({ "from": "plugin", "more": "plugin" })
    );
    assert_eq!(
        entry_of(&fixture, &json!({ "log_format": {} }), &cx),
        json!({ "more": "metadata" })
    );

    fixture.metadata = Some(json!({ "log_format": {} }));
    assert_eq!(entry_of(&fixture, &json!({}), &cx)["client_ip"], "10.0.0.7");
}

#[tokio::test]
async fn extra_members_are_added_and_replace_nothing() {
    let fixture = Fixture::new();
    let cx = fixture.context("GET", "/");
    let extra = json!({ "method": "$request_method", "latency": "mine" });
    let entry = entry_of(&fixture, &json!({ "log_format_extra": extra }), &cx);
    assert_eq!(
        (&entry["method"], &entry["latency"]),
        (&json!("GET"), &json!(250.0))
    );

    let conf = json!({ "log_format": { "latency": "$host" }, "log_format_extra": extra });
    assert_eq!(
        entry_of(&fixture, &conf, &cx),
        json!({ "latency": "gw.example", "method": "GET" })
    );
}

#[tokio::test]
async fn keys_of_callers_are_masked() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("GET", "/a?key=canary&team=canary&n=1&k%65y=canary");
    cx.request.headers = headers(&[
        ("authorization", "Bearer canary"),
        ("x-api-key", "canary"),
        ("x-team", "canary"),
        ("cookie", "c=1"),
    ]);
    let format = json!({
        "http_authorization": "$http_authorization", "http_x_team": "$http_x_team", "arg_key": "$arg_key",
        "arg_team": "$arg_team", "arg_n": "$arg_n", "args": "$args", "request_uri": "$request_uri",
        "real_request_uri": "$real_request_uri", "request": "$request", "http_nothing": "$http_apikey",
    });
    let masked =
        |cx: &Context| [json!({}), json!({ "log_format": format })].map(|conf| entry_of(&fixture, &conf, cx));
    cx.key_place = Some(KeyPlace::Header(HeaderName::from_static("x-team")));
    let [entry, custom] = masked(&cx);
    let request = &entry["request"];
    let expected = json!({ "authorization": "***", "x-api-key": "***", "x-team": "***", "cookie": "c=1" });
    assert_eq!(request["headers"], expected);
    assert_eq!(request["uri"], "/a?key=***&team=canary&n=1&k%65y=***");
    assert_eq!(custom["http_x_team"], "***");
    assert_eq!(custom.get("http_nothing"), None);

    cx.key_place = Some(KeyPlace::Argument("team".to_owned()));
    cx.request.headers.remove("x-team");
    let [entry, custom] = masked(&cx);
    let masked_uri = "/a?key=***&team=***&n=1&k%65y=***";
    assert_eq!(
        entry["request"]["url"],
        format!("http://gw.example:9080{masked_uri}")
    );
    assert_eq!(
        entry["request"]["querystring"],
        json!({ "key": ["***", "***"], "team": "***", "n": "1" })
    );
    assert_eq!(custom["request"], format!("GET {masked_uri} HTTP/1.1"));
    assert_eq!(custom["arg_n"], "1");
    for entry in [entry, custom] {
        assert!(!entry.to_string().contains("canary"), "{entry}");
    }
}

#[tokio::test]
async fn keys_are_masked_where_key_auth_looks_right_or_wrong() {
    let fixture = Fixture::new();
    let conf = json!({ "header": "X-Team", "query": "team" });
    let key_auth = fixture.compile(crate::key_auth::definition, &conf).unwrap();
    for (uri, header) in [("/", Some("canary")), ("/?team=canary", None)] {
        let mut cx = fixture.context("GET", uri);
        cx.request
            .headers
            .extend(header.map(|key| (HeaderName::from_static("x-team"), HeaderValue::from_static(key))));
        assert!(matches!(key_auth.rewrite(&mut cx), Step::Done(Verdict::Fail(_))));
        let entry = entry_of(&fixture, &json!({}), &cx).to_string();
        assert!(entry.contains("***") && !entry.contains("canary"), "{entry}");
    }
}

#[tokio::test]
async fn request_bodies_that_were_read() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("POST", "/");
    cx.request.body = RequestBody::new(chunks(&["0123", "456789"]));
    cx.request.body.read(100).await.unwrap();
    let body = |conf: &Value, cx: &Context| entry_of(&fixture, conf, cx)["request"].get("body").cloned();
    assert_eq!(body(&json!({}), &cx), None);
    assert_eq!(
        body(&json!({ "include_req_body": true }), &cx),
        Some(json!("0123456789"))
    );
    let limited = json!({ "include_req_body": true, "max_req_body_bytes": 4 });
    assert_eq!(body(&limited, &cx), Some(json!("0123")));
    for (path, expected) in [("/", Some(json!("0123456789"))), ("/other", None)] {
        let gate = json!({ "include_req_body": true, "include_req_body_expr": [["uri", "==", path]] });
        assert_eq!(body(&gate, &cx), expected, "{path}");
    }
    let custom = json!({ "log_format": { "body": { "text": "$request_body" } }, "max_req_body_bytes": 2 });
    assert_eq!(
        entry_of(&fixture, &custom, &cx),
        json!({ "body": { "text": "01" } })
    );
}

#[tokio::test]
async fn request_bodies_that_only_pass() {
    let fixture = Fixture::new();
    let small = compile(
        &fixture,
        &json!({ "include_req_body": true, "max_req_body_bytes": 2 }),
    );
    let large = compile(
        &fixture,
        &json!({ "log_format": { "body": "$request_body" }, "max_req_body_bytes": 6 }),
    );
    let mut cx = fixture.context("POST", "/");
    cx.request.body = RequestBody::new(chunks(&["0123", "456789"]));
    small.before_proxy(&mut cx);
    large.before_proxy(&mut cx);
    let sent = cx.request.body.take().collect_limited(100).await.unwrap();
    assert_eq!(sent, "0123456789");
    assert_eq!(entry(&fixture, &small, &cx)["request"]["body"], "01");
    assert_eq!(entry(&fixture, &large, &cx), json!({ "body": "012345" }));
}

#[tokio::test]
async fn answer_bodies() {
    let fixture = Fixture::new();
    let gated = |status: u16| json!({ "include_resp_body": true, "include_resp_body_expr": [["status", "==", status]] });
    let small = compile(
        &fixture,
        &json!({ "include_resp_body": true, "max_resp_body_bytes": 2 }),
    );
    let all = compile(&fixture, &gated(200));
    let other = compile(&fixture, &gated(500));
    let custom = json!({ "log_format": { "answer": "$resp_body" }, "include_resp_body": true });
    let custom = compile(&fixture, &custom);
    let mut cx = fixture.context("GET", "/");
    cx.answer.status = 200;
    let mut body = chunks(&["0123", "456789"]);
    for format in [&small, &all, &other, &custom] {
        body = format.response_body(&mut cx, body);
    }
    assert_eq!(body.collect_limited(100).await.unwrap(), "0123456789");
    assert_eq!(entry(&fixture, &small, &cx)["response"]["body"], "01");
    assert_eq!(entry(&fixture, &all, &cx)["response"]["body"], "0123456789");
    assert_eq!(entry(&fixture, &other, &cx)["response"].get("body"), None);
    assert_eq!(entry(&fixture, &custom, &cx), json!({ "answer": "0123456789" }));
}

#[tokio::test]
async fn phases_are_those_that_are_needed() {
    let fixture = Fixture::new();
    for (conf, expected) in [
        (json!({}), &[Phase::Log, Phase::ResponseHead][..]),
        (
            json!({ "include_req_body": true }),
            &[Phase::Log, Phase::BeforeProxy, Phase::ResponseHead],
        ),
        (
            json!({ "log_format": { "a": "$host" }, "include_req_body": true }),
            &[Phase::Log],
        ),
        (
            json!({ "log_format": { "a": { "b": "$request_body" } } }),
            &[Phase::Log, Phase::BeforeProxy],
        ),
        (
            json!({ "log_format": {}, "include_resp_body": true }),
            &[Phase::Log, Phase::ResponseBody],
        ),
    ] {
        assert_eq!(compile(&fixture, &conf).phases(), expected, "{conf}");
    }
}

#[tokio::test]
async fn summaries_and_payloads_of_ai_calls() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("POST", "/v1/chat/completions");
    let logging = AiLogging {
        summaries: true,
        payloads: true,
    };
    let mut ai = fixture::chat(
        "{\"messages\":[\n{\"role\":\"user\",\r\n\"content\":\"a\\nb\"}]}",
        logging,
    );
    ai.model_sent = Some(Text::from("gpt-5"));
    ai.progress.update(|state| {
        let total = ReportedCounts {
            prompt: 10,
            completion: 5,
            total: 15,
            cache_read: 3,
            ..Default::default()
        };
        state.counts = total;
        state.first_token = Some(cx.started + Duration::from_millis(40));
        state.response_text = Some("hi".to_owned());
    });
    ai.progress.finish();
    ai.progress
        .update(|state| state.finished = Some(cx.started + Duration::from_millis(90)));
    cx.ai = Some(ai);
    let summary = json!({
        "request_model": "gpt", "model": "gpt-5", "duration": 40, "prompt_tokens": 10, "completion_tokens": 5,
        "total_tokens": 15, "upstream_response_time": 90, "stream": "false", "tool_count": 2,
        "has_tool_calls": "false", "end_user_id": "u1", "cache_read_input_tokens": 3,
        "cache_creation_input_tokens": 0, "reasoning_tokens": 0, "content_risk_level": "",
    });
    let expected = json!({
        "tokens": 10,
        "model": "gpt-5",
        "llm_summary": summary,
        "llm_request": { "messages": [{ "role": "user", "content": "a\nb" }], "stream": false },
        "llm_response_text": { "content": "hi" },
    });
    let format = json!({ "tokens": "$llm_prompt_tokens", "model": "$llm_model", "llm_summary": "mine" });
    assert_eq!(
        entry_of(&fixture, &json!({ "log_format": format }), &cx),
        expected
    );
    assert_eq!(entry_of(&fixture, &json!({}), &cx)["llm_summary"], summary);

    let body = json!({ "log_format": { "body": "$llm_request_body" } });
    assert_eq!(
        entry_of(&fixture, &body, &cx)["body"]["messages"][0]["role"],
        "user"
    );
}

#[tokio::test]
async fn refused_ai_calls_are_summed_up_too() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("POST", "/v1/chat/completions");
    cx.ai = Some(fixture::chat(
        "{\"messages\":[]}",
        AiLogging {
            summaries: true,
            payloads: true,
        },
    ));
    let entry = entry_of(&fixture, &json!({ "log_format": {} }), &cx);
    let summary = &entry["llm_summary"];
    assert_eq!(
        (&summary["model"], &summary["request_model"]),
        (&json!(""), &json!("gpt"))
    );
    for name in [
        "duration",
        "prompt_tokens",
        "total_tokens",
        "upstream_response_time",
        "reasoning_tokens",
    ] {
        assert_eq!(summary[name], "0", "{name}");
    }
    assert_eq!(entry["llm_request"], json!({ "stream": false }));
    assert_eq!(entry["llm_response_text"], json!({}));
}

#[tokio::test]
async fn llm_members_come_only_when_asked_for() {
    let fixture = Fixture::new();
    let mut cx = fixture.context("POST", "/v1/chat/completions");
    let format = json!({ "log_format": { "llm_summary": "mine" } });
    for (logging, expected) in [
        (AiLogging::default(), json!({ "llm_summary": "mine" })),
        (
            AiLogging {
                payloads: true,
                summaries: false,
            },
            json!({ "llm_summary": "mine", "llm_request": { "stream": false }, "llm_response_text": {} }),
        ),
    ] {
        cx.ai = Some(fixture::chat("{}", logging));
        assert_eq!(entry_of(&fixture, &format, &cx), expected);
    }
}

#[test]
fn schema_members_have_apisix_defaults() {
    let properties = properties();
    for (name, default) in [
        ("include_req_body", json!(false)),
        ("include_resp_body", json!(false)),
        ("max_req_body_bytes", json!(524_288)),
        ("max_resp_body_bytes", json!(524_288)),
    ] {
        assert_eq!(properties[name]["default"], default, "{name}");
    }
}
