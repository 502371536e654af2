//! The beginning of a TLS connection: the name that the client asks for decides what it is shown.

use std::io;

use rustls::server::Acceptor;
use sluice_core::{SnapshotCell, TlsPeer};
use sluice_record::Text;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::options::ListenerTls;

/// Does the handshake with the certificates that are in force when it begins.
pub(crate) async fn accept(
    listener: &ListenerTls,
    snapshots: &SnapshotCell,
    stream: TcpStream,
) -> io::Result<(TlsStream<TcpStream>, TlsPeer)> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let asked = start.client_hello().server_name().map(str::to_ascii_lowercase);
    let server_name = asked.map(Text::from).or_else(|| listener.fallback_sni.clone());
    let snapshot = snapshots.load();
    let certificate = server_name
        .as_deref()
        .and_then(|name| snapshot.certificates.find(name))
        .cloned();
    drop(snapshot);
    let config = match &certificate {
        Some(certificate) => certificate.config.clone(),
        None => {
            tracing::debug!(?server_name, "no certificate for this name");
            listener.otherwise.clone()
        }
    };
    let stream = start.into_stream(config).await?;
    let shown = stream.get_ref().1.peer_certificates();
    let verified = certificate.is_some_and(|certificate| certificate.verifies(shown));
    Ok((
        stream,
        TlsPeer {
            server_name,
            verified,
        },
    ))
}
