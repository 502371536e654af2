//! opentelemetry: what the collector gets, and what the provider is told.

use serde_json::json;
use sluice_testkit::{FakeProvider, Gateway};

use super::collector;
use crate::support::{binary, chat, done, openai, put, put_route};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn trace_id() -> Vec<u8> {
    let byte = |nth: usize| u8::from_str_radix(&TRACE[2 * nth..2 * nth + 2], 16).unwrap();
    (0..16).map(byte).collect()
}

#[tokio::test]
async fn spans_reach_the_collector_and_the_trace_the_provider() {
    let (provider, collector) = (FakeProvider::start(), collector());
    let attributes = json!({ "opentelemetry": {
        "resource": { "service.name": "my-gateway" },
        "collector": { "address": collector.addr().to_string(), "request_headers": { "Authorization": "otel-key" } },
        "batch_span_processor": { "inactive_timeout": 0.1 },
    } });
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PLUGIN_ATTR", attributes.to_string())
        .start()
        .await;
    let sampler = json!({ "name": "parent_base", "options": { "root": { "name": "always_off" } } });
    let plugins = json!({ "ai-proxy": openai(&provider), "opentelemetry": { "sampler": sampler } });
    put_route(&gateway, "chat", "/v1/chat/*", plugins).await;

    // Not sampled: its caller says so, or nobody began a trace.
    for sent in [Some("00"), None] {
        let mut call = gateway
            .client()
            .post("/v1/chat/completions")
            .json(&chat("conf:hello"));
        if let Some(flags) = sent {
            call = call.header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-{flags}"));
        }
        done(call, 200).await;
        let told = provider.last_request().header("traceparent").unwrap().to_owned();
        assert!(told.ends_with("-00") && told.len() == 55, "{told}");
    }
    let call = gateway
        .client()
        .post("/v1/chat/completions")
        .json(&chat("conf:hello"));
    let call = call
        .header("traceparent", &format!("00-{TRACE}-b7ad6b7169203331-01"))
        .header("tracestate", "vendor=1");
    done(call, 200).await;
    let told = provider.last_request();
    let parent = told.header("traceparent").unwrap();
    assert!(
        parent.starts_with(&format!("00-{TRACE}-")) && parent.ends_with("-01"),
        "{parent}"
    );
    assert!(
        !parent.contains("b7ad6b7169203331"),
        "the provider's parent is the gateway's span"
    );
    assert_eq!(told.header("tracestate"), Some("vendor=1"));

    let export = collector.wait_requests(1).await.remove(0);
    assert_eq!((export.method.as_str(), &*export.path), ("POST", "/v1/traces"));
    assert_eq!(export.header("content-type"), Some("application/x-protobuf"));
    assert_eq!(export.header("authorization"), Some("otel-key"));
    let bytes = &export.body;
    let traces = bytes.windows(16).filter(|window| *window == trace_id()).count();
    assert_eq!(traces, 2, "the request, and the call of the provider");
    for text in [
        "my-gateway",
        "POST /v1/chat/*",
        "apisix.route_id",
        "chat gpt-4o",
        "gen_ai.usage.input_tokens",
        "gen_ai.provider.name",
        "openai",
    ] {
        assert!(contains(bytes, text), "{text}");
    }
}

#[tokio::test]
async fn settings_of_the_metadata_win_and_a_dead_collector_does_no_harm() {
    let (provider, collector) = (FakeProvider::start(), collector());
    let gateway = crate::support::gateway().await;
    let plugins =
        json!({ "ai-proxy": openai(&provider), "opentelemetry": { "sampler": { "name": "always_on" } } });
    put_route(&gateway, "1", "/chat", plugins).await;
    // Nobody listens at 127.0.0.1:4318, the default.
    done(gateway.client().post("/chat").json(&chat("conf:hello")), 200).await;
    let metadata = json!({
        "collector": { "address": collector.addr().to_string() }, "batch_span_processor": { "inactive_timeout": 0.1 },
    });
    put(&gateway, "/plugin_metadata/opentelemetry", metadata).await;
    while collector.requests().is_empty() {
        done(gateway.client().post("/chat").json(&chat("conf:hello")), 200).await;
    }
    let answer = gateway
        .admin()
        .put(
            "/routes/1",
            json!({ "uri": "/x", "plugins": { "opentelemetry": { "sampler": { "name": "x" } } } }),
        )
        .await
        .expect_status(400);
    let error = answer.json()["error_msg"].as_str().unwrap().to_owned();
    assert!(
        error.contains("property \"sampler\" validation failed: property \"name\" validation failed"),
        "{error}"
    );
}
