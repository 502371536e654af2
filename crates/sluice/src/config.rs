//! The gateway's own configuration: file, environment, command line.

mod apisix;
mod check;
mod keys;
mod load;
mod secret;
mod template;

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sluice_resource::AllowedCommands;

pub use self::apisix::from_apisix;
pub(crate) use self::keys::effective;
pub(crate) use self::load::check;
pub use self::load::{ConfigError, load, validate_file};
pub use self::secret::Secret;
pub use self::template::TEMPLATE;

/// Everything that can be set. Each member can also be given as an environment variable: `SLUICE_` and its path in
/// upper case, dots as underscores (`proxy.max_head_bytes` is `SLUICE_PROXY_MAX_HEAD_BYTES`).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Folder of everything that the gateway keeps.
    pub data_dir: PathBuf,
    /// One address for everything: proxy, dashboard, Admin API, status and metrics. `proxy.listen`, `admin.listen` and
    /// `control` have no effect then.
    pub listen: Option<SocketAddr>,
    /// The data plane.
    pub proxy: ProxyConfig,
    /// The Admin API.
    pub admin: AdminConfig,
    /// The control API.
    pub control: ControlConfig,
    /// Prometheus metrics.
    pub metrics: MetricsConfig,
    /// Status for probes.
    pub status: StatusConfig,
    /// The gateway's own log, on standard error.
    pub log: LogConfig,
    /// One line per request.
    pub access_log: AccessLogConfig,
    /// The request ledger.
    pub ledger: LedgerSection,
    /// The standard LLM endpoints that exist without a stored route.
    pub builtin_routes: BuiltinRoutesConfig,
    /// What new clients of the dashboard begin with.
    pub defaults: DefaultsConfig,
    /// Names of the plugins that exist; all when absent.
    pub plugins: Option<Vec<String>>,
    /// Per plugin, settings of this machine (`plugin_attr` of APISIX).
    pub plugin_attr: Map<String, Value>,
    /// The commands that plugins may run. This file alone says so: no environment variable, no API.
    pub commands: CommandsConfig,
    /// What APISIX's configuration calls `apisix`.
    pub apisix: ApisixConfig,
}

impl Config {
    /// With `listen` at its place, where everything is on one address.
    pub(crate) fn with_one_address(mut self) -> Self {
        if let Some(address) = self.listen {
            self.proxy.listen = address;
            self.control.enabled = false;
        }
        self
    }
}

/// The data plane.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProxyConfig {
    /// Address of the proxy.
    pub listen: SocketAddr,
    /// More addresses without TLS.
    pub also_listen: Vec<SocketAddr>,
    /// Address of the proxy over TLS, beside `listen`.
    pub tls_listen: Option<SocketAddr>,
    /// More addresses over TLS.
    pub tls_also_listen: Vec<SocketAddr>,
    /// Host name that clients mean over TLS which name none.
    pub tls_fallback_sni: Option<String>,
    /// Certificate chain where no `ssls` resource is for the name: a PEM file. Without `tls_listen` it makes `listen`
    /// speak TLS.
    pub tls_cert: Option<PathBuf>,
    /// Its key: a PEM file.
    pub tls_key: Option<PathBuf>,
    /// Data-plane threads; 0 means one per core.
    pub workers: usize,
    /// Largest request head, in bytes.
    pub max_head_bytes: usize,
    /// Most header fields of a request.
    pub max_headers: usize,
    /// Largest request body that is passed to a plain upstream, in bytes; 0 means no limit.
    pub max_body_bytes: u64,
    /// Seconds that a client may take for its request head or TLS handshake.
    pub head_timeout: u64,
    /// Seconds that a client may pause inside a request body.
    pub body_timeout: u64,
    /// Seconds that running requests get to finish at shutdown.
    pub drain: u64,
}

