//! Clients that speak TLS with settings of their own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use sluice_testkit::within;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::BOTH;
use super::authority::{Authority, Pair};

/// A client that trusts one authority.
#[derive(Clone)]
pub(super) struct Client {
    addr: SocketAddr,
    roots: Arc<RootCertStore>,
    versions: &'static [&'static SupportedProtocolVersion],
    pair: Option<Arc<Pair>>,
    rsa_only: bool,
}

/// A connection of a client.
pub(super) struct Connected(TlsStream<TcpStream>);

impl Client {
    pub(super) fn of(authority: &Authority, addr: SocketAddr) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der.clone()).unwrap();
        Self {
            addr,
            roots: Arc::new(roots),
            versions: BOTH,
            pair: None,
            rsa_only: false,
        }
    }

    pub(super) fn versions(self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        Self { versions, ..self }
    }

    /// One that shows this certificate.
    pub(super) fn showing(self, pair: Pair) -> Self {
        Self {
            pair: Some(Arc::new(pair)),
            ..self
        }
    }

    /// One that can check no other signatures.
    pub(super) fn rsa_only(self) -> Self {
        Self {
            rsa_only: true,
            ..self
        }
    }

    /// A connection that has served a byte in each direction: with TLS 1.3 only that shows that the server agrees.
    pub(super) async fn connect(&self, name: &str) -> io::Result<Connected> {
        let builder = ClientConfig::builder_with_protocol_versions(self.versions);
        let verifier = Verifier {
            inner: WebPkiServerVerifier::builder(self.roots.clone()).build().unwrap(),
            rsa_only: self.rsa_only,
        };
        let builder = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let config = match &self.pair {
            None => builder.with_no_client_auth(),
            Some(pair) => {
                let chain = CertificateDer::pem_slice_iter(pair.cert.as_bytes());
                let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
                builder
                    .with_client_auth_cert(chain.collect::<Result<_, _>>().unwrap(), key)
                    .unwrap()
            }
        };
        let stream = TcpStream::connect(self.addr).await.unwrap();
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let connecting = TlsConnector::from(Arc::new(config)).connect(name, stream);
        let mut connected = Connected(within("a TLS handshake", connecting).await?);
        connected.try_get("probe.test", "/probe").await?;
        Ok(connected)
    }

    /// The certificate that it is shown under this name.
    pub(super) async fn shown(&self, name: &str) -> CertificateDer<'static> {
        let connected = self
            .connect(name)
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        connected.0.get_ref().1.peer_certificates().unwrap()[0].clone()
    }

    pub(super) async fn refused(&self, name: &'static str, why: &'static str) {
        let connected = self.connect(name).await;
        assert!(connected.is_err(), "{name} is served: {why}");
    }
}

impl Connected {
    /// Status and body of an answer.
    pub(super) async fn get(&mut self, host: &str, path: &str) -> (u16, String) {
        self.try_get(host, path).await.unwrap()
    }

    async fn try_get(&mut self, host: &str, path: &str) -> io::Result<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
        self.0.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        // Both kinds of bodies of these answers end where the answer does: chunked, or with their length.
        loop {
            let mut bytes = [0; 4096];
            let read = within("an answer", self.0.read(&mut bytes)).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.extend_from_slice(&bytes[..read]);
            if let Some(answer) = whole(&String::from_utf8_lossy(&answer)) {
                return Ok(answer);
            }
        }
    }
}

/// Status and body, if the answer is there to its end.
fn whole(text: &str) -> Option<(u16, String)> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    match length {
        Some(length) => (body.len() >= length).then(|| (status, body.to_owned())),
        None => {
            let chunks = body.strip_suffix("0\r\n\r\n")?;
            let data = chunks.split_once("\r\n").map_or("", |(_, data)| data);
            Some((status, data.trim_end_matches("\r\n").to_owned()))
        }
    }
}

/// Checks certificates by name where the client has one.
#[derive(Debug)]
struct Verifier {
    inner: Arc<WebPkiServerVerifier>,
    rsa_only: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // All servers of the tests have this name; what they are asked for is another matter.
        let name = ServerName::try_from("upstream.test").unwrap();
        self.inner
            .verify_server_cert(leaf, intermediates, &name, ocsp, now)
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
        let mut schemes = self.inner.supported_verify_schemes();
        schemes.retain(|scheme| !self.rsa_only || *scheme == SignatureScheme::RSA_PSS_SHA256);
        schemes
    }
}
