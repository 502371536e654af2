//! Metrics under APISIX's names and labels (compat §7), aigateway's, and our own.

use std::collections::BTreeSet;

use serde_json::json;
use sluice_testkit::{FakeProvider, Gate, Gateway, Reply};

use super::counted;
use crate::scrape::Scrape;
use crate::support::{chat, chat_stream, done, openai, put_route};

/// Family, kind and labels (compat §7).
const APISIX: &[(&str, &str, &str)] = &[
    (
        "http_status",
        "counter",
        "code route matched_uri matched_host service consumer node request_type request_llm_model llm_model response_source",
    ),
    (
        "http_latency",
        "histogram",
        "type route service consumer node request_type request_llm_model llm_model",
    ),
    (
        "bandwidth",
        "counter",
        "type route service consumer node request_type request_llm_model llm_model",
    ),
    (
        "llm_latency",
        "histogram",
        "type route_id service_id consumer node request_type request_llm_model llm_model",
    ),
    ("llm_prompt_tokens", "counter", LLM),
    ("llm_completion_tokens", "counter", LLM),
    ("llm_prompt_tokens_dist", "histogram", LLM),
    ("llm_completion_tokens_dist", "histogram", LLM),
    (
        "llm_active_connections",
        "gauge",
        "route route_id matched_uri matched_host service service_id consumer node request_type request_llm_model llm_model",
    ),
    ("http_requests_total", "gauge", ""),
    ("nginx_http_current_connections", "gauge", "state"),
    ("node_info", "gauge", "hostname version"),
    ("nginx_metric_errors_total", "counter", ""),
];

const LLM: &str = "route_id service_id consumer node request_type request_llm_model llm_model";

/// aigateway's (clients-and-groups §1.18).
const AIGATEWAY: &[(&str, &str, &str)] = &[
    ("ai_gateway_requests_total", "counter", "client_id model status"),
    ("ai_gateway_requests_in_progress", "gauge", ""),
    ("ai_gateway_input_tokens_total", "counter", "client_id model"),
    ("ai_gateway_output_tokens_total", "counter", "client_id model"),
    (
        "ai_gateway_request_duration_seconds",
        "histogram",
        "client_id model",
    ),
    ("ai_gateway_active_clients", "gauge", ""),
    (
        "ai_gateway_upstream_errors_total",
        "counter",
        "client_id model provider",
    ),
];

/// The families that one request feeds when its route has the plugin.
const PER_ROUTE: [&str; 8] = [
    "http_status",
    "http_latency",
    "bandwidth",
    "llm_latency",
    "llm_prompt_tokens",
    "llm_completion_tokens",
    "llm_prompt_tokens_dist",
    "llm_completion_tokens_dist",
];

async fn start(provider: &FakeProvider) -> Gateway {
    let gateway = crate::support::gateway().await;
    let consumer = json!({ "username": "alice", "plugins": { "key-auth": { "key": "k" } } });
    gateway
        .admin()
        .put("/consumers", consumer)
        .await
        .expect_status(201);
    let plugins = json!({ "key-auth": {}, "ai-proxy": openai(provider), "prometheus": {} });
    let route = json!({ "uri": "/ai/*", "host": "*.example", "name": "named", "plugins": plugins });
    gateway.admin().put("/routes/r", route).await.expect_status(201);
    gateway
}

fn call(gateway: &Gateway, text: &str) -> sluice_testkit::Call {
    let call = gateway
        .client()
        .post("/ai/x")
        .header("host", "gw.example")
        .header("apikey", "k");
    call.json(&chat(text))
}

#[tokio::test]
async fn names_kinds_and_labels_are_those_of_the_reference() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    done(call(&gateway, "conf:hello"), 200).await;
    done(call(&gateway, "conf:err500"), 500).await;
    let scrape = counted(&gateway, 2).await;
    let prefixed = APISIX
        .iter()
        .map(|(name, kind, labels)| (format!("apisix_{name}"), kind, labels));
    let plain = AIGATEWAY
        .iter()
        .map(|(name, kind, labels)| ((*name).to_owned(), kind, labels));
    for (name, kind, labels) in prefixed.chain(plain) {
        assert_eq!(scrape.kind(&name), Some(*kind), "{name}");
        let sampled = if *kind == "histogram" {
            format!("{name}_count")
        } else {
            name.clone()
        };
        let expected = BTreeSet::from([labels.split_whitespace().collect::<Vec<_>>()]);
        assert_eq!(scrape.label_names(&sampled), expected, "{name}");
        if *kind == "histogram" {
            assert_eq!(scrape.label_names(&format!("{name}_bucket")), expected, "{name}");
        }
    }
}

