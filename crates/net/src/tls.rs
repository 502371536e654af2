//! rustls configurations, with aws-lc-rs as the explicit crypto provider: nothing is installed process-wide.

mod client;
mod client_ca;
mod pem;
mod server;

use std::path::PathBuf;

pub use self::client::{ClientCertificate, ClientTls, TlsClients};
pub use self::client_ca::ClientCa;
pub use self::server::{ServerTls, TlsVersion, server_config, server_config_from_files};

/// Protocols offered by ALPN, best first.
const ALPN_H2: &[u8] = b"h2";
const ALPN_HTTP1: &[u8] = b"http/1.1";

/// Why a TLS configuration could not be made. Never shows key material.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The text is not PEM.
    #[error("certificate or key is not valid PEM: {0}")]
    Pem(String),
    /// The PEM text has no certificate in it.
    #[error("no certificate found in the PEM text")]
    NoCertificate,
    /// The PEM text has no private key in it.
    #[error("no private key found in the PEM text")]
    NoKey,
    /// The key is not the one that the certificate was made for.
    #[error("private key does not match the certificate")]
    KeyMismatch,
    /// rustls does not accept the certificate or the key.
    #[error("certificate or key is not usable: {0}")]
    Rejected(rustls::Error),
    /// The system has no usable root certificates.
    #[error("no root certificates found: {0}")]
    NoRoots(String),
    /// Neither a host name nor an address.
    #[error("`{0}` is not a valid TLS server name")]
    ServerName(String),
}

impl From<rustls::Error> for TlsError {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::InconsistentKeys(_) => Self::KeyMismatch,
            other => Self::Rejected(other),
        }
    }
}

#[cfg(test)]
mod tests;
