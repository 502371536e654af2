//! `sluice-bench`: the run that measures the gateway beside nginx. See `bench/README.md`.

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser as _;
use sluice_bench::lab::{self, Options};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "local")]
async fn main() -> io::Result<ExitCode> {
    match measure(Options::parse()).await {
        Ok(table) => {
            io::stdout().write_all(table.as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            // Not by returning it, which would add a backtrace where those are switched on.
            writeln!(io::stderr(), "error: {error:#}")?;
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn measure(options: Options) -> Result<String> {
    let mut terminated = signal(SignalKind::terminate())?;
    // Dropping the run ends every process that it has started.
    tokio::select! {
        table = lab::run(options) => table,
        _ = tokio::signal::ctrl_c() => bail!("interrupted"),
        _ = terminated.recv() => bail!("terminated"),
    }
}
