//! What the binary decides about the Admin API.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use http::HeaderValue;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use sluice_resource::AllowedCommands;

use crate::auth::ConfiguredKey;
use crate::envelope::ApiVersion;
use crate::metrics::BasicAuth;

/// The settings of the Admin API.
#[derive(Clone, Debug)]
pub struct AdminOptions {
    /// Networks that may talk to the admin listener. An empty list admits nobody.
    pub allow: Vec<IpNet>,
    /// Whether calls need a key.
    pub key_required: bool,
    /// The keys of the configuration; those of the store come on top.
    pub keys: Vec<ConfiguredKey>,
    /// Accepts the keys that APISIX publishes. The caller sees to it that the listener is loopback.
    pub allow_default_key: bool,
    /// Whether browsers may call from other origins (compat §1.1).
    pub cors: bool,
    /// What stands before resource keys in replies: `/apisix`.
    pub key_prefix: String,
    /// The shape of replies (compat §1.4).
    pub api_version: ApiVersion,
    /// Whether the configuration is only written as a whole: API-driven standalone mode (compat §1.8).
    pub standalone: bool,
    /// The commands that plugins of what is written may run.
    pub commands: AllowedCommands,
    /// `Server` of every reply.
    pub server: HeaderValue,
    /// The gateway's version, as `/status` shows it.
    pub version: String,
    /// The commit that it was built from.
    pub commit: String,
    /// Whether it has a demo client.
    pub demo: bool,
    /// What the process runs with, for whoever asks.
    pub process: ProcessInfo,
    /// Limits that new clients begin with, as `ai-limits` has them.
    pub client_limits: serde_json::Value,
    /// Whether cookies are for TLS alone.
    pub secure_cookies: bool,
    /// Where metrics are beside `/metrics`.
    pub metrics_path: String,
    /// What metrics ask for, if anything.
    pub metrics_auth: Option<BasicAuth>,
    /// Days that payloads of requests are kept, as the ledger is told.
    pub payload_days: u32,
    /// How long a write waits for the data plane to follow it.
    pub follow_wait: Duration,
}

/// What a process runs with. Nothing in it is secret.
#[derive(Clone, Debug, Default)]
pub struct ProcessInfo {
    /// Every setting: `key`, `value` (none where it is secret), `source` and `secret`.
    pub settings: Vec<serde_json::Value>,
    /// Addresses: `proxy` (a list), `admin` and `metrics`.
    pub listeners: serde_json::Value,
    /// Where clients reach the proxy.
    pub public_url: String,
    /// Where the databases are.
    pub data_dir: Option<std::path::PathBuf>,
}

impl Default for AdminOptions {
    fn default() -> Self {
        let loopback_v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 24);
        let loopback_v6 = Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128);
        Self {
            allow: vec![loopback_v4.into(), loopback_v6.into()],
            key_required: true,
            keys: Vec::new(),
            allow_default_key: false,
            cors: true,
            key_prefix: "/apisix".to_owned(),
            api_version: ApiVersion::default(),
            standalone: false,
            commands: AllowedCommands::default(),
            server: HeaderValue::from_static("APISIX/3.18.0"),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: String::new(),
            demo: false,
            process: ProcessInfo::default(),
            client_limits: serde_json::json!({}),
            secure_cookies: false,
            metrics_path: "/apisix/prometheus/metrics".to_owned(),
            metrics_auth: None,
            payload_days: 7,
            follow_wait: Duration::from_millis(200),
        }
    }
}
