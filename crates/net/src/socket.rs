//! Connections for protocols other than HTTP.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::connect::{self, Opened, Stream};
use crate::dns::Resolver;
use crate::error::{SendError, SendErrorKind, TimeoutPhase};
use crate::origin::Origin;

/// A connection to an origin, of bytes that the caller understands; with TLS where the origin has it.
pub struct Socket(Stream);

impl Socket {
    /// Connects. The origin's protocol should be [`Protocol::Other`](crate::Protocol::Other): else TLS offers HTTP.
    ///
    /// # Errors
    /// When the name does not resolve, nobody listens, the TLS handshake fails, or all that takes longer than `limit`.
    pub async fn connect(origin: &Origin, resolver: &Resolver, limit: Duration) -> Result<Self, SendError> {
        let opened = timeout(limit, connect::open(origin, resolver)).await;
        let Opened { stream, .. } =
            opened.unwrap_or_else(|_| Err(SendError::new(SendErrorKind::Timeout(TimeoutPhase::Connect))))?;
        Ok(Self(stream))
    }

    /// Whether the peer has closed the connection or said something, which a peer that only listens does not do
    /// unless it is about to close.
    pub async fn has_news(&mut self) -> bool {
        poll_fn(|task| {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            let polled = Pin::new(&mut *self).poll_read(task, &mut buffer);
            Poll::Ready(polled.is_ready())
        })
        .await
    }
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Socket").finish_non_exhaustive()
    }
}

/// Calls a method of the stream, whichever it is.
macro_rules! either {
    ($self:expr, $stream:ident => $call:expr) => {
        match &mut $self.get_mut().0 {
            Stream::Plain($stream) => {
                let $stream = Pin::new($stream);
                $call
            }
            Stream::Tls($stream) => {
                let $stream = Pin::new(&mut **$stream);
                $call
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_read(task, buffer))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, task: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => stream.poll_write(task, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_flush(task))
    }

    fn poll_shutdown(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => stream.poll_shutdown(task))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::testing::{Fixed, Upstream};

    const LIMIT: Duration = Duration::from_secs(20);

    fn resolver() -> Resolver {
        Resolver::new(Fixed(Vec::new()), tokio::runtime::Handle::current())
    }

    #[tokio::test]
    async fn carries_bytes_both_ways() {
        let upstream = Upstream::start().await;
        let mut socket = Socket::connect(&upstream.origin(), &resolver(), LIMIT)
            .await
            .unwrap();
        let mut peer = upstream.accept().await.stream;
        assert!(!socket.has_news().await);
        socket.write_all(b"ping").await.unwrap();
        let mut heard = [0; 4];
        peer.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"ping");
        peer.write_all(b"pong").await.unwrap();
        socket.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"pong");
        drop(peer);
        while !socket.has_news().await {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn nobody_there() {
        let origin = {
            let upstream = Upstream::start().await;
            upstream.origin()
        };
        let error = Socket::connect(&origin, &resolver(), LIMIT).await.unwrap_err();
        assert_eq!(error.kind, SendErrorKind::Connect);
    }
}
