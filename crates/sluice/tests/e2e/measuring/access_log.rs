//! The access log: JSON lines, formats of one's own, rotation.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::{access_log, json_lines, lines};
use crate::process::signal;
use crate::support::{binary, chat, openai, put_route};

async fn start(format: Option<&str>) -> Gateway {
    let builder = Gateway::builder(binary()).env("SLUICE_ACCESS_LOG_TARGET", "access.log");
    match format {
        Some(format) => builder.env("SLUICE_ACCESS_LOG_FORMAT", format).start().await,
        None => builder.start().await,
    }
}

/// Members whose values are not known beforehand, but the kind of them.
fn take_measured(line: &mut Value) {
    let members = line.as_object_mut().unwrap();
    let time = members.remove("time_iso8601").unwrap();
    assert!(time.as_str().unwrap().ends_with("+00:00"), "{time}");
    let id = members.remove("request_id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 36, "{id}");
    for name in ["request_length", "body_bytes_sent"] {
        let bytes = members.remove(name).unwrap();
        assert!(bytes.as_u64().unwrap() > 0, "{name}: {bytes}");
    }
    let seconds = members.remove("request_time").unwrap();
    assert!(seconds.as_f64().unwrap() < 20.0, "{seconds}");
    if let Some(list) = members.remove("upstream_response_time") {
        for seconds in list.as_str().unwrap().split(", ") {
            assert!(seconds.parse::<f64>().unwrap() < 20.0, "{list}");
        }
    }
    if let Some(time) = members.remove("llm_time_to_first_token") {
        assert!(time.as_u64().unwrap() < 20_000, "{time}");
    }
}

#[tokio::test]
async fn an_ai_request_is_told_whole() {
    let provider = FakeProvider::start();
    let gateway = start(None).await;
    let key = json!({ "username": "alice", "plugins": { "key-auth": { "key": "k" } } });
    gateway.admin().put("/consumers", key).await.expect_status(201);
    let mut conf = openai(&provider);
    conf["options"] = json!({ "model": "gpt-4o" });
    put_route(&gateway, "r", "/ai", json!({ "key-auth": {}, "ai-proxy": conf })).await;
    let body = json!({
        "model": "asked", "user": "end-user", "stream": true, "tools": [{ "type": "function", "function": { "name": "get_weather" } }],
        "messages": [{ "role": "user", "content": "conf:tool" }],
    });
    let call = gateway
        .client()
        .post("/ai?a=b")
        .header("apikey", "k")
        .header("host", "Gw.Example:80")
        .header("user-agent", "t/1");
    call.header("referer", "http://here/")
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await
        .bytes()
        .await;
    let mut line = json_lines(&access_log(&gateway), 1).await.remove(0);
    take_measured(&mut line);
    assert_eq!(
        line,
        json!({
            "remote_addr": "127.0.0.1", "host": "gw.example", "request_method": "POST", "request_uri": "/ai?a=b",
            "server_protocol": "HTTP/1.1", "status": 200, "response_source": "upstream", "ended": "complete",
            "http_user_agent": "t/1", "http_referer": "http://here/",
            "upstream_addr": provider.addr().to_string(), "upstream_status": "200",
            "route_id": "r", "consumer_name": "alice", "request_type": "ai_stream",
            "request_llm_model": "asked", "llm_model": "gpt-4o", "llm_provider": "openai",
            "llm_instance": "ai-proxy-openai", "llm_stream": true, "llm_prompt_tokens": 20, "llm_completion_tokens": 7,
            "llm_total_tokens": 27, "llm_cache_read_input_tokens": 0, "llm_cache_creation_input_tokens": 0,
            "llm_reasoning_tokens": 0, "llm_tool_count": 1, "llm_has_tool_calls": true, "llm_end_user_id": "end-user",
            "llm_usage_provenance": "reported", "llm_cost_micro_usd": 120,
        })
    );
}

#[tokio::test]
async fn other_requests_are_told_without_ai_members() {
    let gateway = start(None).await;
    gateway
        .client()
        .get("/nowhere?x=%22%20")
        .send()
        .await
        .expect_status(404)
        .await
        .bytes()
        .await;
    let mut line = json_lines(&access_log(&gateway), 1).await.remove(0);
    take_measured(&mut line);
    let host = gateway.proxy_addr().ip().to_string();
    let expected = json!({
        "remote_addr": "127.0.0.1", "host": host, "request_method": "GET", "request_uri": "/nowhere?x=%22%20",
        "server_protocol": "HTTP/1.1", "status": 404, "response_source": "apisix", "ended": "complete",
        "request_type": "traditional_http",
    });
    let line = line.as_object_mut().unwrap();
    line.remove("error");
    assert_eq!(Value::Object(line.clone()), expected);
}

/// What a format of one's own can ask for, and what it says of the request of the test below; `~` where that is measured.
const VARIABLES: &[(&str, &str)] = &[
    // Of AI calls (compat §4.1.6).
    ("request_type", "ai_chat"),
    ("request_llm_model", "asked"),
    ("llm_model", "gpt-4o"),
    ("llm_stream", "false"),
    ("llm_tool_count", "0"),
    ("llm_end_user_id", "-"),
    ("llm_time_to_first_token", "~"),
    ("apisix_upstream_response_time", "~"),
    ("llm_prompt_tokens", "12"),
    ("llm_completion_tokens", "20"),
    ("llm_total_tokens", "32"),
    ("llm_cache_read_input_tokens", "0"),
    ("llm_cache_creation_input_tokens", "0"),
    ("llm_reasoning_tokens", "8"),
    ("llm_has_tool_calls", "false"),
    ("llm_content_risk_level", "-"),
    ("balancer_ip", "b"),
    // nginx's.
    ("remote_addr", "127.0.0.1"),
    ("remote_port", "~"),
    ("remote_user", "-"),
    ("time_local", "~"),
    ("time_iso8601", "~"),
    ("msec", "~"),
    ("scheme", "http"),
    ("host", "gw.example"),
    ("http_host", "gw.example"),
    ("request", "POST /ai?a=%20b HTTP/1.1"),
    ("request_method", "POST"),
    ("request_uri", "/ai?a=%20b"),
    ("uri", "/ai"),
    ("args", "a=%20b"),
    ("query_string", "a=%20b"),
    ("server_protocol", "HTTP/1.1"),
    ("status", "200"),
    ("request_length", "~"),
    ("bytes_sent", "~"),
    ("body_bytes_sent", "~"),
    ("request_time", "~"),
    ("http_referer", "-"),
    ("http_user_agent", "t\\x22/1"),
    ("upstream_status", "502, 200"),
    ("upstream_response_time", "~"),
    ("request_id", "~"),
    // APISIX's.
    ("route_id", "r"),
    ("route_name", "a route"),
    ("service_id", "s"),
    ("service_name", "a service"),
    ("matched_uri", "/ai"),
    ("matched_host", "gw.example"),
    ("consumer_name", "alice"),
    ("consumer_group_id", "g"),
    // Ours.
    ("credential_id", "laptop"),
    ("response_source", "upstream"),
    ("ended", "complete"),
    ("error", "-"),
    ("llm_protocol", "openai-chat"),
    ("llm_provider", "openai"),
    ("llm_instance", "b"),
    ("llm_answered_model", "gpt-4o"),
    ("llm_usage_provenance", "reported"),
    ("llm_cost_micro_usd", "230"),
];

/// A gateway with a service, a group, a consumer with a credential, and a route `/ai` whose first instance is away.
async fn with_everything(format: &str, provider: &FakeProvider) -> Gateway {
    let gateway = start(Some(format)).await;
    let admin = gateway.admin();
    let away = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let instance = |name: &str, priority: u32, endpoint: String| {
        json!({
            "name": name, "provider": "openai", "weight": 1, "priority": priority, "auth": {},
            "options": { "model": "gpt-4o" }, "override": { "endpoint": endpoint },
        })
    };
    let instances = [
        instance("a", 1, format!("http://{away}")),
        instance("b", 0, format!("http://{}", provider.addr())),
    ];
    let multi = json!({ "fallback_strategy": ["http_5xx"], "instances": instances });
    let key = json!({ "plugins": { "key-auth": { "key": "k" } } });
    for (path, value) in [
        (
            "/services/s",
            json!({ "name": "a service", "plugins": { "ai-proxy-multi": multi, "key-auth": {} } }),
        ),
        ("/consumer_groups/g", json!({ "plugins": {} })),
        ("/consumers", json!({ "username": "alice", "group_id": "g" })),
        ("/consumers/alice/credentials/laptop", key),
        (
            "/routes/r",
            json!({ "name": "a route", "uri": "/ai", "host": "gw.example", "service_id": "s" }),
        ),
    ] {
        admin.put(path, value).await.expect_status(201);
    }
    gateway
}

#[tokio::test]
async fn a_format_of_ones_own_knows_every_variable() {
    let provider = FakeProvider::start();
    let names = || VARIABLES.iter().map(|(name, _)| *name);
    let format = names()
        .map(|name| format!("{name}=${{{name}}}"))
        .collect::<Vec<_>>()
        .join("|");
    let gateway = with_everything(&format, &provider).await;
    let mut body = chat("conf:reason");
    body["model"] = json!("asked");
    let call = gateway
        .client()
        .post("/ai?a=%20b")
        .header("host", "gw.example")
        .header("apikey", "k");
    call.header("user-agent", "t\"/1")
        .json(&body)
        .send()
        .await
        .expect_status(200)
        .await
        .bytes()
        .await;
    let line = lines(&access_log(&gateway), 1).await.remove(0);
    let told: Vec<(&str, &str)> = line
        .split('|')
        .map(|pair| pair.split_once('=').unwrap())
        .collect();
    assert_eq!(told.len(), VARIABLES.len(), "{line}");
    for ((name, value), (expected_name, expected)) in told.into_iter().zip(VARIABLES) {
        assert_eq!(name, *expected_name, "{line}");
        match *expected {
            "~" => assert!(value.bytes().any(|byte| byte.is_ascii_digit()), "{name}: {value}"),
            expected => assert_eq!(value, expected, "{name}"),
        }
    }
    assert!(
        !gateway.output().contains("unknown variable"),
        "{}",
        gateway.output()
    );
}

#[tokio::test]
async fn a_json_format_stays_json_whatever_clients_send() {
    let format = r#"{"agent": "$http_user_agent", "uri": "$uri", "none": "$consumer_name"}"#;
    let builder = Gateway::builder(binary()).env("SLUICE_ACCESS_LOG_TARGET", "access.log");
    let builder = builder
        .env("SLUICE_ACCESS_LOG_FORMAT", format)
        .env("SLUICE_ACCESS_LOG_ESCAPE", "json");
    let gateway = builder.start().await;
    let call = gateway
        .client()
        .get("/%22,%0a%22x%22:%22")
        .header("user-agent", "\"}\\ {\"");
    call.send().await.expect_status(404).await.bytes().await;
    let line = json_lines(&access_log(&gateway), 1).await.remove(0);
    assert_eq!(
        line,
        json!({ "agent": "\"}\\ {\"", "uri": "/\",\n\"x\":\"", "none": "" })
    );
}

#[tokio::test]
async fn a_variable_that_does_not_exist_is_warned_about() {
    let gateway = start(Some("$status $nonsense")).await;
    assert!(gateway.output().contains("nonsense"), "{}", gateway.output());
    gateway.client().get("/").send().await.bytes().await;
    assert_eq!(lines(&access_log(&gateway), 1).await, ["404 -"]);
}

#[tokio::test]
async fn a_rotated_file_is_opened_anew() {
    let gateway = start(Some("$uri")).await;
    let (log, rotated) = (access_log(&gateway), gateway.dir().join("access.log.1"));
    for (number, name) in ["HUP", "USR1"].into_iter().enumerate() {
        gateway
            .client()
            .get(&format!("/before{number}"))
            .send()
            .await
            .bytes()
            .await;
        lines(&log, if number == 0 { 1 } else { 2 }).await;
        std::fs::rename(&log, &rotated).unwrap();
        signal(gateway.pid(), name);
        // The signal alone brings the new file.
        assert_eq!(lines(&log, 0).await, Vec::<String>::new());
        gateway
            .client()
            .get(&format!("/after{number}"))
            .send()
            .await
            .bytes()
            .await;
        assert_eq!(lines(&log, 1).await, [format!("/after{number}")]);
    }
    assert_eq!(lines(&rotated, 2).await, ["/after0", "/before1"]);
}

#[tokio::test]
async fn every_request_has_one_line_however_it_ends() {
    let provider = FakeProvider::start();
    let gateway = start(None).await;
    put_route(&gateway, "r", "/ai", json!({ "ai-proxy": openai(&provider) })).await;
    let mut conf = openai(&provider);
    conf["timeout"] = json!(50);
    put_route(&gateway, "late", "/late", json!({ "ai-proxy": conf })).await;
    let client = gateway.client();
    let mut ends = Vec::new();
    let mut call = async |path: &str, text: &str, expected: (u16, &'static str, &'static str)| {
        let mut body = chat(text);
        body["stream"] = json!(text.contains("cut"));
        // Some of the answers break off.
        drop(client.post(path).json(&body).send().await.try_bytes().await);
        ends.push(expected);
    };
    call("/ai", "conf:hello", (200, "complete", "upstream")).await;
    call("/ai", "conf:cut", (200, "upstream_cut", "upstream")).await;
    call("/ai", "conf:err500", (500, "complete", "upstream")).await;
    call("/nowhere", "", (404, "complete", "apisix")).await;
    provider.next(Reply::raw("no http\r\n\r\n"));
    call("/ai", "hi", (500, "complete", "apisix")).await;
    provider.next(Reply::contract().head_gated(&sluice_testkit::Gate::closed()));
    call("/late", "hi", (504, "complete", "apisix")).await;

    let gate = sluice_testkit::Gate::closed();
    provider.next(Reply::contract().head_gated(&gate));
    let seen = provider.requests().len();
    let leaving = tokio::spawn(client.post("/ai").json(&chat("hi")).send());
    provider.wait_requests(seen + 1).await;
    leaving.abort();
    ends.push((499, "client_gone", "apisix"));

    let told = json_lines(&access_log(&gateway), ends.len()).await;
    for (line, (status, ended, source)) in told.iter().zip(&ends) {
        let found = (&line["status"], &line["ended"], &line["response_source"]);
        assert_eq!(found, (&json!(status), &json!(ended), &json!(source)), "{line}");
    }
    let ids: BTreeSet<&str> = told
        .iter()
        .map(|line| line["request_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), told.len());
}
