//! TLS of our listeners.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, NoClientAuth, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::{ALPN_H2, ALPN_HTTP1, ClientCa, TlsError, pem};

/// A version of TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsVersion {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

/// What a listener shows to clients and asks of them.
#[derive(Clone, Copy, Default)]
pub struct ServerTls<'a> {
    /// Certificate chains with their keys, in PEM. Of several, a client gets the first whose key it can check.
    pub pairs: &'a [(&'a str, &'a str)],
    /// Versions to speak; all when empty.
    pub versions: &'a [TlsVersion],
    /// Whose certificates clients are asked for.
    pub clients: Option<&'a Arc<ClientCa>>,
}

impl ServerTls<'_> {
    /// The configuration, offering HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// When a text is not PEM, lacks what it should hold, or a certificate and its key do not belong together.
    pub fn config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let keys = self
            .pairs
            .iter()
            .map(|(chain, key)| certified(chain.as_bytes(), key.as_bytes(), &provider))
            .collect::<Result<_, _>>()?;
        let clients: Arc<dyn ClientCertVerifier> = match self.clients {
            Some(ca) => ca.clone(),
            None => Arc::new(NoClientAuth),
        };
        build(provider, &self.versions(), clients, keys)
    }

    fn versions(&self) -> Vec<&'static SupportedProtocolVersion> {
        let wanted = |version| self.versions.is_empty() || self.versions.contains(&version);
        let known = [(TlsVersion::Tls13, &TLS13), (TlsVersion::Tls12, &TLS12)];
        let wanted = known.into_iter().filter(|(version, _)| wanted(*version));
        wanted.map(|(_, version)| version).collect()
    }
}

/// A listener's configuration from a certificate chain and its key in PEM, offering HTTP/2 and HTTP/1.1.
///
/// # Errors
/// When a text is not PEM, lacks what it should hold, or the two do not belong together.
pub fn server_config(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = certified(chain, key, &provider)?;
    build(provider, &[&TLS13, &TLS12], Arc::new(NoClientAuth), vec![key])
}

/// [`server_config`] from files.
///
/// # Errors
/// As [`server_config`], and when a file cannot be read.
pub fn server_config_from_files(chain: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    server_config(&read(chain)?, &read(key)?)
}

fn build(
    provider: Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    clients: Arc<dyn ClientCertVerifier>,
    keys: Vec<Arc<CertifiedKey>>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(FirstUsable(keys)));
    config.alpn_protocols = vec![ALPN_H2.to_vec(), ALPN_HTTP1.to_vec()];
    Ok(Arc::new(config))
}

fn certified(chain: &[u8], key: &[u8], provider: &CryptoProvider) -> Result<Arc<CertifiedKey>, TlsError> {
    let key = CertifiedKey::from_der(pem::chain(chain)?, pem::key(key)?, provider)?;
    Ok(Arc::new(key))
}

/// Shows the first certificate whose kind of key the client knows, for instance an elliptic curve before RSA. Without
/// any, the handshake is refused.
#[derive(Debug)]
struct FirstUsable(Vec<Arc<CertifiedKey>>);

impl ResolvesServerCert for FirstUsable {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let mut usable = self
            .0
            .iter()
            .filter(|key| key.key.choose_scheme(schemes).is_some());
        usable.next().or(self.0.first()).cloned()
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}
