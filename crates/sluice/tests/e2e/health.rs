//! Health checks of upstreams, and the control API about them (compat §8.4, §10).

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gate, Gateway, Recorded, Reply, eventually};

use crate::peer::Server;
use crate::support::{dead_addr, gateway, put};

const PROBE: &str = "/health";

fn ok() -> Reply {
    Reply::body(200, "text/plain", "ok")
}

fn node() -> FakeProvider {
    let node = FakeProvider::start();
    node.always(ok());
    node
}

/// Checks that need one look to change their mind.
fn quick(members: &Value) -> Value {
    let mut active = json!({
        "http_path": PROBE,
        "healthy": { "successes": 1 },
        "unhealthy": { "http_failures": 1, "tcp_failures": 1, "timeouts": 1 },
    });
    for (name, value) in members.as_object().unwrap() {
        active[name] = value.clone();
    }
    active
}

/// Stores upstream 1 with these nodes, and a route to it; sends the request that starts the checks.
async fn checked(gateway: &Gateway, nodes: &[&FakeProvider], checks: Value) {
    let nodes: Value = nodes
        .iter()
        .map(|node| (node.addr().to_string(), json!(1)))
        .collect();
    put(
        gateway,
        "/upstreams/1",
        json!({ "nodes": nodes, "checks": checks }),
    )
    .await;
    put(gateway, "/routes/1", json!({ "uri": "/*", "upstream_id": "1" })).await;
    gateway
        .client()
        .get("/first")
        .send()
        .await
        .expect_status(200)
        .await;
}

async fn look(gateway: &Gateway, path: &str) -> Value {
    gateway.control().get(path).send().await.json().await
}

/// Waits until the node at `addr` has that status; returns its entry.
async fn stands(gateway: &Gateway, node: &FakeProvider, status: &str) -> Value {
    let port = node.addr().port();
    eventually(&format!("{port} to be {status}"), async || {
        let report = look(gateway, "/v1/healthcheck/upstreams/1").await;
        let nodes = report["nodes"].as_array()?;
        let entry = nodes.iter().find(|node| node["port"] == port)?;
        (entry["status"] == status).then(|| entry.clone())
    })
    .await
}

fn probes(node: &FakeProvider) -> Vec<Recorded> {
    let all = node.requests().into_iter();
    all.filter(|request| request.path == PROBE).collect()
}

/// Requests that are none of the checks.
fn served(node: &FakeProvider) -> usize {
    node.requests().len() - probes(node).len()
}

async fn metric(gateway: &Gateway, node: &FakeProvider) -> Option<String> {
    let text = gateway.admin().client().get("/metrics").send().await.text().await;
    let start = format!(
        "apisix_upstream_status{{name=\"/apisix/upstreams/1\",ip=\"127.0.0.1\",port=\"{}\"}} ",
        node.addr().port()
    );
    text.lines()
        .find_map(|line| line.strip_prefix(&start))
        .map(str::to_owned)
}

#[tokio::test]
async fn a_node_that_fails_its_checks_is_passed_over_until_it_is_back() {
    let (sick, well) = (node(), node());
    let gateway = gateway().await;
    put(&gateway, "/upstreams/1", json!({ "nodes": {} })).await;
    let none = look(&gateway, "/v1/healthcheck/upstreams/1").await;
    assert_eq!(none["error_msg"], "no checker for upstreams[1]");
    checked(&gateway, &[&sick, &well], json!({ "active": quick(&json!({})) })).await;
    let entry = stands(&gateway, &sick, "healthy").await;
    assert_eq!(
        (&entry["ip"], &entry["hostname"]),
        (&json!("127.0.0.1"), &json!("127.0.0.1"))
    );
    assert_eq!(metric(&gateway, &sick).await.as_deref(), Some("1"));

    sick.always(Reply::body(503, "text/plain", "sick"));
    let entry = stands(&gateway, &sick, "unhealthy").await;
    assert_eq!(
        entry["counter"],
        json!({ "success": 0, "http_failure": 1, "tcp_failure": 0, "timeout_failure": 0 })
    );
    assert_eq!(metric(&gateway, &sick).await.as_deref(), Some("0"));
    assert_eq!(metric(&gateway, &well).await.as_deref(), Some("1"));
    let before = served(&sick);
    for _ in 0..6 {
        gateway.client().get("/").send().await.expect_status(200).await;
    }
    assert_eq!(served(&sick), before);

    sick.always(ok());
    stands(&gateway, &sick, "healthy").await;
    for _ in 0..2 {
        gateway.client().get("/").send().await.expect_status(200).await;
    }
    assert!(served(&sick) > before, "it takes its share again");
}

