//! Certificates and private keys: they are parsed when they are written, since nothing can be served with those that
//! cannot be (compat §1.7).

use rustls::Error;
use rustls::InconsistentKeys::KeyMismatch;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use rustls::sign::CertifiedKey;
use serde_json::Value;

use super::{CheckError, Result};
use crate::secret_ref::is_secret_reference;

/// How PEM begins. APISIX takes a key that begins otherwise for one in its own ciphertext.
const PEM: &str = "---";

/// Checks an `ssls` resource whose schema holds.
pub(super) fn check_ssl(ssl: &Value) -> Result {
    let text = |member: &str| ssl.get(member).and_then(Value::as_str);
    if let (Some(cert), Some(key)) = (text("cert"), text("key")) {
        check_pair(cert, Some(key)).map_err(CheckError::refused)?;
    }
    if text("type") == Some("client") {
        return Ok(());
    }
    let list = |member: &str| {
        ssl.get(member)
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice)
    };
    let (certs, keys) = (list("certs"), list("keys"));
    if certs.len() != keys.len() {
        return Err(CheckError::refused("mismatched number of certs and keys"));
    }
    for (index, (cert, key)) in certs.iter().zip(keys).enumerate() {
        let (cert, key) = (
            cert.as_str().unwrap_or_default(),
            key.as_str().unwrap_or_default(),
        );
        check_pair(cert, Some(key)).map_err(|fault| {
            CheckError::refused(format!("failed to handle cert-key pair[{}]: {fault}", index + 1))
        })?;
    }
    match ssl.pointer("/client/ca").and_then(Value::as_str) {
        Some(ca) => check_pair(ca, None)
            .map_err(|fault| CheckError::refused(format!("failed to validate client_cert: {fault}"))),
        None => Ok(()),
    }
}

/// Checks the client certificate of an upstream, if it has one of its own.
pub(super) fn check_client(upstream: &Value) -> Result {
    let text = |pointer: &str| upstream.pointer(pointer).and_then(Value::as_str);
    match text("/tls/client_cert") {
        Some(cert) => check_pair(cert, text("/tls/client_key")).map_err(CheckError::refused),
        None => Ok(()),
    }
}

/// A certificate chain, and the key of its first certificate. What is kept elsewhere cannot be looked at.
fn check_pair(cert: &str, key: Option<&str>) -> std::result::Result<(), String> {
    let chain = if is_secret_reference(cert) {
        None
    } else {
        Some(parsed_chain(cert).map_err(|fault| format!("failed to parse cert: {fault}"))?)
    };
    let Some(key) = key.filter(|key| !is_secret_reference(key)) else {
        return Ok(());
    };
    if !key.starts_with(PEM) {
        return Err("failed to decrypt previous encrypted key".to_owned());
    }
    // What OpenSSL says of texts without a key in them.
    let unreadable = |_| "failed to parse key: PEM_read_bio_PrivateKey() failed".to_owned();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable)?;
    let key = any_supported_type(&key).map_err(|fault| format!("failed to parse key: {fault}"))?;
    let Some(chain) = chain else { return Ok(()) };
    match CertifiedKey::new(chain, key).keys_match() {
        Err(Error::InconsistentKeys(KeyMismatch)) => Err("cert and key do not match".to_owned()),
        _ => Ok(()),
    }
}

fn parsed_chain(pem: &str) -> std::result::Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = || "PEM_read_bio_X509_AUX() failed".to_owned();
    let chain: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let chain = chain.map_err(|_| unreadable())?;
    if chain.is_empty() {
        return Err(unreadable());
    }
    for certificate in &chain {
        ParsedCertificate::try_from(certificate).map_err(|fault| fault.to_string())?;
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pair() -> (String, String) {
        let own = rcgen::generate_simple_self_signed(vec!["a.b".to_owned()]).unwrap();
        (own.cert.pem(), own.signing_key.serialize_pem())
    }

    #[track_caller]
    fn fault(ssl: Value) -> String {
        check_ssl(&ssl).unwrap_err().message
    }

    #[test]
    fn pairs_that_fit_hold() {
        let ((cert, key), (other_cert, other_key)) = (pair(), pair());
        let ssl = json!({
            "cert": cert, "key": key, "certs": [other_cert], "keys": [other_key], "client": { "ca": cert },
        });
        assert_eq!(check_ssl(&ssl), Ok(()));
        let chain = format!("{cert}{other_cert}");
        assert_eq!(check_ssl(&json!({ "cert": chain, "key": key })), Ok(()));
        assert_eq!(
            check_ssl(&json!({ "type": "client", "cert": cert, "key": key })),
            Ok(())
        );
        let upstream = json!({ "tls": { "client_cert": cert, "client_key": key } });
        assert_eq!(check_client(&upstream), Ok(()));
        assert_eq!(check_client(&json!({ "tls": { "client_cert_id": "1" } })), Ok(()));
    }

    #[test]
    fn faults_name_their_part() {
        let ((cert, key), (_, other_key)) = (pair(), pair());
        let no_cert = "failed to parse cert: PEM_read_bio_X509_AUX() failed";
        let no_key = "failed to parse key: PEM_read_bio_PrivateKey() failed";
        let mismatch = "cert and key do not match";
        let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
        assert_eq!(fault(json!({ "cert": "x", "key": key })), no_cert);
        assert_eq!(fault(json!({ "cert": key, "key": key })), no_cert);
        assert!(fault(json!({ "cert": empty, "key": key })).starts_with("failed to parse cert: "));
        assert_eq!(fault(json!({ "cert": cert, "key": cert })), no_key);
        assert_eq!(fault(json!({ "cert": cert, "key": other_key })), mismatch);
        assert_eq!(
            fault(json!({ "cert": cert, "key": "ciphertext" })),
            "failed to decrypt previous encrypted key"
        );
        let pairs = json!({ "cert": cert, "key": key, "certs": [cert, cert], "keys": [key, other_key] });
        assert_eq!(
            fault(pairs),
            format!("failed to handle cert-key pair[2]: {mismatch}")
        );
        assert_eq!(
            fault(json!({ "cert": cert, "key": key, "certs": [cert] })),
            "mismatched number of certs and keys"
        );
        assert_eq!(
            fault(json!({ "cert": cert, "key": key, "client": { "ca": "x" } })),
            format!("failed to validate client_cert: {no_cert}")
        );
        let upstream = json!({ "tls": { "client_cert": cert, "client_key": other_key } });
        assert_eq!(check_client(&upstream).unwrap_err().message, mismatch);
    }

    #[test]
    fn what_is_kept_elsewhere_is_not_looked_at() {
        let (cert, _) = pair();
        let elsewhere = "$secret://vault/1/tls/key";
        assert_eq!(check_ssl(&json!({ "cert": elsewhere, "key": elsewhere })), Ok(()));
        assert_eq!(check_ssl(&json!({ "cert": cert, "key": elsewhere })), Ok(()));
    }
}
