//! A Kafka broker, as far as producers talk to one.

mod answers;
mod scram;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use self::answers::Session;
use crate::patience::within;

/// A broker of one topic, whatever its name, which it leads all partitions of.
///
/// It speaks the wire protocol of Kafka 1.0 to 3.9 by a codec of its own makers; that a real broker would say the same
/// is not shown by it.
pub struct FakeKafka {
    addr: SocketAddr,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A message that was produced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaMessage {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Key, if it has one.
    pub key: Option<Bytes>,
    /// What it says.
    pub value: Bytes,
    /// `acks` of the request that brought it.
    pub acks: i16,
    /// Number of that request, from 1.
    pub request: usize,
}

/// What the broker's thread and the tests share.
struct State {
    addr: SocketAddr,
    partitions: i32,
    /// Name and password of the one user, if there must be one.
    user: Option<(String, String)>,
    inner: Mutex<Inner>,
    arrived: watch::Sender<usize>,
}

#[derive(Default)]
struct Inner {
    messages: Vec<KafkaMessage>,
    produced: usize,
    asked: usize,
    /// Error codes of the next produce requests.
    refusals: Vec<i16>,
    mechanisms: Vec<String>,
    /// The one mechanism that is offered, if not all are.
    only: Option<&'static str>,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FakeKafka {
    /// Starts on a free port of 127.0.0.1, open to everybody.
    #[must_use]
    pub fn start(partitions: i32) -> Self {
        Self::run(partitions, None, None)
    }

    /// Starts a broker that serves those who have shown this user's password.
    #[must_use]
    pub fn with_user(partitions: i32, user: &str, password: &str) -> Self {
        Self::run(partitions, Some((user.to_owned(), password.to_owned())), None)
    }

    /// The same behind TLS.
    #[must_use]
    pub fn with_user_and_tls(partitions: i32, user: &str, password: &str, tls: Arc<ServerConfig>) -> Self {
        let user = Some((user.to_owned(), password.to_owned()));
        Self::run(partitions, user, Some(TlsAcceptor::from(tls)))
    }

    fn run(partitions: i32, user: Option<(String, String)>, tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("the port");
        let state = Arc::new(State {
            addr,
            partitions,
            user,
            inner: Mutex::default(),
            arrived: watch::Sender::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let serving = state.clone();
        let thread = std::thread::spawn(move || serve(listener, serving, tls, stopped));
        Self {
            addr,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Offers this mechanism of authentication alone. Without it there are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512.
    pub fn offer_only(&self, mechanism: &'static str) {
        self.state.lock().only = Some(mechanism);
    }

    /// Answers the next produce request with this error code; several calls script several.
    pub fn refuse_next(&self, code: i16) {
        self.state.lock().refusals.push(code);
    }

    /// Waits until so many messages have been produced; returns all.
    pub async fn wait_messages(&self, count: usize) -> Vec<KafkaMessage> {
        let mut arrived = self.state.arrived.subscribe();
        let enough = arrived.wait_for(|arrived| *arrived >= count);
        let _ = within("messages at the fake broker", enough).await;
        self.state.lock().messages.clone()
    }

    /// How often somebody asked for leaders.
    #[must_use]
    pub fn asked_for_leaders(&self) -> usize {
        self.state.lock().asked
    }

    /// Mechanisms of those who proved who they are.
    #[must_use]
    pub fn authenticated(&self) -> Vec<String> {
        self.state.lock().mechanisms.clone()
    }
}

impl Drop for FakeKafka {
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

fn serve(
    listener: std::net::TcpListener,
    state: Arc<State>,
    tls: Option<TlsAcceptor>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async move {
        listener.set_nonblocking(true).expect("a listener");
        let listener = TcpListener::from_std(listener).expect("a listener");
        let accept = async {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                tokio::spawn(meet(stream, tls.clone(), state.clone()));
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
}

/// A client that does not finish the handshake is let go.
async fn meet(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<State>) {
    match tls {
        None => converse(stream, state).await,
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                converse(stream, state).await;
            }
        }
    }
}

/// Answers requests until the client leaves, or says what nobody may.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: Arc<State>) {
    let mut session = Session::new(state);
    let mut length = [0; 4];
    while stream.read_exact(&mut length).await.is_ok() {
        let mut request = vec![0; usize::try_from((&length[..]).get_i32()).expect("a length")];
        if stream.read_exact(&mut request).await.is_err() {
            return;
        }
        let Some(answer) = session.answer(request.into()) else {
            return;
        };
        let mut frame = BytesMut::new();
        frame.put_i32(i32::try_from(answer.len()).expect("a length"));
        frame.extend_from_slice(&answer);
        // A client that has left shows when reading.
        let _ = stream.write_all(&frame).await;
        let _ = stream.flush().await;
    }
}
