//! Fake LLM providers.

mod anthropic;
mod bedrock;
mod cohere;
mod completion;
mod contract;
mod damage;
mod endpoint;
mod fault;
mod gemini;
mod gemini_extras;
mod ollama;
mod openai;
mod openai_extras;
mod playback;
mod prompt;
mod record;
mod reply;
mod rerank;
mod responses;
mod server;
pub(crate) mod sigv4;
mod strict;
mod vertex;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

pub use self::bedrock::{event as bedrock_event, events as bedrock_events, exception as bedrock_exception};
pub use self::completion::{Completion, Stop, Usage};
pub use self::playback::Gate;
pub use self::prompt::UNICODE_TEXT;
pub use self::record::{FormPart, Recorded};
pub use self::reply::Reply;
use self::server::State;
pub use self::sigv4::{AWS_ACCESS_KEY_ID, AWS_BEDROCK_API_KEY, AWS_SECRET_ACCESS_KEY};
use crate::patience::within;

/// An LLM provider on a port of its own, run by a thread of its own until dropped.
///
/// Unless told otherwise it answers by the prompt contract of the SDK scripts (`clients/README.md`): `conf:hello`,
/// `conf:tool` and so on, in the wire format that the path asks for, at any path that ends as the provider's does:
///
/// * OpenAI: chat completions, completions, responses, embeddings, moderations, models, images, audio, files and
///   batches, under the paths of Azure deployments too;
/// * Anthropic: messages, token counting, models;
/// * Gemini: generated content (whole, events, JSON array), token counting, embeddings, models (below `/v1beta`);
/// * Vertex AI: Gemini's methods and Anthropic's `:rawPredict` below `/publishers/`, and predictions. They take the
///   tokens that any path ending in `/token` gives out;
/// * AWS Bedrock: Converse, for requests that are signed with [`AWS_SECRET_ACCESS_KEY`] or carry
///   [`AWS_BEDROCK_API_KEY`];
/// * Cohere v2: chat, embeddings, rerank; the rerank endpoint of Jina and others;
/// * Ollama: chat, generate, embeddings, tags.
///
/// Tests script other answers with [`next`](Self::next) and [`always`](Self::always): a [`Completion`] says what the
/// model answers in no wire format, and each endpoint renders it as its provider does.
///
/// A [strict](Self::strict) provider refuses what the real one would refuse; others take any JSON.
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

    /// Starts one that holds requests to the rules of the real providers: known fields and their types, required ones,
    /// the order of turns and of the results of tools. What breaks them is answered with the provider's own error, and
    /// no scripted answer takes its place; [`refused`](Self::refused) tells why.
    ///
    /// # Panics
    /// When no port can be had.
    #[must_use]
    pub fn strict() -> Self {
        let provider = Self::start();
        provider.set_strict(true);
        provider
    }

    /// Whether requests are held to the rules of the real providers.
    pub fn set_strict(&self, strict: bool) {
        self.state.set_rules(|rules| rules.strict = strict);
    }

    /// Takes members of these names wherever they are, strict or not: what providers of a compatible API have beside
    /// the original's.
    pub fn accept(&self, members: &[&str]) -> &Self {
        let members = members.iter().map(|name| (*name).to_owned());
        self.state.set_rules(|rules| rules.accepted.extend(members));
        self
    }

    /// What was refused because it broke the rules of the real provider: request and reason.
    #[must_use]
    pub fn refused(&self) -> Vec<String> {
        self.state.refused()
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
