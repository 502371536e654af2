//! Plain upstreams: what nodes see of a request and clients of an answer (compat §8).

mod balancers;
mod bodies;
mod connections;
mod names;
mod nodes;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, Reply};

use crate::peer::Server;
use crate::support::{binary, gateway, node, put};

/// A gateway that sends everything to this upstream. One thread, so that all requests share its connections.
async fn to(upstream: Value) -> Gateway {
    to_with(upstream, json!({})).await
}

/// The same with more members on the route.
async fn to_with(upstream: Value, mut route: Value) -> Gateway {
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PROXY_WORKERS", "1")
        .start()
        .await;
    route["uri"] = json!("/*");
    route["upstream"] = upstream;
    put(&gateway, "/routes/1", route).await;
    gateway
}

fn ok() -> Reply {
    Reply::body(200, "text/plain", "ok")
}

fn answering(reply: Reply) -> FakeProvider {
    let provider = FakeProvider::start();
    provider.always(reply);
    provider
}

/// The page that nginx shows for a status (compat §0).
fn page(title: &str) -> String {
    [
        "<html>",
        &format!("<head><title>{title}</title></head>"),
        "<body>",
        &format!("<center><h1>{title}</h1></center>"),
        "<hr><center>openresty</center>",
        "<p><em>Powered by <a href=\"https://apisix.apache.org/\">APISIX</a>.</em></p></body>",
        "</html>",
        "",
    ]
    .join("\r\n")
}

#[tokio::test]
async fn nodes_see_the_request_and_who_sent_it() {
    let provider = answering(ok());
    let gateway = to(node(provider.addr())).await;
    let mut conn = gateway.client().raw().await;
    conn.write(
        "PATCH /a%20b/c?q=1&q=%20 HTTP/1.1\r\nHost: Shop.example:8080\r\nX-Many: 1\r\nX-Many: 2\r\n\
         X-Real-IP: 6.6.6.6\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n\
         X-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\nForwarded: for=evil\r\n\
         Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\n\
         TE: trailers\r\nUser-Agent: test\r\nAccept-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbody",
    )
    .await;
    assert!(conn.read_head().await.starts_with("HTTP/1.1 200 OK\r\n"));
    let sent = provider.last_request();
    assert_eq!((sent.method.as_str(), &sent.body[..]), ("PATCH", &b"body"[..]));
    assert_eq!(
        (sent.path.as_str(), sent.query.as_deref()),
        ("/a%20b/c", Some("q=1&q=%20"))
    );
    let port = gateway.proxy_addr().port().to_string();
    for (name, value) in [
        ("host", Some("Shop.example:8080")),
        ("x-real-ip", Some("127.0.0.1")),
        ("x-forwarded-for", Some("1.1.1.1, 2.2.2.2, 127.0.0.1")),
        ("x-forwarded-proto", Some("http")),
        ("x-forwarded-host", Some("shop.example")),
        ("x-forwarded-port", Some(port.as_str())),
        ("user-agent", Some("test")),
        ("accept-encoding", Some("gzip")),
        ("content-length", Some("4")),
        ("forwarded", None),
        ("connection", None),
        ("x-hop", None),
        ("keep-alive", None),
        ("proxy-connection", None),
        ("te", None),
    ] {
        assert_eq!(sent.header(name), value, "{name}");
    }
    let many: Vec<_> = sent.headers.get_all("x-many").iter().collect();
    assert_eq!(many, ["1", "2"]);
}

#[tokio::test]
async fn answers_pass_with_their_headers() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    let mut conn = gateway.client().raw().await;
    conn.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut peer = server.accept().await;
    peer.read_head().await;
    peer.write(
        "HTTP/1.1 299 Odd\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nServer: theirs\r\nContent-Length: 2\r\n\
         Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nX-Kept: kept\r\n\r\nhi",
    )
    .await;
    let head = conn.read_head().await.to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 299 "), "{head}");
    for line in [
        "set-cookie: a=1\r\n",
        "set-cookie: b=2\r\n",
        "server: apisix/3.18.0\r\n",
        "x-kept: ",
    ] {
        assert!(head.contains(line), "{line} {head}");
    }
    for name in ["x-hop", "keep-alive", "theirs", "x-apisix-upstream-status"] {
        assert!(!head.contains(name), "{name} {head}");
    }
    conn.read_until("hi").await;
}

#[tokio::test]
async fn every_method_passes() {
    let provider = answering(ok());
    let gateway = to(node(provider.addr())).await;
    for method in [
        "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "PURGE", "MKCOL",
    ] {
        let call = gateway.client().call(method.parse().unwrap(), "/m");
        let answer = call.send().await.expect_status(200).await;
        assert_eq!(answer.header("content-length"), Some("2"), "{method}");
        let body = answer.text().await;
        assert_eq!(body, if method == "HEAD" { "" } else { "ok" }, "{method}");
        assert_eq!(provider.last_request().method.as_str(), method);
    }
}

#[tokio::test]
async fn the_host_that_nodes_see_is_a_choice() {
    let provider = answering(ok());
    let addr = provider.addr().to_string();
    let gateway = gateway().await;
    for (pass_host, upstream_host, seen) in [
        ("pass", None, "client.example:81"),
        ("node", None, addr.as_str()),
        ("rewrite", Some("other.example"), "other.example"),
    ] {
        let mut upstream = node(provider.addr());
        upstream["pass_host"] = json!(pass_host);
        if let Some(host) = upstream_host {
            upstream["upstream_host"] = json!(host);
        }
        put(
            &gateway,
            "/routes/1",
            json!({ "uri": "/*", "upstream": upstream }),
        )
        .await;
        let call = gateway.client().get("/").header("host", "client.example:81");
        call.send().await.expect_status(200).await;
        assert_eq!(provider.last_request().header("host"), Some(seen), "{pass_host}");
    }
}

#[tokio::test]
async fn nodes_may_speak_tls_with_any_certificate() {
    let server = Server::start_tls().await;
    let mut upstream = node(server.addr());
    upstream["scheme"] = json!("https");
    let gateway = to(upstream).await;
    let running = tokio::spawn(gateway.client().get("/secret").send());
    let mut peer = server.accept().await;
    let head = peer.read_head().await;
    assert!(head.starts_with("get /secret http/1.1\r\n"), "{head}");
    assert!(head.contains("x-forwarded-proto: http\r\n"), "{head}");
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhidden")
        .await;
    assert_eq!(running.await.unwrap().text().await, "hidden");
}

#[tokio::test]
async fn nodes_may_have_names() {
    let provider = answering(ok());
    let named = |name: &str| json!({ "type": "roundrobin", "nodes": { format!("{name}:{}", provider.addr().port()): 1 } });
    let gateway = to(named("localhost")).await;
    gateway.client().get("/").send().await.expect_status(200).await;
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/*", "upstream": named("no-such-host.invalid") }),
    )
    .await;
    let answer = gateway.client().get("/").send().await.expect_status(503).await;
    assert_eq!(answer.header("x-apisix-upstream-status"), None);
}
