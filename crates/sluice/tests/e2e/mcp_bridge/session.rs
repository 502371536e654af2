//! The two endpoints, and what passes between them and the server.

use serde_json::json;

use super::{Session, bridge, gateway, script, with_commands};
use crate::support::{put, put_consumer};

/// An MCP server: one tool, which says its argument again.
const SERVER: &str = r#"
import json, sys
print("server is up", file=sys.stderr, flush=True)
for line in sys.stdin:
    message = json.loads(line)
    method, params = message.get("method"), message.get("params", {})
    if method == "initialize":
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "again", "version": "1"}}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": params["arguments"]["text"]}]}
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"#;

#[tokio::test]
async fn a_client_and_a_server_talk() {
    let gateway = with_commands("[[python3, server.py]]").await;
    std::fs::write(gateway.dir().join("server.py"), SERVER).unwrap();
    let conf = json!({ "base_uri": "/mcp", "command": "python3", "args": ["server.py"] });
    bridge(&gateway, conf).await;

    let mut session = Session::open(&gateway).await;
    let id = session.endpoint.strip_prefix("/mcp/message?sessionId=").unwrap();
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(
        session.hear().await,
        json!({ "jsonrpc": "2.0", "method": "notifications/stderr", "params": { "content": "server is up" } })
    );
    let params = json!({ "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {} });
    let initialize = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
    session.say(&gateway, &initialize).await;
    let answer = session.hear().await;
    assert_eq!(answer["id"], 1);
    assert_eq!(answer["result"]["protocolVersion"], "2024-11-05");

    let text = format!("zwölf\n{}", "x".repeat(300_000));
    let params = json!({ "name": "again", "arguments": { "text": text } });
    let call = json!({ "jsonrpc": "2.0", "id": "c", "method": "tools/call", "params": params });
    // Line breaks between members are not the end of a message.
    let pretty = serde_json::to_string_pretty(&call).unwrap();
    let call = gateway.client().post(&session.endpoint).body(pretty);
    call.send().await.expect_status(202).await;
    assert_eq!(session.hear().await["result"]["content"][0]["text"], text);
}

#[tokio::test]
async fn sessions_do_not_hear_each_other() {
    let gateway = gateway().await;
    bridge(&gateway, script("while read line; do echo \"$line\"; done")).await;
    let mut first = Session::open(&gateway).await;
    let mut second = Session::open(&gateway).await;
    assert_ne!(first.endpoint, second.endpoint);
    second.say(&gateway, &json!({ "id": 2 })).await;
    first.say(&gateway, &json!({ "id": 1 })).await;
    assert_eq!(first.hear().await, json!({ "id": 1 }));
    assert_eq!(second.hear().await, json!({ "id": 2 }));
}

#[tokio::test]
async fn a_session_outlives_an_edit_of_its_route() {
    let gateway = gateway().await;
    bridge(&gateway, script("while read line; do echo \"$line\"; done")).await;
    let mut session = Session::open(&gateway).await;
    bridge(&gateway, script("exit 1")).await;
    session.say(&gateway, &json!({ "id": 1 })).await;
    assert_eq!(session.hear().await, json!({ "id": 1 }));
}

#[tokio::test]
async fn whoever_may_not_call_starts_nothing() {
    let gateway = gateway().await;
    put_consumer(&gateway, "jack").await;
    let plugins = json!({ "key-auth": {}, "mcp-bridge": script("cat") });
    put(
        &gateway,
        "/routes/mcp",
        json!({ "uri": "/mcp/*", "plugins": plugins }),
    )
    .await;
    gateway
        .client()
        .get("/mcp/sse")
        .send()
        .await
        .expect_status(401)
        .await;
    let call = gateway.client().get("/mcp/sse").header("apikey", "key-jack");
    let mut events = call.send().await.expect_status(200).await.events();
    assert_eq!(events.next().await.unwrap().name.as_deref(), Some("endpoint"));
}

#[tokio::test]
async fn other_requests() {
    let gateway = gateway().await;
    bridge(&gateway, script("cat")).await;
    let client = gateway.client();
    for call in [
        client.get("/mcp/"),
        client.get("/mcp/message"),
        client.get("/mcp/sse/x"),
        client.post("/mcp/sse").body("{}"),
        client.call(http::Method::DELETE, "/mcp/sse"),
    ] {
        let answer = call.send().await.expect_status(404).await;
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(answer.text().await.contains("<h1>404 Not Found</h1>"));
    }
    let unknown = "/mcp/message?sessionId=6f2a3c1e-7f0b-4f51-9a6d-1f2b3c4d5e6f";
    for target in [unknown, "/mcp/message", "/mcp/message?sessionId=x"] {
        let answer = client.post(target).body("{}").send().await;
        assert_eq!(answer.expect_status(202).await.text().await, "");
        let answer = client.post(target).send().await.expect_status(400).await;
        assert!(answer.text().await.contains("<h1>400 Bad Request</h1>"));
    }
    // Announced only: an answer that comes early may end the connection under a client that still writes.
    let mut connection = client.raw().await;
    let length = (4 << 20) + 1;
    let head = format!("POST {unknown} HTTP/1.1\r\nHost: gw\r\nContent-Length: {length}\r\n\r\n");
    connection.write(head).await;
    let answer = connection.read_head().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn without_a_base_the_endpoints_are_at_the_root() {
    let gateway = gateway().await;
    let conf = json!({ "command": "/bin/sh", "args": ["-c", "while read line; do echo \"$line\"; done"] });
    put(
        &gateway,
        "/routes/mcp",
        json!({ "uri": "/*", "plugins": { "mcp-bridge": conf } }),
    )
    .await;
    let answer = gateway.client().get("/sse").send().await.expect_status(200).await;
    let endpoint = answer.events().next().await.unwrap().data;
    assert!(endpoint.starts_with("/message?sessionId="), "{endpoint}");
}