#[tokio::test]
async fn probes_are_what_the_configuration_says() {
    let node = node();
    let gateway = gateway().await;
    let active = quick(&json!({
        "host": "checked.example", "http_method": "POST", "http_path": "/health?deep=1", "http_req_body": "how?",
        "req_headers": ["User-Agent: probe", "X-Token: secret"],
    }));
    checked(&gateway, &[&node], json!({ "active": active })).await;
    let entry = stands(&gateway, &node, "healthy").await;
    assert_eq!(entry["hostname"], "checked.example");
    let probe = eventually("a probe", async || probes(&node).pop()).await;
    assert_eq!(
        (probe.method.as_str(), probe.query.as_deref()),
        ("POST", Some("deep=1"))
    );
    assert_eq!(probe.body, "how?");
    for (name, value) in [
        ("host", "checked.example"),
        ("user-agent", "probe"),
        ("x-token", "secret"),
        ("connection", "close"),
    ] {
        assert_eq!(probe.header(name), Some(value), "{name}");
    }

    let rewritten = json!({
        "nodes": { node.addr().to_string(): 1 }, "pass_host": "rewrite", "upstream_host": "other.example",
        "checks": { "active": quick(&json!({})) },
    });
    put(&gateway, "/upstreams/1", rewritten).await;
    gateway.client().get("/").send().await.expect_status(200).await;
    let entry = stands(&gateway, &node, "healthy").await;
    assert_eq!(entry["hostheader"], "other.example");
    eventually("a probe of the edited upstream", async || {
        let probe = probes(&node).pop()?;
        (probe.header("host") == Some("other.example")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn slow_answers_and_closed_ports_are_failures_of_their_own() {
    let node = node();
    let gateway = gateway().await;
    checked(
        &gateway,
        &[&node],
        json!({ "active": quick(&json!({ "timeout": 0.05 })) }),
    )
    .await;
    stands(&gateway, &node, "healthy").await;
    node.always(ok().head_gated(&Gate::closed()));
    let entry = stands(&gateway, &node, "unhealthy").await;
    assert_eq!(entry["counter"]["timeout_failure"], 1);

    // Checked elsewhere, where nobody listens: all nodes are down, and so all are used.
    node.always(ok());
    let port = dead_addr().port();
    let active = quick(&json!({ "type": "tcp", "port": port }));
    checked(&gateway, &[&node], json!({ "active": active })).await;
    eventually("the closed port to be noticed", async || {
        let report = look(&gateway, "/v1/healthcheck/upstreams/1").await;
        let entry = &report["nodes"][0];
        (report["type"] == "tcp" && entry["status"] == "unhealthy").then(|| {
            assert_eq!(
                (&entry["port"], &entry["counter"]["tcp_failure"]),
                (&json!(port), &json!(1))
            );
        })
    })
    .await;
    gateway.client().get("/").send().await.expect_status(200).await;
}

#[tokio::test]
async fn certificates_of_checked_nodes_must_hold_unless_they_need_not() {
    let server = Server::start_tls().await;
    let node = node();
    let gateway = gateway().await;
    let active = |verify: bool| {
        quick(&json!({
            "type": "https", "port": server.addr().port(), "timeout": 10, "https_verify_certificate": verify,
        }))
    };
    checked(&gateway, &[&node], json!({ "active": active(false) })).await;
    let mut peer = server.accept().await;
    let head = peer.read_head().await;
    assert!(head.starts_with("get /health http/1.1\r\n"), "{head}");
    drop(peer);

    checked(&gateway, &[&node], json!({ "active": active(true) })).await;
    let handshake = tokio::spawn(async move { server.accept().await });
    eventually("the certificate to be refused", async || {
        let report = look(&gateway, "/v1/healthcheck/upstreams/1").await;
        (report["nodes"][0]["counter"]["tcp_failure"] == 1).then_some(())
    })
    .await;
    assert!(
        handshake.await.is_err(),
        "nobody talked to a server that is not trusted"
    );
}

#[tokio::test]
async fn answers_to_clients_count_where_passive_checks_are_on() {
    let (sick, well) = (node(), node());
    let gateway = gateway().await;
    let checks = json!({
        // Nothing that active checks find brings a node back.
        "active": quick(&json!({ "type": "tcp", "healthy": { "successes": 254 } })),
        "passive": { "unhealthy": { "http_statuses": [500], "http_failures": 2 } },
    });
    checked(&gateway, &[&sick, &well], checks).await;
    stands(&gateway, &sick, "healthy").await;
    sick.always(Reply::body(500, "text/plain", "sick"));
    let mut failed = 0;
    for _ in 0..10 {
        failed += usize::from(gateway.client().get("/").send().await.status.as_u16() == 500);
    }
    assert_eq!(failed, 2);
    let entry = stands(&gateway, &sick, "unhealthy").await;
    assert_eq!(entry["counter"]["http_failure"], 2);
}

#[tokio::test]
async fn the_control_api_shows_checkers_and_forgets_them() {
    let node = node();
    let gateway = gateway().await;
    let upstream = json!({
        "nodes": { node.addr().to_string(): 1 }, "checks": { "active": quick(&json!({})) },
    });
    put(
        &gateway,
        "/routes/r",
        json!({ "uri": "/*", "upstream": upstream }),
    )
    .await;
    gateway.client().get("/").send().await.expect_status(200).await;
    let one = eventually("the route's checker", async || {
        let one = look(&gateway, "/v1/healthcheck/routes/r").await;
        (one["nodes"][0]["status"] == "healthy").then_some(one)
    })
    .await;
    assert_eq!(
        (&one["name"], &one["type"]),
        (&json!("/apisix/routes/r"), &json!("http"))
    );
    assert_eq!(
        look(&gateway, "/v1/healthcheck").await[0]["name"],
        "/apisix/routes/r"
    );
    let page = gateway
        .control()
        .get("/v1/healthcheck")
        .header("accept", "text/html,*/*")
        .send()
        .await
        .text()
        .await;
    let row = format!(
        "<td>/apisix/routes/r</td><td>http</td><td>{}</td><td>healthy</td>",
        node.addr()
    );
    assert!(page.contains(&row), "{page}");

    // An edit elsewhere changes nothing; the route's end is the checker's.
    put(
        &gateway,
        "/routes/other",
        json!({ "uri": "/other", "upstream": { "nodes": {} } }),
    )
    .await;
    assert_eq!(
        look(&gateway, "/v1/healthcheck").await[0]["name"],
        "/apisix/routes/r"
    );
    gateway.admin().delete("/routes/r").await.expect_status(200);
    eventually("the checker to end", async || {
        (look(&gateway, "/v1/healthcheck").await == json!([])).then_some(())
    })
    .await;
    let gone = look(&gateway, "/v1/healthcheck/routes/r").await;
    assert_eq!(gone["error_msg"], "routes[r] not found");
}
