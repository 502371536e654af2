//! Bytes that are no HTTP, or more of it than there may be.

use serde_json::json;
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::Watched;
use crate::support::{binary, node, put};

#[tokio::test]
async fn malformed_http() {
    let watched = Watched::start().await;
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let with = |header: &str| format!("GET /ok HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{header}\r\n\r\n");
    let post = |rest: &str| format!("POST /ok HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{rest}");
    for (bytes, statuses) in [
        ("nonsense\r\n\r\n".into(), &[400][..]),
        ("GET\r\n\r\n".into(), &[400]),
        ("GET /ok\r\n\r\n".into(), &[400]),
        ("GET /ok HTTP/9.9\r\nhost: x\r\n\r\n".into(), &[400, 505]),
        ("G\x01T /ok HTTP/1.1\r\nhost: x\r\n\r\n".into(), &[400]),
        (
            "GET ok HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(),
            &[400],
        ),
        (
            "CONNECT x:1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(),
            &[400],
        ),
        (
            "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".into(),
            &[400],
        ),
        (get("/%"), &[400]),
        (get("/%zz"), &[400]),
        (get("/a%00b"), &[400]),
        (get("/../secret"), &[400]),
        (get("/%2e%2e/secret"), &[400]),
        (get("/%ff%fe"), &[400]),
        (get("/ok?%ff&%=&&=x"), &[200]),
        (get("/no such"), &[400]),
        (with("no colon"), &[400]),
        (with(": no name"), &[400]),
        (with("bad name: x"), &[400]),
        (with("x: a\x00b"), &[400]),
        (with(" folded: x"), &[400]),
        (post("content-length: x\r\n\r\n"), &[400]),
        (post("content-length: -1\r\n\r\n"), &[400]),
        (post("content-length: 1\r\ncontent-length: 2\r\n\r\nab"), &[400]),
        (
            post("content-length: 99999999999999999999999\r\n\r\n"),
            &[400, 413],
        ),
        (
            post("content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            &[200, 400],
        ),
        (post("transfer-encoding: odd\r\n\r\n"), &[400, 501]),
        (post("transfer-encoding: chunked\r\n\r\nzz\r\n"), &[400]),
        (
            post("transfer-encoding: chunked\r\n\r\n5\r\nabcdeXX0\r\n\r\n"),
            &[400],
        ),
        (
            post("transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\n"),
            &[400],
        ),
        (
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense of some length".into(),
            &[0],
        ),
    ] {
        let status = watched.raw(&bytes).await;
        assert!(
            statuses.contains(&status),
            "{bytes:?}: {status}, not one of {statuses:?}"
        );
    }
    for bytes in [
        String::new(),
        "\r\n\r\n".into(),
        "GET /ok HTTP".into(),
        post("content-length: 10\r\n\r\nhalf"),
        post("transfer-encoding: chunked\r\n\r\n5\r\nab"),
        "PRI * HTTP/2.0\r\n\r\nSM".into(),
    ] {
        let status = watched.raw_and_no_more(&bytes).await;
        assert!([0, 400].contains(&status), "{bytes:?}: {status}");
    }
    watched.is_as_before().await;
}

#[tokio::test]
async fn a_request_cannot_be_hidden_in_another() {
    let watched = Watched::start().await;
    let smuggled = "GET /hidden HTTP/1.1\r\nhost: x\r\n\r\n";
    for head in [
        "content-length: 0\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 0\r\n",
        "transfer-encoding: chunked, identity\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer-encoding: xchunked\r\ncontent-length: 36\r\n",
    ] {
        let body = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
        watched
            .raw(format!(
                "POST /ok HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{head}\r\n{body}"
            ))
            .await;
        let seen = watched.provider.requests();
        assert!(
            seen.iter().all(|request| request.path == "/ok"),
            "{head:?}: {seen:?}"
        );
        let whole = |body: &[u8]| body.is_empty() || body == smuggled.as_bytes();
        assert!(
            seen.iter().all(|request| whole(&request.body)),
            "{head:?}: {seen:?}"
        );
    }
    watched.is_as_before().await;
}

#[tokio::test]
async fn heads_beyond_the_bounds() {
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PROXY_MAX_HEAD_BYTES", "16384")
        .env("SLUICE_PROXY_MAX_HEADERS", "20")
        .start()
        .await;
    let watched = Watched::of(gateway).await;
    let request = |target: &str, headers: &str| {
        format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
    };
    let large = |bytes: usize| format!("x-large: {}\r\n", "x".repeat(bytes));
    assert_eq!(watched.raw(request("/ok", &large(10_000))).await, 200);
    assert_eq!(watched.raw(request("/ok", &large(20_000))).await, 431);
    assert_eq!(watched.raw(request("/ok", &large(2_000).repeat(17))).await, 431);
    assert_eq!(watched.raw(request("/ok", &"x: y\r\n".repeat(18))).await, 200);
    assert_eq!(watched.raw(request("/ok", &"x: y\r\n".repeat(19))).await, 431);
    let status = watched
        .raw(request(&format!("/ok?{}", "x".repeat(20_000)), ""))
        .await;
    assert!([414, 431].contains(&status), "{status}");
    watched.is_as_before().await;
}

#[tokio::test]
async fn paths_headers_and_hosts_in_every_alphabet() {
    let watched = Watched::start().await;
    let gateway = &watched.gateway;
    put(
        gateway,
        "/routes/all",
        json!({ "uri": "/*", "upstream": node(watched.provider.addr()) }),
    )
    .await;
    for (bytes, path) in [
        (
            &b"GET /%C3%A9%F0%9F%98%80 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"[..],
            "/%C3%A9%F0%9F%98%80",
        ),
        (
            b"GET /ok HTTP/1.1\r\nhost: \xc3\xa9.com\r\nconnection: close\r\n\r\n",
            "/ok",
        ),
        (
            b"GET /ok HTTP/1.1\r\nhost: x\r\nx-bytes: \xff\xfe\xe9\r\nconnection: close\r\n\r\n",
            "/ok",
        ),
        (b"GET /ok HTTP/1.1\r\nconnection: close\r\n\r\n", "/ok"),
        (
            b"GET /ok HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n",
            "/ok",
        ),
        (
            b"GET http://other.example/ok?x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            "/ok",
        ),
    ] {
        let status = watched.raw(bytes).await;
        let shown = String::from_utf8_lossy(bytes);
        assert!([200, 400].contains(&status), "{shown}: {status}");
        if status == 200 {
            assert_eq!(watched.provider.last_request().path, path, "{shown}");
        }
    }
    let sent = watched.provider.requests();
    let bytes = sent
        .iter()
        .find_map(|request| request.headers.get("x-bytes"))
        .unwrap();
    assert_eq!(bytes.as_bytes(), b"\xff\xfe\xe9", "bytes are nobody's business");
    gateway.admin().delete("/routes/all").await.expect_status(200);
    watched.is_as_before().await;
}

#[tokio::test]
async fn upstreams_that_answer_nonsense() {
    let watched = Watched::start().await;
    let gateway = &watched.gateway;
    let provider = FakeProvider::start();
    put(
        gateway,
        "/routes/bad",
        json!({ "uri": "/bad", "upstream": node(provider.addr()) }),
    )
    .await;
    let head = |rest: &str| format!("HTTP/1.1 200 OK\r\n{rest}");
    for bytes in [
        String::new(),
        "nonsense".into(),
        "HTTP/1.1 abc\r\n\r\n".into(),
        "HTTP/1.1 99 Low\r\n\r\n".into(),
        "SSH-2.0-OpenSSH\r\n".into(),
        head("content-length: x\r\n\r\n"),
        head("content-length: 1\r\ncontent-length: 2\r\n\r\nab"),
        head(&format!("x: {}\r\n\r\n", "x".repeat(1 << 20))),
        head(&"x: y\r\n".repeat(10_000)),
        head("bad name: x\r\n\r\n"),
        head("x: y"),
    ] {
        provider.next(Reply::raw(bytes.clone()));
        let answer = gateway.client().get("/bad").send().await;
        let shown = &bytes[..bytes.len().min(60)];
        assert_eq!(answer.status.as_u16(), 502, "{shown:?}");
        assert!(answer.text().await.contains("502 Bad Gateway"), "{shown:?}");
    }
    for bytes in [
        head("transfer-encoding: chunked\r\n\r\nzz\r\n"),
        head("content-length: 10\r\n\r\nhalf"),
    ] {
        provider.next(Reply::raw(bytes.clone()));
        // Whether the head went out or not: this is never a whole answer.
        if let Ok(answer) = gateway.client().get("/bad").try_send().await {
            assert!(answer.try_bytes().await.is_err(), "{bytes:?}");
        }
    }
    gateway.admin().delete("/routes/bad").await.expect_status(200);
    watched.is_as_before().await;
}
