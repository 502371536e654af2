//! Connections on which the test says every byte.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::patience::within;

/// A TCP connection; dropping it closes it.
#[derive(Debug)]
pub struct RawConn {
    stream: TcpStream,
    read: BytesMut,
}

impl RawConn {
    /// Connects.
    ///
    /// # Panics
    /// When nobody listens there.
    pub async fn connect(addr: SocketAddr) -> Self {
        let stream = within("a connection", TcpStream::connect(addr))
            .await
            .expect("a connection");
        stream.set_nodelay(true).expect("a socket");
        Self {
            stream,
            read: BytesMut::new(),
        }
    }

    /// Sends bytes. A peer that has closed the connection is no error here; it shows when reading.
    pub async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        // See above.
        let _ = within("the peer to take bytes", self.stream.write_all(bytes.as_ref())).await;
    }

    /// Sends nothing more.
    pub async fn finish_writing(&mut self) {
        // The peer may have closed it first.
        let _ = self.stream.shutdown().await;
    }

    /// Reads up to and with `end`.
    ///
    /// # Panics
    /// When the connection ends before that.
    pub async fn read_until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = find(&self.read, end.as_bytes()) {
                let found = self.read.split_to(at + end.len());
                return String::from_utf8_lossy(&found).into_owned();
            }
            assert!(
                self.more().await,
                "connection ended before {end:?}: {:?}",
                self.read
            );
        }
    }

    /// Reads the head of an answer.
    ///
    /// # Panics
    /// When the connection ends before that.
    pub async fn read_head(&mut self) -> String {
        self.read_until("\r\n\r\n").await
    }

    /// Reads until the peer closes or resets the connection.
    pub async fn read_to_end(&mut self) -> Bytes {
        while self.more().await {}
        self.read.split().freeze()
    }

    async fn more(&mut self) -> bool {
        within("bytes from the peer", self.stream.read_buf(&mut self.read))
            .await
            .is_ok_and(|read| read > 0)
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
