//! nginx as the plain reverse proxy to compare with.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::{Context as _, Result};

use super::process::{Process, pinned};
use super::side::{Side, Who};

const TEMPLATE: &str = include_str!("../../nginx.conf");

/// How nginx is started in this run.
#[derive(Debug)]
pub(super) struct Nginx {
    program: PathBuf,
    folder: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    core: usize,
}

impl Nginx {
    /// Writes the configuration into `folder`.
    pub(super) fn prepare(
        program: PathBuf,
        folder: PathBuf,
        log: PathBuf,
        (address, mock): (SocketAddr, SocketAddr),
        core: usize,
    ) -> Result<Self> {
        // A worker of another user may not be looked into, not even by root without all its powers.
        let user = if rustix::process::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let config = TEMPLATE
            .replace("@USER@", user)
            .replace("@DIR@", &folder.display().to_string())
            .replace("@MOCK@", &mock.to_string())
            .replace("@LISTEN@", &address.to_string());
        fs::write(folder.join("nginx.conf"), config).context("nginx.conf")?;
        Ok(Self {
            program,
            folder,
            log,
            address,
            core,
        })
    }

    /// Starts it; it may not listen yet.
    pub(super) fn start(&self) -> Result<Side> {
        let mut command = pinned(&self.program, self.core);
        command.arg("-p").arg(&self.folder);
        command.arg("-c").arg(self.folder.join("nginx.conf"));
        command.arg("-e").arg(self.folder.join("nginx-error.log"));
        let process = Process::start("nginx", command, &self.log)?;
        Ok(Side::new(
            Who::Nginx,
            self.address,
            self.folder.join("nginx-access.log"),
            process,
        ))
    }
}
