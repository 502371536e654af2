//! `load`: asks a server that speaks OpenAI's chat protocol, and reports as JSON. See `bench/README.md`.

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use sluice_bench::chat::StreamPlan;
use sluice_bench::load::{Call, Ramp, Watch, closed, flood, paced, rate};

/// Puts a server under load and prints what it saw as one JSON object.
///
/// The streaming loads need mock-llm at the other end, which marks every chunk with its time of sending.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Options {
    #[command(flatten)]
    to: Server,
    #[command(subcommand)]
    way: Way,
}

#[derive(Debug, Args)]
struct Server {
    /// The server's address
    #[arg(long, default_value = "127.0.0.1:8090")]
    server: SocketAddr,
    /// Client key, sent as the header "apikey"
    #[arg(long, default_value = "bench")]
    key: String,
    /// Bytes of a request's body
    #[arg(long, default_value_t = 1_024)]
    body: usize,
    /// Process whose CPU time and memory are measured; may be repeated
    #[arg(long = "watch", value_name = "PID")]
    pids: Vec<u32>,
}

#[derive(Debug, Subcommand)]
enum Way {
    /// Ask again as soon as answered, a fixed number of times
    Closed {
        #[arg(long, default_value_t = 64)]
        connections: u64,
        #[arg(long, default_value_t = 10_000)]
        requests: u64,
    },
    /// Ask at a constant rate; latency counts from the intended start
    Rate {
        #[arg(long, default_value_t = 64)]
        connections: u64,
        #[arg(long, default_value_t = 1_000)]
        per_second: u64,
        #[arg(long, default_value_t = 3)]
        seconds: u64,
        /// Ask for streams of so many chunks
        #[arg(long)]
        chunks: Option<u32>,
    },
    /// Open many slow streams, measure while all are open
    Paced {
        #[arg(long, default_value_t = 2_000)]
        streams: u64,
        /// Chunks per second of each stream
        #[arg(long, default_value_t = 20)]
        rate: u32,
        /// Milliseconds over which the streams are opened
        #[arg(long, default_value_t = 2_000)]
        ramp: u64,
        /// Milliseconds that are measured
        #[arg(long, default_value_t = 4_000)]
        window: u64,
    },
    /// Read streams that have no pauses
    Flood {
        #[arg(long, default_value_t = 64)]
        streams: u64,
        /// Chunks of each stream
        #[arg(long, default_value_t = 5_000)]
        chunks: u32,
    },
}

#[tokio::main(flavor = "local")]
async fn main() -> Result<()> {
    let Options {
        to: Server {
            server,
            key,
            body,
            pids,
        },
        way,
    } = Options::parse();
    let watch = Watch::new(pids);
    let report = match way {
        Way::Closed {
            connections,
            requests,
        } => closed(Call::plain(server, &key, body), connections, requests, &watch).await?,
        Way::Rate {
            connections,
            per_second,
            seconds,
            chunks,
        } => {
            let call = match chunks {
                Some(chunks) => Call::stream(server, &key, body, StreamPlan { chunks, rate: 0 }),
                None => Call::plain(server, &key, body),
            };
            rate(call, connections, per_second, seconds, &watch).await?
        }
        Way::Paced {
            streams,
            rate,
            ramp,
            window,
        } => {
            paced(
                server,
                &key,
                body,
                Ramp {
                    streams,
                    rate,
                    ramp,
                    window,
                },
                &watch,
            )
            .await?
        }
        Way::Flood { streams, chunks } => {
            let plan = StreamPlan { chunks, rate: 0 };
            flood(Call::stream(server, &key, body, plan), streams, &watch).await?
        }
    };
    writeln!(std::io::stdout(), "{}", serde_json::to_string(&report)?)?;
    Ok(())
}
