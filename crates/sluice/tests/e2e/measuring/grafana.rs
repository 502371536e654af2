//! Dashboards for Grafana: whatever their panels ask for is there once traffic has run.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sluice_testkit::{Client, FakeProvider, Reply, eventually};

use crate::scrape::Scrape;
use crate::support::{chat, chat_stream, gateway};

/// What the ten panels of aigateway's dashboard ask for, and the labels by which they do.
const THEIRS: [(&str, &[&str]); 10] = [
    (
        "Request rate by client",
        &["sum by (client_id) (rate(ai_gateway_requests_total[5m]))"],
    ),
    ("In progress", &["ai_gateway_requests_in_progress"]),
    ("Total requests", &["sum(ai_gateway_requests_total)"]),
    ("Active clients", &["ai_gateway_active_clients"]),
    (
        "Token rate",
        &[
            "sum(rate(ai_gateway_input_tokens_total[5m]))",
            "sum(rate(ai_gateway_output_tokens_total[5m]))",
        ],
    ),
    (
        "Request duration",
        &[
            "histogram_quantile(0.50, sum(rate(ai_gateway_request_duration_seconds_bucket[5m])) by (le))",
            "histogram_quantile(0.95, sum(rate(ai_gateway_request_duration_seconds_bucket[5m])) by (le))",
        ],
    ),
    (
        "Requests by status",
        &["sum(increase(ai_gateway_requests_total[1m])) by (status)"],
    ),
    (
        "Upstream errors",
        &[
            "sum(increase(ai_gateway_upstream_errors_total{provider!=\"\"}[5m])) by (client_id, model, provider)",
        ],
    ),
    (
        "Top clients by input tokens",
        &["topk(10, sum(ai_gateway_input_tokens_total) by (client_id))"],
    ),
    (
        "Top clients by output tokens",
        &["topk(10, sum(ai_gateway_output_tokens_total) by (client_id))"],
    ),
];

/// What an expression of PromQL asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    metrics: BTreeSet<String>,
    labels: BTreeSet<String>,
}

const WORDS: [&str; 10] = [
    "sum",
    "by",
    "rate",
    "increase",
    "topk",
    "histogram_quantile",
    "avg",
    "max",
    "min",
    "count",
];

/// Names of metrics, and the labels in braces and behind `by`.
fn asked(expression: &str) -> Asked {
    let mut asked = Asked::default();
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_' || character == ':';
    let mut rest = expression;
    let mut behind_by = false;
    while let Some(start) = rest.find(|character: char| is_name(character) || "{[".contains(character)) {
        rest = &rest[start..];
        let (inside, end) = match rest.as_bytes()[0] {
            b'{' => (true, rest.find('}').unwrap()),
            // A range, which may be a variable.
            b'[' => (false, rest.find(']').unwrap()),
            _ => (
                false,
                rest.find(|character| !is_name(character)).unwrap_or(rest.len()),
            ),
        };
        let (word, after) = rest.split_at(end);
        rest = after;
        if word.starts_with('[') {
            continue;
        }
        if inside {
            let matchers = word.trim_start_matches('{').split(',');
            let labels = matchers.map(|matcher| matcher.split(['=', '!']).next().unwrap().trim());
            asked.labels.extend(labels.map(str::to_owned));
        } else if behind_by {
            asked.labels.insert(word.to_owned());
        } else if word.contains('_') && !WORDS.contains(&word) {
            asked.metrics.insert(word.to_owned());
        }
        behind_by = word == "by" || (behind_by && !after.trim_start().starts_with(')'));
    }
    asked
}

#[test]
fn expressions_are_read() {
    let set = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let read = asked(
        "histogram_quantile(0.5, sum by (le, model) (rate(a_bucket{model=~\"$m\",x!=\"\"}[$__rate_interval]))) / 1e6",
    );
    assert_eq!(
        (read.metrics, read.labels),
        (set(&["a_bucket"]), set(&["le", "model", "x"]))
    );
    let read = asked("sum(increase(a_total[1m])) by (status)");
    assert_eq!((read.metrics, read.labels), (set(&["a_total"]), set(&["status"])));
}

