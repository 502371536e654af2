//! Every logger, with an other side that is away, silent, or talks nonsense: requests go on, what is held is bounded,
//! what is lost is counted.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway};
use tokio::net::TcpSocket;

use super::{call, put_logger};
use crate::scrape::Scrape;
use crate::support::{babbling, chat, dead_addr, done, gateway, openai, put, put_route, silent};

const LOST: &str = "sluice_batch_lost_entries_total";
const HELD: &str = "apisix_batch_process_entries";

/// Entries that a logger may hold in these tests.
const HELD_MAX: f64 = 5.0;

/// What calls may take together while a sink is in trouble: far less than the sink's own timeout.
const BOUND: Duration = Duration::from_secs(20);

/// Loggers whose other side has to answer.
const ANSWERED: [&str; 4] = [
    "http-logger",
    "loki-logger",
    "elasticsearch-logger",
    "kafka-logger",
];

/// Loggers that hand over bytes and hear nothing.
const UNANSWERED: [&str; 3] = ["tcp-logger", "udp-logger", "syslog"];

/// A logger that sends to this address, each entry by itself, with a timeout in seconds.
fn conf(logger: &str, addr: SocketAddr, timeout: u64) -> Value {
    let (url, port) = (format!("http://{addr}"), addr.port());
    let own = match logger {
        "http-logger" => json!({ "uri": url, "timeout": timeout }),
        "loki-logger" => json!({ "endpoint_addrs": [url], "timeout": timeout.min(60) * 1000 }),
        "elasticsearch-logger" => {
            json!({ "endpoint_addrs": [url], "field": { "index": "i" }, "timeout": timeout })
        }
        "kafka-logger" => json!({
            "brokers": [{ "host": "127.0.0.1", "port": port }], "kafka_topic": "t", "timeout": timeout,
            "producer_type": "sync",
        }),
        "udp-logger" => json!({ "host": "127.0.0.1", "port": port, "timeout": timeout }),
        _ => json!({ "host": "127.0.0.1", "port": port, "timeout": timeout * 1000 }),
    };
    let mut conf = own;
    conf["batch_max_size"] = json!(1);
    conf["log_format"] = json!({ "path": "$uri" });
    conf
}

/// A gateway whose loggers hold little.
async fn bounded() -> Gateway {
    let gateway = gateway().await;
    for logger in ANSWERED.into_iter().chain(UNANSWERED) {
        let few = json!({ "max_pending_entries": HELD_MAX });
        put(&gateway, &format!("/plugin_metadata/{logger}"), few).await;
    }
    gateway
}

/// Calls a route with this logger 20 times, quickly; its batches are called `name`.
async fn log_to(gateway: &Gateway, upstream: &FakeProvider, logger: &str, name: &str, mut conf: Value) {
    conf["name"] = json!(name);
    put_logger(gateway, upstream, "/log", logger, conf).await;
    let start = Instant::now();
    call(gateway, &["/log"; 20]).await;
    let took = start.elapsed();
    assert!(took < BOUND, "{name}: 20 requests took {took:?}");
}

/// Waits until so many entries are lost, or more.
async fn loses(gateway: &Gateway, name: &str, entries: f64) -> Scrape {
    Scrape::when(gateway, &format!("lost entries of {name}"), |scrape| {
        scrape.sum(LOST, &[("name", name)]) >= entries
    })
    .await
}

#[tokio::test]
async fn sinks_that_are_away_lose_entries_and_nothing_else() {
    let (upstream, gateway) = (FakeProvider::start(), bounded().await);
    for logger in ANSWERED.into_iter().chain(["tcp-logger", "syslog"]) {
        let name = format!("{logger} away");
        log_to(
            &gateway,
            &upstream,
            logger,
            &name,
            conf(logger, dead_addr(), 3600),
        )
        .await;
        loses(&gateway, &name, 20.0).await;
    }
    // Nobody says that datagrams do not arrive.
    let conf = conf("udp-logger", dead_addr(), 3600);
    log_to(&gateway, &upstream, "udp-logger", "udp away", conf).await;
    let idle = |scrape: &Scrape| scrape.sum(HELD, &[]) == 0.0;
    Scrape::when(&gateway, "loggers that hold nothing", idle).await;
}

#[tokio::test]
async fn sinks_that_never_answer_hold_up_nothing_and_grow_nothing() {
    let (upstream, gateway) = (FakeProvider::start(), bounded().await);
    let silent = silent();
    for logger in ANSWERED {
        let name = format!("{logger} silent");
        let conf = conf(logger, silent.local_addr().unwrap(), 3600);
        log_to(&gateway, &upstream, logger, &name, conf).await;
        let scrape = loses(&gateway, &name, 20.0 - HELD_MAX).await;
        assert_eq!(scrape.sum(LOST, &[("name", &name)]), 20.0 - HELD_MAX, "{name}");
        assert_eq!(scrape.sum(HELD, &[("name", &name)]), HELD_MAX, "{name}");
    }
}

