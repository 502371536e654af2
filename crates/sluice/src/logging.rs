//! The gateway's own log.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;

use crate::config::LogConfig;

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// What is logged. A word that is no level is refused: it would be taken for a part of the program, and silence all
/// others.
pub(crate) fn filter(config: &LogConfig) -> Result<EnvFilter, String> {
    for directive in config.level.split(',') {
        let level = directive.rsplit_once('=').map_or(directive, |(_, level)| level);
        if !LEVELS.contains(&level.trim()) {
            return Err(format!(
                "`log.level`: `{directive}` is no level ({})",
                LEVELS.join(", ")
            ));
        }
    }
    EnvFilter::try_new(&config.level).map_err(|error| format!("`log.level`: `{}`: {error}", config.level))
}

/// Sends log events to standard error from here on; in colours if somebody sees them.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter = filter(config).map_err(anyhow::Error::msg)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(stderr().is_terminal())
        .with_writer(stderr);
    let started = if config.format == "json" {
        builder.json().try_init()
    } else {
        builder.try_init()
    };
    started.map_err(|error| anyhow::anyhow!("cannot start the log: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_are_no_levels_are_refused() {
        let refused = |level: &str| {
            let config = LogConfig {
                level: level.to_owned(),
                ..LogConfig::default()
            };
            filter(&config).is_err()
        };
        for level in [
            "info",
            "off",
            "warn,sluice_proxy=trace",
            "sluice_admin=debug, info",
        ] {
            assert!(!refused(level), "{level}");
        }
        for level in ["", "verbose", "warning", "info,verbose", "a=b=c", "sluice_proxy"] {
            assert!(refused(level), "{level}");
        }
    }
}
