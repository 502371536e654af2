//! What the person who runs it can choose.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the gateway beside nginx on this machine.
///
/// Needs Linux, two cores, nginx, and nothing else that is busy. Prints a table and writes bench/out/result.json.
/// Numbers of two runs cannot be compared; ratios within one run can.
#[derive(Debug, Parser)]
#[command(name = "sluice-bench", bin_name = "bench/run")]
pub struct Options {
    /// Measure only this; may be repeated
    #[arg(long, value_enum)]
    pub only: Vec<Scenario>,
    /// Fewer and shorter rounds, to see whether it works
    #[arg(long)]
    pub quick: bool,
    /// Measure nginx and the direct connection alone
    #[arg(long)]
    pub without_gateway: bool,
    /// The gateway's binary [default: the sluice beside this program]
    #[arg(long, value_name = "PATH")]
    pub gateway: Option<PathBuf>,
    /// nginx's binary [default: from PATH, /usr/sbin, /usr/local/sbin]
    #[arg(long, value_name = "PATH")]
    pub nginx: Option<PathBuf>,
    /// Core for the process under test
    #[arg(long, value_name = "CORE", default_value_t = 0)]
    pub core: usize,
    /// Core for the load generator and the mock
    #[arg(long, value_name = "CORE", default_value_t = 1)]
    pub load_core: usize,
    /// Folder for result.json and the logs
    #[arg(long, value_name = "PATH", default_value = "bench/out")]
    pub out: PathBuf,
}

/// One thing to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Whole answers to 1 KB requests, 64 connections
    #[value(name = "chat-1k")]
    Chat1k,
    /// Whole answers to 100 KB requests, 64 connections
    #[value(name = "chat-100k")]
    Chat100k,
    /// The same as chat-1k, with ai-prompt-decorator and loki-logger on the route
    #[value(name = "plugins-1k")]
    Plugins1k,
    /// The same as chat-1k, by a client with seven limits of ai-limits
    #[value(name = "limits-1k")]
    Limits1k,
    /// What is added to a direct call at 1,000 requests/s
    Latency,
    /// What is added to the time to a stream's first chunk at 1,000 requests/s
    FirstChunk,
    /// 2,000 open streams of 20 chunks/s
    StreamPaced,
    /// 64 streams without pause
    StreamFlood,
    /// The two stream loads with an OpenAI client and an Anthropic provider, beside streams that pass as they are
    Translated,
    /// Memory idle and with 1,000 open streams
    Memory,
    /// From start to the first served request
    Start,
    /// Size of the binary
    Size,
}

impl Scenario {
    /// Its name on the command line and in the result.
    #[must_use]
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

impl Options {
    pub(super) fn scenarios(&self) -> Vec<Scenario> {
        if self.only.is_empty() {
            Scenario::value_variants().to_vec()
        } else {
            self.only.clone()
        }
    }
}
