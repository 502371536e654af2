//! Other sides that are slow, dead or gone.

use std::time::{Duration, Instant};

use serde_json::json;
use sluice_testkit::FakeProvider;
use tokio::net::TcpListener;

use super::{call, collector, put_logger};
use crate::scrape::Scrape;
use crate::support::{gateway, put};

const LOST: &str = "sluice_batch_lost_entries_total";
const HELD: &str = "apisix_batch_process_entries";

#[tokio::test]
async fn a_server_that_accepts_and_never_answers_stalls_nothing_and_grows_nothing() {
    let (upstream, mut gateway) = (FakeProvider::start(), gateway().await);
    // Connections wait in its backlog for ever.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    put(
        &gateway,
        "/plugin_metadata/http-logger",
        json!({ "max_pending_entries": 20 }),
    )
    .await;
    let conf = json!({
        "uri": format!("http://{}/", silent.local_addr().unwrap()), "timeout": 3600, "batch_max_size": 1,
    });
    put_logger(&gateway, &upstream, "/log", "http-logger", conf).await;
    let start = Instant::now();
    call(&gateway, &["/log"; 50]).await;
    assert!(start.elapsed() < Duration::from_secs(20));
    let scrape = Scrape::when(&gateway, "dropped entries", |scrape| {
        scrape.sum(LOST, &[]) == 30.0
    })
    .await;
    assert_eq!(
        scrape.sum(HELD, &[("name", "http logger"), ("route_id", "1")]),
        20.0
    );
    gateway.wait_output("log entries are dropped").await;

    gateway.terminate();
    assert!(
        gateway.wait_exit().await.success(),
        "what cannot be sent does not hold up the end"
    );
    assert!(gateway.output().contains("log entries could not be sent in time"));
}

#[tokio::test]
async fn what_is_held_is_sent_at_the_end() {
    let (upstream, collector, mut gateway) = (FakeProvider::start(), collector(), gateway().await);
    let conf = json!({
        "uri": collector.url("/in"), "inactive_timeout": 3600, "buffer_duration": 3600,
        "log_format": { "path": "$uri" },
    });
    put_logger(&gateway, &upstream, "/log/*", "http-logger", conf).await;
    call(&gateway, &["/log/a", "/log/b"]).await;
    assert!(collector.requests().is_empty());
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
    let entries = collector.last_request().json();
    assert_eq!(entries.as_array().map(Vec::len), Some(2));
}