/// The Admin API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminConfig {
    /// Its address.
    pub listen: SocketAddr,
    /// Certificate chain: a PEM file. With `tls_key` the listener speaks TLS.
    pub tls_cert: Option<PathBuf>,
    /// Key: a PEM file.
    pub tls_key: Option<PathBuf>,
    /// Addresses and networks that may connect.
    pub allow: Vec<String>,
    /// Whether calls need a key.
    pub key_required: bool,
    /// Admin key of the first run, instead of a generated one.
    pub key: Option<Secret>,
    /// Password of the first run's admin user, instead of a generated one.
    pub password: Option<Secret>,
    /// More keys, with their roles.
    pub keys: Vec<AdminKeyConfig>,
    /// Accepts APISIX's published default key, on a loopback listener only.
    pub allow_default_key: bool,
    /// Answers CORS requests of browsers.
    pub cors: bool,
    /// The shape of replies: `v3`, or `v2` for tools of old.
    pub api_version: String,
    /// The configuration is only written as a whole, to `/apisix/admin/configs` (APISIX's API-driven standalone mode).
    pub standalone: bool,
}

/// An admin key of the configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdminKeyConfig {
    /// What it is for.
    #[serde(default)]
    pub name: String,
    /// The key.
    pub key: Secret,
    /// `admin` or `viewer`.
    pub role: String,
}

/// The control API.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControlConfig {
    /// Whether it exists.
    pub enabled: bool,
    /// Its address. It has no authentication: keep it on loopback.
    pub listen: SocketAddr,
}

/// Prometheus metrics.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsConfig {
    /// A listener of their own for `/metrics` and `path`; they are always on the admin listener.
    pub listen: Option<SocketAddr>,
    /// Where metrics are beside `/metrics`.
    pub path: String,
    /// With `password`: basic authentication on every metrics address.
    pub username: Option<String>,
    /// See `username`.
    pub password: Option<Secret>,
}

/// Status for probes.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatusConfig {
    /// A listener for `/status` and `/status/ready` alone; they are always on the admin listener.
    pub listen: Option<SocketAddr>,
}

/// The gateway's own log.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,sluice_proxy=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: String,
}

/// One line per request.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccessLogConfig {
    /// `stdout`, `off`, or a file.
    pub target: String,
    /// Text with `$variables`; JSON lines when absent.
    pub format: Option<String>,
    /// How values in `format` are escaped: `default` or `json`.
    pub escape: String,
}

/// The request ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LedgerSection {
    /// Whether requests are recorded.
    pub enabled: bool,
    /// Days that records are kept.
    pub retention_days: u32,
    /// Days that payloads are kept, where clients have them logged.
    pub payload_retention_days: u32,
}

/// The standard LLM endpoints.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BuiltinRoutesConfig {
    /// Whether they exist.
    pub enabled: bool,
    /// Names of those that do not.
    pub disabled: Vec<String>,
}

/// Limits that new clients of the dashboard begin with; 0 means none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DefaultsConfig {
    /// Requests a minute.
    pub requests_per_minute: u64,
    /// Requests an hour.
    pub requests_per_hour: u64,
    /// Requests a day.
    pub requests_per_day: u64,
    /// Tokens to models a day.
    pub input_tokens_per_day: u64,
    /// Tokens from models a day.
    pub output_tokens_per_day: u64,
    /// Tokens of one request.
    pub max_input_tokens: u64,
    /// Tokens of one answer.
    pub max_output_tokens: u64,
}

impl Default for DefaultsConfig {
    fn default() -> Self {
        Self {
            requests_per_minute: 60,
            requests_per_hour: 1_000,
            requests_per_day: 1_000,
            input_tokens_per_day: 1_000_000,
            output_tokens_per_day: 500_000,
            max_input_tokens: 1_000_000,
            max_output_tokens: 8_192,
        }
    }
}

/// The commands that plugins may run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CommandsConfig {
    /// Programs, or lists of a program and its arguments.
    pub allowed: AllowedCommands,
    /// Names of environment variables that they get.
    pub environment: Vec<String>,
    /// Most processes that run at once.
    pub max_processes: u16,
}

