//! Real Redis servers on loopback, each in a folder of its own.

mod cluster;
mod search;
mod sentinel;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub use self::cluster::RedisCluster;
pub use self::search::RedisSearch;
pub use self::sentinel::RedisSentinel;
use crate::patience::eventually;

/// A server of Debian's `redis-server`. Killed when dropped.
#[derive(Debug)]
pub struct RedisServer {
    args: Vec<String>,
    port: u16,
    child: Child,
    // After `child`, so that the process is gone when its folder goes.
    dir: TempDir,
}

impl RedisServer {
    /// Starts a server that keeps nothing on disk.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn start() -> Self {
        Self::with_args(&[]).await
    }

    /// As [`RedisServer::start`], with more arguments; the password that they may set goes into the environment of
    /// [`RedisServer::command`] by `REDISCLI_AUTH`.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn with_args(args: &[&str]) -> Self {
        let args: Vec<_> = args.iter().map(|arg| (*arg).to_owned()).collect();
        loop {
            // Between finding a free port and taking it, somebody else may take it.
            if let Some(server) = Self::launch(free_port(), args.clone()).await {
                return server;
            }
        }
    }

    /// A server on that port, or `None` if it ended because the port is taken.
    async fn launch(port: u16, args: Vec<String>) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let child = spawn(dir.path(), port, &args);
        let mut server = Self {
            args,
            port,
            child,
            dir,
        };
        let own = format!("process_id:{}", server.child.id());
        let started = eventually("redis to answer or end", async || {
            if server.child.try_wait().expect("a child of ours").is_some() {
                return Some(false);
            }
            let info = server.try_command(&["INFO", "server"])?;
            info.contains(&own).then_some(true)
        });
        started.await.then_some(server)
    }

    async fn answers(&self) {
        eventually("redis to answer", async || {
            self.try_command(&["PING"])
                .filter(|answer| answer.contains("PONG") || answer.contains("NOAUTH"))
        })
        .await;
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Runs a command by `redis-cli` and returns what that prints.
    ///
    /// # Panics
    /// When the server cannot be reached.
    #[must_use]
    pub fn command(&self, command: &[&str]) -> String {
        self.try_command(command).expect("redis-cli")
    }

    fn try_command(&self, command: &[&str]) -> Option<String> {
        let password = self
            .args
            .iter()
            .skip_while(|arg| *arg != "--requirepass")
            .nth(1)
            .cloned();
        let mut cli = Command::new("redis-cli");
        cli.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if let Some(password) = password {
            cli.env("REDISCLI_AUTH", password);
        }
        let output = cli
            .args(command)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .expect("redis-cli is installed with redis-server");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    /// Kills it without warning (SIGKILL).
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again on its port, empty.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn restart(&mut self) {
        self.kill();
        self.child = spawn(self.dir.path(), self.port, &self.args);
        self.answers().await;
    }

    /// Stops it without ending it (SIGSTOP): it takes connections, and answers nothing.
    ///
    /// # Panics
    /// When the process is gone.
    pub fn stall(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Panics
    /// When the process is gone.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("a running process");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(dir: &Path, port: u16, args: &[String]) -> Child {
    Command::new("redis-server")
        .current_dir(dir)
        .args(["--port", &port.to_string()])
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(["--daemonize", "no", "--logfile", "redis.log"])
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server is installed: `make tools`")
}

/// A port that nobody listens on at this moment.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
