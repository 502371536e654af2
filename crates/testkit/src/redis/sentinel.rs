//! A master, its replica, and the sentinel that watches them.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::{RedisServer, free_port};
use crate::patience::eventually;

/// A master named `mymaster` with one replica and one sentinel, which fails over by itself. Killed when dropped.
#[derive(Debug)]
pub struct RedisSentinel {
    master: RedisServer,
    replica: RedisServer,
    sentinel: Child,
    port: u16,
    _dir: TempDir,
}

impl RedisSentinel {
    /// Starts all three and waits until the sentinel knows the others. `args` go to both servers, `sentinel` lines
    /// into the configuration of the sentinel.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(args: &[&str], sentinel: &[&str]) -> Self {
        let mut lead = vec!["--repl-diskless-sync-delay", "0"];
        lead.extend_from_slice(args);
        let master = RedisServer::with_args(&lead).await;
        let of = master.port().to_string();
        let mut follow = vec!["--replicaof", "127.0.0.1", of.as_str()];
        follow.extend_from_slice(args);
        let replica = RedisServer::with_args(&follow).await;
        eventually("the replica to follow", async || {
            let info = replica.command(&["INFO", "replication"]);
            info.contains("master_link_status:up").then_some(())
        })
        .await;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let lines = [
            format!("port {port}"),
            "bind 127.0.0.1".to_owned(),
            format!("sentinel monitor mymaster 127.0.0.1 {of} 1"),
            "sentinel down-after-milliseconds mymaster 300".to_owned(),
            "sentinel failover-timeout mymaster 2000".to_owned(),
        ];
        let password = sentinel.iter().find_map(|line| line.strip_prefix("requirepass "));
        let more = sentinel.iter().map(|line| (*line).to_owned());
        let config: Vec<String> = lines.into_iter().chain(more).collect();
        let file = dir.path().join("sentinel.conf");
        std::fs::write(&file, config.join("\n") + "\n").expect("a file");
        let child = Command::new("redis-server")
            .current_dir(dir.path())
            .arg(&file)
            .args(["--sentinel", "--logfile", "sentinel.log"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed: `make tools`");
        let group = Self {
            master,
            replica,
            sentinel: child,
            port,
            _dir: dir,
        };
        group.knows_the_replica(password).await;
        group
    }

    async fn knows_the_replica(&self, password: Option<&str>) {
        let port = self.replica.port().to_string();
        eventually("the sentinel to know the replica", async || {
            let mut cli = Command::new("redis-cli");
            if let Some(password) = password {
                cli.env("REDISCLI_AUTH", password);
            }
            let output = cli
                .args(["-p", &self.port.to_string(), "SENTINEL", "REPLICAS", "mymaster"])
                .output()
                .expect("redis-cli is installed with redis-server");
            String::from_utf8_lossy(&output.stdout)
                .contains(&port)
                .then_some(())
        })
        .await;
    }

    /// Port of the sentinel on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What is the master at the start.
    pub fn master(&mut self) -> &mut RedisServer {
        &mut self.master
    }

    /// What is the replica at the start.
    #[must_use]
    pub fn replica(&self) -> &RedisServer {
        &self.replica
    }
}

impl Drop for RedisSentinel {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.sentinel.kill();
        let _ = self.sentinel.wait();
    }
}
