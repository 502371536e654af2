//! `mcp-bridge` (compat §4.14), and the setting that lets it run commands.

mod permission;
mod processes;
mod session;

use std::path::PathBuf;

use serde_json::{Value, json};
use sluice_testkit::{Event, Events, Gateway, eventually, within};

use crate::support::{binary, put};

/// A gateway whose file allows any shell script and `yes`.
async fn gateway() -> Gateway {
    with_commands("[/bin/sh, yes, /does/not/exist]").await
}

/// A gateway whose file allows these commands.
async fn with_commands(allowed: &str) -> Gateway {
    let config = format!("commands:\n  allowed: {allowed}\n");
    Gateway::builder(binary())
        .file("config.yaml", config)
        .start()
        .await
}

/// A server that is a shell script.
fn script(script: &str) -> Value {
    json!({ "base_uri": "/mcp", "command": "/bin/sh", "args": ["-c", script] })
}

/// A route, `/mcp/*`, to an MCP server.
fn route(conf: Value) -> Value {
    json!({ "uri": "/mcp/*", "plugins": { "mcp-bridge": conf } })
}

/// Stores that route.
async fn bridge(gateway: &Gateway, conf: Value) {
    put(gateway, "/routes/mcp", route(conf)).await;
}

/// A session as its client sees it.
struct Session {
    events: Events,
    /// Where to post messages.
    endpoint: String,
}

impl Session {
    /// Opens a session, up to its first ping.
    async fn open(gateway: &Gateway) -> Self {
        let answer = gateway.client().get("/mcp/sse").send().await;
        let answer = answer.expect_status(200).await;
        assert_eq!(answer.header("content-type"), Some("text/event-stream"));
        assert_eq!(answer.header("cache-control"), Some("no-cache"));
        let mut events = answer.events();
        let first = next(&mut events).await;
        assert_eq!(first.name.as_deref(), Some("endpoint"));
        let ping = next(&mut events).await;
        assert_eq!(ping.name.as_deref(), Some("message"));
        assert_eq!(
            ping.json(),
            json!({ "jsonrpc": "2.0", "method": "ping", "id": "ping:1" })
        );
        Self {
            events,
            endpoint: first.data,
        }
    }

    /// Says something that must be taken.
    async fn say(&self, gateway: &Gateway, message: &Value) {
        let call = gateway.client().post(&self.endpoint).json(message);
        let answer = call.send().await.expect_status(202).await;
        assert_eq!(answer.text().await, "");
    }

    /// What the server says next.
    async fn hear(&mut self) -> Value {
        let event = next(&mut self.events).await;
        assert_eq!(event.name.as_deref(), Some("message"));
        event.json()
    }
}

async fn next(events: &mut Events) -> Event {
    within("an event", events.next()).await.expect("an event")
}

/// Waits until there is no such process, not even one that has ended and that nobody has waited for.
async fn gone(pid: &Value) {
    let pid = pid.as_u64().expect("a process id");
    let process = PathBuf::from(format!("/proc/{pid}"));
    eventually(&format!("the end of process {pid}"), async || {
        (!process.exists()).then_some(())
    })
    .await;
}
