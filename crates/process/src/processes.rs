//! All processes of a gateway, by their ids.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use sluice_resource::AllowedCommands;
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, watch};
use uuid::Uuid;

use crate::child::Running;
use crate::pipe::{LINE_MAX, Output};

/// Pieces of output that wait for their reader. Each holds one read, or one line if that is longer.
const OUTPUT_QUEUE: usize = 4;

/// Messages that wait until a process reads them.
const INPUT_QUEUE: usize = 16;

/// How long a message may wait for a place in the queue.
const SEND_WAIT: Duration = Duration::from_secs(5);

/// Variables of the gateway's environment that every process gets, if they are set. The others may hold secrets.
const ENVIRONMENT: [&str; 9] = [
    "HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER",
];

/// What processes may do.
#[derive(Clone, Debug)]
pub struct ProcessOptions {
    /// The commands that may be run.
    pub allowed: AllowedCommands,
    /// Environment variables that processes get beside the usual ones.
    pub environment: Vec<String>,
    /// Most processes that run at once.
    pub max: u16,
}

impl Default for ProcessOptions {
    /// Nothing may be run.
    fn default() -> Self {
        Self {
            allowed: AllowedCommands::default(),
            environment: Vec::new(),
            max: 100,
        }
    }
}

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operator does not allow its command. The text names the setting.
    #[error("{0}")]
    NotAllowed(String),
    /// As many as may run at once are running.
    #[error("{0} processes are running, which is as many as `commands.max_processes` allows")]
    TooMany(u16),
    /// The gateway is stopping.
    #[error("the gateway is stopping")]
    Stopping,
    /// The system did not start it.
    #[error("cannot run \"{program}\": {source}")]
    Failed {
        /// What was to be run.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a process was not told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no process of that id.
    #[error("there is no such process")]
    Unknown,
    /// It has closed its standard input.
    #[error("the process does not listen any more")]
    Deaf,
    /// It does not read what it was told before.
    #[error("the process does not read what it is told")]
    Busy,
    /// The message is longer than [`LINE_MAX`].
    #[error("the message is longer than {LINE_MAX} bytes")]
    TooLong,
}

/// All processes of a gateway. Clones share them.
#[derive(Clone)]
pub struct Processes(Arc<Shared>);

struct Shared {
    options: ProcessOptions,
    /// Where processes are started, talked to and waited for.
    background: Handle,
    /// One permit per process that may run.
    places: Arc<Semaphore>,
    inputs: Mutex<HashMap<Uuid, mpsc::Sender<Bytes>>>,
    stopping: watch::Sender<bool>,
}

impl Processes {
    /// No processes yet. Those to come are looked after on `background`.
    #[must_use]
    pub fn new(options: ProcessOptions, background: Handle) -> Self {
        Self(Arc::new(Shared {
            places: Arc::new(Semaphore::new(usize::from(options.max))),
            options,
            background,
            inputs: Mutex::default(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Starts a process. It runs until it ends, or the returned value is dropped.
    ///
    /// # Errors
    /// When it is not allowed or not possible.
    pub async fn start(&self, program: &str, args: &[String]) -> Result<Process, StartError> {
        let shared = &self.0;
        let options = &shared.options;
        options
            .allowed
            .check(program, args)
            .map_err(StartError::NotAllowed)?;
        if *shared.stopping.borrow() {
            return Err(StartError::Stopping);
        }
        let place = shared.places.clone().try_acquire_owned();
        let place = place.map_err(|_| StartError::TooMany(options.max))?;
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(environment(options));
        let (input, received) = mpsc::channel(INPUT_QUEUE);
        let (said, output) = mpsc::channel(OUTPUT_QUEUE);
        let entry = Entry::new(shared.clone(), input);
        let id = entry.id;
        let stopping = shared.stopping.subscribe();
        // To start a process takes time, and whose runtime starts it has to wait for it.
        let started = shared.background.spawn(async move {
            let running = Running::start(command, received, said, stopping)?;
            tokio::spawn(async move {
                running.run().await;
                drop((entry, place));
            });
            Ok(())
        });
        let failed = |source| StartError::Failed {
            program: program.to_owned(),
            source,
        };
        match started.await {
            Ok(Ok(())) => Ok(Process { id, output }),
            Ok(Err(source)) => Err(failed(source)),
            Err(error) => Err(failed(io::Error::other(error))),
        }
    }

    /// Tells a process something; line breaks inside become blanks. Waits a while for a process that is slow to read.
    ///
    /// # Errors
    /// When it does not hear it.
    pub async fn send(&self, id: Uuid, message: Bytes) -> Result<(), SendError> {
        if message.len() > LINE_MAX {
            return Err(SendError::TooLong);
        }
        let input = self.0.inputs().get(&id).cloned().ok_or(SendError::Unknown)?;
        match tokio::time::timeout(SEND_WAIT, input.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(SendError::Deaf),
            Err(_) => Err(SendError::Busy),
        }
    }

    /// Ends all processes, and waits until they have ended. None can be started any more.
    pub async fn stop(&self) {
        self.0.stopping.send_replace(true);
        let all = u32::from(self.0.options.max);
        // Nobody closes the semaphore, so that this cannot fail.
        let _ = self.0.places.acquire_many(all).await;
    }
}

impl Shared {
    fn inputs(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, mpsc::Sender<Bytes>>> {
        self.inputs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn environment(options: &ProcessOptions) -> impl Iterator<Item = (&str, std::ffi::OsString)> {
    let asked = options.environment.iter().map(String::as_str);
    ENVIRONMENT
        .into_iter()
        .chain(asked)
        .filter_map(|name| Some((name, std::env::var_os(name)?)))
}

/// Makes a process known by its id, while it runs.
struct Entry {
    id: Uuid,
    shared: Arc<Shared>,
}

impl Entry {
    fn new(shared: Arc<Shared>, input: mpsc::Sender<Bytes>) -> Self {
        // Whoever knows the id may talk to the process: it must not be guessed.
        let id = Uuid::new_v4();
        shared.inputs().insert(id, input);
        Self { id, shared }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.inputs().remove(&self.id);
    }
}

/// A running process, as its owner sees it. Dropping it ends the process.
#[derive(Debug)]
pub struct Process {
    id: Uuid,
    output: mpsc::Receiver<Output>,
}

impl Process {
    /// By what [`Processes::send`] finds it. Not to be guessed.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// What it wrote next; `None` when it has ended.
    pub async fn next(&mut self) -> Option<Output> {
        self.output.recv().await
    }

    /// [`Process::next`], for bodies.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Output>> {
        self.output.poll_recv(cx)
    }
}

#[cfg(test)]
mod tests;
