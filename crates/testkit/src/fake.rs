//! Fake LLM providers.

mod anthropic;
mod bedrock;
mod contract;
mod openai;
mod playback;
mod prompt;
mod record;
mod reply;
mod responses;
mod server;
pub(crate) mod sigv4;
mod vertex;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use self::bedrock::{event as bedrock_event, exception as bedrock_exception};
pub use self::playback::Gate;
pub use self::prompt::UNICODE_TEXT;
pub use self::record::Recorded;
pub use self::reply::Reply;
use self::server::State;
pub use self::sigv4::{AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY};
use crate::patience::within;

/// An LLM provider on a port of its own, run by a thread of its own until dropped.
///
/// Unless told otherwise it answers by the prompt contract of the SDK scripts (`clients/README.md`): `conf:hello`,
/// `conf:tool` and so on, in the wire format that the path asks for. It speaks OpenAI chat completions, completions,
/// responses, embeddings, moderations and models, Anthropic messages, token counting and models, AWS Bedrock Converse,
/// for which requests must be signed with [`AWS_SECRET_ACCESS_KEY`], and Vertex AI predictions, which take the tokens
/// that any path ending in `/token` gives out; each at any path that ends as theirs do. Tests script other answers with [`next`](Self::next) and [`always`](Self::always).
pub struct FakeProvider {
    addr: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeProvider {
    /// Starts on a free port of 127.0.0.1.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port")
    }

    /// Starts at an address.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn start_at(addr: SocketAddr) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(addr)?;
        let addr = listener.local_addr()?;
        let state = Arc::new(State::default());
        let (stop, stopped) = oneshot::channel();
        let serving = state.clone();
        let thread = std::thread::spawn(move || server::run(listener, serving, stopped));
        Ok(Self {
            addr,
            state,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A URL of this provider.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Answers the next request that has no scripted answer yet with `reply`. Can be called several times: answers are
    /// given in that order, then the usual one again.
    pub fn next(&self, reply: Reply) -> &Self {
        self.state.script(reply);
        self
    }

    /// Answers all requests that nothing else is scripted for with `reply`.
    pub fn always(&self, reply: Reply) -> &Self {
        self.state.set_usual(reply);
        self
    }

    /// All requests so far, in the order in which they arrived.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.requests()
    }

    /// The last request.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    pub fn last_request(&self) -> Recorded {
        self.requests().pop().expect("a request")
    }

    /// Waits until `count` requests have arrived since the start; returns all that have.
    pub async fn wait_requests(&self, count: usize) -> Vec<Recorded> {
        within("requests at the fake provider", self.state.wait_requests(count)).await
    }

    /// Connections accepted so far.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.connections.load(SeqCst)
    }

    /// Waits until a client has left before its answer was complete. Each such client ends one wait.
    pub async fn wait_disconnected(&self) {
        within(
            "a client to leave the fake provider",
            self.state.disconnected.acquire(),
        )
        .await
        .expect("never closed")
        .forget();
    }

    /// How many clients have left early that nobody waited for.
    #[must_use]
    pub fn disconnected(&self) -> usize {
        self.state.disconnected.available_permits()
    }
}

impl Drop for FakeProvider {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have ended by a panic, which shows on its own.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests;
