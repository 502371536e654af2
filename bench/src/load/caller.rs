//! A client that asks the same thing again and again.

use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::{Context as _, Result, bail, ensure};

use crate::chat::{self, StreamPlan};
use crate::clock;
use crate::http1::{Connection, Head, answer_head};
use crate::sse::{self, Event};

const OK: u16 = 200;
/// Part of every whole answer that is complete.
const USAGE: &[u8] = b"\"total_tokens\"";

/// What is asked of whom; shared by all callers of a load.
#[derive(Debug)]
pub struct Call {
    server: SocketAddr,
    request: Vec<u8>,
    /// Chunks that the answer must have; `None` where it is not a stream.
    chunks: Option<u32>,
}

impl Call {
    /// Asks for a whole answer, with a body of `size` bytes.
    #[must_use]
    pub fn plain(server: SocketAddr, key: &str, size: usize) -> Self {
        let body = chat::request_body(chat::PLAIN_MODEL, size, false);
        Self {
            server,
            request: request(server, key, &body),
            chunks: None,
        }
    }

    /// Asks for a stream, with a body of `size` bytes.
    #[must_use]
    pub fn stream(server: SocketAddr, key: &str, size: usize, plan: StreamPlan) -> Self {
        let body = chat::request_body(&plan.model(), size, true);
        Self {
            server,
            request: request(server, key, &body),
            chunks: Some(plan.chunks),
        }
    }
}

fn request(server: SocketAddr, key: &str, body: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST {} HTTP/1.1\r\nHost: {server}\r\nUser-Agent: sluice-bench\r\nAccept: application/json\r\n\
         apikey: {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        chat::PATH,
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// The arrival of a content chunk.
#[derive(Debug)]
pub(super) struct Arrival {
    /// When the read ended that brought it.
    pub(super) at: u64,
    /// When the mock sent it.
    pub(super) sent: u64,
    /// The same read had brought another chunk of the stream before it.
    pub(super) together: bool,
}

/// One connection, and the call it makes.
pub(super) struct Caller {
    call: Rc<Call>,
    connection: Connection,
    /// The server has announced that it closes the connection.
    closing: bool,
    payload: Vec<u8>,
}

impl Caller {
    pub(super) async fn open(call: &Rc<Call>) -> Result<Self> {
        let connection = connect(call.server).await?;
        Ok(Self {
            call: Rc::clone(call),
            connection,
            closing: false,
            payload: Vec::new(),
        })
    }

    /// Opens `count` callers; each has asked once, so that everything on the way is connected.
    pub(super) async fn open_warm(call: &Rc<Call>, count: u64) -> Result<Vec<Self>> {
        let mut callers = Vec::new();
        for _ in 0..count {
            let mut caller = Self::open(call).await?;
            caller.ask(|_| ()).await?;
            callers.push(caller);
        }
        Ok(callers)
    }

    /// Asks, and reads the answer to its end. Of a stream, every content chunk is shown to `see`.
    pub(super) async fn ask(&mut self, see: impl FnMut(Arrival)) -> Result<()> {
        if self.closing {
            self.connection = connect(self.call.server).await?;
        }
        self.connection.send(&self.call.request).await?;
        let head = self
            .connection
            .head(answer_head)
            .await?
            .context("closed instead of answered")?;
        self.closing = head.last;
        if head.status != OK {
            self.connection.whole(head.body, &mut self.payload).await?;
            bail!(
                "answered {}: {}",
                head.status,
                String::from_utf8_lossy(&self.payload)
            );
        }
        match self.call.chunks {
            Some(chunks) => self.read_stream(head, chunks, see).await,
            None => {
                self.connection.whole(head.body, &mut self.payload).await?;
                ensure!(
                    memchr::memmem::find(&self.payload, USAGE).is_some(),
                    "an answer without usage"
                );
                Ok(())
            }
        }
    }

    async fn read_stream(
        &mut self,
        mut head: Head,
        expected: u32,
        mut see: impl FnMut(Arrival),
    ) -> Result<()> {
        let (mut chunks, mut done, mut ended) = (0, false, false);
        self.payload.clear();
        while !ended {
            ended = self.connection.part(&mut head.body, &mut self.payload).await?;
            let at = clock::now();
            let mut together = false;
            sse::take_events(&mut self.payload, |event| match event {
                Event::Chunk { sent } => {
                    chunks += 1;
                    see(Arrival { at, sent, together });
                    together = true;
                }
                Event::Done => done = true,
                Event::Other => {}
            });
        }
        ensure!(
            done && chunks == expected,
            "a stream of {chunks} chunks, not {expected}; [DONE]: {done}"
        );
        Ok(())
    }
}

async fn connect(server: SocketAddr) -> Result<Connection> {
    Connection::connect(server)
        .await
        .with_context(|| format!("cannot connect to {server}"))
}
