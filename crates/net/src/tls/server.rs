//! TLS of our listeners.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;

use super::{ALPN_H2, ALPN_HTTP1, TlsError, pem};

/// A listener's configuration from a certificate chain and its key in PEM, offering HTTP/2 and HTTP/1.1.
///
/// # Errors
/// When a text is not PEM, lacks what it should hold, or the two do not belong together.
pub fn server_config(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(pem::chain(chain)?, pem::key(key)?)?;
    config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok(Arc::new(config))
}

/// [`server_config`] from files.
///
/// # Errors
/// As [`server_config`], and when a file cannot be read.
pub fn server_config_from_files(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    server_config(&read(chain)?, &read(key)?)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}
