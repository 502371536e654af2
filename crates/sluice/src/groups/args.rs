//! What the commands take. Flags win over environment variables, those over what the gateway was set up with, that over
//! the defaults.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// What `gateway` takes.
#[derive(Args)]
pub(crate) struct GatewayArgs {
    #[command(subcommand)]
    pub(crate) command: GatewayCommand,
}

/// The commands below `gateway`.
#[derive(Subcommand)]
pub(crate) enum GatewayCommand {
    /// Make routes and a consumer per user or group, and write config files for their tools
    Setup(Box<SetupArgs>),
    /// Make one consumer, or change its key and quota
    CreateConsumer(CreateArgs),
    /// Delete one consumer
    DeleteConsumer(DeleteArgs),
    /// Print a config file for Kilo Code
    GenerateKilo(KiloArgs),
    /// Say whether the gateway runs and what is set up
    Status(StatusArgs),
    /// Delete what setup made
    Cleanup(CleanupArgs),
}

/// Which gateway, and the key to its Admin API.
#[derive(Args, Clone, Default)]
pub(crate) struct AdminArgs {
    /// Address of the Admin API [default: http://127.0.0.1:9180]
    #[arg(long, value_name = "URL", env = "GATEWAY_ADMIN_URL")]
    pub(crate) admin_url: Option<String>,
    /// Port of the Admin API on this machine [default: 9180]
    #[arg(long, value_name = "PORT", conflicts_with = "admin_url")]
    pub(crate) admin_port: Option<u16>,
    /// Admin key [default: the one in the data folder]
    #[arg(long, value_name = "KEY", env = "GATEWAY_ADMIN_KEY", hide_env_values = true)]
    pub(crate) admin_key: Option<String>,
    /// Data folder of the gateway on this machine, where its admin key is [default: ./data]
    #[arg(long, value_name = "DIR", env = "SLUICE_DATA_DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

/// Where clients find the proxy.
#[derive(Args, Clone, Default)]
pub(crate) struct ProxyArgs {
    /// Port of the proxy
    #[arg(
        long,
        value_name = "PORT",
        env = "GATEWAY_PROXY_PORT",
        default_value_t = 9080,
        overrides_with = "proxy_port"
    )]
    pub(crate) proxy_port: u16,
    /// Address under which others reach the proxy
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) external_ip: String,
}

/// A Redis that counters are kept in.
#[derive(Args, Clone, Default)]
pub(crate) struct RedisArgs {
    /// Keep counters in the Redis of this host, so that several gateways share them
    #[arg(long, value_name = "HOST", env = "GATEWAY_REDIS_HOST")]
    pub(crate) redis_host: Option<String>,
    /// Its port
    #[arg(long, value_name = "PORT", env = "GATEWAY_REDIS_PORT", default_value_t = 6379)]
    pub(crate) redis_port: u16,
    /// Its password
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "GATEWAY_REDIS_PASSWORD",
        hide_env_values = true
    )]
    pub(crate) redis_password: Option<String>,
    /// Let requests pass while the Redis cannot be reached, instead of refusing them
    #[arg(long)]
    pub(crate) redis_fail_open: bool,
}

/// What everybody gets.
#[derive(Args, Clone, Default)]
pub(crate) struct QuotaArgs {
    /// Tokens per user and window [default: 500]
    #[arg(long, value_name = "TOKENS", alias = "token-limit", env = "GATEWAY_RATE_LIMIT_TOKENS",
          value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64))]
    pub(crate) rate_limit: Option<u64>,
    /// Seconds of a window [default: 60]
    #[arg(long, value_name = "SECONDS", alias = "token-window", env = "GATEWAY_RATE_LIMIT_WINDOW",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) time_window: Option<u64>,
}

/// How results are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    #[default]
    Text,
    /// One JSON document.
    Json,
    /// Comma-separated values with a header.
    Csv,
}

/// The form of Kilo Code's file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum KiloFormat {
    /// What Kilo Code reads today, as kilo.jsonc.
    #[default]
    Native,
    /// The older form, as kilo-<consumer>.json.
    Seed,
    /// Both, in different places.
    Both,
}