/// A gateway that has answered a call and a stream of alice, and refused somebody.
async fn after_three_requests(provider: &FakeProvider) -> Scrape {
    let gateway = start(provider).await;
    done(call(&gateway, "conf:hello"), 200).await;
    let body = chat_stream("conf:reason");
    done(call(&gateway, "").json(&body), 200).await;
    done(call(&gateway, "hi").header("apikey", "wrong"), 401).await;
    counted(&gateway, 3).await
}

#[tokio::test]
async fn statuses_are_counted_by_what_the_requests_were() {
    let provider = FakeProvider::start();
    let scrape = after_three_requests(&provider).await;
    let route = [
        ("route", "r"),
        ("service", ""),
        ("matched_uri", "/ai/*"),
        ("matched_host", "*.example"),
    ];
    let count = |labels: &[(&str, &str)]| scrape.sum("apisix_http_status", &[&route[..], labels].concat());
    for request_type in ["ai_chat", "ai_stream"] {
        let labels = [
            ("code", "200"),
            ("consumer", "alice"),
            ("node", "ai-proxy-openai"),
            ("request_type", request_type),
            ("request_llm_model", "gpt-4o"),
            ("llm_model", "gpt-4o"),
            ("response_source", "upstream"),
        ];
        assert_eq!(count(&labels), 1.0, "{request_type}");
    }
    let refused = [
        ("code", "401"),
        ("consumer", ""),
        ("node", ""),
        ("request_type", "traditional_http"),
        ("request_llm_model", ""),
        ("llm_model", ""),
        ("response_source", "apisix"),
    ];
    assert_eq!(count(&refused), 1.0);
    assert_eq!(scrape.sum("apisix_http_requests_total", &[]), 3.0);
    assert_eq!(scrape.sum("ai_gateway_active_clients", &[]), 1.0);
    let answered = [("client_id", "alice"), ("status", "200")];
    assert_eq!(scrape.sum("ai_gateway_requests_total", &answered), 2.0);
}

#[tokio::test]
async fn tokens_times_and_bytes_are_those_of_the_requests() {
    let provider = FakeProvider::start();
    let scrape = after_three_requests(&provider).await;
    let llm = |name: &str, request: &str| {
        let labels = [
            ("route_id", "r"),
            ("consumer", "alice"),
            ("request_type", request),
        ];
        scrape.sum(&format!("apisix_llm_{name}"), &labels)
    };
    assert_eq!(
        [
            llm("prompt_tokens", "ai_chat"),
            llm("completion_tokens", "ai_chat")
        ],
        [10.0, 5.0]
    );
    assert_eq!(
        [
            llm("prompt_tokens", "ai_stream"),
            llm("completion_tokens", "ai_stream")
        ],
        [12.0, 20.0]
    );
    assert_eq!(llm("prompt_tokens_dist_count", "ai_chat"), 1.0);
    let below = |le: &str| {
        let labels = [("request_type", "ai_stream"), ("le", le)];
        scrape.sum("apisix_llm_completion_tokens_dist_bucket", &labels)
    };
    assert_eq!(
        [below("10"), below("50"), below("1000000"), below("+Inf")],
        [0.0, 1.0, 1.0, 1.0]
    );
    let times = |kind: &str, request: &str| {
        scrape.sum(
            "apisix_llm_latency_count",
            &[("type", kind), ("request_type", request)],
        )
    };
    assert_eq!([times("total", "ai_chat"), times("ttft", "ai_chat")], [1.0, 0.0]);
    assert_eq!(
        [times("total", "ai_stream"), times("ttft", "ai_stream")],
        [1.0, 1.0]
    );
    for kind in ["request", "upstream", "apisix"] {
        let labels = [("type", kind), ("consumer", "alice")];
        assert_eq!(scrape.sum("apisix_http_latency_count", &labels), 2.0, "{kind}");
    }
    for kind in ["ingress", "egress"] {
        assert!(
            scrape.sum("apisix_bandwidth", &[("type", kind), ("consumer", "alice")]) > 300.0,
            "{kind}"
        );
    }
}

#[tokio::test]
async fn failed_calls_count_zeros() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    done(call(&gateway, "conf:err429"), 429).await;
    let scrape = counted(&gateway, 1).await;
    for kind in ["prompt", "completion"] {
        assert_eq!(
            scrape
                .samples(&format!("apisix_llm_{kind}_tokens"), &[("consumer", "alice")])
                .len(),
            1
        );
        assert_eq!(scrape.sum(&format!("apisix_llm_{kind}_tokens"), &[]), 0.0);
        assert_eq!(
            scrape.sum(&format!("apisix_llm_{kind}_tokens_dist_count"), &[]),
            1.0
        );
        assert_eq!(
            scrape.sum(&format!("apisix_llm_{kind}_tokens_dist_sum"), &[]),
            0.0
        );
    }
    assert_eq!(scrape.sum("apisix_llm_latency_count", &[]), 0.0, "only below 400");
    let labels = [
        ("client_id", "alice"),
        ("model", "gpt-4o"),
        ("provider", "openai"),
    ];
    assert_eq!(scrape.sum("ai_gateway_upstream_errors_total", &labels), 1.0);
}

