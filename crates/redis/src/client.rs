//! One Redis, shared by all threads: its connection, and what is done when there is none.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use redis::{ErrorKind, ServerErrorKind};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::RedisConfig;
use crate::connect::Connection;
use crate::error::RedisError;
use crate::reply::Reply;
use crate::script::{Arg, Script};
use crate::status::{ClientStatus, Counts};

/// Pause after the first attempt in vain to get a lost server back, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// A Redis as all callers with the same configuration use it.
#[derive(Debug)]
pub struct Client {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    config: RedisConfig,
    state: watch::Sender<State>,
    counts: Counts,
    started: Instant,
    /// Milliseconds after `started`.
    last_used: AtomicU64,
    /// When a refusal was last logged, in milliseconds after `started`.
    last_complaint: AtomicU64,
}

enum State {
    /// Opening for the first time or after idleness; worth waiting for.
    Opening,
    /// Open. The number tells it from those before and after it.
    Open(u64, Connection),
    /// Closed because nobody needed it.
    Idle,
    /// Lost or never reached. Not worth waiting for.
    Down,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Opening => "opening",
            Self::Open(..) => "open",
            Self::Idle => "idle",
            Self::Down => "down",
        })
    }
}

impl Client {
    pub(crate) fn start(runtime: &Handle, config: RedisConfig) -> Self {
        let shared = Arc::new(Shared {
            config,
            state: watch::Sender::new(State::Opening),
            counts: Counts::default(),
            started: Instant::now(),
            last_used: AtomicU64::new(0),
            last_complaint: AtomicU64::new(0),
        });
        let keeper = runtime.spawn(keep(shared.clone()));
        Self { shared, keeper }
    }

