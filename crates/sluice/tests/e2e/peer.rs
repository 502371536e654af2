//! Upstream servers on which the test says every byte.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use sluice_testkit::within;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// A listening server.
pub(crate) struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, tls: None }
    }

    /// One with a certificate that nobody vouches for.
    pub(crate) async fn start_tls() -> Self {
        let certified = rcgen::generate_simple_self_signed(["upstream.test".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key)
            .unwrap();
        Self {
            tls: Some(TlsAcceptor::from(Arc::new(config))),
            ..Self::start().await
        }
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The next connection, after its TLS handshake.
    pub(crate) async fn accept(&self) -> Peer {
        let stream = self.accept_tcp().await;
        match &self.tls {
            None => Peer::new(stream),
            Some(tls) => Peer::new(within("a TLS handshake", tls.accept(stream)).await.unwrap()),
        }
    }

    /// The next connection as it is.
    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        let (stream, _) = within("a connection from the gateway", self.listener.accept())
            .await
            .unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// The server's end of a connection; dropping it closes it.
pub(crate) struct Peer {
    stream: Box<dyn Stream>,
    read: BytesMut,
}

impl Peer {
    pub(crate) fn new(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        Self {
            stream: Box::new(stream),
            read: BytesMut::new(),
        }
    }

    /// Reads up to and with `end`.
    pub(crate) async fn read_until(&mut self, end: &str) -> String {
        loop {
            let found = self
                .read
                .windows(end.len())
                .position(|window| window == end.as_bytes());
            if let Some(at) = found {
                return String::from_utf8(self.read.split_to(at + end.len()).to_vec()).unwrap();
            }
            assert!(
                self.more().await,
                "the connection ended before {end:?}: {:?}",
                self.read
            );
        }
    }

    /// Reads the head of a request, in lower case.
    pub(crate) async fn read_head(&mut self) -> String {
        self.read_until("\r\n\r\n").await.to_ascii_lowercase()
    }

    /// Reads until the gateway closes the connection.
    pub(crate) async fn read_to_end(&mut self) -> String {
        while self.more().await {}
        String::from_utf8(self.read.to_vec()).unwrap()
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) {
        within("the gateway to take bytes", self.stream.write_all(bytes.as_ref()))
            .await
            .unwrap();
        self.stream.flush().await.unwrap();
    }

    async fn more(&mut self) -> bool {
        let read = within("bytes from the gateway", self.stream.read_buf(&mut self.read)).await;
        read.is_ok_and(|read| read > 0)
    }
}
