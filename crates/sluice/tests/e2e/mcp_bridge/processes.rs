//! Servers that do not behave, and clients that leave.

use std::time::{Duration, Instant};

use serde_json::json;
use sluice_testkit::{eventually, within};

use super::{Session, bridge, gateway, gone, next, script, with_commands};
use crate::support::binary;
use sluice_testkit::Gateway;

/// Says the number of its own process, and that of a child which would run for ever.
const PARENT: &str = "sleep 1000 & echo \"[$$,$!]\"; ";

#[tokio::test]
async fn a_server_ends_with_its_client() {
    let gateway = gateway().await;
    bridge(&gateway, script(&format!("{PARENT} cat"))).await;
    let mut session = Session::open(&gateway).await;
    let pids = session.hear().await;
    let endpoint = session.endpoint.clone();
    drop(session);
    gone(&pids[0]).await;
    gone(&pids[1]).await;
    let call = gateway.client().post(&endpoint).body("{}");
    call.send().await.expect_status(202).await;
}

#[tokio::test]
async fn a_server_that_does_not_want_to_end_is_killed() {
    let gateway = gateway().await;
    let stubborn = format!("trap '' TERM; {PARENT} while :; do sleep 1; done");
    bridge(&gateway, script(&stubborn)).await;
    let mut session = Session::open(&gateway).await;
    let pids = session.hear().await;
    drop(session);
    gone(&pids[0]).await;
    gone(&pids[1]).await;
}

#[tokio::test]
async fn a_stream_ends_with_its_server() {
    let gateway = gateway().await;
    bridge(
        &gateway,
        script("echo 'no such file' >&2; echo '{\"id\":1}'; exit 3"),
    )
    .await;
    let answer = gateway
        .client()
        .get("/mcp/sse")
        .send()
        .await
        .expect_status(200)
        .await;
    let finished = within("the end of the stream", answer.events().finish()).await;
    assert!(!finished.broken);
    assert_eq!(finished.events[0].name.as_deref(), Some("endpoint"));
    let messages: Vec<_> = finished.events[1..].iter().map(|event| event.json()).collect();
    for expected in [
        json!({ "jsonrpc": "2.0", "method": "notifications/stderr", "params": { "content": "no such file" } }),
        json!({ "id": 1 }),
    ] {
        assert!(messages.contains(&expected), "{messages:?}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_there() {
    let gateway = gateway().await;
    bridge(
        &gateway,
        json!({ "base_uri": "/mcp", "command": "/does/not/exist" }),
    )
    .await;
    let answer = gateway
        .client()
        .get("/mcp/sse")
        .send()
        .await
        .expect_status(500)
        .await;
    assert!(answer.text().await.contains("<h1>500 Internal Server Error</h1>"));
    gateway.wait_output("cannot run \"/does/not/exist\"").await;
}

#[tokio::test]
async fn a_flood_stays_where_it_comes_from() {
    let gateway = gateway().await;
    bridge(&gateway, json!({ "base_uri": "/mcp", "command": "yes" })).await;
    let mut session = Session::open(&gateway).await;
    // The client reads nothing: the server has to wait, and nobody else.
    let used = cpu_of_children(&gateway);
    let still = eventually("a server that waits", async || {
        let before = cpu_of_children(&gateway);
        tokio::time::sleep(Duration::from_millis(50)).await;
        (cpu_of_children(&gateway) == before).then_some(before)
    })
    .await;
    assert!(still >= used);
    let resident = resident_bytes(&gateway);
    gateway
        .client()
        .get("/nothing")
        .send()
        .await
        .expect_status(404)
        .await;
    for _ in 0..100_000 {
        assert_eq!(next(&mut session.events).await.data, "y");
    }
    let grown = resident_bytes(&gateway).saturating_sub(resident);
    assert!(grown < 64 << 20, "{grown} bytes more");
    let flooding = children(&gateway);
    assert_eq!(flooding.len(), 1);
    drop(session);
    gone(&json!(flooding[0])).await;
}

#[tokio::test]
async fn a_line_without_end_ends_the_session() {
    let gateway = gateway().await;
    bridge(
        &gateway,
        script("head -c 20000000 /dev/zero | tr '\\0' x; sleep 1000"),
    )
    .await;
    let answer = gateway
        .client()
        .get("/mcp/sse")
        .send()
        .await
        .expect_status(200)
        .await;
    let finished = within("the end of the stream", answer.events().finish()).await;
    assert_eq!(finished.events.len(), 2, "endpoint and ping");
    gateway.wait_output("too long a line").await;
}

#[tokio::test]
async fn there_is_a_most_at_once() {
    let config = "commands: {allowed: [cat], max_processes: 1}\n";
    let gateway = Gateway::builder(binary())
        .file("config.yaml", config)
        .start()
        .await;
    bridge(&gateway, json!({ "base_uri": "/mcp", "command": "cat" })).await;
    let session = Session::open(&gateway).await;
    gateway
        .client()
        .get("/mcp/sse")
        .send()
        .await
        .expect_status(500)
        .await;
    gateway.wait_output("`commands.max_processes`").await;
    drop(session);
    eventually("a place", async || {
        let answer = gateway.client().get("/mcp/sse").send().await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_gateway_that_stops_does_not_wait_for_sessions() {
    let mut gateway = with_commands("[/bin/sh]").await;
    bridge(&gateway, script(&format!("{PARENT} cat"))).await;
    let mut session = Session::open(&gateway).await;
    let pids = session.hear().await;
    let begun = Instant::now();
    gateway.terminate();
    let events = session.events;
    assert!(!within("the end of the stream", events.finish()).await.broken);
    assert!(gateway.wait_exit().await.success());
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    gone(&pids[0]).await;
    gone(&pids[1]).await;
}

#[tokio::test]
async fn nothing_of_the_gateways_environment_reaches_a_server() {
    let config = "commands: {allowed: [/bin/sh], environment: [SHARED]}\n";
    let gateway = Gateway::builder(binary()).file("config.yaml", config);
    let gateway = gateway.env("SHARED", "yes").env("CANARY", "canary").start().await;
    let say =
        "echo \"{\\\"shared\\\":\\\"$SHARED\\\",\\\"canary\\\":\\\"$CANARY$SLUICE_ADMIN_KEY\\\"}\"; cat";
    bridge(&gateway, script(say)).await;
    let mut session = Session::open(&gateway).await;
    assert_eq!(session.hear().await, json!({ "shared": "yes", "canary": "" }));
}

/// The gateway's child processes.
fn children(gateway: &Gateway) -> Vec<u32> {
    let pid = gateway.pid();
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let lists =
        tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default());
    lists
        .collect::<String>()
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
}

/// Processor time of the gateway's child processes, in ticks.
fn cpu_of_children(gateway: &Gateway) -> u64 {
    let ticks = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|ticks| ticks.parse::<u64>().ok())
            .sum::<u64>()
    };
    children(gateway).into_iter().map(ticks).sum()
}

fn resident_bytes(gateway: &Gateway) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{}/statm", gateway.pid())).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}
