//! Opening connections: addresses, TCP, TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::dns::Resolver;
use crate::error::{SendError, SendErrorKind};
use crate::origin::{Origin, Protocol, Target};

/// How long an address has the field to itself before the next one is tried beside it (RFC 8305 §5).
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Probes on connections without traffic: finds peers that vanished without a word within a minute and a half.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(45);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 3;

/// An open connection, before HTTP.
pub(crate) struct Opened {
    pub(crate) stream: Stream,
    pub(crate) addr: SocketAddr,
    /// Whether to speak HTTP/2 on it.
    pub(crate) http2: bool,
}

pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Connects to one of the origin's addresses, and does the TLS handshake if it has one.
pub(crate) async fn open(origin: &Origin, resolver: &Resolver) -> Result<Opened, SendError> {
    let port = origin.config.port;
    let (stream, addr) = match &origin.target {
        Target::Address(address) => connect([*address].into_iter(), port).await,
        Target::Name(name) => {
            let addresses = resolver
                .resolve(name)
                .await
                .map_err(|error| SendError::new(SendErrorKind::Resolve).with_source(error))?;
            connect(addresses.iter(), port).await
        }
    }
    .map_err(|(error, addr)| SendError::new(SendErrorKind::Connect).with_source(error).at(addr))?;
    tune(&stream).map_err(|error| SendError::new(SendErrorKind::Connect).with_source(error).at(addr))?;

    let always_http2 = origin.config.protocol == Protocol::Http2;
    let Some((config, name)) = &origin.tls else {
        return Ok(Opened {
            stream: Stream::Plain(stream),
            addr,
            http2: always_http2,
        });
    };
    let stream = TlsConnector::from(config.clone())
        .connect(name.clone(), stream)
        .await
        .map_err(|error| SendError::new(SendErrorKind::Tls).with_source(error).at(addr))?;
    let http2 = always_http2 || stream.get_ref().1.alpn_protocol() == Some(b"h2");
    Ok(Opened {
        stream: Stream::Tls(Box::new(stream)),
        addr,
        http2,
    })
}

/// The first address that answers wins; a silent one delays the next by [`ATTEMPT_DELAY`] only.
async fn connect(
    addresses: impl Iterator<Item = IpAddr>,
    port: u16,
) -> Result<(TcpStream, SocketAddr), (io::Error, SocketAddr)> {
    let mut waiting = addresses.map(|address| attempt(SocketAddr::new(address, port)));
    let mut running = FuturesUnordered::new();
    let mut failed = None;
    loop {
        match waiting.next() {
            Some(next) => running.push(next),
            None if running.is_empty() => {
                return Err(failed.unwrap_or_else(|| {
                    (
                        io::ErrorKind::AddrNotAvailable.into(),
                        SocketAddr::new([0; 4].into(), port),
                    )
                }));
            }
            None => {}
        }
        let last = waiting.size_hint().1 == Some(0);
        tokio::select! {
            outcome = running.next() => match outcome {
                Some((Ok(stream), addr)) => return Ok((stream, addr)),
                Some((Err(error), addr)) => failed = Some((error, addr)),
                None => {}
            },
            () = tokio::time::sleep(ATTEMPT_DELAY), if !last => {}
        }
    }
}

async fn attempt(addr: SocketAddr) -> (io::Result<TcpStream>, SocketAddr) {
    (TcpStream::connect(addr).await, addr)
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_PROBES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::testing::Upstream;

    /// All of 127.0.0.0/8 is this machine; only 127.0.0.1 has a listener.
    fn dead(last: u8) -> IpAddr {
        Ipv4Addr::new(127, 0, 0, last).into()
    }

    #[tokio::test]
    async fn goes_on_to_the_next_address() {
        let upstream = Upstream::start().await;
        let addresses = [dead(2), dead(3), upstream.addr.ip(), dead(4)];
        let (_, addr) = connect(addresses.into_iter(), upstream.addr.port())
            .await
            .unwrap();
        assert_eq!(addr, upstream.addr);
    }

    #[tokio::test]
    async fn fails_when_all_addresses_do() {
        let port = Upstream::start().await.addr.port();
        let (error, addr) = connect([dead(2), dead(3)].into_iter(), port).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(addr.port(), port);
    }
}