#[tokio::test]
async fn routes_without_the_plugin_are_not_counted_as_apisix_counts() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    put_route(&gateway, "r", "/ai", json!({ "ai-proxy": openai(&provider) })).await;
    let call = || gateway.client().post("/ai").json(&chat("conf:hello")).send();
    call().await.expect_status(200).await.bytes().await;
    done(gateway.client().get("/nowhere"), 404).await;
    let scrape = counted(&gateway, 2).await;
    for name in PER_ROUTE {
        for suffix in ["", "_count", "_bucket", "_sum"] {
            assert_eq!(
                scrape.samples(&format!("apisix_{name}{suffix}"), &[]).len(),
                0,
                "{name}{suffix}"
            );
        }
    }
    assert_eq!(
        scrape.sum("sluice_llm_requests_total", &[("route", "r")]),
        1.0,
        "ours count all"
    );

    // A global rule counts every request, with a route or without.
    gateway
        .admin()
        .put("/global_rules/1", json!({ "plugins": { "prometheus": {} } }))
        .await
        .expect_status(201);
    call().await.expect_status(200).await.bytes().await;
    done(gateway.client().get("/nowhere"), 404).await;
    let scrape = counted(&gateway, 4).await;
    assert_eq!(
        scrape.sum("apisix_http_status", &[("code", "200"), ("route", "r")]),
        1.0
    );
    assert_eq!(
        scrape.sum(
            "apisix_http_status",
            &[("code", "404"), ("route", ""), ("matched_uri", "")]
        ),
        1.0
    );
}

#[tokio::test]
async fn names_are_preferred_and_labels_blanked_on_request() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let plugins = json!({ "plugins": { "key-auth": {}, "ai-proxy": openai(&provider), "prometheus": { "prefer_name": true } } });
    gateway
        .admin()
        .patch("/routes/r", plugins)
        .await
        .expect_status(200);
    let disabled = json!({ "disabled_labels": { "http_status": ["consumer", "code"], "llm_prompt_tokens": ["llm_model"] } });
    gateway
        .admin()
        .put("/plugin_metadata/prometheus", disabled)
        .await
        .expect_status(201);
    done(call(&gateway, "conf:hello"), 200).await;
    let scrape = counted(&gateway, 1).await;
    assert_eq!(
        scrape.sum(
            "apisix_http_status",
            &[("route", "named"), ("consumer", ""), ("code", "200")]
        ),
        1.0
    );
    let prompt = [("route_id", "named"), ("consumer", "alice"), ("llm_model", "")];
    assert_eq!(scrape.sum("apisix_llm_prompt_tokens", &prompt), 10.0);
    assert_eq!(
        scrape.sum("apisix_llm_completion_tokens", &[("llm_model", "gpt-4o")]),
        5.0
    );
}

#[tokio::test]
async fn gauges_show_what_is_going_on() {
    let provider = FakeProvider::start();
    let gateway = start(&provider).await;
    let gate = Gate::closed();
    provider.next(Reply::contract().head_gated(&gate));
    let running = tokio::spawn(call(&gateway, "conf:hello").send());
    provider.wait_requests(1).await;
    let scrape = Scrape::of(&gateway).await;
    let labels = [
        ("route", "r"),
        ("route_id", "r"),
        ("matched_uri", "/ai/*"),
        ("matched_host", "*.example"),
        ("consumer", "alice"),
        ("node", "ai-proxy-openai"),
        ("request_type", "ai_chat"),
        ("request_llm_model", "gpt-4o"),
        ("llm_model", "gpt-4o"),
    ];
    assert_eq!(
        scrape.sum("apisix_llm_active_connections", &labels),
        1.0,
        "{}",
        scrape.text()
    );
    assert_eq!(scrape.sum("ai_gateway_requests_in_progress", &[]), 1.0);
    assert_eq!(
        scrape.sum("apisix_nginx_http_current_connections", &[("state", "writing")]),
        1.0
    );
    gate.open_for_good();
    running.await.unwrap().bytes().await;
    let scrape = counted(&gateway, 1).await;
    assert_eq!(scrape.sum("apisix_llm_active_connections", &[]), 0.0);
    assert_eq!(scrape.sum("ai_gateway_requests_in_progress", &[]), 0.0);
}
