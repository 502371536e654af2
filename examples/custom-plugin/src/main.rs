//! Sluice with one plugin more: `team-header`.

mod team_header;

use std::process::ExitCode;

fn main() -> ExitCode {
    let plugins = sluice::Plugins::shipped().with(team_header::definition());
    sluice::run(std::env::args_os(), plugins)
}
