//! Variables in log formats, in the access log and in labels of metrics.

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, eventually};

use super::{call, collector, put_logger};
use crate::scrape::Scrape;
use crate::support::{binary, chat, done, gateway, openai, put_route};

#[tokio::test]
async fn what_an_ai_call_said_is_there_for_who_asks() {
    let (provider, collector, gateway) = (FakeProvider::start(), collector(), gateway().await);
    let format = json!({
        "text": "$llm_response_text", "asked": "$llm_request_body", "uri": "$upstream_uri",
        "host": "$upstream_host", "scheme": "$upstream_scheme", "addr": "$upstream_addr",
        "tokens": "$llm_total_tokens", "type": "$request_type", "team": "$http_x_team", "key": "$http_authorization",
    });
    let logger = json!({ "uri": collector.url("/"), "batch_max_size": 1, "log_format": format });
    let plugins = json!({ "ai-proxy": openai(&provider), "http-logger": logger });
    put_route(&gateway, "1", "/v1/chat/completions", plugins).await;
    for (nth, stream) in [(1, false), (2, true)] {
        let mut body = chat("conf:hello");
        body["stream"] = json!(stream);
        let call = gateway.client().post("/v1/chat/completions").json(&body);
        done(
            call.header("x-team", "red")
                .header("authorization", "Bearer secret"),
            200,
        )
        .await;
        let entry = collector.wait_requests(nth).await[nth - 1].json();
        assert_eq!(entry["text"], "Hello from the upstream.", "{entry}");
        assert_eq!(entry["asked"]["messages"], body["messages"]);
        assert_eq!(entry["uri"], "/v1/chat/completions");
        assert_eq!(
            (&entry["host"], &entry["scheme"]),
            (&json!("127.0.0.1"), &json!("http"))
        );
        assert_eq!(entry["addr"], provider.addr().to_string());
        assert_eq!(entry["type"], if stream { "ai_stream" } else { "ai_chat" });
        assert_eq!((&entry["team"], &entry["key"]), (&json!("red"), &json!("***")));
        assert!(entry["tokens"].as_u64().unwrap() > 0, "{entry}");
    }
}

#[tokio::test]
async fn plain_upstreams_have_them_too() {
    let (upstream, collector, gateway) = (FakeProvider::start(), collector(), gateway().await);
    let format = json!({
        "uri": "$upstream_uri", "host": "$upstream_host", "scheme": "$upstream_scheme", "text": "$llm_response_text",
    });
    let conf = json!({ "uri": collector.url("/"), "batch_max_size": 1, "log_format": format });
    put_logger(&gateway, &upstream, "/log/*", "http-logger", conf).await;
    done(
        gateway
            .client()
            .get("/log/a?x=1&key=secret")
            .header("host", "gw.example"),
        200,
    )
    .await;
    let entry = collector.wait_requests(1).await.remove(0).json();
    let expected = json!({
        "uri": "/log/a?x=1&key=***", "host": "gw.example", "scheme": "http", "route_id": "1",
    });
    assert_eq!(entry, expected);
}

async fn line(gateway: &Gateway) -> String {
    let path = gateway.dir().join("access.log");
    eventually("a line of the access log", async || {
        let text = std::fs::read_to_string(&path).ok()?;
        text.lines().next().map(str::to_owned)
    })
    .await
}

#[tokio::test]
async fn the_access_log_has_every_variable() {
    let provider = FakeProvider::start();
    let template = "$http_x_team|$arg_a|$cookie_c|$http_apikey|$upstream_uri|$upstream_host|$upstream_scheme|\
                    $llm_response_text|${post_arg.model}|$server_port|$http_nothing";
    let gateway = Gateway::builder(binary())
        .env("SLUICE_ACCESS_LOG_TARGET", "access.log")
        .env("SLUICE_ACCESS_LOG_FORMAT", template)
        .start()
        .await;
    put_route(&gateway, "1", "/ai", json!({ "ai-proxy": openai(&provider) })).await;
    let call = gateway.client().post("/ai?a=1").json(&chat("conf:hello"));
    let call = call
        .header("x-team", "red")
        .header("cookie", "c=2")
        .header("apikey", "secret");
    done(call, 200).await;
    let port = gateway.proxy_addr().port();
    assert_eq!(
        line(&gateway).await,
        format!("red|1|2|***|/v1/chat/completions|127.0.0.1|http|Hello from the upstream.|gpt-4o|{port}|-")
    );
}

#[tokio::test]
async fn metrics_have_the_labels_that_the_operator_adds() {
    let upstream = FakeProvider::start();
    let extra: Value = json!([{ "team": "$http_x_team" }, { "upstream": "$upstream_addr" }]);
    let attributes = json!({ "prometheus": { "metrics": { "http_status": { "extra_labels": extra } } } });
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PLUGIN_ATTR", attributes.to_string())
        .start()
        .await;
    put_logger(&gateway, &upstream, "/log", "prometheus", json!({})).await;
    done(gateway.client().get("/log").header("x-team", "red"), 200).await;
    call(&gateway, &["/log"]).await;
    let address = upstream.addr().to_string();
    Scrape::when(&gateway, "both teams", |scrape| {
        let of = |team| scrape.sum("apisix_http_status", &[("team", team), ("upstream", &address)]);
        of("red") == 1.0 && of("") == 1.0
    })
    .await;
}
