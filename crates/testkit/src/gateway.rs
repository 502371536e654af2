//! The real gateway binary, in a folder of its own.

mod output;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use self::output::Output;
use crate::admin::Admin;
use crate::client::Client;
use crate::patience::eventually;

/// The key of the Admin API that a gateway under test is started with.
const ADMIN_KEY: &str = "testkit-admin-key-0123456789abcdef";

/// How to start a gateway.
#[derive(Clone, Debug)]
pub struct GatewayBuilder {
    binary: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
    files: Vec<(String, String)>,
    one_port: bool,
}

impl GatewayBuilder {
    /// Everything on one address; there is no control API then.
    #[must_use]
    pub fn one_port(mut self) -> Self {
        self.one_port = true;
        self
    }

    /// One argument more.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// A file in the gateway's working directory, before it starts.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, content: impl Into<String>) -> Self {
        self.files.push((name.into(), content.into()));
        self
    }

    /// Starts the gateway and waits until it serves.
    ///
    /// # Panics
    /// When it does not; its output is shown.
    pub async fn start(self) -> Gateway {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for (name, content) in &self.files {
            std::fs::write(dir.path().join(name), content).expect("a file");
        }
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut process = self.spawn(
            dir.path(),
            Addresses {
                proxy: any,
                admin: any,
                control: Some(any),
            },
        );
        let addresses = process.ready(dir.path()).await;
        Gateway {
            builder: self,
            dir,
            process,
            addresses,
        }
    }

    fn spawn(&self, dir: &Path, listen: Addresses) -> Process {
        // A file left over from an earlier start says nothing about this one.
        let _ = std::fs::remove_file(ready_file(dir));
        let mut command = Command::new(&self.binary);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SLUICE_"))
        {
            command.env_remove(name);
        }
        let mut child = command
            .current_dir(dir)
            .arg("serve")
            .arg("--data-dir")
            .arg(dir.join("data"))
            .args(self.listen_options(listen))
            .arg("--ready-file")
            .arg(ready_file(dir))
            .args(&self.args)
            .env("SLUICE_ADMIN_KEY", ADMIN_KEY)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the gateway's binary");
        let output = Output::default();
        output.follow(child.stdout.take().expect("piped"));
        output.follow(child.stderr.take().expect("piped"));
        Process { child, output }
    }

    fn listen_options(&self, listen: Addresses) -> Vec<String> {
        if self.one_port {
            return vec!["--listen".to_owned(), listen.proxy.to_string()];
        }
        let options = [
            ("--proxy-listen", Some(listen.proxy)),
            ("--admin-listen", Some(listen.admin)),
            ("--control-listen", listen.control),
        ];
        let given = options
            .into_iter()
            .filter_map(|(name, addr)| Some([name.to_owned(), addr?.to_string()]));
        given.flatten().collect()
    }
}

/// A running gateway. Killed when dropped; its output is shown when the test fails.
#[derive(Debug)]
pub struct Gateway {
    builder: GatewayBuilder,
    // Before `dir`, so that the process is gone when its folder goes.
    process: Process,
    dir: TempDir,
    addresses: Addresses,
}

#[derive(Clone, Copy, Debug)]
struct Addresses {
    proxy: SocketAddr,
    admin: SocketAddr,
    control: Option<SocketAddr>,
}

impl Gateway {
    /// What to change about a gateway of this binary: `env!("CARGO_BIN_EXE_sluice")` in tests of the `sluice` crate.
    pub fn builder(binary: impl Into<PathBuf>) -> GatewayBuilder {
        GatewayBuilder {
            binary: binary.into(),
            args: Vec::new(),
            env: Vec::new(),
            files: Vec::new(),
            one_port: false,
        }
    }

    /// Starts a gateway with an empty data folder.
    ///
    /// # Panics
    /// When it does not come up; its output is shown.
    pub async fn start(binary: impl Into<PathBuf>) -> Self {
        Self::builder(binary).start().await
    }

    /// A client of the proxy.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(self.addresses.proxy)
    }

    /// An operator with the admin key.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(self.addresses.admin, ADMIN_KEY)
    }

    /// A client of the control API.
    ///
    /// # Panics
    /// When everything is on one address.
    #[must_use]
    pub fn control(&self) -> Client {
        Client::new(self.addresses.control.expect("a control API"))
    }

    /// The key of the Admin API.
    #[must_use]
    pub fn admin_key(&self) -> &'static str {
        ADMIN_KEY
    }

    /// Where the proxy listens.
    #[must_use]
    pub fn proxy_addr(&self) -> SocketAddr {
        self.addresses.proxy
    }

    /// Where the Admin API listens.
    #[must_use]
    pub fn admin_addr(&self) -> SocketAddr {
        self.addresses.admin
    }

    /// The gateway's working directory; its data folder is `data` in it.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// All that it has written to stdout and stderr.
    #[must_use]
    pub fn output(&self) -> String {
        self.process.output.text()
    }

    /// Waits until its output contains `text`.
    ///
    /// # Panics
    /// When it never does.
    pub async fn wait_output(&self, text: &str) {
        let output = &self.process.output;
        eventually(&format!("{text:?} in the gateway's output"), async || {
            output.text().contains(text).then_some(())
        })
        .await;
    }

    /// Kills it without warning (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to shut down (SIGTERM).
    ///
    /// # Panics
    /// When the process is gone already.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Asks it to shut down as Ctrl-C does (SIGINT).
    ///
    /// # Panics
    /// When the process is gone already.
    pub fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process.child), signal).expect("a running process");
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it goes on.
    pub async fn wait_exit(&mut self) -> ExitStatus {
        let child = &mut self.process.child;
        eventually("the gateway to end", async || child.try_wait().expect("a child")).await
    }

    /// Starts it again on the same data folder and the same ports, after killing it if it runs.
    ///
    /// # Panics
    /// When it does not come up; its output is shown.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = self.builder.spawn(self.dir.path(), self.addresses);
        self.addresses = self.process.ready(self.dir.path()).await;
    }
}

#[derive(Debug)]
struct Process {
    child: Child,
    output: Output,
}

impl Process {
    /// The addresses that it listens on, once it serves.
    async fn ready(&mut self, dir: &Path) -> Addresses {
        eventually("the gateway's ready file", async || {
            if let Some(status) = self.child.try_wait().expect("a child") {
                panic!("the gateway ended while starting: {status}");
            }
            let text = std::fs::read_to_string(ready_file(dir)).ok()?;
            let ready: Value = serde_json::from_str(&text).expect("the ready file is written whole");
            let parsed = |name: &str| ready[name].as_str().and_then(|address| address.parse().ok());
            let address = |name: &str| {
                parsed(name).unwrap_or_else(|| panic!("no address of `{name}` in the ready file: {text}"))
            };
            Some(Addresses {
                proxy: address("proxy"),
                admin: address("admin"),
                control: parsed("control"),
            })
        })
        .await
    }

    fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!(
                "--- output of the gateway ---\n{}--- end of its output ---",
                self.output.text()
            );
        }
    }
}

fn ready_file(dir: &Path) -> PathBuf {
    dir.join("ready.json")
}

#[cfg(test)]
mod tests;
