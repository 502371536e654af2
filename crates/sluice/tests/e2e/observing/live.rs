//! The WebSocket.

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use http::Request;
use serde_json::{Value, json};
use sluice_testkit::within;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{CHAT, Site};
use crate::support::{chat, put_consumer};

struct Page(WebSocketStream<TcpStream>);

fn handshake(site: &Site, headers: &[(&'static str, String)]) -> Request<()> {
    let url = format!("ws://{}/api/v1/live", site.gateway.admin_addr());
    let mut request = url.into_client_request().unwrap();
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    request
}

/// Status of a refusal.
async fn refused(site: &Site, headers: &[(&'static str, String)]) -> u16 {
    let stream = TcpStream::connect(site.gateway.admin_addr()).await.unwrap();
    match tokio_tungstenite::client_async(handshake(site, headers), stream).await {
        Err(Error::Http(answer)) => answer.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

impl Page {
    async fn open(site: &Site, topics: &[&str]) -> Self {
        Self::open_with(site, ("authorization", site.bearer()), topics).await
    }

    async fn open_with(site: &Site, credential: (&'static str, String), topics: &[&str]) -> Self {
        let stream = TcpStream::connect(site.gateway.admin_addr()).await.unwrap();
        let opened = tokio_tungstenite::client_async(handshake(site, &[credential]), stream).await;
        let (mut socket, _) = opened.unwrap();
        let subscribe = json!({ "type": "subscribe", "topics": topics });
        socket.send(Message::text(subscribe.to_string())).await.unwrap();
        let mut page = Self(socket);
        let hello = page.next().await.unwrap();
        assert_eq!(hello["type"], "hello");
        page
    }

    /// None when the socket is closed.
    async fn next(&mut self) -> Option<Value> {
        loop {
            match within("a message", self.0.next()).await? {
                Ok(Message::Text(text)) => return Some(serde_json::from_str(&text).unwrap()),
                Ok(Message::Close(_)) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message of a type that fits.
    async fn until(&mut self, kind: &str, fits: impl Fn(&Value) -> bool) -> Value {
        within("a message that fits", async {
            loop {
                let message = self.next().await.expect("the socket is open");
                if message["type"] == kind && fits(&message) {
                    return message;
                }
            }
        })
        .await
    }
}

#[tokio::test]
async fn tiles_are_exact_under_load_and_the_feed_is_sampled() {
    const CALLS: u64 = 2000;
    let site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({})).await;
    let mut page = Page::open(&site, &["tiles", "series", "requests", "clients"]).await;
    let client = site.with_key(&key);
    let load = async {
        let mut tokens = 0;
        for _ in 0..CALLS / 100 {
            let answers = join_all((0..100).map(|_| {
                let call = client.post(CHAT).json(&chat("conf:hello"));
                async move { call.send().await.expect_status(200).await.json().await }
            }))
            .await;
            tokens += answers
                .iter()
                .map(|answer| answer["usage"]["total_tokens"].as_u64().unwrap())
                .sum::<u64>();
        }
        tokens
    };
    let watch = tokio::spawn(async move {
        let (mut seen, mut last_clients, mut points) = (0, Value::Null, 0);
        loop {
            let message = page.next().await.expect("the socket is open");
            match message["type"].as_str().unwrap() {
                "requests" => {
                    let items = message["items"].as_array().unwrap();
                    assert!(items.len() <= 20 && items.iter().all(|row| row["client"] == "ann"));
                    seen += items.len() as u64 + message["skipped"].as_u64().unwrap();
                }
                "clients" => last_clients = message,
                "series" => points += 1,
                "tiles" if message["today"]["requests"] == CALLS && seen >= CALLS => {
                    return (message, last_clients, points, seen);
                }
                _ => {}
            }
        }
    });
    let tokens = load.await;
    let watched = within("the tiles have everything", watch).await;
    let (tiles, clients, points, seen) = watched.unwrap();
    let today = &tiles["today"];
    let sum = today["input_tokens"].as_u64().unwrap() + today["output_tokens"].as_u64().unwrap();
    assert_eq!((sum, &today["errors"]), (tokens, &json!(0)));
    assert_eq!((&tiles["active_keys"], seen), (&json!(1), CALLS));
    assert!(points > 0);
    let item = &clients["items"][0];
    assert_eq!(
        (&item["id"], &item["requests_today"]),
        (&json!(ann), &json!(CALLS))
    );
    assert_eq!(item["tokens_today"], tokens);
}

#[tokio::test]
async fn a_page_sees_requests_limits_and_edits() {
    let site = Site::start().await;
    let limits = json!({ "limits": { "requests_per_day": 10 } });
    let (ann, key) = site.client("Ann", limits).await;
    let limits = format!("limits:{ann}");
    let topics = [
        &*limits,
        "requests",
        "configuration",
        "providers",
        "not-invented-yet",
    ];
    let mut page = Page::open(&site, &topics).await;
    site.ask(&key, "conf:hello").await;
    // What is used is known before the request is over.
    page.until("limits", |message| message["items"][0]["used"] == 1)
        .await;
    let message = page.until("requests", |_| true).await;
    let row = &message["items"][0];
    assert_eq!((&row["client"], &row["status"]), (&json!(ann), &json!(200)));
    assert_eq!((&row["client_name"], &row["path"]), (&json!("Ann"), &json!(CHAT)));
    let listed = site.rows("", 1).await;
    assert_eq!(*row, listed[0]);

    put_consumer(&site.gateway, "bob").await;
    let edit = page.until("configuration", |_| true).await;
    assert_eq!(edit["kinds"], json!(["consumers"]));
}

#[tokio::test]
async fn the_day_goes_on_after_a_restart() {
    let mut site = Site::start().await;
    let (ann, key) = site.client("Ann", json!({})).await;
    site.ask(&key, "conf:hello").await;
    site.rows("", 1).await;
    site.gateway.terminate();
    assert!(site.gateway.wait_exit().await.success());
    site.gateway.restart().await;
    let mut page = Page::open(&site, &["tiles"]).await;
    page.until("tiles", |message| message["today"]["requests"] == 1)
        .await;
    let client = site.get(&format!("/clients/{ann}")).await;
    assert!(client["seen_at"].is_u64(), "{client:#}");
}

#[tokio::test]
async fn only_who_may_look_on_can() {
    let site = Site::start().await;
    assert_eq!(refused(&site, &[]).await, 401);
    let bearer = || ("authorization", site.bearer());
    let elsewhere = ("origin", "http://elsewhere.example".to_owned());
    assert_eq!(refused(&site, &[bearer(), elsewhere]).await, 403);
    let (status, body) = site.call(http::Method::GET, "/live", json!({})).await;
    assert_eq!(status, 400, "{body}");
}

#[tokio::test]
async fn a_socket_ends_with_its_credential() {
    let site = Site::start().await;
    let token = json!({ "name": "watcher", "role": "viewer" });
    let (status, made) = site.call(http::Method::POST, "/tokens", token).await;
    assert!(matches!(status, 200 | 201), "{made}");
    let credential = (
        "authorization",
        format!("Bearer {}", made["token"].as_str().unwrap()),
    );
    let mut page = Page::open_with(&site, credential, &["tiles"]).await;
    page.until("tiles", |_| true).await;
    let id = made["id"]
        .as_str()
        .map_or_else(|| made["id"].to_string(), str::to_owned);
    let (status, body) = site
        .call(http::Method::DELETE, &format!("/tokens/{id}"), json!({}))
        .await;
    assert_eq!(status, 204, "{body}");
    within("the end of the socket", async {
        while page.next().await.is_some() {}
    })
    .await;
}

#[tokio::test]
async fn nonsense_ends_the_socket() {
    let site = Site::start().await;
    for nonsense in [
        "{",
        r#"{"type":"shutdown"}"#,
        r#"{"type":"subscribe","topics":[1]}"#,
    ] {
        let mut page = Page::open(&site, &[]).await;
        page.0.send(Message::text(nonsense)).await.unwrap();
        within("the end of the socket", async {
            while page.next().await.is_some() {}
        })
        .await;
    }
}