    /// Runs a script on `key`, within the bound of the configuration.
    ///
    /// # Errors
    /// See [`RedisError`].
    pub async fn run(&self, script: &Script, key: &str, args: &[Arg<'_>]) -> Result<Reply, RedisError> {
        self.perform(Work::Script(script, key, args)).await
    }

    /// Runs one command, within the bound of the configuration. In a cluster it must be one with a key, by which its
    /// node is known.
    ///
    /// # Errors
    /// See [`RedisError`].
    pub async fn call(&self, command: &str, args: &[Arg<'_>]) -> Result<Reply, RedisError> {
        self.perform(Work::Command(command, args)).await
    }

    async fn perform(&self, work: Work<'_>) -> Result<Reply, RedisError> {
        let outcome = self.shared.perform(work).await;
        self.shared.counts.count(&outcome);
        if let Err(error @ (RedisError::Refused(_) | RedisError::Reply)) = &outcome {
            self.shared.complain(error);
        }
        outcome
    }

    /// How it is doing.
    #[must_use]
    pub fn status(&self) -> ClientStatus {
        let up = !matches!(*self.shared.state.borrow(), State::Down);
        self.shared.counts.status(self.shared.config.name(), up)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Shared {
    async fn perform(&self, work: Work<'_>) -> Result<Reply, RedisError> {
        let deadline = tokio::time::Instant::now() + self.config.timeout;
        let (number, mut connection) = match tokio::time::timeout_at(deadline, self.connection()).await {
            Ok(connection) => connection?,
            Err(_) => return Err(RedisError::Timeout),
        };
        self.touch();
        match tokio::time::timeout_at(deadline, work.on(&mut connection)).await {
            Ok(Ok(value)) => value.try_into(),
            Ok(Err(error)) => {
                if RedisError::is_loss(&error) {
                    self.lose(number, &error);
                }
                Err(error.into())
            }
            Err(_) => {
                self.lose(number, &RedisError::Timeout);
                Err(RedisError::Timeout)
            }
        }
    }

    /// The open connection; waits for one that is being opened.
    async fn connection(&self) -> Result<(u64, Connection), RedisError> {
        if let State::Open(number, connection) = &*self.state.borrow() {
            return Ok((*number, connection.clone()));
        }
        self.state.send_if_modified(|state| {
            let idle = matches!(state, State::Idle);
            if idle {
                *state = State::Opening;
            }
            idle
        });
        let mut changes = self.state.subscribe();
        let decided = changes
            .wait_for(|state| matches!(state, State::Open(..) | State::Down))
            .await;
        match decided.as_deref() {
            Ok(State::Open(number, connection)) => Ok((*number, connection.clone())),
            _ => Err(RedisError::Down),
        }
    }

    /// Marks the server as down, unless the connection that failed has been replaced meanwhile.
    fn lose(&self, number: u64, why: &dyn std::fmt::Display) {
        let lost = self.state.send_if_modified(|state| {
            let current = matches!(state, State::Open(open, _) if *open == number);
            if current {
                *state = State::Down;
            }
            current
        });
        if lost {
            tracing::warn!(redis = self.config.name(), error = %why, "redis is lost");
        }
    }

    /// Logs a refusal, which may come with every request: once a second at most.
    fn complain(&self, error: &RedisError) {
        let (now, last) = (self.millis(), self.last_complaint.load(Ordering::Relaxed));
        if last == 0 || now.saturating_sub(last) >= 1000 {
            self.last_complaint.store(now.max(1), Ordering::Relaxed);
            tracing::warn!(redis = self.config.name(), %error, "redis refuses");
        }
    }

    fn touch(&self) {
        self.last_used.store(self.millis(), Ordering::Relaxed);
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn unused_for(&self) -> Duration {
        let last = Duration::from_millis(self.last_used.load(Ordering::Relaxed));
        self.started.elapsed().saturating_sub(last)
    }

    /// Ends when nobody has used the connection for as long as it may be kept.
    async fn idleness(&self) {
        let keep = self.config.keepalive;
        if keep.is_zero() {
            return std::future::pending().await;
        }
        while let Some(rest) = keep.checked_sub(self.unused_for()).filter(|rest| !rest.is_zero()) {
            tokio::time::sleep(rest).await;
        }
    }
}

/// What is to be done on a connection.
#[derive(Clone, Copy)]
enum Work<'a> {
    Script(&'a Script, &'a str, &'a [Arg<'a>]),
    Command(&'a str, &'a [Arg<'a>]),
}

impl Work<'_> {
    async fn on(self, connection: &mut Connection) -> redis::RedisResult<redis::Value> {
        let (script, key, args) = match self {
            Self::Script(script, key, args) => (script, key, args),
            Self::Command(name, args) => {
                let mut command = redis::cmd(name);
                args.iter().for_each(|arg| arg.write_to(&mut command));
                return connection.send(&command).await;
            }
        };
        match connection.send(&script.by_digest(key, args)).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                connection.send(&script.by_source(key, args)).await
            }
            other => other,
        }
    }
}

/// Opens the connection, watches over it, and opens it again.
async fn keep(shared: Arc<Shared>) {
    let mut changes = shared.state.subscribe();
    for number in 0.. {
        let connection = open(&shared).await;
        shared.touch();
        shared.state.send_replace(State::Open(number, connection));
        let lost = changes.wait_for(|state| !matches!(state, State::Open(..)));
        let idle = tokio::select! {
            _ = lost => false,
            () = shared.idleness() => true,
        };
        if idle {
            // Who comes in between still has the connection: it lives as long as its last user.
            shared.state.send_replace(State::Idle);
            let wanted = changes.wait_for(|state| !matches!(state, State::Idle));
            if wanted.await.is_err() {
                return;
            }
        }
    }
}

/// Tries until the server answers. From the first failure on it is down for everybody.
async fn open(shared: &Shared) -> Connection {
    let mut pause = RETRY.0;
    loop {
        let error = match timeout(shared.config.connect_timeout, Connection::open(&shared.config)).await {
            Ok(Ok(connection)) => {
                if matches!(*shared.state.borrow(), State::Down) {
                    tracing::info!(redis = shared.config.name(), "redis is back");
                }
                return connection;
            }
            Ok(Err(error)) => RedisError::from(error),
            Err(_) => RedisError::Timeout,
        };
        let was = shared.state.send_replace(State::Down);
        if !matches!(was, State::Down) {
            tracing::warn!(redis = shared.config.name(), %error, "redis is not reachable");
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY.1);
    }
}
