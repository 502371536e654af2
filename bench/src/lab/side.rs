//! What the load is sent to: the mock itself, nginx, or the gateway.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::process::Process;
use crate::chat;
use crate::clock::{self, Alarm, MILLISECOND, SECOND};
use crate::procfs;

/// The client key that every load sends, to the gateway or not.
pub(super) const CLIENT_KEY: &str = "bench-client-key";
/// The key of the client whose requests go to another protocol's provider, where that is set up.
pub(super) const TRANSLATED_KEY: &str = "bench-translated-key";
/// How long a process may take to answer for the first time.
const PATIENCE: u64 = 20 * SECOND;
/// How long a single answer may take.
const ANSWER: Duration = Duration::from_secs(5);
/// Pause between two attempts.
const ATTEMPT: u64 = MILLISECOND / 2;

/// Whose figures these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The mock, without anything between.
    Direct,
    Nginx,
    Gateway,
}

/// One server that the load is sent to, running.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) who: Who,
    pub(super) address: SocketAddr,
    access_log: Option<PathBuf>,
    /// `None` for the mock, whose cost is of no interest.
    process: Option<Process>,
}

impl Side {
    pub(super) fn direct(mock: SocketAddr) -> Self {
        Self {
            who: Who::Direct,
            address: mock,
            access_log: None,
            process: None,
        }
    }

    pub(super) fn new(who: Who, address: SocketAddr, access_log: PathBuf, process: Process) -> Self {
        Self {
            who,
            address,
            access_log: Some(access_log),
            process: Some(process),
        }
    }

    /// The processes whose cost counts: the one started, and its workers.
    pub(super) fn pids(&self) -> Result<Vec<u32>> {
        let Some(process) = &self.process else {
            return Ok(Vec::new());
        };
        let mut pids = vec![process.pid()];
        pids.extend(procfs::children(process.pid())?);
        Ok(pids)
    }

    /// Memory (PSS) of these processes, in bytes.
    pub(super) fn memory(&self) -> Result<u64> {
        self.pids()?.into_iter().map(procfs::memory).sum()
    }

    /// Lines in its access log so far.
    pub(super) fn logged(&self) -> u64 {
        let log = self
            .access_log
            .as_ref()
            .and_then(|path| fs::read(path).ok())
            .unwrap_or_default();
        memchr::memchr_iter(b'\n', &log).count() as u64
    }

    /// Fails, with the end of its log, if the process has ended.
    pub(super) fn check(&mut self) -> Result<()> {
        self.process.as_mut().map_or(Ok(()), Process::check)
    }

    /// Tries until a request is served; returns how long that took from `since`.
    pub(super) async fn served(&mut self, since: u64) -> Result<Duration> {
        let alarm = Alarm::new()?;
        let deadline = clock::now() + PATIENCE;
        loop {
            let attempt = ask(self.address).await;
            if attempt.is_ok() {
                return Ok(Duration::from_nanos(clock::now() - since));
            }
            self.check()?;
            if clock::now() > deadline {
                return attempt.map(|()| Duration::ZERO).context("never served a request");
            }
            alarm.until(clock::now() + ATTEMPT).await?;
        }
    }
}

/// One request of the load, over a connection of its own.
async fn ask(address: SocketAddr) -> Result<()> {
    let body = chat::request_body(chat::PLAIN_MODEL, 1_024, false);
    let headers = format!("apikey: {CLIENT_KEY}\r\n");
    exchange(address, "POST", chat::PATH, &headers, &body).await
}

/// Sends one request over a connection of its own; an error unless the answer's status is 2xx.
pub(super) async fn exchange(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Result<()> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let answer = timeout(ANSWER, async {
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(&[head.as_bytes(), body].concat()).await?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    })
    .await
    .with_context(|| format!("{method} {path}: no answer"))??;
    if !answer.starts_with(b"HTTP/1.1 2") {
        bail!("{method} {path}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}
