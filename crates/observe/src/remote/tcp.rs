//! Servers that take lines over TCP and say nothing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sluice_net::{ClientTls, Origin, OriginConfig, OriginError, Origins, Protocol, Resolver, Scheme, Socket};
use tokio::io::AsyncWriteExt;

use super::RemoteError;
use crate::sync::lock;

/// Where to connect, and how.
#[derive(Clone, Debug)]
pub struct TcpTargetConfig {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS, and whether the server's certificate must hold.
    pub tls: Option<ClientTls>,
    /// Name that TLS asks for, where it is not the host's.
    pub sni: Option<String>,
    /// Limit for connecting, and for handing over one batch.
    pub timeout: Duration,
    /// Connections kept for the next batch; with 0 each batch has its own, whose end is the end of the batch.
    pub keep: usize,
}

/// A compiled [`TcpTargetConfig`].
pub struct TcpTarget {
    origin: Arc<Origin>,
    resolver: Resolver,
    timeout: Duration,
    keep: usize,
    idle: Mutex<Vec<Socket>>,
}

impl TcpTarget {
    /// Compiles an address.
    ///
    /// # Errors
    /// When the host is none, or TLS cannot be set up.
    pub fn new(config: TcpTargetConfig, origins: &Origins, resolver: &Resolver) -> Result<Self, OriginError> {
        let scheme = if config.tls.is_some() {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let origin = OriginConfig {
            tls: config.tls.unwrap_or_default(),
            sni: config.sni.map(Arc::from),
            protocol: Protocol::Other,
            ..OriginConfig::new(scheme, config.host, config.port)
        };
        Ok(Self {
            origin: origins.get(origin)?,
            resolver: resolver.clone(),
            timeout: config.timeout,
            keep: config.keep,
            idle: Mutex::default(),
        })
    }

    /// Hands `bytes` over. That they were read is more than this protocol can tell.
    ///
    /// # Errors
    /// When there is no connection, or the other side does not take them in time.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), RemoteError> {
        let mut socket = match self.usable().await {
            Some(socket) => socket,
            None => Socket::connect(&self.origin, &self.resolver, self.timeout).await?,
        };
        let written = async {
            socket.write_all(bytes).await?;
            if self.keep == 0 {
                socket.shutdown().await
            } else {
                socket.flush().await
            }
        };
        tokio::time::timeout(self.timeout, written)
            .await
            .map_err(|_| RemoteError::TimedOut)??;
        let mut idle = lock(&self.idle);
        if idle.len() < self.keep {
            idle.push(socket);
        }
        Ok(())
    }

    /// A kept connection that the other side has not closed.
    async fn usable(&self) -> Option<Socket> {
        loop {
            let mut socket = lock(&self.idle).pop()?;
            if !socket.has_news().await {
                return Some(socket);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_net::TlsClients;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    fn target(port: u16, keep: usize, timeout: Duration) -> TcpTarget {
        let config = TcpTargetConfig {
            host: "127.0.0.1".to_owned(),
            port,
            tls: None,
            sni: None,
            timeout,
            keep,
        };
        let resolver = Resolver::system(tokio::runtime::Handle::current()).unwrap();
        TcpTarget::new(config, &Origins::new(TlsClients::new()), &resolver).unwrap()
    }

    async fn listen() -> (TcpListener, u16) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        (listener, port)
    }

    #[tokio::test]
    async fn the_end_of_a_batch_is_the_end_of_its_connection() {
        let (listener, port) = listen().await;
        let target = target(port, 0, Duration::from_secs(20));
        for batch in ["one", "two"] {
            target.send(batch.as_bytes()).await.unwrap();
            let mut heard = String::new();
            listener
                .accept()
                .await
                .unwrap()
                .0
                .read_to_string(&mut heard)
                .await
                .unwrap();
            assert_eq!(heard, batch);
        }
    }

    #[tokio::test]
    async fn a_kept_connection_is_used_again_until_the_peer_closes_it() {
        let (listener, port) = listen().await;
        let target = target(port, 1, Duration::from_secs(20));
        target.send(b"one").await.unwrap();
        target.send(b"two").await.unwrap();
        let mut first = listener.accept().await.unwrap().0;
        let mut heard = [0; 6];
        first.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"onetwo");

        first.shutdown().await.unwrap();
        drop(first);
        // The news travels through the kernel.
        loop {
            let mut socket = lock(&target.idle).pop().unwrap();
            let closed = socket.has_news().await;
            lock(&target.idle).push(socket);
            if closed {
                break;
            }
            tokio::task::yield_now().await;
        }
        target.send(b"three").await.unwrap();
        let mut second = [0; 5];
        listener
            .accept()
            .await
            .unwrap()
            .0
            .read_exact(&mut second)
            .await
            .unwrap();
        assert_eq!(&second, b"three");
    }

    #[tokio::test]
    async fn a_peer_that_reads_nothing_is_given_up() {
        let (_listener, port) = listen().await;
        let target = target(port, 0, Duration::from_millis(50));
        let error = target.send(&vec![b'x'; 64 << 20]).await.unwrap_err();
        assert!(matches!(error, RemoteError::TimedOut), "{error}");
    }
}
