//! Certificates of clients.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
    client::danger::HandshakeSignatureValid,
};

use super::{TlsError, pem};

/// The authority whose certificates clients show.
pub struct ClientCa {
    inner: Arc<dyn ClientCertVerifier>,
    depth: usize,
    required: bool,
}

impl ClientCa {
    /// The authority with these certificates in PEM, at most `depth` intermediate ones away from those of clients.
    /// Unless it is `required`, handshakes succeed whatever a client shows, and [`accepts`](Self::accepts) tells.
    ///
    /// # Errors
    /// When the text has no usable certificate.
    pub fn new(ca: &str, depth: usize, required: bool) -> Result<Self, TlsError> {
        let mut roots = RootCertStore::empty();
        for certificate in pem::chain(ca.as_bytes())? {
            roots.add(certificate)?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self {
            inner: inner.map_err(|error| TlsError::Rejected(Error::General(error.to_string())))?,
            depth,
            required,
        })
    }

    /// Whether a client that has shown this chain holds, as of now.
    #[must_use]
    pub fn accepts(&self, chain: &[CertificateDer<'_>]) -> bool {
        match chain {
            [leaf, intermediates @ ..] => self.verify(leaf, intermediates, UnixTime::now()).is_ok(),
            [] => false,
        }
    }

    /// A path can only lead over intermediate certificates that are there, so those beyond the depth are left out.
    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let near = &intermediates[..intermediates.len().min(self.depth)];
        self.inner.verify_client_cert(leaf, near, now)
    }
}

impl ClientCertVerifier for ClientCa {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.required {
            true => self.verify(leaf, intermediates, now),
            false => Ok(ClientCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

impl fmt::Debug for ClientCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCa").finish_non_exhaustive()
    }
}
