//! The command line.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::aigateway::ImportArgs;
use crate::commands;
use crate::config::{self, Config, ConfigError};
use crate::console::complain;
use crate::groups::{self, ConnectArgs, GatewayArgs, RunArgs};
use crate::plugins::Plugins;

/// Sluice, an AI gateway: one binary between applications and LLM providers.
#[derive(Parser)]
#[command(name = "sluice", version = env!("CARGO_PKG_VERSION"), propagate_version = true)]
#[command(after_help = "Try it: `sluice serve --demo` starts a gateway that answers at once.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the gateway
    Serve(Box<ServeArgs>),
    /// Write a commented configuration file
    Init(InitArgs),
    /// Check a configuration file without starting anything
    Validate(ValidateArgs),
    /// Say which version, commit and build this is
    Version,
    /// Manage access to the Admin API, on this machine's data folder
    Admin(AdminArgs),
    /// Take over the clients of another gateway
    Import(ImportArgs),
    /// Set a gateway up for a group of people that shares an LLM server
    Gateway(GatewayArgs),
    /// Start the gateway and set it up for a group in one go
    Run(Box<RunArgs>),
    /// Show or install the config file of a coding tool for a client
    Connect(ConnectArgs),
}

/// Where the configuration is.
#[derive(Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file [default: config.yaml, if it is there]
    #[arg(long, value_name = "FILE", conflicts_with = "apisix_config", global = true)]
    pub(crate) config: Option<PathBuf>,
    /// APISIX's own conf/config.yaml instead
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) apisix_config: Option<PathBuf>,
}

impl ConfigArgs {
    /// File and environment, with what has to be said about them.
    pub(crate) fn read(&self) -> Result<(Config, Vec<String>), ConfigError> {
        if let Some(path) = &self.apisix_config {
            return config::from_apisix(path, std::env::vars());
        }
        let usual = Path::new("config.yaml");
        let path = self.config.as_deref().or_else(|| usual.exists().then_some(usual));
        Ok((config::load(path, std::env::vars())?, Vec::new()))
    }
}

/// What `serve` takes. Options win over environment variables, those over the file.
#[derive(Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub(crate) files: ConfigArgs,
    /// Folder of everything that the gateway keeps [default: ./data]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// One address for everything: proxy, dashboard, Admin API and metrics
    #[arg(long, value_name = "ADDR", conflicts_with_all = ["proxy_listen", "admin_listen", "control_listen"])]
    pub(crate) listen: Option<SocketAddr>,
    /// Address of the proxy [default: 0.0.0.0:9080]
    #[arg(long, value_name = "ADDR")]
    pub(crate) proxy_listen: Option<SocketAddr>,
    /// Address of the Admin API [default: 127.0.0.1:9180]
    #[arg(long, value_name = "ADDR")]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// Address of the control API [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    pub(crate) control_listen: Option<SocketAddr>,
    /// error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Add a demo client in front of the built-in `echo` provider
    #[arg(long)]
    pub(crate) demo: bool,
    /// Accept the default key that APISIX publishes; only with a loopback Admin API
    #[arg(long)]
    pub(crate) allow_default_admin_key: bool,
    /// Write the bound addresses to this file, as JSON, once everything serves
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
}

/// What `init` takes.
#[derive(Args)]
pub(crate) struct InitArgs {
    /// Where to write it
    #[arg(default_value = "config.yaml")]
    pub(crate) file: PathBuf,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// What `validate` takes.
#[derive(Args)]
pub(crate) struct ValidateArgs {
    /// The file to check
    pub(crate) file: PathBuf,
    /// It is APISIX's conf/config.yaml
    #[arg(long)]
    pub(crate) apisix: bool,
}

/// What `admin` takes.
#[derive(Args)]
pub(crate) struct AdminArgs {
    #[command(flatten)]
    pub(crate) files: ConfigArgs,
    /// Data folder of the gateway [default: what the configuration says]
    #[arg(long, value_name = "DIR", global = true)]
    pub(crate) data_dir: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: AdminCommand,
}

/// The commands below `admin`.
#[derive(Subcommand)]
pub(crate) enum AdminCommand {
    /// Give an admin user a new password, and show it
    ResetPassword {
        /// The user
        #[arg(long, default_value = crate::first_run::USER)]
        user: String,
    },
    /// Make an Admin API key, and show it
    NewKey {
        /// What the key is for
        #[arg(long, default_value = "command line")]
        name: String,
        /// owner (everything), admin (all but deciding who may do what) or viewer (reading)
        #[arg(long, default_value = "admin", value_parser = ["owner", "admin", "viewer"])]
        role: String,
    },
}

/// Runs a command line to its end.
pub fn run(args: impl IntoIterator<Item = OsString>, plugins: Plugins) -> ExitCode {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no failures, and go to standard output.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let done = match cli.command {
        Command::Serve(args) => commands::serve(*args, plugins, None),
        Command::Init(args) => commands::init(&args),
        Command::Validate(args) => commands::validate(&args),
        Command::Version => {
            crate::console::say(crate::version::long());
            Ok(())
        }
        Command::Admin(args) => commands::admin(args),
        Command::Import(args) => crate::aigateway::import(args, plugins),
        Command::Gateway(args) => return groups::gateway(args),
        Command::Run(args) => return groups::run(*args, plugins),
        Command::Connect(args) => return groups::connect(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
