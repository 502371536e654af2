//! The gateway as a library: command line, configuration, boot and wiring.
//!
//! On top of all other crates, the only one that knows them all. A binary of one's own adds plugins and hands them to
//! [`run`]:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! fn main() -> ExitCode {
//!     // One's own plugins: `.with(my_plugin::definition())`
//!     let plugins = sluice::Plugins::shipped();
//!     sluice::run(std::env::args_os(), plugins)
//! }
//! ```

mod admin;
mod aigateway;
mod answers;
mod builtin;
mod cli;
mod commands;
mod config;
mod console;
mod data_path;
mod demo;
mod first_run;
mod gateway;
mod groups;
mod keys;
mod limits;
mod logging;
mod measuring;
mod one_port;
pub mod plugin;
mod plugins;
mod providers;
mod random;
mod readiness;
mod ready;
mod sync;
mod tls;
mod version;

pub use self::cli::run;
pub use self::config::{Config, ConfigError, Secret, TEMPLATE, from_apisix, load, validate_file};
pub use self::gateway::{Gateway, GatewayOptions};
pub use self::plugins::Plugins;
