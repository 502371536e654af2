//! Recognisable secrets are planted wherever secrets can be, everything goes right and wrong that can, and then every
//! place where something can be read is searched for them (DESIGN §8).

mod calls;
mod clouds;
mod setup;
mod sinks;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sluice_testkit::{FakeProvider, Gateway, Reply, eventually};

use self::clouds::Clouds;
use self::setup::ai_proxy;
use self::sinks::Sinks;
use crate::scrape::Scrape;
use crate::support::{chat, done, put};

/// In `auth.header` of ai-proxy.
const PROVIDER_HEADER: &str = "canary0provider0header";
/// In `auth.query` of ai-proxy.
const PROVIDER_QUERY: &str = "canary0provider0query";
/// The key of a consumer.
const CLIENT: &str = "canary0client0key";
/// The key of a credential, sent to a route that reads it from places of its own.
const ODD_CLIENT: &str = "canary0odd0client0key";
/// A key that nobody has: somebody's key for something else, perhaps.
const WRONG: &str = "canary0wrong0key";
/// The password of the admin user.
const PASSWORD: &str = "canary0admin0password";
/// An admin key of the configuration.
const ADMIN: &str = "canary0admin0key";
/// The password of the metrics.
const METRICS: &str = "canary0metrics0password";
/// In `auth_header` of http-logger.
const LOGGER: &str = "canary0logger0header";
/// The token of a secret manager.
const VAULT: &str = "canary0vault0token";

/// No secret: in every sink that tells of requests, so that it is known that the sink was searched.
const MARKER: &str = "marker0agent";

/// The path of an LLM endpoint, which has a built-in route.
const LLM: &str = "/v1/chat/completions";

#[tokio::test]
async fn no_sink_shows_a_secret() {
    let (provider, collector) = (FakeProvider::start(), FakeProvider::start());
    collector.always(Reply::body(200, "text/plain", "taken"));
    let mut gateway = setup::start().await;
    let mut sinks = Sinks::default();
    setup::configure(&gateway, &provider, &collector, &mut sinks).await;
    setup::misconfigure(&gateway, &mut sinks).await;
    let clouds = Clouds::start();
    clouds.configure(&gateway, &mut sinks).await;
    clouds.call(&gateway, &mut sinks).await;
    calls::make_all(&gateway, &provider, &mut sinks).await;
    were_where_they_belong(&gateway, &provider, &collector).await;
    read_while_running(&gateway, &collector, &mut sinks).await;
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    read_files(&gateway, &mut sinks);
    sinks.assert_clean(&gateway, &clouds.secrets());
}

/// The secrets have been used, so that there was something to leak.
async fn were_where_they_belong(gateway: &Gateway, provider: &FakeProvider, collector: &FakeProvider) {
    let seen = provider.requests();
    let bearer = format!("Bearer {PROVIDER_HEADER}");
    assert!(
        seen.iter()
            .any(|call| call.header("authorization") == Some(&bearer))
    );
    let query = format!("secret={PROVIDER_QUERY}");
    assert!(seen.iter().any(|call| call.query.as_deref() == Some(&query)));
    let read = gateway.admin().get("/consumers/c").await.expect_status(200);
    assert!(
        read.text().contains(CLIENT),
        "whoever has the admin key may see it"
    );
    collector.wait_requests(1).await;
    assert_eq!(collector.last_request().header("authorization"), Some(LOGGER));
}

async fn read_while_running(gateway: &Gateway, collector: &FakeProvider, sinks: &mut Sinks) {
    for path in ["/status", "/status/ready"] {
        sinks.add(
            path,
            gateway.admin().client().get(path).send().await.bytes().await,
        );
    }
    for path in [
        "schema",
        "routes",
        "services",
        "upstreams",
        "route/ai",
        "plugin_metadatas",
        "healthcheck",
    ] {
        let answer = gateway.control().get(&format!("/v1/{path}")).send().await;
        sinks.add("control API", answer.bytes().await);
    }
    let basic = format!("Basic {}", STANDARD.encode(format!("prom:{METRICS}")));
    let metrics = gateway
        .admin()
        .client()
        .get("/metrics")
        .header("authorization", &basic);
    let metrics = metrics.send().await.expect_status(200).await.text().await;
    assert!(Scrape::parse(metrics.clone()).sum("apisix_http_status", &[("consumer", "c")]) > 10.0);
    sinks.add("metrics", metrics);
    let delivered = eventually("the last entry at the collector", async || {
        let bodies: Vec<u8> = collector
            .requests()
            .iter()
            .flat_map(|call| call.body.to_vec())
            .collect();
        sinks::find(&bodies, "/nowhere").is_some().then_some(bodies)
    });
    sinks.add("http-logger", delivered.await);
    for file in [
        "sluice.db",
        "sluice.db-wal",
        "ledger.db",
        "ledger.db-wal",
        "ledger.spill",
    ] {
        sinks.add(
            file,
            std::fs::read(gateway.dir().join("data").join(file)).unwrap(),
        );
    }
    assert!(sinks.contain("control API", "ai-proxy"));
}

fn read_files(gateway: &Gateway, sinks: &mut Sinks) {
    for file in [
        "data/sluice.db",
        "data/ledger.db",
        "access.log",
        "logger.log",
        "formatted.log",
    ] {
        sinks.add(file, std::fs::read(gateway.dir().join(file)).unwrap());
    }
    sinks.add("output", gateway.output());
    for sink in [
        "http-logger",
        "access.log",
        "logger.log",
        "formatted.log",
        "data/ledger.db",
    ] {
        assert!(sinks.contain(sink, MARKER), "{sink} tells of the requests");
    }
    assert!(sinks.contain("output", "WARN") && sinks.contain("output", "configuration changed"));
    assert!(sinks.contain("data/sluice.db", "/routes/ai"));
}

#[tokio::test]
async fn a_callers_key_stays_with_the_gateway() {
    let provider = FakeProvider::start();
    let gateway = crate::support::gateway().await;
    let plugins = json!({ "key-auth": { "key": CLIENT }, "ai-proxy": ai_proxy(&provider.url(LLM)) });
    put(
        &gateway,
        "/consumers",
        json!({ "username": "c", "plugins": plugins }),
    )
    .await;
    let client = gateway.client();
    for call in [
        client.post(LLM).key(CLIENT),
        client.post(LLM).header("x-api-key", CLIENT),
        client.post(LLM).header("api-key", CLIENT),
        client.post(LLM).header("x-goog-api-key", CLIENT),
        client.post(&format!("{LLM}?key={CLIENT}")),
    ] {
        done(call.json(&chat("conf:hello")), 200).await;
        let sent = provider.last_request();
        let passed = format!("{:?} {:?}", sent.headers, sent.query);
        assert!(
            !passed.contains(CLIENT) && passed.contains(PROVIDER_HEADER),
            "{passed}"
        );
    }
}
