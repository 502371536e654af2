//! Names with several addresses: one node per address (compat §8.1).

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};
use sluice_testkit::{FakeDns, FakeProvider, Gateway, Reply, eventually};

use crate::support::{binary, put};

/// Servers that share a port, on loopback addresses of their own.
struct Scene {
    dns: FakeDns,
    servers: Vec<FakeProvider>,
    gateway: Gateway,
}

fn loopback(last: u8) -> IpAddr {
    IpAddr::from([127, 0, 0, last])
}

impl Scene {
    async fn start(addresses: &[u8]) -> Self {
        let servers = serving(addresses);
        let dns = FakeDns::start();
        let gateway = Gateway::builder(binary())
            .env(
                "SLUICE_APISIX_DNS_RESOLVER",
                json!([dns.addr().to_string()]).to_string(),
            )
            .start()
            .await;
        Self {
            dns,
            servers,
            gateway,
        }
    }

    fn port(&self) -> u16 {
        self.servers[0].addr().port()
    }

    fn set(&self, name: &str, addresses: &[u8], ttl: u32) {
        let addresses: Vec<_> = addresses.iter().copied().map(loopback).collect();
        self.dns.set(name, &addresses, ttl);
    }

    async fn put(&self, upstream: Value) {
        put(
            &self.gateway,
            "/routes/1",
            json!({ "uri": "/x", "upstream": upstream }),
        )
        .await;
    }

    /// Which servers answer so many requests, and how many each.
    async fn shares(&self, requests: usize) -> BTreeMap<String, usize> {
        let mut shares = BTreeMap::new();
        for _ in 0..requests {
            let answer = self
                .gateway
                .client()
                .get("/x")
                .send()
                .await
                .expect_status(200)
                .await;
            *shares.entry(answer.text().await).or_default() += 1;
        }
        shares
    }
}

/// Servers at these last parts of a loopback address, on one port; each answers with its own.
fn serving(addresses: &[u8]) -> Vec<FakeProvider> {
    let start = |addr: SocketAddr, last: u8| {
        let server = FakeProvider::start_at(addr)?;
        server.always(Reply::body(200, "text/plain", last.to_string()));
        std::io::Result::Ok(server)
    };
    // A port that is free at the first address may be taken at the others.
    for _ in 0..50 {
        let first = start(SocketAddr::new(loopback(addresses[0]), 0), addresses[0]).unwrap();
        let port = first.addr().port();
        let others = addresses[1..]
            .iter()
            .map(|last| start(SocketAddr::new(loopback(*last), port), *last));
        if let Ok(others) = others.collect::<std::io::Result<Vec<_>>>() {
            return std::iter::once(first).chain(others).collect();
        }
    }
    panic!("no port is free at all addresses");
}

