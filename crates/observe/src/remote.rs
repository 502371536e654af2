//! Other machines that take batches: how to reach them. What is sent is said by the loggers.

mod http;
mod tcp;
mod udp;

pub use self::http::{HttpAnswer, HttpTarget, HttpTargetConfig, HttpTargetError};
pub use self::tcp::{TcpTarget, TcpTargetConfig};
pub use self::udp::{MAX_DATAGRAM, UdpTarget};

/// Why bytes did not get through.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// No connection, or no answer.
    #[error("{}", with_cause(.0))]
    Unreachable(#[from] sluice_net::SendError),
    /// The name has no address.
    #[error(transparent)]
    Unresolved(#[from] sluice_net::DnsError),
    /// Connected, but the bytes did not get through.
    #[error("sending failed: {0}")]
    Broken(#[from] std::io::Error),
    /// The other side took the bytes too slowly.
    #[error("sending timed out")]
    TimedOut,
}

/// An operator who reads "connection failed" asks why.
fn with_cause(error: &sluice_net::SendError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
