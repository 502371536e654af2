//! Everything on one address.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sluice_testkit::{Answer, Client, FakeProvider, Gateway, GatewayBuilder, within};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{binary, chat, chat_stream, put};

const CHAT: &str = "/v1/chat/completions";
const PASSWORD: &str = "correct horse battery";

fn one_port() -> GatewayBuilder {
    Gateway::builder(binary())
        .one_port()
        .env("SLUICE_ADMIN_PASSWORD", PASSWORD)
}

fn api(gateway: &Gateway) -> Client {
    let bearer = format!("Bearer {}", gateway.admin_key());
    gateway.client().with_header("authorization", &bearer)
}

async fn status(answer: Answer) -> u16 {
    let status = answer.status.as_u16();
    answer.bytes().await;
    status
}

/// A client of this upstream: its id and its key.
async fn client(gateway: &Gateway, upstream: &FakeProvider) -> (String, String) {
    let body = json!({
        "name": "Ann",
        "provider": { "type": "openai", "base_url": upstream.url("/v1"), "api_key": "sk-upstream" },
        "limits": {},
    });
    let made = api(gateway).post("/api/v1/clients").json(&body).send().await;
    let made: Value = made.expect_status(201).await.json().await;
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&made["client"]["id"]), text(&made["key"]["key"]))
}

#[tokio::test]
async fn everything_is_on_one_address() {
    let (gateway, upstream) = (one_port().start().await, FakeProvider::start());
    assert_eq!(gateway.proxy_addr(), gateway.admin_addr());
    let (id, key) = client(&gateway, &upstream).await;
    // The data plane, plain and in a stream.
    let caller = gateway
        .client()
        .with_header("authorization", &format!("Bearer {key}"));
    caller
        .post(CHAT)
        .json(&chat("conf:hello"))
        .send()
        .await
        .expect_status(200)
        .await
        .bytes()
        .await;
    let stream = caller.post(CHAT).json(&chat_stream("conf:hello")).send().await;
    stream.expect_status(200).await.events().finish().await;
    // The control side, each part with its own rules.
    let plain = gateway.client();
    for (path, expected) in [
        ("/admin/", 200),
        ("/admin/clients", 200),
        ("/status", 200),
        ("/status/ready", 200),
        ("/health", 200),
        ("/health/live", 200),
        ("/health/ready", 200),
        ("/metrics", 200),
        ("/apisix/prometheus/metrics", 200),
        ("/apisix/admin/routes", 401),
        ("/api/v1/clients", 401),
        ("/api/v1/nothing", 404),
        ("/v1/models", 401),
        ("/administer", 404),
    ] {
        assert_eq!(status(plain.get(path).send().await).await, expected, "{path}");
    }
    assert_eq!(gateway.admin().get("/routes").await.status, 200);
    let home = plain.get("/").send().await.expect_status(302).await;
    assert_eq!(home.header("location"), Some("/admin/"));
    // What an operator does as a client, and long answers.
    let playground = api(&gateway).post(&format!("/api/v1/playground/{id}{CHAT}"));
    let stream = playground.json(&chat_stream("conf:hello")).send().await;
    let finished = stream.expect_status(200).await.events().finish().await;
    assert!(!finished.events.is_empty());
    sluice_testkit::eventually("three records", async || {
        let log: Value = api(&gateway)
            .get(&format!("/api/v1/requests?client={id}"))
            .send()
            .await
            .json()
            .await;
        (log["items"].as_array()?.len() == 3).then_some(())
    })
    .await;
    let csv = api(&gateway)
        .get(&format!("/api/v1/requests.csv?client={id}"))
        .send()
        .await;
    let csv = csv.expect_status(200).await.text().await;
    assert_eq!(csv.lines().count(), 4, "{csv}");
    // Days begin where the reader is.
    for (zone, east) in [("Pacific/Kiritimati", 14), ("-11:00", -11), ("Asia/Tokyo", 9)] {
        let zone = zone.replace('/', "%2F");
        let path = format!("/api/v1/usage?client={id}&by=model&period=day&time_zone={zone}");
        // Sums come five seconds after the records.
        let (usage, at) = sluice_testkit::eventually("usage by day", async || {
            let usage = api(&gateway)
                .get(&path)
                .send()
                .await
                .expect_status(200)
                .await
                .json()
                .await;
            let at = usage["rows"][0]["at"].as_i64()?;
            Some((usage, at))
        })
        .await;
        assert_eq!((at + east * 3_600_000) % 86_400_000, 0, "{zone}: {usage}");
        assert_eq!(usage["rows"][0]["key"], "gpt-4o", "{usage}");
    }
    let wrong = api(&gateway)
        .get("/api/v1/usage?period=day&time_zone=Nowhere")
        .send()
        .await;
    let wrong = wrong.expect_status(400).await.json().await;
    assert_eq!(wrong["error"]["fields"][0]["field"], "time_zone", "{wrong}");
    // Calls of the control side are no traffic.
    let metrics = plain.get("/metrics").send().await.text().await;
    assert!(!metrics.contains("/api/v1"), "{metrics}");
}

