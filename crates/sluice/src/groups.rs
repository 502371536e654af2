//! `sluice gateway` and `sluice run`: one command for a group of people that shares an LLM server.
//!
//! What to write is decided in `sluice-groups`; here are the arguments, the calls, and what the terminal shows. All
//! goes through the Admin API, so that a gateway elsewhere, or APISIX itself, can be managed as well.

mod access;
mod args;
mod carry;
mod cleanup;
mod client;
mod consumers;
mod files;
mod names;
mod probe;
mod progress;
mod run;
mod setup;
mod status;
mod table;
mod verify;

use std::process::ExitCode;

use self::args::GatewayCommand;
pub(crate) use self::args::{ConnectArgs, GatewayArgs, RunArgs};
pub(crate) use self::run::run;
use crate::console::complain;

/// Something went wrong.
const FAILED: u8 = 1;
/// The gateway, or what it needs, cannot be reached, or the input is of no use.
const UNREACHABLE: u8 = 2;

/// How a command failed.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The exit code is 1.
    Work(anyhow::Error),
    /// The exit code is 2.
    Unreachable(anyhow::Error),
}

impl From<anyhow::Error> for Failed {
    fn from(error: anyhow::Error) -> Self {
        Self::Work(error)
    }
}

impl Failed {
    pub(crate) fn into_error(self) -> anyhow::Error {
        match self {
            Self::Work(error) | Self::Unreachable(error) => error,
        }
    }
}

/// Runs a command below `gateway`.
pub(crate) fn gateway(args: GatewayArgs) -> ExitCode {
    let done = block_on(async {
        match args.command {
            GatewayCommand::Setup(args) => setup::setup(*args).await,
            GatewayCommand::CreateConsumer(args) => consumers::create(args).await,
            GatewayCommand::DeleteConsumer(args) => consumers::delete(args).await,
            GatewayCommand::GenerateKilo(args) => files::generate_kilo(&args),
            GatewayCommand::Status(args) => return status::status(args).await,
            GatewayCommand::Cleanup(args) => cleanup::cleanup(args).await,
        }
        .map(|()| ExitCode::SUCCESS)
    });
    ended(done)
}

/// Runs `connect`.
pub(crate) fn connect(args: &ConnectArgs) -> ExitCode {
    ended(block_on(files::connect(args)).map(|()| ExitCode::SUCCESS))
}

fn block_on<T>(work: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| anyhow::anyhow!("cannot start a runtime: {error}"))?;
    runtime.block_on(work)
}

fn ended(done: Result<ExitCode, Failed>) -> ExitCode {
    let (error, code) = match done {
        Ok(code) => return code,
        Err(Failed::Work(error)) => (error, FAILED),
        Err(Failed::Unreachable(error)) => (error, UNREACHABLE),
    };
    complain(format_args!("error: {error:#}"));
    ExitCode::from(code)
}
