//! The gateway under test, and the route that the load takes through it.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::process::{Process, pinned};
use super::side::{CLIENT_KEY, Side, TRANSLATED_KEY, Who, exchange};
use crate::chat;
use crate::clock::{self, Alarm, MILLISECOND, SECOND};

const ADMIN_KEY: &str = "bench-admin-key-0123456789abcdef";
/// How long the first start may take, which makes databases and keys.
const PATIENCE: u64 = 30 * SECOND;

/// Where the gateway listens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listeners {
    pub(super) proxy: SocketAddr,
    pub(super) admin: SocketAddr,
    pub(super) control: SocketAddr,
}

/// How the gateway is started in this run.
#[derive(Debug)]
pub(super) struct Gateway {
    program: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    listeners: Listeners,
    core: usize,
}

/// What the gateway writes once it serves.
#[derive(Deserialize)]
struct Ready {
    proxy: SocketAddr,
    admin: SocketAddr,
}

impl Gateway {
    /// Starts the gateway once on a new data folder, stores the route under test, and stops it.
    pub(super) async fn prepare(
        program: PathBuf,
        folder: PathBuf,
        log: PathBuf,
        (listeners, mock): (Listeners, SocketAddr),
        core: usize,
    ) -> Result<Self> {
        let gateway = Self {
            program,
            folder,
            log,
            listeners,
            core,
        };
        let mut side = gateway.start()?;
        let ready = gateway.ready(&mut side).await?;
        ensure!(
            ready.proxy == listeners.proxy,
            "the gateway serves at {}, not where it was told",
            ready.proxy
        );
        ensure!(
            ready.admin == listeners.admin,
            "the Admin API is at {}, not where it was told",
            ready.admin
        );
        gateway.store_client(false).await?;
        gateway.store_route(mock, false).await?;
        side.served(clock::now()).await.context("the route under test")?;
        Ok(gateway)
    }

    /// Stores the client of the load in the running gateway; `limited`, with the limits that a client of the dashboard may
    /// have, and that no load reaches.
    pub(super) async fn store_client(&self, limited: bool) -> Result<()> {
        let mut client = consumer("bench", CLIENT_KEY);
        if limited {
            let much = 1_000_000_000_000_u64;
            client["plugins"]["ai-limits"] = json!({
                "requests_per_minute": much, "requests_per_hour": much, "requests_per_day": much,
                "tokens_per_minute": much, "input_tokens_per_day": much, "output_tokens_per_day": much,
                "tokens_per_month": much,
            });
        }
        self.put("consumers", client).await
    }

    /// Stores the route under test in the running gateway, with more plugins than usual if `decorated`.
    pub(super) async fn store_route(&self, mock: SocketAddr, decorated: bool) -> Result<()> {
        let mut route = route(mock);
        if decorated {
            route["plugins"]["ai-prompt-decorator"] =
                json!({"prepend": [{"role": "system", "content": "You are a helpful assistant."}]});
            route["plugins"]["loki-logger"] = json!({"endpoint_addrs": [format!("http://{mock}")]});
        }
        self.put("routes/bench", route).await
    }

    /// Stores, in the running gateway, a client of its own whose requests go to Anthropic's protocol by another route.
    pub(super) async fn store_translated(&self, mock: SocketAddr) -> Result<()> {
        self.put("consumers", consumer("translated", TRANSLATED_KEY))
            .await?;
        let mut route = route(mock);
        // Else two routes would have the same path.
        route["vars"] = json!([["http_apikey", "==", TRANSLATED_KEY]]);
        route["priority"] = json!(1);
        let proxy = &mut route["plugins"]["ai-proxy"];
        proxy["provider"] = json!("anthropic");
        proxy["profile"] = json!("native");
        proxy["auth"] = json!({"header": {"x-api-key": "bench-provider-key"}});
        proxy["override"] = json!({"endpoint": format!("http://{mock}{}", chat::MESSAGES_PATH)});
        self.put("routes/translated", route).await
    }

    async fn put(&self, path: &str, resource: Value) -> Result<()> {
        let headers = format!("X-API-KEY: {ADMIN_KEY}\r\n");
        let target = format!("/apisix/admin/{path}");
        let body = resource.to_string();
        exchange(self.listeners.admin, "PUT", &target, &headers, body.as_bytes()).await
    }

    /// Starts it; it may not listen yet.
    pub(super) fn start(&self) -> Result<Side> {
        let ready_file = self.folder.join("ready.json");
        if ready_file.exists() {
            fs::remove_file(&ready_file)?;
        }
        let access_log = self.folder.join("access.log");
        let mut command = pinned(&self.program, self.core);
        command.arg("serve");
        command.arg("--data-dir").arg(&self.folder);
        command.arg("--ready-file").arg(ready_file);
        let Listeners {
            proxy,
            admin,
            control,
        } = self.listeners;
        for (flag, address) in [
            ("--proxy-listen", proxy),
            ("--admin-listen", admin),
            ("--control-listen", control),
        ] {
            command.arg(flag).arg(address.to_string());
        }
        command.env("SLUICE_ADMIN_KEY", ADMIN_KEY);
        command.env("SLUICE_PROXY_WORKERS", "1");
        command.env("SLUICE_ACCESS_LOG_TARGET", &access_log);
        let process = Process::start("the gateway", command, &self.log)?;
        Ok(Side::new(Who::Gateway, self.listeners.proxy, access_log, process))
    }

    async fn ready(&self, side: &mut Side) -> Result<Ready> {
        let path = self.folder.join("ready.json");
        let alarm = Alarm::new()?;
        let deadline = clock::now() + PATIENCE;
        loop {
            // A file that is still being written does not parse.
            if let Some(ready) = fs::read(&path)
                .ok()
                .and_then(|json| serde_json::from_slice(&json).ok())
            {
                return Ok(ready);
            }
            side.check()?;
            ensure!(
                clock::now() < deadline,
                "the gateway has not become ready; its log ends:\n{}",
                super::tail(&self.log)
            );
            alarm.until(clock::now() + MILLISECOND).await?;
        }
    }
}

fn consumer(name: &str, key: &str) -> Value {
    json!({"username": name, "plugins": {"key-auth": {"key": key}}})
}

/// key-auth, ai-rate-limiting and ai-proxy; access log and ledger are on by default.
fn route(mock: SocketAddr) -> Value {
    json!({
        "uri": chat::PATH,
        "plugins": {
            "key-auth": {},
            "prometheus": {},
            "ai-rate-limiting": {"limit": 1_000_000_000_000_u64, "time_window": 60, "rejected_code": 429},
            "ai-proxy": {
                "provider": "openai",
                "auth": {"header": {"Authorization": "Bearer bench-provider-key"}},
                "options": {},
                "override": {"endpoint": format!("http://{mock}{}", chat::PATH)},
                "keepalive_pool": 512,
            },
        },
    })
}