#[tokio::test]
async fn a_page_looks_on_by_websocket() {
    let gateway = one_port().start().await;
    let addr = gateway.proxy_addr();
    let mut request = format!("ws://{addr}/api/v1/live").into_client_request().unwrap();
    let bearer = format!("Bearer {}", gateway.admin_key());
    request
        .headers_mut()
        .insert("authorization", bearer.parse().unwrap());
    let stream = TcpStream::connect(addr).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let message = within("a message", socket.next()).await.unwrap().unwrap();
    assert!(message.to_text().unwrap().contains("\"type\""), "{message}");
    socket.close(None).await.unwrap();
    // From another site it is not opened.
    let mut request = format!("ws://{addr}/api/v1/live").into_client_request().unwrap();
    request
        .headers_mut()
        .insert("authorization", bearer.parse().unwrap());
    request
        .headers_mut()
        .insert("origin", "http://evil.test".parse().unwrap());
    let stream = TcpStream::connect(addr).await.unwrap();
    assert!(tokio_tungstenite::client_async(request, stream).await.is_err());
}

#[tokio::test]
async fn sessions_are_as_safe_as_on_an_address_of_their_own() {
    let gateway = one_port().start().await;
    let sign_in = json!({ "name": "admin", "password": PASSWORD });
    let session = || gateway.client().post("/api/v1/session").json(&sign_in);
    let foreign = session().header("origin", "http://evil.test").send().await;
    assert_eq!(status(foreign).await, 403);
    let own = format!("http://{}", gateway.proxy_addr());
    let signed = session()
        .header("origin", &own)
        .send()
        .await
        .expect_status(200)
        .await;
    let cookie = signed.header("set-cookie").unwrap().to_owned();
    assert!(
        cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let csrf = signed.json().await["csrf"].as_str().unwrap().to_owned();
    let write = || {
        let call = gateway.client().post("/api/v1/tokens").header("cookie", &cookie);
        call.json(&json!({ "name": "t", "role": "viewer" }))
    };
    assert_eq!(status(write().send().await).await, 403);
    assert_eq!(
        status(write().header("x-csrf-token", &csrf).send().await).await,
        201
    );
    // A cookie that nobody was given opens nothing.
    for cookie in [
        "admin_session=authenticated",
        "sluice_session=x",
        "sluice_session=",
    ] {
        let answer = gateway
            .client()
            .get("/api/v1/clients")
            .header("cookie", cookie)
            .send()
            .await;
        assert_eq!(status(answer).await, 401, "{cookie}");
    }
    // The cookie says nothing to the data plane.
    let answer = gateway
        .client()
        .get("/v1/models")
        .header("cookie", &cookie)
        .send()
        .await;
    assert_eq!(status(answer).await, 401);
}

#[tokio::test]
async fn routes_take_what_is_left() {
    let gateway = one_port().start().await;
    let says = |text: &str| json!({ "response-rewrite": { "status_code": 200, "body": text } });
    put(
        &gateway,
        "/routes/all",
        json!({ "uri": "/*", "plugins": says("caught") }),
    )
    .await;
    let plain = gateway.client();
    for path in ["/api/v2", "/administer", "/metrics/x", "/", "/v1/nothing"] {
        let answer = plain.get(path).send().await.expect_status(200).await;
        assert_eq!(answer.text().await, "caught", "{path}");
    }
    // What is ours stays reachable: nobody locks themselves out with a route, however a path is written.
    for path in ["/admin/", "/metrics", "/status/ready", "/health"] {
        let answer = plain.get(path).send().await.expect_status(200).await;
        assert_ne!(answer.text().await, "caught", "{path}");
    }
    for path in [
        "//admin/",
        "/v1/../admin/",
        "/%61pi/v1/clients",
        "/apisix/admin/routes",
    ] {
        assert_ne!(plain.get(path).send().await.text().await, "caught", "{path}");
    }
    let method = plain.call(Method::DELETE, "/api/v1/clients").send().await;
    assert_ne!(method.text().await, "caught");
}

#[tokio::test]
async fn only_networks_that_may_reach_the_control_side() {
    let gateway = one_port()
        .env("SLUICE_ADMIN_ALLOW", "[\"192.0.2.0/24\"]")
        .start()
        .await;
    let plain = gateway.client();
    for path in [
        "/admin/",
        "/api/v1/session",
        "/apisix/admin/routes",
        "/metrics",
        "/status",
    ] {
        assert_eq!(status(plain.get(path).send().await).await, 403, "{path}");
    }
    assert_eq!(status(plain.get("/v1/models").send().await).await, 401);
    assert_eq!(status(plain.get("/health").send().await).await, 200);
}

async fn over_tls(gateway: &Gateway, cert: &CertificateDer<'static>) -> http2::SendRequest<Full<Bytes>> {
    let mut roots = RootCertStore::empty();
    roots.add(cert.clone()).unwrap();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(gateway.proxy_addr()).await.unwrap();
    let name = ServerName::try_from("gateway.test").unwrap();
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .unwrap();
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn the_one_address_speaks_tls_and_http2() {
    let certified = rcgen::generate_simple_self_signed(["gateway.test".to_owned()]).unwrap();
    let cert = certified.cert.der().clone();
    let gateway = one_port()
        .file("cert.pem", certified.cert.pem())
        .file("key.pem", certified.signing_key.serialize_pem())
        .env("SLUICE_PROXY_TLS_CERT", "cert.pem")
        .env("SLUICE_PROXY_TLS_KEY", "key.pem")
        .start()
        .await;
    let upstream = FakeProvider::start();
    let mut sender = over_tls(&gateway, &cert).await;
    let mut send = async |method: &str, path: &str, headers: &[(&str, &str)], body: Value| {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("https://gateway.test{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::from(body.to_string())).unwrap();
        let answer = within("an answer", sender.send_request(request)).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (head, serde_json::from_slice::<Value>(&body).unwrap_or_default())
    };
    // A browser names itself as the host that it calls, which HTTP/2 tells without a header.
    let sign_in = json!({ "name": "admin", "password": PASSWORD });
    let own = [("origin", "https://gateway.test")];
    let (head, session) = send("POST", "/api/v1/session", &own, sign_in.clone()).await;
    assert_eq!(head.status, 200, "{session}");
    let cookie = head.headers["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
    let (head, _) = send(
        "POST",
        "/api/v1/session",
        &[("origin", "https://evil.test")],
        sign_in,
    )
    .await;
    assert_eq!(head.status, 403);

    let bearer = format!("Bearer {}", gateway.admin_key());
    let token = [("authorization", bearer.as_str())];
    let draft = json!({
        "name": "Ann", "limits": {},
        "provider": { "type": "openai", "base_url": upstream.url("/v1"), "api_key": "sk-upstream" },
    });
    let (head, made) = send("POST", "/api/v1/clients", &token, draft).await;
    assert_eq!(head.status, 201, "{made}");
    let key = format!("Bearer {}", made["key"]["key"].as_str().unwrap());
    let (head, _) = send("POST", CHAT, &[("authorization", &key)], chat("conf:hello")).await;
    assert_eq!(head.status, 200);
    // Calls from within need no listener without TLS.
    let path = format!(
        "/api/v1/playground/{}{CHAT}",
        made["client"]["id"].as_str().unwrap()
    );
    let (head, answer) = send("POST", &path, &token, chat("conf:hello")).await;
    assert_eq!(head.status, 200, "{answer}");
    assert_eq!(
        upstream.last_request().header("authorization"),
        Some("Bearer sk-upstream")
    );
}

#[tokio::test]
async fn a_restart_keeps_the_address_and_a_stop_ends_both_sides() {
    let mut gateway = one_port().start().await;
    let addr = gateway.proxy_addr();
    let (id, _) = client(&gateway, &FakeProvider::start()).await;
    gateway.restart().await;
    assert_eq!(gateway.proxy_addr(), addr);
    let answer = api(&gateway).get(&format!("/api/v1/clients/{id}")).send().await;
    assert_eq!(status(answer).await, 200);
    gateway.terminate();
    assert!(gateway.wait_exit().await.success());
}
