//! TLS upstreams.

use std::sync::Arc;

use http::Response;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::CertificateDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::{Answer, SendError, SendErrorKind, Timeouts};
use crate::origin::{OriginConfig, Origins, Protocol, Scheme};
use crate::testing::{get, pool, text};
use crate::tls::{ClientCertificate, ClientTls, TlsClients, server_config};
use crate::{Body, BodyError};

struct Certificate {
    chain: String,
    key: String,
    der: CertificateDer<'static>,
}

fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    Certificate {
        chain: made.cert.pem(),
        key: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
}

fn roots(of: &Certificate) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add(of.der.clone()).unwrap();
    roots
}

/// Answers with the version of HTTP that it was asked in.
async fn serve(config: Arc<ServerConfig>) -> OriginConfig {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(config);
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else {
                    return;
                };
                let service = service_fn(async |request: http::Request<_>| {
                    let version = format!("{:?}", request.version());
                    Ok::<_, BodyError>(Response::new(Body::from(version)))
                });
                let _ = auto::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    });
    let mut config = OriginConfig::new(Scheme::Https, "127.0.0.1", port);
    config.sni = Some("localhost".into());
    config
}

async fn call(clients: TlsClients, config: OriginConfig) -> Result<Answer, SendError> {
    let origin = Origins::new(clients).get(config).unwrap();
    pool().send(&origin, get("/"), Timeouts::default()).await
}

#[tokio::test]
async fn the_certificate_must_hold_unless_told_otherwise() {
    let own = certificate();
    let config = serve(server_config(own.chain.as_bytes(), own.key.as_bytes()).unwrap()).await;

    let answer = call(TlsClients::with_roots(roots(&own)), config.clone())
        .await
        .unwrap();
    assert_eq!(text(answer).await, "HTTP/1.1");

    let stranger = roots(&certificate());
    let error = call(TlsClients::with_roots(stranger), config.clone())
        .await
        .unwrap_err();
    assert_eq!(error.kind, SendErrorKind::Tls);
    assert!(!error.request_may_have_been_sent);

    let mut unverified = config.clone();
    unverified.tls.verify = false;
    let answer = call(TlsClients::with_roots(RootCertStore::empty()), unverified)
        .await
        .unwrap();
    assert_eq!(answer.response.status(), 200);

    let mut without_sni = config;
    without_sni.sni = None;
    let error = call(TlsClients::with_roots(roots(&own)), without_sni)
        .await
        .unwrap_err();
    assert_eq!(
        error.kind,
        SendErrorKind::Tls,
        "the address is not in the certificate"
    );
}

#[tokio::test]
async fn http2_is_spoken_where_both_sides_want_it() {
    let own = certificate();
    let mut config = serve(server_config(own.chain.as_bytes(), own.key.as_bytes()).unwrap()).await;
    config.protocol = Protocol::Negotiated;
    let answer = call(TlsClients::with_roots(roots(&own)), config).await.unwrap();
    assert_eq!(text(answer).await, "HTTP/2.0");

    let mut old_server = (*server_config(own.chain.as_bytes(), own.key.as_bytes()).unwrap()).clone();
    old_server.alpn_protocols = vec![b"http/1.1".to_vec()];
    let mut config = serve(Arc::new(old_server)).await;
    config.protocol = Protocol::Negotiated;
    let answer = call(TlsClients::with_roots(roots(&own)), config).await.unwrap();
    assert_eq!(text(answer).await, "HTTP/1.1");
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_asked_for() {
    let (own, client) = (certificate(), certificate());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
        Arc::new(roots(&client)),
        provider.clone(),
    )
    .build()
    .unwrap();
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier)
        .with_single_cert(
            vec![own.der.clone()],
            rustls::pki_types::pem::PemObject::from_pem_slice(own.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let mut config = serve(Arc::new(server)).await;
    assert!(
        call(TlsClients::with_roots(roots(&own)), config.clone())
            .await
            .is_err()
    );

    config.tls = ClientTls {
        verify: true,
        certificate: Some(ClientCertificate {
            chain: client.chain.into(),
            key: client.key.into(),
        }),
    };
    let answer = call(TlsClients::with_roots(roots(&own)), config).await.unwrap();
    assert_eq!(answer.response.status(), 200);
}