fn shares(expected: &[(&str, usize)]) -> BTreeMap<String, usize> {
    expected
        .iter()
        .map(|(server, count)| ((*server).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn every_address_is_a_node_with_the_weight_of_its_name() {
    let scene = Scene::start(&[21, 22, 23]).await;
    let port = scene.port();
    scene.set("two.test", &[22, 21], 3600);
    let nodes = json!({ format!("two.test:{port}"): 2, format!("127.0.0.23:{port}"): 1 });
    scene.put(json!({ "type": "roundrobin", "nodes": nodes })).await;
    assert_eq!(scene.shares(10).await, shares(&[("21", 4), ("22", 4), ("23", 2)]));
    assert_eq!(scene.dns.asked("two.test"), 1);
    // Who is asked is asked under the name.
    scene
        .put(json!({ "type": "roundrobin", "pass_host": "node", "nodes": { format!("two.test:{port}"): 1 } }))
        .await;
    assert_eq!(scene.shares(4).await, shares(&[("21", 2), ("22", 2)]));
    for server in &scene.servers[..2] {
        let host = format!("two.test:{port}");
        assert_eq!(server.last_request().header("host"), Some(&*host));
    }
    // Both families are not needed, and nobody listens at the other one.
    let both = [loopback(21), "::1".parse().unwrap()];
    scene.dns.set("both.test", &both, 3600);
    scene
        .put(json!({ "type": "roundrobin", "retries": 0, "nodes": { format!("both.test:{port}"): 1 } }))
        .await;
    assert_eq!(scene.shares(4).await, shares(&[("21", 4)]));
    // A key belongs to one address, whatever order the name server gives.
    let hashed = json!({
        "type": "chash", "key": "arg_k", "nodes": { format!("two.test:{port}"): 1 },
    });
    scene.put(hashed).await;
    assert_eq!(scene.shares(6).await.len(), 1);
}

#[tokio::test]
async fn addresses_that_fail_are_left_for_others_of_the_name() {
    let scene = Scene::start(&[31, 32]).await;
    // Nobody listens at the third address.
    scene.set("three.test", &[31, 33, 32], 3600);
    scene.set("none.test", &[], 1);
    let port = scene.port();
    let nodes = json!({ format!("three.test:{port}"): 1, format!("none.test:{port}"): 1 });
    scene.put(json!({ "type": "roundrobin", "nodes": nodes })).await;
    let found = scene.shares(6).await;
    assert_eq!(found.values().sum::<usize>(), 6, "{found:?}");
    assert_eq!(found.len(), 2, "{found:?}");
    scene
        .put(json!({ "type": "roundrobin", "retries": 0, "nodes": { format!("none.test:{port}"): 1 } }))
        .await;
    let answer = scene.gateway.client().get("/x").send().await;
    answer.expect_status(503).await.bytes().await;
    scene.gateway.wait_output("node left out").await;
    // It appears as soon as the name does.
    scene.set("none.test", &[32], 3600);
    eventually("the name to resolve", async || {
        let answer = scene.gateway.client().get("/x").send().await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn addresses_are_followed_when_their_time_is_over() {
    let scene = Scene::start(&[41, 42]).await;
    scene.set("moving.test", &[41], 1);
    let nodes = json!({ format!("moving.test:{}", scene.port()): 1 });
    scene.put(json!({ "type": "roundrobin", "nodes": nodes })).await;
    assert_eq!(scene.shares(3).await, shares(&[("41", 3)]));
    scene.set("moving.test", &[42], 1);
    eventually("requests to go to the new address", async || {
        scene.shares(1).await.contains_key("42").then_some(())
    })
    .await;
    assert_eq!(scene.shares(3).await, shares(&[("42", 3)]));
    // A name server that knows the name no more changes nothing.
    scene.set("moving.test", &[], 1);
    let asked = scene.dns.asked("moving.test");
    eventually("the name to be asked for again", async || {
        assert_eq!(scene.shares(1).await, shares(&[("42", 1)]));
        (scene.dns.asked("moving.test") > asked).then_some(())
    })
    .await;
    assert_eq!(scene.shares(3).await, shares(&[("42", 3)]));
}

#[tokio::test]
async fn every_address_has_a_health_of_its_own() {
    let scene = Scene::start(&[51, 52]).await;
    scene.set("two.test", &[51, 52], 3600);
    let port = scene.port();
    let active = json!({
        "http_path": "/health", "healthy": { "interval": 1, "successes": 1 },
        "unhealthy": { "interval": 1, "http_failures": 1 },
    });
    let passive = json!({ "unhealthy": { "http_statuses": [500], "http_failures": 1 } });
    let upstream = |checks: Value| json!({ "type": "roundrobin", "nodes": { format!("two.test:{port}"): 1 }, "checks": checks });
    scene.put(upstream(json!({ "active": active }))).await;
    assert_eq!(scene.shares(4).await, shares(&[("51", 2), ("52", 2)]));
    scene.servers[0].always(Reply::body(500, "text/plain", "51"));
    let statuses = async |wanted: [&str; 2]| {
        eventually(&format!("{wanted:?}"), async || {
            let report = scene
                .gateway
                .control()
                .get("/v1/healthcheck")
                .send()
                .await
                .json()
                .await;
            let nodes = report[0]["nodes"].as_array()?.clone();
            let of = |ip: &str| {
                nodes.iter().find(|node| node["ip"] == ip)?["status"]
                    .as_str()
                    .map(str::to_owned)
            };
            let found = [of("127.0.0.51")?, of("127.0.0.52")?];
            (found == wanted).then_some(())
        })
        .await;
    };
    statuses(["unhealthy", "healthy"]).await;
    assert_eq!(scene.shares(4).await, shares(&[("52", 4)]));
    scene.servers[0].always(Reply::body(200, "text/plain", "51"));
    statuses(["healthy", "healthy"]).await;
    assert_eq!(scene.shares(4).await, shares(&[("51", 2), ("52", 2)]));

    // What requests meet counts for the address that they met it at.
    let slow = json!({
        "http_path": "/health", "healthy": { "interval": 3600 }, "unhealthy": { "interval": 3600 },
    });
    scene
        .put(upstream(json!({ "active": slow, "passive": passive })))
        .await;
    scene.shares(1).await;
    statuses(["healthy", "healthy"]).await;
    scene.servers[1].always(Reply::body(500, "text/plain", "52"));
    for _ in 0..2 {
        scene.gateway.client().get("/x").send().await.bytes().await;
    }
    assert_eq!(scene.shares(4).await, shares(&[("51", 4)]));
}
