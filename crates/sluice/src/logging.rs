//! The gateway's own log.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::LogConfig;

/// Sends log events to standard error from here on.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&config.level).with_context(|| format!("log.level: `{}`", config.level))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if config.format == "json" {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}
