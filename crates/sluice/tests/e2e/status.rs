//! The status listener: probes before there is a configuration, while it serves, and when it stops.

use serde_json::{Value, json};
use sluice_testkit::{Client, FakeVault, Gate, Gateway, Reply, eventually};
use tokio::net::TcpStream;

use crate::support::{binary, dead_addr, openai, put, put_route};

/// Status and body of a probe; `None` while nobody listens.
async fn probe(client: &Client, addr: std::net::SocketAddr, path: &str) -> Option<(u16, Value)> {
    TcpStream::connect(addr).await.ok()?;
    let answer = client.get(path).send().await;
    Some((answer.status.as_u16(), answer.json().await))
}

#[tokio::test]
async fn probes_are_answered_before_there_is_a_configuration() {
    let addr = dead_addr();
    let mut gateway = Gateway::builder(binary())
        .env("SLUICE_STATUS_LISTEN", addr.to_string())
        .start()
        .await;
    let client = Client::new(addr);
    let up = (200, json!({ "status": "ok" }));
    assert_eq!(probe(&client, addr, "/status").await.unwrap(), up);
    assert_eq!(probe(&client, addr, "/status/ready").await.unwrap(), up);
    for path in ["/", "/metrics", "/apisix/admin/routes", "/status/"] {
        client
            .get(path)
            .send()
            .await
            .expect_status(404)
            .await
            .bytes()
            .await;
    }
    client
        .post("/status")
        .send()
        .await
        .expect_status(404)
        .await
        .bytes()
        .await;

    // What the configuration refers to is waited for at the start.
    let vault = FakeVault::start("token");
    let gate = Gate::closed();
    vault.suffer(Reply::hang_up().head_gated(&gate));
    let manager = json!({ "uri": vault.url(), "prefix": "kv", "token": "token" });
    put(&gateway, "/secrets/vault/1", manager).await;
    let provider = sluice_testkit::FakeProvider::start();
    let mut proxy = openai(&provider);
    proxy["auth"]["header"]["Authorization"] = json!("$secret://vault/1/openai/key");
    put_route(&gateway, "1", "/chat", json!({ "ai-proxy": proxy })).await;
    gateway.kill();
    let early = async {
        let unready = eventually("an answer of the status listener", async || {
            probe(&client, addr, "/status/ready").await
        })
        .await;
        let alive = probe(&client, addr, "/status").await;
        gate.open(1);
        (unready, alive)
    };
    let ((), (unready, alive)) = tokio::join!(gateway.restart(), early);
    let error = "the configuration is not loaded yet";
    assert_eq!(unready, (503, json!({ "status": "error", "error": error })));
    assert_eq!(alive, Some(up.clone()));
    assert_eq!(probe(&client, addr, "/status/ready").await.unwrap(), up);
}

#[tokio::test]
async fn a_taken_port_stops_the_start() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let dir = tempfile::tempdir().unwrap();
    let ended = crate::process::sluice(dir.path(), ["serve", "--proxy-listen", "127.0.0.1:0"])
        .env("SLUICE_ADMIN_LISTEN", "127.0.0.1:0")
        .env("SLUICE_CONTROL_LISTEN", "127.0.0.1:0")
        .env("SLUICE_STATUS_LISTEN", &addr)
        .ended()
        .await;
    assert_ne!(ended.code, Some(0));
    assert!(
        ended.stderr.contains(&format!("cannot listen on {addr}")),
        "{}",
        ended.stderr
    );
}
