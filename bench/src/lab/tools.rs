//! What a run needs on its machine, found or named as missing.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Resource, getrlimit};
use rustix::thread::sched_getaffinity;

use super::options::Options;

/// 2,000 streams need two connections each in a proxy.
const OPEN_FILES: u64 = 5_000;

/// The programs of a run.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) nginx: PathBuf,
    /// `None` if the gateway is not to be measured.
    pub(super) gateway: Option<PathBuf>,
    pub(super) load: PathBuf,
    pub(super) mock: PathBuf,
}

impl Tools {
    /// Finds everything, or fails with a list of all that is missing and how to get it.
    pub(super) fn find(options: &Options) -> Result<Self> {
        let own = env::current_exe()?;
        let beside = own.parent().context("this program has no folder")?;
        let mut missing = Vec::new();
        let mut need = |found: Option<PathBuf>, what: &str| {
            found.unwrap_or_else(|| {
                missing.push(what.to_owned());
                PathBuf::new()
            })
        };
        let nginx = options.nginx.clone().map_or_else(|| in_path("nginx"), existing);
        let gateway = options
            .gateway
            .clone()
            .map_or_else(|| existing(beside.join("sluice")), existing);
        let tools = Self {
            nginx: need(
                nginx,
                "nginx (Debian: apt-get install nginx-light), or --nginx PATH",
            ),
            gateway: (!options.without_gateway).then(|| {
                need(
                    gateway,
                    "the gateway (cargo build --release --bin sluice), --gateway PATH or --without-gateway",
                )
            }),
            load: need(
                existing(beside.join("load")),
                "load (cargo build --release -p sluice-bench)",
            ),
            mock: need(
                existing(beside.join("mock-llm")),
                "mock-llm (cargo build --release -p sluice-bench)",
            ),
        };
        need(in_path("taskset"), "taskset (Debian: apt-get install util-linux)");
        need(in_path("setpriv"), "setpriv (Debian: apt-get install util-linux)");
        missing.extend(missing_of_machine(options)?);
        if !missing.is_empty() {
            bail!("missing on this machine:\n  {}", missing.join("\n  "));
        }
        Ok(tools)
    }
}

fn missing_of_machine(options: &Options) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let usable = sched_getaffinity(None)?;
    for core in [options.core, options.load_core] {
        if core >= rustix::thread::CpuSet::MAX_CPU || !usable.is_set(core) {
            missing.push(format!("core {core}, or another one by --core and --load-core"));
        }
    }
    if options.core == options.load_core {
        missing.push("a second core: --core and --load-core are the same".to_owned());
    }
    if getrlimit(Resource::Nofile)
        .current
        .is_some_and(|files| files < OPEN_FILES)
    {
        missing.push(format!("{OPEN_FILES} open files (ulimit -n {OPEN_FILES})"));
    }
    Ok(missing)
}

fn existing(path: PathBuf) -> Option<PathBuf> {
    path.is_file().then_some(path)
}

/// A program in `PATH`, or where servers are installed, which a user's `PATH` often lacks.
fn in_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let servers = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(servers)
        .map(|folder: PathBuf| Path::join(&folder, program))
        .find_map(existing)
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn everything_missing_is_named_at_once() {
        let arguments = [
            "bench",
            "--nginx",
            "/no/nginx",
            "--gateway",
            "/no/sluice",
            "--core",
            "7",
            "--load-core",
            "7",
        ];
        let error = Tools::find(&Options::parse_from(arguments))
            .unwrap_err()
            .to_string();
        for part in ["nginx-light", "--bin sluice", "mock-llm", "a second core"] {
            assert!(error.contains(part), "{part} is not in: {error}");
        }
    }

    #[test]
    fn programs_are_found_in_path() {
        assert!(in_path("sh").is_some());
        assert!(in_path("no-such-program").is_none());
    }
}