/// What APISIX's configuration calls `apisix`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApisixConfig {
    /// How routes are matched: `radixtree_host_uri`, `radixtree_uri` or `radixtree_uri_with_parameter`.
    pub router: String,
    /// Drops one trailing slash before matching.
    pub delete_uri_tail_slash: bool,
    /// Whether `Server` names a version.
    pub enable_server_tokens: bool,
    /// Sends `X-APISIX-Upstream-Status` with every proxied answer.
    pub show_upstream_status_in_response_header: bool,
    /// Name servers, instead of those of the system: `ip` or `ip:port`.
    pub dns_resolver: Vec<String>,
    /// Seconds that resolved addresses are kept, whatever their own time to live is.
    pub dns_resolver_valid: Option<u64>,
    /// Turns the health checks of all upstreams off.
    pub disable_upstream_healthcheck: bool,
    /// Prefix of keys in Admin API answers.
    pub key_prefix: String,
    /// Keys that secrets in Admin API write replies are encrypted with; the first encrypts. Empty: shown plain.
    pub keyring: Vec<Secret>,
}

fn any(port: u16) -> SocketAddr {
    SocketAddr::from(([0, 0, 0, 0], port))
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("./data"),
            listen: None,
            proxy: ProxyConfig::default(),
            admin: AdminConfig::default(),
            control: ControlConfig::default(),
            metrics: MetricsConfig::default(),
            status: StatusConfig::default(),
            log: LogConfig::default(),
            access_log: AccessLogConfig::default(),
            ledger: LedgerSection::default(),
            builtin_routes: BuiltinRoutesConfig::default(),
            defaults: DefaultsConfig::default(),
            plugins: None,
            plugin_attr: Map::new(),
            commands: CommandsConfig::default(),
            apisix: ApisixConfig::default(),
        }
    }
}

impl Default for ProxyConfig {
    fn default() -> Self {
        Self {
            listen: any(9080),
            also_listen: Vec::new(),
            tls_listen: None,
            tls_also_listen: Vec::new(),
            tls_fallback_sni: None,
            tls_cert: None,
            tls_key: None,
            workers: 0,
            max_head_bytes: 64 << 10,
            max_headers: 128,
            max_body_bytes: 32 << 20,
            head_timeout: 60,
            body_timeout: 60,
            drain: 600,
        }
    }
}

impl Default for AdminConfig {
    fn default() -> Self {
        Self {
            listen: loopback(9180),
            tls_cert: None,
            tls_key: None,
            allow: vec!["127.0.0.0/24".to_owned(), "::1".to_owned()],
            key_required: true,
            key: None,
            password: None,
            keys: Vec::new(),
            allow_default_key: false,
            cors: true,
            api_version: "v3".to_owned(),
            standalone: false,
        }
    }
}

impl Default for ControlConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            listen: loopback(9090),
        }
    }
}

impl Default for MetricsConfig {
    fn default() -> Self {
        Self {
            listen: None,
            path: "/apisix/prometheus/metrics".to_owned(),
            username: None,
            password: None,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: "text".to_owned(),
        }
    }
}

impl Default for AccessLogConfig {
    fn default() -> Self {
        Self {
            target: "stdout".to_owned(),
            format: None,
            escape: "default".to_owned(),
        }
    }
}

impl Default for LedgerSection {
    fn default() -> Self {
        Self {
            enabled: true,
            retention_days: 90,
            payload_retention_days: 7,
        }
    }
}

impl Default for BuiltinRoutesConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            disabled: Vec::new(),
        }
    }
}

impl Default for CommandsConfig {
    fn default() -> Self {
        Self {
            allowed: AllowedCommands::default(),
            environment: Vec::new(),
            max_processes: 100,
        }
    }
}

impl Default for ApisixConfig {
    fn default() -> Self {
        Self {
            router: "radixtree_host_uri".to_owned(),
            delete_uri_tail_slash: false,
            enable_server_tokens: true,
            show_upstream_status_in_response_header: false,
            dns_resolver: Vec::new(),
            dns_resolver_valid: None,
            disable_upstream_healthcheck: false,
            key_prefix: "/apisix".to_owned(),
            keyring: ["qeddd145sfvddff3", "edd1c9f0985e76a2"]
                .map(|entry| entry.to_owned().into())
                .into(),
        }
    }
}
