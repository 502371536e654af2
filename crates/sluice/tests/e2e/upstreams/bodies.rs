//! Bodies on their way to a node and back: nothing waits, nothing is lost, nothing is kept.

use std::time::Duration;

use serde_json::json;
use sluice_testkit::{FakeProvider, Gateway, Reply};

use super::{answering, ok, page, to, to_with};
use crate::peer::{Peer, Server};
use crate::support::{binary, node, put};

#[tokio::test]
async fn requests_stream() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    for framing in ["content-length: 8", "transfer-encoding: chunked"] {
        let piece = |text: &str| {
            if framing.starts_with('c') {
                text.to_owned()
            } else {
                format!("4\r\n{text}\r\n")
            }
        };
        let mut conn = gateway.client().raw().await;
        conn.write(format!(
            "POST /up HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n{}",
            piece("half")
        ))
        .await;
        let mut peer = server.accept().await;
        assert!(peer.read_head().await.contains(framing), "the framing is kept");
        peer.read_until("half").await;
        conn.write(piece("rest")).await;
        peer.read_until("rest").await;
        if !framing.starts_with('c') {
            conn.write("0\r\n\r\n").await;
            peer.read_until("0\r\n\r\n").await;
        }
        peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .await;
        assert!(conn.read_head().await.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn answers_stream() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    for framing in ["content-length: 8", "transfer-encoding: chunked"] {
        let piece = |text: &str| {
            if framing.starts_with('c') {
                text.to_owned()
            } else {
                format!("4\r\n{text}\r\n")
            }
        };
        let mut conn = gateway.client().raw().await;
        conn.write("GET /down HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let mut peer = server.accept().await;
        peer.read_head().await;
        peer.write(format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n{framing}\r\n\r\n"
        ))
        .await;
        assert!(conn.read_head().await.contains(framing), "the framing is kept");
        peer.write(piece("half")).await;
        conn.read_until("half").await;
        peer.write(piece("rest")).await;
        conn.read_until("rest").await;
        if !framing.starts_with('c') {
            peer.write("0\r\n\r\n").await;
            conn.read_until("0\r\n\r\n").await;
        }
    }
}

#[tokio::test]
async fn an_answer_may_come_before_the_request_is_whole() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    let mut conn = gateway.client().raw().await;
    conn.write("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nfirst")
        .await;
    let mut peer = server.accept().await;
    peer.read_until("first").await;
    peer.write("HTTP/1.1 413 Too Large\r\nconnection: close\r\ncontent-length: 4\r\n\r\nstop")
        .await;
    assert!(conn.read_head().await.starts_with("HTTP/1.1 413 "));
    conn.read_until("stop").await;
}

#[tokio::test]
async fn whoever_breaks_off_is_noticed_on_the_other_side() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    // The client, in its request.
    let mut conn = gateway.client().raw().await;
    conn.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        .await;
    let mut peer = server.accept().await;
    peer.read_until("half").await;
    drop(conn);
    assert_eq!(peer.read_to_end().await, "\r\n", "no last chunk");
    // The client, during the answer.
    let mut conn = gateway.client().raw().await;
    conn.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut peer = server.accept().await;
    peer.read_head().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        .await;
    conn.read_until("half").await;
    drop(conn);
    peer.read_to_end().await;
    // The node, during its answer.
    for framing in [
        "content-length: 100\r\n\r\nhalf",
        "transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    ] {
        let running = tokio::spawn(gateway.client().get("/").send());
        let mut peer = server.accept().await;
        peer.read_head().await;
        peer.write(format!("HTTP/1.1 200 OK\r\n{framing}")).await;
        let answer = running.await.unwrap().expect_status(200).await;
        drop(peer);
        assert!(answer.try_bytes().await.is_err(), "{framing}");
    }
}

#[tokio::test]
async fn a_node_that_falls_silent_in_its_answer_is_given_up() {
    let server = Server::start().await;
    let gateway = to_with(
        node(server.addr()),
        json!({ "timeout": { "connect": 1, "send": 1, "read": 0.1 } }),
    )
    .await;
    let running = tokio::spawn(gateway.client().get("/").send());
    let mut peer = server.accept().await;
    peer.read_head().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        .await;
    let answer = running.await.unwrap().expect_status(200).await;
    assert!(answer.try_bytes().await.is_err());
    peer.read_to_end().await;
}

#[tokio::test]
async fn answers_without_a_body_leave_the_connection_in_order() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    let mut conn = gateway.client().raw().await;
    let mut peer: Option<Peer> = None;
    for (method, answer, status) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "200"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", "204"),
        (
            "GET",
            "HTTP/1.1 304 Not Modified\r\netag: \"x\"\r\ncontent-length: 5\r\n\r\n",
            "304",
        ),
        (
            "GET",
            "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 205 Reset Content\r\ncontent-length: 0\r\n\r\n",
            "205",
        ),
        (
            "POST",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n",
            "201",
        ),
    ] {
        conn.write(format!("{method} / HTTP/1.1\r\nhost: x\r\n\r\n"))
            .await;
        if peer.is_none() {
            peer = Some(server.accept().await);
        }
        let peer = peer.as_mut().unwrap();
        peer.read_head().await;
        peer.write(answer).await;
        let head = conn.read_head().await.to_ascii_lowercase();
        assert!(
            head.starts_with(&format!("http/1.1 {status} ")),
            "{method} {answer}: {head}"
        );
    }
    conn.write("GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    let peer = peer.as_mut().unwrap();
    peer.read_head().await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlast")
        .await;
    let rest = conn.read_to_end().await;
    assert!(
        rest.starts_with(b"HTTP/1.1 200 OK\r\n") && rest.ends_with(b"\r\n\r\nlast"),
        "{rest:?}"
    );
}

