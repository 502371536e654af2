//! The socket of an upstream connection, as hyper sees it.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;

use crate::outflow::Outflow;
use crate::timer::StallTimer;

/// Adds to a stream what hyper has no notion of: a limit on blocked writes, and word of the first bytes read.
pub(crate) struct UpstreamIo<S> {
    stream: TokioIo<S>,
    outflow: Arc<Outflow>,
    stall: StallTimer,
    first_read: Option<oneshot::Sender<()>>,
}

/// A write was blocked for longer than the send timeout.
#[derive(Debug)]
pub(crate) struct SendStalled;

impl fmt::Display for SendStalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("peer takes no bytes")
    }
}

impl std::error::Error for SendStalled {}

impl<S> UpstreamIo<S> {
    pub(crate) fn new(stream: S, outflow: Arc<Outflow>, first_read: Option<oneshot::Sender<()>>) -> Self {
        Self {
            stream: TokioIo::new(stream),
            outflow,
            stall: StallTimer::new(Duration::MAX),
            first_read,
        }
    }

    /// Watches the outcome of a write or flush for how long it is blocked.
    fn watch<T>(&mut self, polled: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            if self.stall.is_waiting() {
                self.stall.stop();
                self.outflow.set_blocked(false);
            }
            return polled;
        }
        if !self.stall.is_waiting() {
            self.outflow.set_blocked(true);
            self.stall.set_limit(self.outflow.send_limit());
        }
        match self.stall.poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, SendStalled))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<S: AsyncRead + Unpin> Read for UpstreamIo<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if polled.is_ready()
            && let Some(first_read) = self.first_read.take()
        {
            // Nobody listens when the connection was given up meanwhile.
            let _ = first_read.send(());
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> Write for UpstreamIo<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(polled, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(cx);
        self.watch(polled, cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(polled, cx)
    }
}