/// Two clients that are answered, whole and in streams, refused, and failed by their provider.
async fn after_traffic() -> (Scrape, Vec<String>) {
    let (gateway, upstream) = (gateway().await, FakeProvider::start());
    let bearer = format!("Bearer {}", gateway.admin_key());
    let api = Client::new(gateway.admin_addr()).with_header("authorization", &bearer);
    let mut keys = Vec::new();
    for name in ["Ann", "Bob"] {
        let provider = json!({ "type": "openai", "base_url": upstream.url("/v1"), "api_key": "sk-upstream" });
        let body = json!({ "name": name, "provider": provider, "limits": { "requests_per_day": 100 } });
        let made = api.post("/api/v1/clients").json(&body).send().await;
        let made: Value = made.expect_status(201).await.json().await;
        keys.push(made["key"]["key"].as_str().unwrap().to_owned());
    }
    let ask = async |key: &str, body: Value| {
        let call = gateway.client().post("/v1/chat/completions").key(key).json(&body);
        call.send().await.bytes().await;
    };
    for key in &keys {
        join_all((0..5).map(|_| ask(key, chat("conf:hello")))).await;
        ask(key, chat_stream("conf:hello")).await;
    }
    // A model without a price, and a provider in trouble.
    let mut unpriced = chat("conf:hello");
    unpriced["model"] = "a-model-of-ones-own".into();
    ask(&keys[0], unpriced).await;
    upstream.next(Reply::error(503, "overloaded"));
    ask(&keys[1], chat("conf:hello")).await;
    // What the gateway itself refuses.
    ask("nobody's key", chat("conf:hello")).await;
    let clients = vec!["ann".to_owned(), "bob".to_owned()];
    let scrape = eventually("all requests", async || {
        let scrape = Scrape::of(&gateway).await;
        (scrape.sum("ai_gateway_requests_total", &[]) == 14.0).then_some(scrape)
    })
    .await;
    (scrape, clients)
}

fn check(scrape: &Scrape, panel: &str, expression: &str) {
    let asked = asked(expression);
    assert!(!asked.metrics.is_empty(), "{panel}: {expression}");
    for metric in &asked.metrics {
        let samples = scrape.samples(metric, &[]);
        assert!(
            !samples.is_empty(),
            "{panel}: there is no {metric}\n{}",
            scrape.text()
        );
        for sample in samples {
            for label in &asked.labels {
                assert!(
                    sample.label(label).is_some(),
                    "{panel}: {metric} lacks {label}: {sample:?}"
                );
            }
        }
    }
}

#[tokio::test]
async fn every_panel_of_both_dashboards_has_data() {
    let (scrape, clients) = after_traffic().await;
    for (panel, expressions) in THEIRS {
        for expression in expressions {
            check(&scrape, panel, expression);
        }
    }
    // Those that could show nothing but zero there.
    let sum = |name: &str, labels: &[(&str, &str)]| scrape.sum(name, labels);
    assert_eq!(sum("ai_gateway_active_clients", &[]), 2.0);
    assert_eq!(sum("ai_gateway_requests_in_progress", &[]), 0.0);
    assert_eq!(sum("ai_gateway_upstream_errors_total", &[]), 1.0);
    assert_eq!(sum("ai_gateway_requests_total", &[("status", "503")]), 1.0);
    for client in &clients {
        for tokens in ["input", "output"] {
            let name = format!("ai_gateway_{tokens}_tokens_total");
            assert!(sum(&name, &[("client_id", client)]) > 0.0, "{name} of {client}");
        }
    }

    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib/grafana/sluice.json");
    let ours: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut expressions = 0;
    for panel in ours["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            check(
                &scrape,
                panel["title"].as_str().unwrap(),
                target["expr"].as_str().unwrap(),
            );
            expressions += 1;
        }
    }
    assert!(expressions >= 14, "{expressions}");
}