#[tokio::test]
async fn a_client_that_waits_for_100_gets_it_once_its_body_is_wanted() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    let head = "POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    let mut conn = gateway.client().raw().await;
    conn.write(head).await;
    let mut peer = server.accept().await;
    let seen = peer.read_head().await;
    assert!(!seen.contains("expect"), "the gateway waits for nothing: {seen}");
    assert_eq!(conn.read_head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    conn.write("body").await;
    peer.read_until("body").await;
    peer.write("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert!(conn.read_head().await.starts_with("HTTP/1.1 200 "));

    gateway.admin().delete("/routes/1").await.expect_status(200);
    let mut conn = gateway.client().raw().await;
    conn.write(head).await;
    assert!(
        conn.read_head().await.starts_with("HTTP/1.1 404 "),
        "refused before it sent its body"
    );
}

#[tokio::test]
async fn trailers_do_no_harm() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    let mut conn = gateway.client().raw().await;
    let mut peer: Option<Peer> = None;
    for _ in 0..2 {
        conn.write(
            "POST / HTTP/1.1\r\nhost: x\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n\
             2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n",
        )
        .await;
        if peer.is_none() {
            peer = Some(server.accept().await);
        }
        let peer = peer.as_mut().unwrap();
        let head = peer.read_head().await;
        assert!(!head.contains("trailer:"), "{head}");
        assert_eq!(peer.read_until("0\r\n").await, "2\r\nhi\r\n0\r\n");
        peer.read_until("\r\n").await;
        peer.write(
            "HTTP/1.1 200 OK\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 2\r\n\r\n",
        )
        .await;
        let head = conn.read_head().await;
        assert!(!head.to_ascii_lowercase().contains("trailer:"), "{head}");
        assert_eq!(conn.read_until("0\r\n\r\n").await, "5\r\nhello\r\n0\r\n\r\n");
    }
    gateway.wait_output("\"status\":200").await;
    assert!(
        !gateway.output().contains("\"ended\":\"client_gone\""),
        "the requests count as complete"
    );
}

const LARGE: usize = 20 << 20;

#[tokio::test]
async fn large_bodies_pass_both_ways() {
    let provider = FakeProvider::start();
    let gateway = to(node(provider.addr())).await;
    provider.next(Reply::huge(LARGE));
    let body: Vec<u8> = (0..LARGE).map(|n| (n % 251) as u8).collect();
    let answer = gateway
        .client()
        .post("/")
        .body(body.clone())
        .send()
        .await
        .expect_status(200)
        .await;
    assert_eq!(answer.bytes().await.len(), LARGE);
    assert!(
        provider.last_request().body == body,
        "the upload arrived as it was sent"
    );
}

#[tokio::test]
async fn a_slow_reader_holds_the_node_back() {
    let server = Server::start().await;
    let gateway = to(node(server.addr())).await;
    let mut conn = gateway.client().raw().await;
    conn.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut peer = server.accept().await;
    peer.read_head().await;
    peer.write(format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
        1_u64 << 40
    ))
    .await;
    let piece = vec![b'x'; 1 << 20];
    // Kernel buffers take some megabytes; a gateway that took everything would go on for ever.
    let mut taken = 0;
    while taken < 200
        && tokio::time::timeout(Duration::from_millis(300), peer.write(&piece))
            .await
            .is_ok()
    {
        taken += 1;
    }
    assert!(taken < 100, "the gateway took {taken} MiB that nobody read");
    conn.read_head().await;
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused() {
    let provider = answering(ok());
    let gateway = Gateway::builder(binary())
        .env("SLUICE_PROXY_MAX_BODY_BYTES", "1000")
        .start()
        .await;
    put(
        &gateway,
        "/routes/1",
        json!({ "uri": "/*", "upstream": node(provider.addr()) }),
    )
    .await;
    let send = async |bytes: usize| gateway.client().post("/").body(vec![b'x'; bytes]).send().await;
    send(1000).await.expect_status(200).await;
    let refused = send(1001).await.expect_status(413).await;
    assert_eq!(refused.text().await, page("413 Request Entity Too Large"));
    assert_eq!(provider.requests().len(), 1, "it did not begin");
    let chunks = |count: usize| format!("64\r\n{}\r\n", "x".repeat(100)).repeat(count) + "0\r\n\r\n";
    for (count, status) in [(10, "200"), (11, "413"), (1000, "413")] {
        let mut conn = gateway.client().raw().await;
        conn.write("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
            .await;
        conn.write(chunks(count)).await;
        let head = conn.read_head().await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {status} ")),
            "{count} chunks: {head}"
        );
    }
    assert_eq!(
        provider.requests().len(),
        2,
        "what was cut off never became a whole request"
    );
}
