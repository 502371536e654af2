//! One running process, from its start to the end of its group.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use bytes::Bytes;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::pipe::{Output, Stream, feed, relay};

/// How long a process may take to end by itself once its standard input is closed, and again after SIGTERM.
const GRACE: Duration = Duration::from_secs(2);

/// A process and those that talk to it.
pub(crate) struct Running {
    child: Child,
    group: Group,
    /// Holds its standard input.
    writer: JoinSet<()>,
    readers: JoinSet<Stream>,
    output: mpsc::Sender<Output>,
    stopping: watch::Receiver<bool>,
}

impl Running {
    /// Starts a process. To be called on the runtime that is to watch it.
    pub(crate) fn start(
        mut command: Command,
        input: mpsc::Receiver<Bytes>,
        output: mpsc::Sender<Output>,
        stopping: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group::of(&child);
        let (mut writer, mut readers) = (JoinSet::new(), JoinSet::new());
        if let Some(stdin) = child.stdin.take() {
            writer.spawn(feed(stdin, input));
        }
        if let Some(stdout) = child.stdout.take() {
            readers.spawn(relay(stdout, Stream::Stdout, output.clone()));
        }
        if let Some(stderr) = child.stderr.take() {
            readers.spawn(relay(stderr, Stream::Stderr, output.clone()));
        }
        Ok(Self {
            child,
            group,
            writer,
            readers,
            output,
            stopping,
        })
    }

    /// Lets it run until it ends, nobody listens to it any more, or all are to stop; then sees to its end.
    pub(crate) async fn run(mut self) {
        let unwanted = unwanted(self.output.clone(), self.stopping.clone());
        tokio::pin!(unwanted);
        let wanted = tokio::select! {
            () = &mut unwanted => false,
            () = self.done() => true,
        };
        self.writer.shutdown().await;
        self.end().await;
        if wanted {
            // What it said at last, and what is left of its group no longer adds to.
            tokio::select! {
                () = unwanted => {}
                () = async { while self.readers.join_next().await.is_some() {} } => {}
            }
        }
    }

    /// Ends when the process does, or when it says nothing more on standard output.
    async fn done(&mut self) {
        loop {
            tokio::select! {
                _ = self.child.wait() => return,
                reader = self.readers.join_next() => match reader {
                    Some(Ok(Stream::Stderr)) => {}
                    _ => return,
                },
            }
        }
    }

    /// Ends the process: its input is closed already, then it is asked, then it is killed, and its group with it.
    async fn end(&mut self) {
        if !self.ended_within_grace().await {
            self.group.signal(Signal::TERM);
            if !self.ended_within_grace().await {
                self.group.signal(Signal::KILL);
                // What cannot be waited for is not there.
                let _ = self.child.wait().await;
            }
        }
        self.group.kill();
    }

    async fn ended_within_grace(&mut self) -> bool {
        tokio::time::timeout(GRACE, self.child.wait()).await.is_ok()
    }
}

/// Ends when nobody is there to hear more, or all processes are to stop.
async fn unwanted(output: mpsc::Sender<Output>, mut stopping: watch::Receiver<bool>) {
    tokio::select! {
        () = output.closed() => {}
        _ = stopping.wait_for(|stopping| *stopping) => {}
    }
}

/// A process with all that it started. Killed when dropped, also when the runtime is.
///
/// Its number belongs to it while one of its members lives, and right after that, since the system gives numbers out in
/// turn: it is killed at once when its leader is gone, and never again.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self(id.and_then(Pid::from_raw))
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            // A group that is gone needs no signal.
            let _ = kill_process_group(leader, signal);
        }
    }

    fn kill(&mut self) {
        self.signal(Signal::KILL);
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
