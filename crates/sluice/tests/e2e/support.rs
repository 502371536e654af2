//! What the tests share: a gateway, and the resources that most of them need.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use sluice_testkit::{Call, FakeProvider, Finished, Gateway};
use tokio::io::AsyncWriteExt;

/// The binary under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_sluice"))
}

/// A gateway with an empty configuration.
pub(crate) async fn gateway() -> Gateway {
    Gateway::start(binary()).await
}

/// An `ai-proxy` configuration that calls the fake provider as OpenAI.
pub(crate) fn openai(provider: &FakeProvider) -> Value {
    json!({
        "provider": "openai",
        "auth": { "header": { "Authorization": "Bearer upstream-key" } },
        "override": { "endpoint": format!("http://{}", provider.addr()) },
    })
}

/// A chat request body.
pub(crate) fn chat(text: &str) -> Value {
    json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": text }] })
}

/// A chat request body that asks for a stream.
pub(crate) fn chat_stream(text: &str) -> Value {
    let mut body = chat(text);
    body["stream"] = json!(true);
    body
}

/// A gateway with one stored route, `/v1/chat/completions`, that carries these plugins.
pub(crate) async fn with_route(plugins: Value) -> Gateway {
    let gateway = gateway().await;
    put_route(&gateway, "1", "/v1/chat/completions", plugins).await;
    gateway
}

/// Stores a route with these plugins.
pub(crate) async fn put_route(gateway: &Gateway, id: &str, uri: &str, plugins: Value) {
    let route = json!({ "uri": uri, "plugins": plugins });
    let answer = gateway.admin().put(&format!("/routes/{id}"), route).await;
    assert!(
        matches!(answer.status, 200 | 201),
        "{}: {}",
        answer.status,
        answer.text()
    );
}

/// Stores a resource.
pub(crate) async fn put(gateway: &Gateway, path: &str, resource: Value) {
    let answer = gateway.admin().put(path, resource).await;
    assert!(
        matches!(answer.status, 200 | 201),
        "{path}: {}: {}",
        answer.status,
        answer.text()
    );
}

/// Stores a consumer whose key is `key-` and its name.
pub(crate) async fn put_consumer(gateway: &Gateway, name: &str) {
    let plugins = json!({ "key-auth": { "key": format!("key-{name}") } });
    put(
        gateway,
        "/consumers",
        json!({ "username": name, "plugins": plugins }),
    )
    .await;
}

/// An upstream of one node.
pub(crate) fn node(addr: SocketAddr) -> Value {
    json!({ "type": "roundrobin", "nodes": { addr.to_string(): 1 } })
}

/// An address that nobody listens on.
pub(crate) fn dead_addr() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Sends a request that must get this status, and reads the answer to its end.
pub(crate) async fn done(call: Call, status: u16) {
    call.send().await.expect_status(status).await.bytes().await;
}

/// Sends a request that must be answered with a stream, and reads it to its end.
pub(crate) async fn stream_to_end(call: Call) -> Finished {
    let answer = call.send().await.expect_status(200).await;
    answer.events().finish().await
}

/// A server that accepts connections and never says a word, as long as the listener is kept.
pub(crate) fn silent() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap()
}

/// A server that says the same nonsense to whoever connects, whatever they say.
pub(crate) async fn babbling() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                stream.write_all(b"what? what? what?\r\n\r\n").await?;
                tokio::io::copy(&mut stream, &mut tokio::io::sink()).await
            });
        }
    });
    addr
}
