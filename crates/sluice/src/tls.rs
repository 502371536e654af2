//! Certificates of the listeners.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::ServerConfig;

/// What a listener shows, if it speaks TLS.
pub(crate) fn server(cert: Option<&Path>, key: Option<&Path>) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let (Some(cert), Some(key)) = (cert, key) else {
        return Ok(None);
    };
    let made = sluice_net::server_config_from_files(cert, key);
    let made = made.with_context(|| format!("certificate {} with key {}", cert.display(), key.display()));
    made.map(Some)
}
