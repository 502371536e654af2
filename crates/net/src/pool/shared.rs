//! What all handles of a pool share: the connections that wait for requests.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::h1::{H1Conn, H1Lease};
use super::h2::H2Conn;
use super::lease::Lease;
use crate::dns::Resolver;
use crate::origin::{Origin, Protocol, Scheme};
use crate::timer::later;

/// Time between two sweeps at least: many connections whose time is up are closed together.
const SWEEP_INTERVAL: Duration = Duration::from_millis(100);

pub(super) struct Shared {
    pub(super) resolver: Resolver,
    state: Mutex<State>,
    /// Wakes the sweeper when it is needed earlier than it planned.
    sooner: Arc<Notify>,
}

#[derive(Default)]
struct State {
    slots: HashMap<u64, Slot, BuildHasherDefault<IdHasher>>,
    /// When the sweeper will run; `None` while it has nothing to wait for.
    next_sweep: Option<Instant>,
    sweeper_runs: bool,
}

/// The connections to one origin.
struct Slot {
    origin: Weak<Origin>,
    /// Idle connections, the one used last at the back.
    idle: VecDeque<Idle>,
    /// Connections that may have streams to give.
    shared: Vec<Arc<H2Conn>>,
    /// It did not agree to HTTP/2 when it was last asked.
    http1_only: bool,
    /// Held by the one caller that opens a connection which others may share.
    gate: Arc<tokio::sync::Mutex<()>>,
}

struct Idle {
    conn: H1Conn,
    expires: Instant,
}

/// Spreads ids, which are small numbers in sequence, over a hash table.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // Fibonacci hashing: the golden ratio of 2^64.
        self.0 = (self.0 ^ id).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32);
    }
}

impl Shared {
    pub(super) fn new(resolver: Resolver) -> Self {
        Self {
            resolver,
            state: Mutex::default(),
            sooner: Arc::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection that is open already, if there is one. `only_shared` leaves out idle HTTP/1 connections.
    pub(super) fn checkout(self: &Arc<Self>, origin: &Arc<Origin>, only_shared: bool) -> Option<Lease> {
        let mut state = self.state();
        let slot = state.slots.get_mut(&origin.id)?;
        if let Some(lease) = slot.shared.iter().find_map(|conn| conn.lease(origin)) {
            return Some(Lease::H2(lease));
        }
        if only_shared {
            return None;
        }
        let conn = slot.take_idle()?;
        drop(state);
        Some(Lease::H1(H1Lease::new(conn, origin.clone(), self.clone())))
    }

    /// Keeps a connection for the next request. The one idle for longest makes room.
    pub(super) fn put_idle(&self, origin: &Arc<Origin>, conn: H1Conn) {
        let settings = &origin.config.pool;
        if settings.max_idle == 0 {
            return;
        }
        let expires = later(Instant::now(), settings.idle_timeout);
        let mut state = self.state();
        let slot = state.slot(origin);
        if slot.idle.len() >= settings.max_idle {
            slot.idle.pop_front();
        }
        slot.idle.push_back(Idle { conn, expires });
        self.plan_sweep(&mut state, expires);
    }

    /// Makes a connection available to all requests.
    pub(super) fn put_shared(&self, origin: &Arc<Origin>, conn: Arc<H2Conn>) {
        let mut state = self.state();
        state.slot(origin).shared.push(conn);
        self.plan_sweep(&mut state, later(Instant::now(), origin.config.pool.idle_timeout));
    }

    /// Remembers what an origin agreed to speak.
    pub(super) fn learn(&self, origin: &Arc<Origin>, http2: bool) {
        self.state().slot(origin).http1_only = !http2;
    }

    /// What to hold while opening a connection that others may share; `None` where connections are not shared.
    pub(super) fn gate(&self, origin: &Arc<Origin>) -> Option<Arc<tokio::sync::Mutex<()>>> {
        let config = &origin.config;
        let may_share = match config.protocol {
            Protocol::Http1 | Protocol::Other => false,
            Protocol::Negotiated => config.scheme == Scheme::Https,
            Protocol::Http2 => true,
        };
        if !may_share || config.pool.max_idle == 0 {
            return None;
        }
        let mut state = self.state();
        let slot = state.slot(origin);
        (!slot.http1_only).then(|| slot.gate.clone())
    }

    fn plan_sweep(&self, state: &mut State, at: Instant) {
        if state.next_sweep.is_none_or(|next| at < next) {
            state.next_sweep = Some(at);
            self.sooner.notify_one();
        }
    }

    /// Starts the task that closes idle connections, unless it runs. It ends with the pool.
    pub(super) fn start_sweeper(self: &Arc<Self>) {
        if std::mem::replace(&mut self.state().sweeper_runs, true) {
            return;
        }
        let pool = Arc::downgrade(self);
        let sooner = self.sooner.clone();
        tokio::spawn(async move {
            loop {
                let Some(next) = pool.upgrade().map(|pool| pool.state().next_sweep) else {
                    return;
                };
                let due = async {
                    match next {
                        Some(at) => sleep_until(at).await,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    () = sooner.notified() => {}
                    () = due => match pool.upgrade() {
                        Some(pool) => pool.sweep(),
                        None => return,
                    }
                }
            }
        });
    }

    /// Closes what has been idle for too long, and forgets origins that nobody uses any more.
    fn sweep(&self) {
        let now = Instant::now();
        let mut state = self.state();
        let mut next: Option<Instant> = None;
        state.slots.retain(|_, slot| {
            let due = slot.sweep(now);
            next = next.into_iter().chain(due).min();
            due.is_some() || slot.origin.strong_count() > 0
        });
        state.next_sweep = next.map(|at| at.max(now + SWEEP_INTERVAL));
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.sooner.notify_one();
    }
}

impl Slot {
    /// The idle connection used last, of those that are still open.
    fn take_idle(&mut self) -> Option<H1Conn> {
        for index in (0..self.idle.len()).rev() {
            let conn = &self.idle[index].conn;
            if conn.is_closed() {
                self.idle.remove(index);
            } else if conn.is_ready() {
                return self.idle.remove(index).map(|idle| idle.conn);
            }
        }
        None
    }

    /// Closes what has been idle for too long; returns when to look again.
    fn sweep(&mut self, now: Instant) -> Option<Instant> {
        self.idle
            .retain(|idle| idle.expires > now && !idle.conn.is_closed());
        let idle_timeout = self
            .origin
            .upgrade()
            .map_or(Duration::ZERO, |origin| origin.config.pool.idle_timeout);
        let mut next = self.idle.front().map(|idle| idle.expires);
        self.shared.retain(|conn| {
            let expires = match conn.idle_since() {
                Some(since) => later(since, idle_timeout),
                None => later(now, idle_timeout.max(SWEEP_INTERVAL)),
            };
            let keep = expires > now && !conn.is_retired();
            if keep {
                next = next.into_iter().chain([expires]).min();
            }
            keep
        });
        next
    }
}

impl State {
    fn slot(&mut self, origin: &Arc<Origin>) -> &mut Slot {
        self.slots.entry(origin.id).or_insert_with(|| Slot {
            origin: Arc::downgrade(origin),
            idle: VecDeque::new(),
            shared: Vec::new(),
            http1_only: false,
            gate: Arc::default(),
        })
    }
}
