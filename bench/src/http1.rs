//! Just enough HTTP/1.1 over a raw socket: the programs that measure share a core, so each may cost only little.

use std::io;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Buf as _, BytesMut};
use httparse::Status;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::chat::MESSAGES_PATH;

const MAX_HEADERS: usize = 64;
/// Room offered to one read.
const READ: usize = 64 * 1024;

/// What the head of a message says about the rest.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Status of an answer; 0 for a request.
    pub status: u16,
    /// The message's body, not yet read.
    pub body: Body,
    /// The sender will close the connection after this message.
    pub last: bool,
    /// A request for Anthropic's messages, by its path.
    pub is_messages: bool,
    /// Bytes of the head itself.
    length: usize,
}

/// Reads an answer's head; `None` while it is incomplete.
///
/// # Errors
/// Not HTTP/1.1, or a body whose end is the end of the connection.
pub fn answer_head(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut answer = httparse::Response::new(&mut headers);
    let Status::Complete(length) = answer.parse(bytes)? else {
        return Ok(None);
    };
    let mut head = Head {
        status: answer.code.unwrap_or(0),
        body: Body::Open,
        last: false,
        is_messages: false,
        length,
    };
    head.read_headers(answer.headers)?;
    ensure!(
        head.body != Body::Open,
        "an answer without Content-Length and Transfer-Encoding"
    );
    Ok(Some(head))
}

/// Reads a request's head; `None` while it is incomplete.
///
/// # Errors
/// Not HTTP/1.1.
pub fn request_head(bytes: &[u8]) -> Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Status::Complete(length) = request.parse(bytes)? else {
        return Ok(None);
    };
    let mut head = Head {
        status: 0,
        body: Body::Open,
        last: false,
        is_messages: request.path.is_some_and(|path| path.ends_with(MESSAGES_PATH)),
        length,
    };
    head.read_headers(request.headers)?;
    if head.body == Body::Open {
        head.body = Body::Rest(0);
    }
    Ok(Some(head))
}

impl Head {
    fn read_headers(&mut self, headers: &[httparse::Header<'_>]) -> Result<()> {
        for header in headers {
            if header.name.eq_ignore_ascii_case("content-length") {
                let length = std::str::from_utf8(header.value)?.trim();
                self.body = Body::Rest(length.parse().context("Content-Length")?);
            } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
                ensure!(
                    header.value.eq_ignore_ascii_case(b"chunked"),
                    "a Transfer-Encoding other than chunked"
                );
                self.body = Body::Chunk;
            } else if header.name.eq_ignore_ascii_case("connection") {
                self.last = header.value.eq_ignore_ascii_case(b"close");
            }
        }
        Ok(())
    }
}

/// Where in a body its reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// The head named no framing.
    Open,
    /// So many bytes are left of a body of known length.
    Rest(u64),
    /// A chunk's size line comes next.
    Chunk,
    /// So many bytes are left of this chunk and its line end.
    InChunk(u64),
    /// The last chunk has passed; trailers up to an empty line come next.
    Trailers,
    /// The message is over.
    Ended,
}

/// Bytes of the line end behind a chunk.
const CHUNK_END: u64 = 2;

impl Body {
    /// Moves what `input` has of this body to `payload`, without the framing. True once the body is over.
    ///
    /// # Errors
    /// A chunk size that is none.
    pub fn decode(&mut self, input: &mut BytesMut, payload: &mut Vec<u8>) -> Result<bool> {
        loop {
            match *self {
                Self::Open => bail!("a body without framing"),
                Self::Ended | Self::Rest(0) => return Ok(true),
                Self::Rest(left) => {
                    let part = taken(left, input);
                    payload.extend_from_slice(&input[..part]);
                    input.advance(part);
                    *self = Self::Rest(left - part as u64);
                    if *self != Self::Rest(0) {
                        return Ok(false);
                    }
                }
                Self::Chunk => match httparse::parse_chunk_size(input) {
                    Ok(Status::Complete((line, size))) => {
                        input.advance(line);
                        *self = if size == 0 {
                            Self::Trailers
                        } else {
                            Self::InChunk(size + CHUNK_END)
                        };
                    }
                    Ok(Status::Partial) => return Ok(false),
                    Err(_) => bail!("an invalid chunk size"),
                },
                Self::InChunk(left) => {
                    let data = taken(left.saturating_sub(CHUNK_END), input);
                    payload.extend_from_slice(&input[..data]);
                    let part = taken(left, input);
                    input.advance(part);
                    let left = left - part as u64;
                    if left > 0 {
                        *self = Self::InChunk(left);
                        return Ok(false);
                    }
                    *self = Self::Chunk;
                }
                Self::Trailers => {
                    let Some(line) = memchr::memchr(b'\n', input) else {
                        return Ok(false);
                    };
                    let empty = matches!(&input[..line], b"" | b"\r");
                    input.advance(line + 1);
                    if empty {
                        *self = Self::Ended;
                    }
                }
            }
        }
    }
}

