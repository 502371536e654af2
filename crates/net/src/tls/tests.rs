//! Configurations out of good and bad PEM.

use super::*;
use crate::origin::Protocol;

fn pair() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[test]
fn a_listener_offers_both_versions() {
    let (chain, key) = pair();
    let config = server_config(chain.as_bytes(), key.as_bytes()).unwrap();
    assert_eq!(config.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
}

#[test]
fn bad_files_are_told_apart() {
    let (chain, key) = pair();
    let (_, other_key) = pair();
    let error = |chain: &str, key: &str| server_config(chain.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(matches!(error("", &key), TlsError::NoCertificate));
    assert!(matches!(error(&key, &key), TlsError::NoCertificate));
    assert!(matches!(error(&chain, ""), TlsError::NoKey));
    assert!(matches!(error(&chain, &chain), TlsError::NoKey));
    assert!(matches!(error(&chain, &other_key), TlsError::KeyMismatch));
    let broken = chain.replace("-----END", "-----AND");
    assert!(matches!(error(&broken, &key), TlsError::Pem(_)));
}

#[test]
fn a_broken_key_is_not_quoted() {
    let (chain, key) = pair();
    let canary = "c2VjcmV0LWNhbmFyeQ";
    let broken = key.replacen('\n', &format!("\n{canary}!!\n"), 1);
    let error = server_config(chain.as_bytes(), broken.as_bytes()).unwrap_err();
    assert!(!format!("{error} {error:?}").contains(canary), "{error:?}");
}

#[test]
fn a_missing_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.pem");
    let error = server_config_from_files(&path, &path).unwrap_err();
    assert!(error.to_string().contains("none.pem"), "{error}");

    let (chain, key) = pair();
    let (chain_path, key_path) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    std::fs::write(&chain_path, chain).unwrap();
    std::fs::write(&key_path, key).unwrap();
    server_config_from_files(&chain_path, &key_path).unwrap();
}

#[test]
fn equal_client_settings_share_a_configuration() {
    let clients = TlsClients::with_roots(rustls::RootCertStore::empty());
    let settings = ClientTls {
        verify: false,
        certificate: None,
    };
    let first = clients.config(&settings, Protocol::Negotiated).unwrap();
    assert!(std::sync::Arc::ptr_eq(
        &first,
        &clients.config(&settings, Protocol::Negotiated).unwrap()
    ));
    assert!(!std::sync::Arc::ptr_eq(
        &first,
        &clients.config(&settings, Protocol::Http1).unwrap()
    ));
}

#[test]
fn a_client_key_does_not_show() {
    let (chain, key) = pair();
    let certificate = ClientCertificate {
        chain: chain.into(),
        key: key.into(),
    };
    assert_eq!(format!("{certificate:?}"), "ClientCertificate { .. }");
}
