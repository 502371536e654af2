//! Certificates of the listeners.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::ServerConfig;
use sluice_net::ServerTls;
use sluice_proxy::ListenerTls;

/// What a listener shows, if it speaks TLS.
pub(crate) fn server(cert: Option<&Path>, key: Option<&Path>) -> anyhow::Result<Option<Arc<ServerConfig>>> {
    let (Some(cert), Some(key)) = (cert, key) else {
        return Ok(None);
    };
    let made = sluice_net::server_config_from_files(cert, key);
    let made = made.with_context(|| format!("certificate {} with key {}", cert.display(), key.display()));
    made.map(Some)
}

/// What listeners of the proxy show: certificates of `ssls`, and where none is for the name that of the files. Without
/// files the handshake is refused.
pub(crate) fn listener(
    files: Option<Arc<ServerConfig>>,
    fallback_sni: Option<&str>,
) -> anyhow::Result<ListenerTls> {
    let otherwise = match files {
        Some(files) => files,
        None => ServerTls::default().config()?,
    };
    Ok(ListenerTls {
        otherwise,
        fallback_sni: fallback_sni.map(|name| name.to_ascii_lowercase().into()),
    })
}
