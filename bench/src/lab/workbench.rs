//! Everything a scenario needs: the mock, running; nginx and gateway, ready to be started; the load.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::thread::{CpuSet, sched_setaffinity};
use tempfile::TempDir;
use tokio::process::Command;

use super::gateway::{Gateway, Listeners};
use super::nginx::Nginx;
use super::options::Options;
use super::process::{Process, pinned};
use super::side::{CLIENT_KEY, Side, Who};
use super::tools::Tools;
use crate::clock;
use crate::load::Report;

/// Where ports are taken from: below the range from which the kernel takes those of clients, so that none of
/// thousands of connections sits on a port of a server that is about to start again.
const PORTS: std::ops::Range<u16> = 21_000..30_000;

/// The set-up that all scenarios share.
#[derive(Debug)]
pub(super) struct Workbench {
    pub(super) effort: Effort,
    tools: Tools,
    load_core: usize,
    nginx: Nginx,
    gateway: Option<Gateway>,
    mock: SocketAddr,
    // Dropped in this order: the mock ends before its folder goes.
    _mock_process: Process,
    _folder: TempDir,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Rounds of the main figure's load.
    pub(super) rounds: u32,
    /// Rounds of the other loads, which take longer.
    pub(super) long_rounds: u32,
    pub(super) small_requests: u64,
    pub(super) large_requests: u64,
    /// Seconds of a load at a constant rate.
    pub(super) seconds: u64,
    /// Milliseconds of paced streams.
    pub(super) window: u64,
    /// Chunks of a stream without pause.
    pub(super) flood: u32,
    pub(super) starts: u32,
}

impl Effort {
    const FULL: Self = Self {
        rounds: 5,
        long_rounds: 3,
        small_requests: 60_000,
        large_requests: 10_000,
        seconds: 3,
        window: 4_000,
        flood: 5_000,
        starts: 7,
    };
    const QUICK: Self = Self {
        rounds: 1,
        long_rounds: 1,
        small_requests: 20_000,
        large_requests: 3_000,
        seconds: 1,
        window: 1_000,
        flood: 1_000,
        starts: 2,
    };
}

impl Workbench {
    /// Starts the mock and prepares the others.
    pub(super) async fn open(options: &Options, tools: Tools) -> Result<Self> {
        fs::create_dir_all(&options.out).with_context(|| options.out.display().to_string())?;
        let folder = tempfile::Builder::new().prefix("sluice-bench-").tempdir()?;
        let mut ports = PORTS.filter_map(free);
        let mut port = || ports.next().context("no free port");
        // This process keeps off the core under test.
        let mut own = CpuSet::new();
        own.set(options.load_core);
        sched_setaffinity(None, &own)?;

        let mock = port()?;
        let mut command = pinned(&tools.mock, options.load_core);
        command.arg("--listen").arg(mock.to_string());
        let mock_process = Process::start("mock-llm", command, &options.out.join("mock.log"))?;
        Side::direct(mock)
            .served(clock::now())
            .await
            .context("mock-llm")?;

        let nginx_log = options.out.join("nginx.log");
        let nginx_folder = folder.path().to_owned();
        let nginx = Nginx::prepare(
            tools.nginx.clone(),
            nginx_folder,
            nginx_log,
            (port()?, mock),
            options.core,
        )?;
        let gateway = match tools.gateway.clone() {
            Some(program) => {
                let data = folder.path().join("gateway");
                fs::create_dir(&data)?;
                let listeners = Listeners {
                    proxy: port()?,
                    admin: port()?,
                    control: port()?,
                };
                let log = options.out.join("gateway.log");
                Some(Gateway::prepare(program, data, log, (listeners, mock), options.core).await?)
            }
            None => None,
        };
        Ok(Self {
            effort: if options.quick {
                Effort::QUICK
            } else {
                Effort::FULL
            },
            tools,
            load_core: options.load_core,
            nginx,
            gateway,
            mock,
            _mock_process: mock_process,
            _folder: folder,
        })
    }

    /// The mock, without anything between.
    pub(super) fn direct(&self) -> Side {
        Side::direct(self.mock)
    }

    /// Whom to compare: nginx, and the gateway unless it is left out.
    pub(super) fn proxies(&self) -> impl Iterator<Item = Who> {
        [Some(Who::Nginx), self.gateway.is_some().then_some(Who::Gateway)]
            .into_iter()
            .flatten()
    }

    /// Their binaries.
    pub(super) fn programs(&self) -> impl Iterator<Item = (Who, &Path)> {
        self.proxies().zip(
            [Some(&self.tools.nginx), self.tools.gateway.as_ref()]
                .into_iter()
                .flatten()
                .map(PathBuf::as_path),
        )
    }

    /// Starts nginx or the gateway anew; it may not serve yet.
    pub(super) fn start(&self, who: Who) -> Result<Side> {
        match (who, &self.gateway) {
            (Who::Nginx, _) => self.nginx.start(),
            (Who::Gateway, Some(gateway)) => gateway.start(),
            (Who::Gateway, None) | (Who::Direct, _) => bail!("nothing to start"),
        }
    }

    /// Starts nginx and the gateway anew and waits until both serve.
    pub(super) async fn start_all(&self) -> Result<Vec<Side>> {
        let mut sides = Vec::new();
        for who in self.proxies() {
            let mut side = self.start(who)?;
            side.served(clock::now()).await?;
            sides.push(side);
        }
        Ok(sides)
    }

    /// Puts the gateway's route in place, with more plugins than usual if `decorated`.
    pub(super) async fn store_route(&self, decorated: bool) -> Result<()> {
        let Some(gateway) = &self.gateway else {
            return Ok(());
        };
        let mut side = gateway.start()?;
        side.served(clock::now()).await?;
        gateway.store_route(self.mock, decorated).await
    }

    /// Puts the client in place, with limits if `limited`.
    pub(super) async fn store_client(&self, limited: bool) -> Result<()> {
        let Some(gateway) = &self.gateway else {
            return Ok(());
        };
        let mut side = gateway.start()?;
        side.served(clock::now()).await?;
        gateway.store_client(limited).await
    }

    /// Starts the gateway anew, with the client whose requests are translated; `None` where it is left out.
    pub(super) async fn start_translating(&self) -> Result<Option<Side>> {
        let Some(gateway) = &self.gateway else {
            return Ok(None);
        };
        let mut side = gateway.start()?;
        side.served(clock::now()).await?;
        gateway.store_translated(self.mock).await?;
        Ok(Some(side))
    }

    /// Puts `side` under `load`, the arguments of the load generator, and returns what it saw.
    pub(super) async fn load(&self, side: &Side, load: &str) -> Result<Report> {
        self.load_as(CLIENT_KEY, side, load).await
    }

    /// The same with another client's key.
    pub(super) async fn load_as(&self, key: &str, side: &Side, load: &str) -> Result<Report> {
        let mut command = pinned(&self.tools.load, self.load_core);
        command.args(["--server", &side.address.to_string(), "--key", key]);
        for pid in side.pids()? {
            command.args(["--watch", &pid.to_string()]);
        }
        command.args(load.split_ascii_whitespace());
        let output = Command::from(command)
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot start load")?;
        if !output.status.success() {
            bail!(
                "load {load} on {:?}: {}",
                side.who,
                String::from_utf8_lossy(&output.stderr).trim()
            );
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}

/// The address at `port` of the loopback, if nobody listens there.
fn free(port: u16) -> Option<SocketAddr> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).ok().map(|_| address)
}