/// What `setup` takes.
#[derive(Args, Clone)]
pub(crate) struct SetupArgs {
    /// Who shares the gateway: groups.yaml, or a .csv with the columns group, user, email [default: one consumer called
    /// `default`]
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<PathBuf>,
    /// Only this group
    #[arg(long, value_name = "NAME", requires = "groups")]
    pub(crate) group: Option<String>,
    /// Address of the LLM server [default: found on its usual port, else http://127.0.0.1:13305]
    #[arg(long, value_name = "URL", alias = "llm-url")]
    pub(crate) lemonade_url: Option<String>,
    /// Key of the LLM server
    #[arg(
        long,
        value_name = "KEY",
        alias = "llm-api-key",
        env = "LEMONADE_API_KEY",
        hide_env_values = true
    )]
    pub(crate) lemonade_api_key: Option<String>,
    /// Model of chats that name none
    #[arg(long, value_name = "MODEL", alias = "model", default_value = sluice_groups::MODEL)]
    pub(crate) lemonade_model: String,
    /// Send every chat to that model, whatever it asks for
    #[arg(long)]
    pub(crate) force_model: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
    #[command(flatten)]
    pub(crate) redis: RedisArgs,
    #[command(flatten)]
    pub(crate) quota: QuotaArgs,
    /// Requests that a user may have under way at once
    #[arg(long, value_name = "NUMBER", env = "GATEWAY_CONCURRENCY_LIMIT", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(crate) concurrency_limit: Option<u64>,
    /// What a million tokens to the LLM server cost, in dollars, for the groups' budgets
    #[arg(long, value_name = "USD", value_parser = dollars, requires = "price_output")]
    pub(crate) price_input: Option<u64>,
    /// What a million tokens from the LLM server cost, in dollars
    #[arg(long, value_name = "USD", value_parser = dollars, requires = "price_input")]
    pub(crate) price_output: Option<u64>,
    /// One key per group instead of one per user; quotas of its users are added up
    #[arg(long)]
    pub(crate) per_group: bool,
    /// Who shares a key, where --per-group is not given: per-user or per-group
    #[arg(long, value_name = "MODE", env = "GATEWAY_MODE", value_parser = ["per-user", "per-group"], hide = true)]
    pub(crate) mode: Option<String>,
    /// Model of embeddings
    #[arg(long, value_name = "MODEL", default_value = sluice_groups::EMBEDDING_MODEL)]
    pub(crate) embedding_model: String,
    /// No route for embeddings
    #[arg(long)]
    pub(crate) no_embedding: bool,
    /// Write config files for Kilo Code
    #[arg(long)]
    pub(crate) generate_kilo: bool,
    /// Form of Kilo Code's file
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kilo_format: KiloFormat,
    /// Write config files for these tools: kilo, opencode, claude-code, codex, cline, continue, aider, goose, zed,
    /// cursor, open-webui, snippets, env, or all
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    pub(crate) tools: Vec<String>,
    /// Folder for config files, one folder per consumer in it [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Give everybody another key
    #[arg(long)]
    pub(crate) rotate_keys: bool,
    /// Delete consumers of users who are not in the file any more
    #[arg(long)]
    pub(crate) prune: bool,
    /// Take over consumers of the same name which no setup made
    #[arg(long)]
    pub(crate) adopt: bool,
    /// Make no call through the gateway afterwards
    #[arg(long)]
    pub(crate) no_verify: bool,
    /// How the result is shown
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// Millionths of a dollar.
fn dollars(text: &str) -> Result<u64, &'static str> {
    sluice_groups::micro_usd(text).ok_or("dollars, with at most six decimals: `25` or `2.50`")
}

