//! The binary as somebody runs it by hand: commands that end, and gateways that say themselves where they listen.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sluice_testkit::eventually;

use crate::support::binary;

/// Options of a `serve` that takes any free ports.
pub(crate) const ANY_PORTS: [&str; 6] = [
    "--proxy-listen",
    "127.0.0.1:0",
    "--admin-listen",
    "127.0.0.1:0",
    "--control-listen",
    "127.0.0.1:0",
];

/// A command line in a folder.
pub(crate) struct Sluice {
    dir: PathBuf,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

/// `sluice` with these arguments.
pub(crate) fn sluice<'a>(dir: &Path, args: impl IntoIterator<Item = &'a str>) -> Sluice {
    Sluice {
        dir: dir.to_owned(),
        args: args.into_iter().map(str::to_owned).collect(),
        env: Vec::new(),
    }
}

/// `sluice serve` with any free ports and these arguments; its data goes to `data`.
pub(crate) fn serve<'a>(dir: &Path, args: impl IntoIterator<Item = &'a str>) -> Sluice {
    sluice(dir, ["serve"].into_iter().chain(ANY_PORTS).chain(args))
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A gateway that serves. Killed when dropped.
pub(crate) struct Serving {
    /// What its ready file says.
    ready: Value,
    dir: PathBuf,
    process: Process,
}

struct Process(Child);

impl Sluice {
    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn envs(self, variables: &[(&str, &str)]) -> Self {
        let with = |command: Self, (name, value): &(&str, &str)| command.env(name, value);
        variables.iter().fold(self, with)
    }

    /// Runs it to its end.
    pub(crate) async fn ended(self) -> Ended {
        let mut process = self.spawn();
        let status = eventually("the command to end", async || process.0.try_wait().unwrap()).await;
        let (stdout, stderr) = self.outputs();
        Ended {
            code: status.code(),
            stdout: std::fs::read_to_string(stdout).unwrap(),
            stderr: std::fs::read_to_string(stderr).unwrap(),
        }
    }

    /// Starts it and waits until it serves.
    pub(crate) async fn serving(self) -> Serving {
        let ready_file = self.dir.join("ready.json");
        // One left over from an earlier start says nothing about this one.
        let _ = std::fs::remove_file(&ready_file);
        let mut process = self.arg("--ready-file").arg(ready_file.to_str().unwrap()).spawn();
        let dir = ready_file.parent().unwrap().to_owned();
        let ready = eventually("the gateway's ready file", async || {
            if let Some(status) = process.0.try_wait().unwrap() {
                panic!(
                    "it ended with {status}: {}",
                    std::fs::read_to_string(dir.join("stderr")).unwrap()
                );
            }
            let text = std::fs::read_to_string(&ready_file).ok()?;
            Some(serde_json::from_str(&text).unwrap())
        })
        .await;
        Serving { ready, dir, process }
    }

    fn outputs(&self) -> (PathBuf, PathBuf) {
        (self.dir.join("stdout"), self.dir.join("stderr"))
    }

    fn spawn(&self) -> Process {
        let (stdout, stderr) = self.outputs();
        let mut command = Command::new(binary());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("SLUICE_")) {
            command.env_remove(name);
        }
        let child = command
            .current_dir(&self.dir)
            .args(&self.args)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(stdout).unwrap())
            .stderr(std::fs::File::create(stderr).unwrap())
            .spawn();
        Process(child.unwrap())
    }
}

impl Ended {
    /// What it wrote to standard output, if it succeeded without a word of complaint.
    #[track_caller]
    pub(crate) fn output(self) -> String {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (Some(0), ""),
            "{}",
            self.stdout
        );
        self.stdout
    }

    /// The one line in which it said why it failed.
    #[track_caller]
    pub(crate) fn complaint(self) -> String {
        assert_eq!(self.code, Some(1), "{self:?}");
        let line = self.stderr.strip_suffix('\n').unwrap_or_default();
        assert!(
            line.starts_with("error: ") && !line.contains('\n'),
            "not one clear line: {}",
            self.stderr
        );
        assert_eq!(self.stdout, "", "nothing was achieved");
        line.to_owned()
    }
}

impl Serving {
    /// The address of that name in the ready file.
    pub(crate) fn addr(&self, name: &str) -> SocketAddr {
        self.ready[name]
            .as_str()
            .unwrap_or_else(|| panic!("no `{name}`: {}", self.ready))
            .parse()
            .unwrap()
    }

    /// All addresses of the proxy.
    pub(crate) fn proxies(&self) -> Vec<SocketAddr> {
        let list = self.ready["proxies"].as_array().unwrap();
        list.iter()
            .map(|addr| addr.as_str().unwrap().parse().unwrap())
            .collect()
    }

    /// Asks it to shut down, and waits until it has.
    pub(crate) async fn stop(mut self) {
        signal(self.process.0.id(), "TERM");
        let status = eventually("the gateway to end", async || self.process.0.try_wait().unwrap()).await;
        assert!(status.success(), "{status}");
    }

    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(self.dir.join("stdout")).unwrap()
    }

    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr")).unwrap()
    }
}

/// Sends a signal to a process.
pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
