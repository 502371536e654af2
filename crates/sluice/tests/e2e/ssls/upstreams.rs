//! What the gateway shows to upstreams, and whether it looks at what they show.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};
use sluice_testkit::{Gateway, eventually};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::authority::{Authority, Pair};
use crate::support::{binary, put};

/// An upstream that lets in whom its authority vouches for, and answers with the certificate it was shown, as hex.
async fn start(server: &Pair, clients: &Authority) -> SocketAddr {
    listen(server, clients, true).await.0
}

/// The same, but who shows nothing is not let in. Counts the connections that were.
async fn start_strict(server: &Pair, clients: &Authority) -> (SocketAddr, Arc<AtomicUsize>) {
    listen(server, clients, false).await
}

async fn listen(
    server: &Pair,
    clients: &Authority,
    admits_strangers: bool,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let mut roots = RootCertStore::empty();
    roots.add(clients.der.clone()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
    let verifier = match admits_strangers {
        true => verifier.allow_unauthenticated(),
        false => verifier,
    };
    let verifier = verifier.build().unwrap();
    let chain = CertificateDer::pem_slice_iter(server.cert.as_bytes()).collect::<Result<_, _>>();
    let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
    let config = ServerConfig::builder()
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.unwrap(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let admitted = Arc::new(AtomicUsize::new(0));
    let counter = admitted.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(serve(acceptor.clone(), stream, counter.clone()));
        }
    });
    (addr, admitted)
}

async fn serve(acceptor: TlsAcceptor, stream: TcpStream, admitted: Arc<AtomicUsize>) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    admitted.fetch_add(1, Ordering::SeqCst);
    let shown = stream.get_ref().1.peer_certificates().map(|chain| hex(&chain[0]));
    let body = shown.unwrap_or_else(|| "nothing".to_owned());
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).await? > 0 {
        stream.write_all(answer.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn upstream(addr: SocketAddr, tls: Value) -> Value {
    json!({"type": "roundrobin", "scheme": "https", "nodes": {addr.to_string(): 1}, "tls": tls})
}

async fn put_to(gateway: &Gateway, addr: SocketAddr, tls: Value) {
    put(gateway, "/upstreams/u", upstream(addr, tls)).await;
}

/// The certificate that the upstream was shown.
async fn shown(gateway: &Gateway) -> String {
    let answer = gateway.client().get("/").send().await;
    answer.expect_status(200).await.text().await
}

async fn status(gateway: &Gateway) -> u16 {
    gateway.client().get("/").send().await.status.as_u16()
}

#[tokio::test]
async fn upstreams_see_the_certificate_that_is_configured() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let addr = start(&servers.server(), &clients).await;
    let gateway = crate::support::gateway().await;
    put_to(&gateway, addr, json!({})).await;
    put(&gateway, "/routes/1", json!({"uri": "/*", "upstream_id": "u"})).await;
    assert_eq!(shown(&gateway).await, "nothing");

    // Inline; connections that showed another one are not used.
    let (first, second) = (clients.client(), clients.client());
    for pair in [&first, &second] {
        put_to(
            &gateway,
            addr,
            json!({"client_cert": pair.cert, "client_key": pair.key}),
        )
        .await;
        assert_eq!(shown(&gateway).await, hex(&pair.der));
    }
    let unknown = strangers.client();
    put_to(
        &gateway,
        addr,
        json!({"client_cert": unknown.cert, "client_key": unknown.key}),
    )
    .await;
    assert_eq!(status(&gateway).await, 502);

    // By id, and as the resource changes.
    for pair in [&first, &second] {
        let resource = json!({"type": "client", "cert": pair.cert, "key": pair.key});
        put(&gateway, "/ssls/c", resource).await;
        put_to(&gateway, addr, json!({"client_cert_id": "c"})).await;
        assert_eq!(shown(&gateway).await, hex(&pair.der));
    }
    put(
        &gateway,
        "/ssls/c",
        json!({"type": "client", "cert": first.cert, "key": first.key}),
    )
    .await;
    assert_eq!(shown(&gateway).await, hex(&first.der));
    gateway.admin().delete("/ssls/c").await.expect_status(200);
    assert_eq!(status(&gateway).await, 502, "the certificate is gone");
}

#[tokio::test]
async fn a_key_of_the_environment_and_an_inline_upstream() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let addr = start(&servers.server(), &clients).await;
    let pair = clients.client();
    let gateway = Gateway::builder(binary())
        .env("UPSTREAM_KEY", &*pair.key)
        .start()
        .await;
    let tls = json!({"client_cert": pair.cert, "client_key": "$env://UPSTREAM_KEY"});
    put(
        &gateway,
        "/routes/1",
        json!({"uri": "/*", "upstream": upstream(addr, tls)}),
    )
    .await;
    assert_eq!(shown(&gateway).await, hex(&pair.der));
}