/// What `create-consumer` takes.
#[derive(Args)]
pub(crate) struct CreateArgs {
    /// Name of the consumer
    #[arg(long, value_name = "NAME")]
    pub(crate) username: String,
    /// Its key [default: the one it has, else a random one]
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    #[command(flatten)]
    pub(crate) quota: QuotaArgs,
    #[command(flatten)]
    pub(crate) redis: RedisArgs,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
    /// How the result is shown
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

/// What `delete-consumer` takes.
#[derive(Args)]
pub(crate) struct DeleteArgs {
    /// Name of the consumer
    #[arg(long, value_name = "NAME")]
    pub(crate) username: String,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
}

/// What `generate-kilo` takes.
#[derive(Args)]
pub(crate) struct KiloArgs {
    /// Name of the consumer
    #[arg(long, value_name = "NAME")]
    pub(crate) username: String,
    /// Its key
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: String,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
    /// Model of chats
    #[arg(long, value_name = "MODEL", default_value = sluice_groups::MODEL)]
    pub(crate) model: String,
    /// Model of embeddings
    #[arg(long, value_name = "MODEL", default_value = sluice_groups::EMBEDDING_MODEL)]
    pub(crate) embedding_model: String,
    /// No embeddings
    #[arg(long)]
    pub(crate) no_embedding: bool,
    /// Form of the file: native or seed
    #[arg(long, value_enum, default_value_t)]
    pub(crate) kilo_format: KiloFormat,
}

/// What `status` takes.
#[derive(Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
    /// As JSON, and more of it
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `cleanup` takes.
#[derive(Args)]
pub(crate) struct CleanupArgs {
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
    /// Every consumer, also those that no setup made
    #[arg(long)]
    pub(crate) all: bool,
    /// Do not ask
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// What `connect` takes.
#[derive(Args)]
pub(crate) struct ConnectArgs {
    /// kilo, opencode, claude-code, codex, cline, continue, aider, goose, zed, cursor, open-webui, snippets or env
    pub(crate) tool: String,
    /// Consumer whose key the file gets
    #[arg(long, value_name = "NAME")]
    pub(crate) client: String,
    /// Its key, where the gateway cannot show it
    #[arg(long, value_name = "KEY")]
    pub(crate) api_key: Option<String>,
    /// Model of chats [default: what setup was made with]
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// Write the file into this folder instead of showing it
    #[arg(long, value_name = "DIR")]
    pub(crate) install: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long, requires = "install")]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) admin: AdminArgs,
    #[command(flatten)]
    pub(crate) proxy: ProxyArgs,
}

/// What `run` takes: a gateway, and its setup.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// Set the gateway up once it serves
    #[arg(long, env = "GATEWAY_ENABLED", value_parser = clap::builder::BoolishValueParser::new(), num_args = 0..=1,
          require_equals = true, default_missing_value = "true", default_value = "false")]
    pub(crate) gateway: bool,
    /// Who shares the gateway: groups.yaml or .csv
    #[arg(long, value_name = "FILE")]
    pub(crate) groups: Option<PathBuf>,
    /// Only this group
    #[arg(long, value_name = "NAME", requires = "groups")]
    pub(crate) group: Option<String>,
    /// One key per group instead of one per user
    #[arg(long)]
    pub(crate) gateway_per_group: bool,
    /// Keep counters in the Redis of this host
    #[arg(long, value_name = "HOST", env = "GATEWAY_REDIS_HOST")]
    pub(crate) gateway_redis_host: Option<String>,
    /// Its port
    #[arg(long, value_name = "PORT", env = "GATEWAY_REDIS_PORT", default_value_t = 6379)]
    pub(crate) gateway_redis_port: u16,
    /// Its password
    #[arg(
        long,
        value_name = "PASSWORD",
        env = "GATEWAY_REDIS_PASSWORD",
        hide_env_values = true
    )]
    pub(crate) gateway_redis_password: Option<String>,
    /// Tokens per user and window [default: 500]
    #[arg(long, value_name = "TOKENS", env = "GATEWAY_RATE_LIMIT_TOKENS",
          value_parser = clap::value_parser!(u64).range(1..=i64::MAX as u64))]
    pub(crate) gateway_rate_limit: Option<u64>,
    /// Seconds of a window [default: 60]
    #[arg(long, value_name = "SECONDS", env = "GATEWAY_RATE_LIMIT_WINDOW",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) gateway_time_window: Option<u64>,
    /// Delete what the setup made when the gateway stops
    #[arg(long)]
    pub(crate) ephemeral: bool,
    /// Address under which others reach the proxy
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    pub(crate) external_ip: String,
    /// Address of the LLM server
    #[arg(long, value_name = "URL")]
    pub(crate) lemonade_url: Option<String>,
    /// Model of chats that name none
    #[arg(long, value_name = "MODEL", default_value = sluice_groups::MODEL)]
    pub(crate) lemonade_model: String,
    /// No route for embeddings
    #[arg(long)]
    pub(crate) no_embedding: bool,
    /// Folder for config files [default: the working directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) output_dir: Option<PathBuf>,
    /// Write config files for these tools [default: kilo]
    #[arg(long, value_name = "TOOLS", value_delimiter = ',')]
    pub(crate) tools: Vec<String>,
    #[command(flatten)]
    pub(crate) serve: crate::cli::ServeArgs,
}