#[tokio::test]
async fn a_sink_that_never_answers_is_given_up_in_time() {
    let (upstream, gateway) = (FakeProvider::start(), bounded().await);
    let silent = silent();
    for logger in ANSWERED {
        let name = format!("{logger} slow");
        let conf = conf(logger, silent.local_addr().unwrap(), 1);
        log_to(&gateway, &upstream, logger, &name, conf).await;
        loses(&gateway, &name, 20.0).await;
    }
}

/// Batches of 6 MB, which no kernel takes on its own, to a server that does not read. A control character of a body
/// takes six in an entry.
#[tokio::test]
async fn a_sink_that_stops_reading_is_given_up_in_time() {
    let (upstream, gateway) = (FakeProvider::start(), bounded().await);
    for logger in ["tcp-logger", "syslog"] {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(2048).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(16).unwrap();
        let name = format!("{logger} full");
        let mut conf = conf(logger, listener.local_addr().unwrap(), 1);
        conf["name"] = json!(name);
        conf["include_req_body"] = json!(true);
        conf.as_object_mut().unwrap().remove("log_format");
        conf["batch_max_size"] = json!(2);
        put_logger(&gateway, &upstream, "/log", logger, conf).await;
        let start = Instant::now();
        for _ in 0..4 {
            let big = gateway.client().post("/log").body("\u{1}".repeat(500_000));
            done(big, 200).await;
        }
        assert!(start.elapsed() < BOUND);
        loses(&gateway, &name, 1.0).await;
    }
}

#[tokio::test]
async fn sinks_that_talk_nonsense_lose_entries_and_nothing_else() {
    let (upstream, gateway) = (FakeProvider::start(), bounded().await);
    let babbling = babbling().await;
    for logger in ANSWERED {
        let name = format!("{logger} babbles");
        log_to(&gateway, &upstream, logger, &name, conf(logger, babbling, 3600)).await;
        loses(&gateway, &name, 20.0).await;
    }
    // Those that wait for no answer take none.
    for logger in ["tcp-logger", "syslog"] {
        let name = format!("{logger} babbles");
        log_to(&gateway, &upstream, logger, &name, conf(logger, babbling, 3600)).await;
    }
    let idle = |scrape: &Scrape| scrape.sum(HELD, &[]) == 0.0;
    Scrape::when(&gateway, "loggers that hold nothing", idle).await;
    assert_eq!(gateway.client().get("/log").send().await.status, 200);
}

#[tokio::test]
async fn answers_that_make_no_sense_are_refusals_where_the_answer_counts() {
    let (upstream, gateway) = (FakeProvider::start(), bounded().await);
    let collector = FakeProvider::start();
    for (logger, status, body) in [
        ("http-logger", 400, "no"),
        ("http-logger", 500, "no"),
        ("loki-logger", 300, "no"),
        ("loki-logger", 500, "no"),
        ("elasticsearch-logger", 500, "no"),
        ("elasticsearch-logger", 403, "no"),
    ] {
        collector.always(sluice_testkit::Reply::body(status, "text/plain", body));
        let name = format!("{logger} {status}");
        log_to(
            &gateway,
            &upstream,
            logger,
            &name,
            conf(logger, collector.addr(), 3600),
        )
        .await;
        loses(&gateway, &name, 20.0).await;
    }
}

#[tokio::test]
async fn collectors_of_spans_in_trouble_hold_up_nothing() {
    let (provider, gateway) = (FakeProvider::start(), gateway().await);
    let plugins =
        json!({ "ai-proxy": openai(&provider), "opentelemetry": { "sampler": { "name": "always_on" } } });
    put_route(&gateway, "1", "/chat", plugins).await;
    let (silent, babbling) = (silent(), babbling().await);
    let of_spans = [("name", "opentelemetry")];
    let mut lost = 0.0;
    for (addr, timeout) in [
        (dead_addr(), 3600),
        (babbling, 3600),
        (silent.local_addr().unwrap(), 1),
        (silent.local_addr().unwrap(), 3600),
    ] {
        let metadata = json!({
            "collector": { "address": addr.to_string(), "request_timeout": timeout },
            "batch_span_processor": { "inactive_timeout": 0.1, "max_queue_size": 8, "max_export_batch_size": 1 },
        });
        put(&gateway, "/plugin_metadata/opentelemetry", metadata).await;
        let start = Instant::now();
        for _ in 0..20 {
            done(gateway.client().post("/chat").json(&chat("conf:hello")), 200).await;
        }
        assert!(start.elapsed() < BOUND, "{addr}: {:?}", start.elapsed());
        // Two spans a request, of which a silent collector leaves eight in the queue.
        let least = lost + 20.0;
        let scrape = Scrape::when(&gateway, &format!("lost spans for {addr}"), |scrape| {
            scrape.sum(LOST, &of_spans) >= least
        })
        .await;
        lost = scrape.sum(LOST, &of_spans);
        assert!(
            scrape.sum(HELD, &of_spans) <= 8.0 + 8.0,
            "what is queued, and what an edit leaves"
        );
    }
}
