//! TLS towards upstreams.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::{ALPN_H2, ALPN_HTTP1, TlsError, pem};
use crate::origin::Protocol;

/// How to speak TLS to an upstream.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientTls {
    /// Whether the upstream's certificate must hold for its name.
    pub verify: bool,
    /// What we show when the upstream asks who we are.
    pub certificate: Option<ClientCertificate>,
}

impl Default for ClientTls {
    fn default() -> Self {
        Self {
            verify: true,
            certificate: None,
        }
    }
}

/// A certificate chain and its private key, in PEM.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// The chain, leaf first.
    pub chain: Arc<str>,
    /// The key.
    pub key: Arc<str>,
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificate").finish_non_exhaustive()
    }
}

/// Makes client configurations and shares equal ones.
///
/// Equal settings share one configuration, and with it parsed roots and session tickets. The system's roots are read
/// when the first verifying configuration is made.
pub struct TlsClients {
    provider: Arc<CryptoProvider>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    roots: Option<Arc<RootCertStore>>,
    /// By settings, and what ALPN offers.
    known: HashMap<(ClientTls, Protocol), Weak<ClientConfig>>,
}

impl TlsClients {
    /// Trusts the system's roots.
    #[must_use]
    pub fn new() -> Self {
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            state: Mutex::default(),
        }
    }

    /// Trusts `roots` instead of the system's.
    #[must_use]
    pub fn with_roots(roots: RootCertStore) -> Self {
        let state = State {
            roots: Some(Arc::new(roots)),
            known: HashMap::new(),
        };
        Self {
            state: Mutex::new(state),
            ..Self::new()
        }
    }

    /// The configuration for `settings`, in which ALPN offers what `protocol` speaks.
    ///
    /// # Errors
    /// When the client certificate is bad, or the system has no roots to verify with.
    pub(crate) fn config(
        &self,
        settings: &ClientTls,
        protocol: Protocol,
    ) -> Result<Arc<ClientConfig>, TlsError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (settings.clone(), protocol);
        if let Some(known) = state.known.get(&key).and_then(Weak::upgrade) {
            return Ok(known);
        }
        let config = Arc::new(self.build(settings, protocol, &mut state)?);
        state.known.retain(|_, config| config.strong_count() > 0);
        state.known.insert(key, Arc::downgrade(&config));
        Ok(config)
    }

    fn build(
        &self,
        settings: &ClientTls,
        protocol: Protocol,
        state: &mut State,
    ) -> Result<ClientConfig, TlsError> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()?;
        let builder = if settings.verify {
            builder.with_root_certificates(state.roots()?)
        } else {
            let algorithms = self.provider.signature_verification_algorithms;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyCertificate { algorithms }))
        };
        let mut config = match &settings.certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => builder.with_client_auth_cert(
                pem::chain(certificate.chain.as_bytes())?,
                pem::key(certificate.key.as_bytes())?,
            )?,
        };
        let offered: &[&[u8]] = match protocol {
            Protocol::Http1 => &[ALPN_HTTP1],
            Protocol::Negotiated | Protocol::Http2 => &[ALPN_H2, ALPN_HTTP1],
            Protocol::Other => &[],
        };
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        Ok(config)
    }
}

impl Default for TlsClients {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn roots(&mut self) -> Result<Arc<RootCertStore>, TlsError> {
        if let Some(roots) = &self.roots {
            return Ok(roots.clone());
        }
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            let causes: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
            return Err(TlsError::NoRoots(causes.join("; ")));
        }
        let roots = Arc::new(roots);
        self.roots = Some(roots.clone());
        Ok(roots)
    }
}

/// Accepts whatever certificate comes, as `ssl_verify: false` asks; the peer must still own its key.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
