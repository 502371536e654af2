//! Input that nobody should send: each gets a clean answer, the process stays up, the configuration stays as it was.

mod calls;
mod configuration;
mod http;

use serde_json::{Value, json};
use sluice_testkit::{FakeProvider, Gateway, RawConn, Reply};

use crate::support::{node, put, put_consumer};

/// A gateway with one route, `/ok`, whose process and configuration are watched.
struct Watched {
    gateway: Gateway,
    pid: u32,
    stored: Vec<Value>,
    provider: FakeProvider,
}

const KINDS: [&str; 11] = [
    "routes",
    "services",
    "upstreams",
    "consumers",
    "consumer_groups",
    "plugin_configs",
    "global_rules",
    "plugin_metadata",
    "ssls",
    "secrets",
    "protos",
];

impl Watched {
    async fn start() -> Self {
        Self::of(crate::support::gateway().await).await
    }

    async fn of(gateway: Gateway) -> Self {
        let provider = FakeProvider::start();
        provider.always(Reply::body(200, "text/plain", "ok"));
        put(
            &gateway,
            "/routes/ok",
            json!({ "uri": "/ok", "upstream": node(provider.addr()) }),
        )
        .await;
        put_consumer(&gateway, "bob").await;
        let stored = Self::configuration(&gateway).await;
        Self {
            pid: gateway.pid(),
            gateway,
            stored,
            provider,
        }
    }

    async fn configuration(gateway: &Gateway) -> Vec<Value> {
        let mut stored = Vec::new();
        for kind in KINDS {
            stored.push(
                gateway
                    .admin()
                    .get(&format!("/{kind}"))
                    .await
                    .expect_status(200)
                    .json(),
            );
        }
        stored
    }

    /// The process lives, serves, and has the configuration that it began with.
    async fn is_as_before(&self) {
        self.gateway
            .client()
            .get("/ok")
            .send()
            .await
            .expect_status(200)
            .await;
        assert_eq!(self.gateway.pid(), self.pid);
        assert_eq!(Self::configuration(&self.gateway).await, self.stored);
        let output = self.gateway.output();
        assert!(!output.contains("panicked"), "{output}");
    }

    /// Status of what is answered to these bytes, after which the gateway must close the connection; 0 when it does
    /// so without an answer.
    async fn raw(&self, bytes: impl AsRef<[u8]>) -> u16 {
        let mut conn = self.gateway.client().raw().await;
        conn.write(bytes).await;
        status(&mut conn).await
    }

    /// The same of a client that sends nothing more.
    async fn raw_and_no_more(&self, bytes: impl AsRef<[u8]>) -> u16 {
        let mut conn = self.gateway.client().raw().await;
        conn.write(bytes).await;
        conn.finish_writing().await;
        status(&mut conn).await
    }
}

async fn status(conn: &mut RawConn) -> u16 {
    let answer = conn.read_to_end().await;
    let text = String::from_utf8_lossy(&answer);
    let Some(line) = text.strip_prefix("HTTP/1.") else {
        assert!(!text.contains("HTTP/"), "{text}");
        return 0;
    };
    line[2..5].parse().unwrap()
}
