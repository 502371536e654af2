//! Certificates and keys out of PEM text.

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;

/// All certificates of a text, the leaf first.
pub(super) fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text)
        .collect::<Result<_, _>>()
        .map_err(malformed)?;
    if chain.is_empty() {
        Err(TlsError::NoCertificate)
    } else {
        Ok(chain)
    }
}

/// The first private key of a text: PKCS#8, PKCS#1 or SEC1.
pub(super) fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey,
        other => malformed(other),
    })
}

/// Says what kind of flaw it is. The parser's own texts quote the input, which may be a key.
fn malformed(error: pem::Error) -> TlsError {
    TlsError::Pem(
        match error {
            pem::Error::MissingSectionEnd { .. } => "a section has no end line",
            pem::Error::IllegalSectionStart { .. } => "a section's start line is malformed",
            pem::Error::Base64Decode(_) => "a section is not base64",
            _ => "it cannot be read",
        }
        .to_owned(),
    )
}
