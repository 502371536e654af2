//! Where metrics are shown, to whom, and how an operator shapes them.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sluice_testkit::{Client, FakeProvider, Gateway};

use super::counted;
use crate::process::serve;
use crate::scrape::Scrape;
use crate::support::{binary, chat, done, openai, put_route};

#[tokio::test]
async fn both_addresses_answer_as_prometheus_wants_it() {
    let gateway = crate::support::gateway().await;
    for path in ["/metrics", "/apisix/prometheus/metrics"] {
        let answer = Client::new(gateway.admin_addr())
            .get(path)
            .send()
            .await
            .expect_status(200)
            .await;
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
        let scrape = Scrape::parse(answer.text().await);
        assert_eq!(scrape.sum("apisix_node_info", &[]), 1.0, "{path}");
        gateway.client().get(path).send().await.expect_status(404).await;
    }
}

#[tokio::test]
async fn a_listener_of_their_own_and_basic_authentication() {
    let dir = tempfile::tempdir().unwrap();
    let command = serve(dir.path(), []).env("SLUICE_METRICS_LISTEN", "127.0.0.1:0");
    let serving = command
        .env("SLUICE_METRICS_USERNAME", "prom")
        .env("SLUICE_METRICS_PASSWORD", "s:cret")
        .serving()
        .await;
    let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
    for addr in [serving.addr("metrics"), serving.addr("admin")] {
        for path in ["/metrics", "/apisix/prometheus/metrics"] {
            let call = Client::new(addr).get(path);
            let answer = call.clone().send().await.expect_status(401).await;
            assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"metrics\""));
            assert!(!answer.text().await.contains("apisix_"));
            for wrong in ["prom:", "prom:s:cre", "prom:s:cret ", "other:s:cret", ":"] {
                call.clone()
                    .header("authorization", &basic(wrong))
                    .send()
                    .await
                    .expect_status(401)
                    .await;
            }
            let text = call
                .header("authorization", &basic("prom:s:cret"))
                .send()
                .await
                .expect_status(200)
                .await
                .text()
                .await;
            assert!(text.contains("apisix_node_info"), "{text}");
        }
    }
    let metrics = Client::new(serving.addr("metrics"));
    for path in ["/apisix/admin/routes", "/status", "/", "/metrics/x"] {
        metrics
            .get(path)
            .header("authorization", &basic("prom:s:cret"))
            .send()
            .await
            .expect_status(404)
            .await;
    }
    assert!(
        serving
            .stdout()
            .contains(&format!("http://{}/metrics", serving.addr("metrics")))
    );
}

#[tokio::test]
async fn attributes_change_prefix_and_buckets() {
    let provider = FakeProvider::start();
    let attributes = "{prometheus: {metric_prefix: gw_, default_buckets: [7, 70], llm_latency_buckets: [8], \
                      llm_prompt_tokens_buckets: [9, 90], llm_completion_tokens_buckets: [4.5]}}";
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PLUGIN_ATTR", attributes)
        .start()
        .await;
    let plugins = json!({ "ai-proxy": openai(&provider), "prometheus": {} });
    put_route(&gateway, "r", "/ai", plugins).await;
    done(gateway.client().post("/ai").json(&chat("conf:hello")), 200).await;
    let scrape = counted(&gateway, 1).await;
    for (name, expected) in [
        ("http_latency", &["+Inf", "7", "70"][..]),
        ("llm_latency", &["+Inf", "8"]),
        ("llm_prompt_tokens_dist", &["+Inf", "9", "90"]),
        ("llm_completion_tokens_dist", &["+Inf", "4.5"]),
    ] {
        let samples = scrape.samples(&format!("gw_{name}_bucket"), &[]);
        let bounds: BTreeSet<&str> = samples.iter().filter_map(|sample| sample.label("le")).collect();
        assert_eq!(Vec::from_iter(bounds), expected, "{name}");
    }
    assert!(!scrape.text().contains("apisix_"));
}
