//! The `sluice` command: a thin shell over the library.

use std::process::ExitCode;

/// Frees memory in the background and keeps fragmentation low over long runs.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    sluice::run(std::env::args_os(), sluice::Plugins::shipped())
}