/// How much of `left` bytes is there already.
fn taken(left: u64, input: &BytesMut) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(input.len())
}

/// One side of a kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    socket: TcpStream,
    input: BytesMut,
}

impl Connection {
    /// Connects to a server.
    ///
    /// # Errors
    /// Nobody listens there, or no file descriptor is left.
    pub async fn connect(server: SocketAddr) -> io::Result<Self> {
        Self::accepted(TcpStream::connect(server).await?)
    }

    /// Takes a connection that a client has opened.
    ///
    /// # Errors
    /// The socket is gone already.
    pub fn accepted(socket: TcpStream) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        Ok(Self {
            socket,
            input: BytesMut::new(),
        })
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// The peer is gone.
    pub async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.socket.write_all(bytes).await
    }

    /// Reads a head with [`answer_head`] or [`request_head`]; `None` if the peer closed before its first byte.
    ///
    /// # Errors
    /// What `parse` found wrong, or the connection broke.
    pub async fn head(&mut self, parse: fn(&[u8]) -> Result<Option<Head>>) -> Result<Option<Head>> {
        loop {
            if let Some(head) = parse(&self.input)? {
                self.input.advance(head.length);
                return Ok(Some(head));
            }
            if self.fill().await? == 0 {
                ensure!(self.input.is_empty(), "the connection ended inside a head");
                return Ok(None);
            }
        }
    }

    /// Appends the next part of a body to `payload`: what is there already, else what one read brings. True once
    /// the body is over.
    ///
    /// # Errors
    /// The framing is wrong, or the connection broke.
    pub async fn part(&mut self, body: &mut Body, payload: &mut Vec<u8>) -> Result<bool> {
        let before = payload.len();
        if body.decode(&mut self.input, payload)? {
            return Ok(true);
        }
        if payload.len() > before {
            return Ok(false);
        }
        ensure!(self.fill().await? > 0, "the connection ended inside a body");
        body.decode(&mut self.input, payload)
    }

    /// Reads a whole body into `payload`, which is emptied first.
    ///
    /// # Errors
    /// As [`Connection::part`].
    pub async fn whole(&mut self, mut body: Body, payload: &mut Vec<u8>) -> Result<()> {
        payload.clear();
        while !self.part(&mut body, payload).await? {}
        Ok(())
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.input.capacity() - self.input.len() < READ / 2 {
            self.input.reserve(READ);
        }
        self.socket.read_buf(&mut self.input).await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn heads_tell_status_framing_and_close() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
        let head = answer_head(bytes).unwrap().unwrap();
        assert_eq!(
            (head.status, head.body, head.last, head.length),
            (200, Body::Rest(3), true, bytes.len() - 3)
        );
        assert!(answer_head(&bytes[..20]).unwrap().is_none());
        let head = request_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!((head.body, head.last), (Body::Rest(0), false));
        let head = request_head(b"POST / HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!(head.body, Body::Chunk);
        assert!(answer_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(answer_head(b"SSH-2.0-x\r\n\r\n").is_err());
    }

    fn chunked(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut framed = Vec::new();
        for part in parts {
            framed.extend_from_slice(format!("{:x};ext=1\r\n", part.len()).as_bytes());
            framed.extend_from_slice(part);
            framed.extend_from_slice(b"\r\n");
        }
        framed.extend_from_slice(b"0\r\nTrailer: x\r\n\r\n");
        framed
    }

    proptest! {
        #[test]
        fn chunks_are_decoded_however_they_are_split(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
            step in 1_usize..50,
        ) {
            let mut framed = chunked(&parts);
            framed.extend_from_slice(b"next");
            let (mut body, mut input, mut payload) = (Body::Chunk, BytesMut::new(), Vec::new());
            let mut ended = false;
            for piece in framed.chunks(step) {
                input.extend_from_slice(piece);
                if !ended {
                    ended = body.decode(&mut input, &mut payload).unwrap();
                }
            }
            prop_assert!(ended);
            prop_assert_eq!(payload, parts.concat());
            prop_assert_eq!(&input[..], b"next");
        }

        #[test]
        fn a_body_of_known_length_leaves_the_next_message(length in 0_usize..300, step in 1_usize..50) {
            let (mut body, mut input, mut payload) = (Body::Rest(length as u64), BytesMut::new(), Vec::new());
            let bytes = vec![b'x'; length + 4];
            let mut ended = false;
            for piece in bytes.chunks(step) {
                input.extend_from_slice(piece);
                ended = body.decode(&mut input, &mut payload).unwrap();
            }
            prop_assert!(ended);
            prop_assert_eq!((payload.len(), input.len()), (length, 4));
        }
    }
}
