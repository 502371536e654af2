//! Each load against the mock, and against servers that answer wrongly.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::net::SocketAddr;

use sluice_bench::chat::{self, StreamPlan};
use sluice_bench::http1::{Connection, request_head};
use sluice_bench::load::{Call, Ramp, Watch, closed, flood, paced, rate};
use sluice_bench::mock;
use tokio::net::TcpListener;
use tokio::task::spawn_local;

const KEY: &str = "key";
const BODY: usize = 1_024;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn mock() -> SocketAddr {
    let (listener, address) = listener().await;
    spawn_local(mock::serve(listener));
    address
}

/// A server that answers every request with the same bytes.
async fn answering(answer: &'static [u8]) -> SocketAddr {
    let (listener, address) = listener().await;
    spawn_local(async move {
        while let Ok((socket, _)) = listener.accept().await {
            spawn_local(async move {
                let mut connection = Connection::accepted(socket).unwrap();
                let mut body = Vec::new();
                while let Ok(Some(head)) = connection.head(request_head).await {
                    connection.whole(head.body, &mut body).await.unwrap();
                    connection.send(answer).await.unwrap();
                }
            });
        }
    });
    address
}

fn nobody() -> Watch {
    Watch::new(Vec::new())
}

#[tokio::test(flavor = "local")]
async fn closed_loop_asks_as_often_as_told() {
    let own = Watch::new(vec![std::process::id()]);
    let report = closed(Call::plain(mock().await, KEY, 100 * 1_024), 4, 50, &own)
        .await
        .unwrap();
    assert_eq!(report.requests, 50);
    assert!(report.span.memory_bytes > 0 && report.span.seconds > 0.0);
    assert!(report.latency.unwrap().p50 > 0.0);
}

#[tokio::test(flavor = "local")]
async fn constant_rate_takes_its_time() {
    let plan = StreamPlan { chunks: 3, rate: 0 };
    let call = Call::stream(mock().await, KEY, BODY, plan);
    let report = rate(call, 4, 100, 1, &nobody()).await.unwrap();
    assert_eq!(report.requests, 100);
    assert!(report.span.seconds > 0.9, "{report:?}");
    assert!(report.first_chunk.unwrap().p50 <= report.latency.unwrap().p50);
}

#[tokio::test(flavor = "local")]
async fn flood_reads_every_chunk() {
    let plan = StreamPlan { chunks: 400, rate: 0 };
    let report = flood(Call::stream(mock().await, KEY, BODY, plan), 3, &nobody())
        .await
        .unwrap();
    assert_eq!((report.requests, report.chunks), (3, 1_200));
}

#[tokio::test(flavor = "local")]
async fn paced_streams_are_measured_while_all_are_open() {
    let ramp = Ramp {
        streams: 10,
        rate: 20,
        ramp: 100,
        window: 500,
    };
    let report = paced(mock().await, KEY, BODY, ramp, &nobody()).await.unwrap();
    // Ten chunks of each stream fall into the window, one more or less at its edges.
    assert!((90..=110).contains(&report.chunks), "{report:?}");
    assert!(report.delay.unwrap().p50 > 0.0);
}

#[tokio::test(flavor = "local")]
async fn a_wrong_answer_ends_the_load() {
    let server = answering(chat::BAD_REQUEST).await;
    let error = closed(Call::plain(server, KEY, BODY), 1, 1, &nobody())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("400") && error.contains("bad request"), "{error}");

    let server = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    let error = closed(Call::plain(server, KEY, BODY), 1, 1, &nobody())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("without usage"), "{error}");
}

#[tokio::test(flavor = "local")]
async fn a_stream_without_its_end_is_an_error() {
    let server = answering(b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\ndata: {\"a\":1}\n\n\n").await;
    let plan = StreamPlan { chunks: 2, rate: 0 };
    let error = flood(Call::stream(server, KEY, BODY, plan), 1, &nobody())
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("0 chunks, not 2"), "{error}");
    let ramp = Ramp {
        streams: 2,
        rate: 20,
        ramp: 10,
        window: 100,
    };
    assert!(paced(server, KEY, BODY, ramp, &nobody()).await.is_err());
}
