//! The HTTP server of a fake provider.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};

use super::contract::Rules;
use super::playback::Watch;
use super::record::Recorded;
use super::reply::{Prepared, Reply};

/// What a fake provider's thread and its tests share.
pub(super) struct State {
    scripted: Mutex<VecDeque<Reply>>,
    usual: Mutex<Reply>,
    requests: Mutex<Vec<Recorded>>,
    arrived: watch::Sender<usize>,
    rules: Mutex<Rules>,
    refused: Mutex<Vec<String>>,
    pub(super) connections: AtomicUsize,
    pub(super) disconnected: Arc<Semaphore>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            scripted: Mutex::default(),
            usual: Mutex::new(Reply::contract()),
            requests: Mutex::default(),
            arrived: watch::Sender::default(),
            rules: Mutex::default(),
            refused: Mutex::default(),
            connections: AtomicUsize::new(0),
            disconnected: Arc::new(Semaphore::new(0)),
        }
    }
}

impl State {
    pub(super) fn script(&self, reply: Reply) {
        self.scripted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(reply);
    }

    pub(super) fn set_usual(&self, reply: Reply) {
        *self.usual.lock().unwrap_or_else(PoisonError::into_inner) = reply;
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) async fn wait_requests(&self, count: usize) -> Vec<Recorded> {
        let arrived = self
            .arrived
            .subscribe()
            .wait_for(|arrived| *arrived >= count)
            .await
            .is_ok();
        assert!(arrived, "the sender lives in self");
        self.requests()
    }

    pub(super) fn rules(&self) -> Rules {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_rules(&self, set: impl FnOnce(&mut Rules)) {
        set(&mut self.rules.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn refused(&self) -> Vec<String> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn refuse(&self, reason: String) {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(reason);
    }

    /// Notes a request; returns how it is to be answered, and its number.
    fn arrive(&self, request: Recorded) -> (Reply, usize) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.push(request);
        let number = requests.len();
        drop(requests);
        let scripted = self
            .scripted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let reply =
            scripted.unwrap_or_else(|| self.usual.lock().unwrap_or_else(PoisonError::into_inner).clone());
        self.arrived.send_replace(number);
        (reply, number)
    }
}

/// Serves until told to stop.
pub(super) fn run(listener: std::net::TcpListener, state: Arc<State>, stopped: oneshot::Receiver<()>) {
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
                let connection = state.connections.fetch_add(1, SeqCst);
                tokio::spawn(serve(stream, connection, state.clone()));
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
}

async fn serve(stream: TcpStream, connection: usize, state: Arc<State>) {
    stream.set_nodelay(true).expect("a socket");
    let raw = Arc::new(Mutex::new(None));
    let service = service_fn(|request| Box::pin(respond(request, connection, state.clone(), raw.clone())));
    let mut http = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // How the connection ends is the script's or the client's choice.
    let _ = poll_fn(|cx| http.poll_without_shutdown(cx)).await;
    let mut stream = http.into_parts().io.into_inner();
    let bytes: Option<Bytes> = raw.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(bytes) = bytes {
        let _ = stream.write_all(&bytes).await;
        let _ = stream.shutdown().await;
    }
}

type Body = StreamBody<BoxStream<'static, io::Result<Frame<Bytes>>>>;

/// Answers a request. An error makes hyper give the connection back without having written anything.
async fn respond(
    request: Request<Incoming>,
    connection: usize,
    state: Arc<State>,
    raw: Arc<Mutex<Option<Bytes>>>,
) -> io::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let recorded = Recorded {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body: body.collect().await.map_err(io::Error::other)?.to_bytes(),
        at: Instant::now(),
        connection,
    };
    let (reply, number) = state.arrive(recorded.clone());
    let reply = reply.chosen(&recorded);
    let mut watch = Watch::new(state.disconnected.clone());
    reply.before_head().await;
    let Prepared {
        status,
        headers,
        length,
        playback,
        refused,
    } = match reply.prepare(&recorded, number, &state.rules()) {
        Ok(prepared) => prepared,
        Err(bytes) => {
            watch.complete();
            *raw.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
            return Err(io::Error::other("no HTTP by the script"));
        }
    };
    if let Some(reason) = refused {
        state.refuse(format!("{} {}: {reason}", recorded.method, recorded.path));
    }
    let mut response = Response::new(StreamBody::new(playback.play(watch).boxed()));
    *response.status_mut() = status.try_into().map_err(io::Error::other)?;
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    if let Some(length) = length {
        response
            .headers_mut()
            .entry(http::header::CONTENT_LENGTH)
            .or_insert_with(|| length.into());
    }
    Ok(response)
}
