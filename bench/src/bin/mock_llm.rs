//! `mock-llm`: an OpenAI-style provider to measure against. See `bench/README.md`.

use std::net::SocketAddr;

use anyhow::{Context as _, Result};
use clap::Parser;
use tokio::net::TcpSocket;

/// Answers OpenAI chat requests as fast as one thread can.
///
/// A request without "stream" gets a whole answer of 1 KB. A streamed one gets what its model asks for:
/// mock-140x20 is 140 chunks at 20 a second, mock-5000x0 is 5000 chunks without pause.
#[derive(Debug, Parser)]
#[command(name = "mock-llm")]
struct Options {
    /// Address to listen at
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
}

/// Thousands of streams may be opened at once.
const BACKLOG: u32 = 4_096;

#[tokio::main(flavor = "local")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket
        .bind(options.listen)
        .with_context(|| format!("cannot listen at {}", options.listen))?;
    let listener = socket.listen(BACKLOG)?;
    sluice_bench::mock::serve(listener).await
}
