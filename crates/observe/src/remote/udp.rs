//! Servers that take datagrams.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use sluice_net::Resolver;
use tokio::net::UdpSocket;

use super::RemoteError;

/// Most bytes of a datagram over IPv4.
pub const MAX_DATAGRAM: usize = 65_507;

/// An address that takes datagrams.
pub struct UdpTarget {
    host: String,
    port: u16,
    resolver: Resolver,
    timeout: Duration,
}

impl UdpTarget {
    /// The timeout is for sending what one call brings.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16, timeout: Duration, resolver: &Resolver) -> Self {
        Self {
            host: host.into(),
            port,
            resolver: resolver.clone(),
            timeout,
        }
    }

    /// Sends datagrams, none of them longer than [`MAX_DATAGRAM`]. Whether they arrive, nobody knows.
    ///
    /// # Errors
    /// When the name does not resolve, or this machine cannot send.
    pub async fn send<B: AsRef<[u8]>>(&self, datagrams: &[B]) -> Result<(), RemoteError> {
        tokio::time::timeout(self.timeout, self.send_all(datagrams))
            .await
            .map_err(|_| RemoteError::TimedOut)?
    }

    async fn send_all<B: AsRef<[u8]>>(&self, datagrams: &[B]) -> Result<(), RemoteError> {
        let addresses = self.resolver.resolve(&self.host).await?;
        // Nobody says when a datagram comes to nothing, so that there is no second try: IPv4 first, as APISIX has it.
        let mut addresses: Vec<IpAddr> = addresses.iter().collect();
        addresses.sort_by_key(IpAddr::is_ipv6);
        let address = addresses
            .first()
            .copied()
            .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let local: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((local, 0)).await?;
        let peer = SocketAddr::new(address, self.port);
        for datagram in datagrams {
            socket.send_to(datagram.as_ref(), peer).await?;
        }
        Ok(())
    }
}