#[tokio::test]
async fn whoever_asks_for_it_has_the_upstream_verified() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let addr = start(&servers.server(), &clients).await;
    let gateway = Gateway::builder(binary())
        .file("roots.pem", &*servers.cert)
        .env("SSL_CERT_FILE", "roots.pem")
        .start()
        .await;
    put_to(&gateway, addr, json!({"verify": true})).await;
    put(&gateway, "/routes/1", json!({"uri": "/*", "upstream_id": "u"})).await;
    assert_eq!(shown(&gateway).await, "nothing");

    let stranger = start(&Authority::new().server(), &clients).await;
    put_to(&gateway, stranger, json!({"verify": true})).await;
    assert_eq!(status(&gateway).await, 502);
    put_to(&gateway, stranger, json!({})).await;
    eventually("APISIX's way: not verified", async || {
        (shown(&gateway).await == "nothing").then_some(())
    })
    .await;
}

#[tokio::test]
async fn probes_show_the_certificate_of_their_upstream() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let (addr, admitted) = start_strict(&servers.server(), &clients).await;
    let gateway = crate::support::gateway().await;
    let client = clients.client();
    let with = |tls: Value| {
        let mut upstream = upstream(addr, tls);
        upstream["checks"] = json!({ "active": {
            "type": "https", "http_path": "/", "https_verify_certificate": false, "timeout": 10,
            "healthy": { "interval": 1, "successes": 1 }, "unhealthy": { "interval": 1, "tcp_failures": 1, "http_failures": 1 },
        } });
        upstream
    };
    let probed = async || {
        let before = admitted.load(Ordering::SeqCst);
        eventually("probes to be let in", async || {
            (admitted.load(Ordering::SeqCst) > before + 1).then_some(())
        })
        .await;
        let report = gateway.control().get("/v1/healthcheck").send().await.json().await;
        assert_eq!(report[0]["nodes"][0]["status"], "healthy", "{report}");
    };
    let tls = json!({ "client_cert": client.cert, "client_key": client.key });
    put(&gateway, "/upstreams/u", with(tls)).await;
    put(&gateway, "/routes/1", json!({ "uri": "/*", "upstream_id": "u" })).await;
    assert_eq!(shown(&gateway).await, hex(&client.der));
    probed().await;

    put(&gateway, "/upstreams/u", with(json!({}))).await;
    assert_eq!(status(&gateway).await, 502);
    eventually("the node to be down", async || {
        let report = gateway.control().get("/v1/healthcheck").send().await.json().await;
        (report[0]["nodes"][0]["status"] == "unhealthy").then_some(())
    })
    .await;

    put(
        &gateway,
        "/ssls/c",
        json!({ "type": "client", "cert": client.cert, "key": client.key }),
    )
    .await;
    put(&gateway, "/upstreams/u", with(json!({ "client_cert_id": "c" }))).await;
    assert_eq!(shown(&gateway).await, hex(&client.der));
    probed().await;
}
