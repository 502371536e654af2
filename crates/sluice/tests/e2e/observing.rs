//! What operators see of requests: pages of `/api/v1` and the WebSocket, through the real binary.

mod books;
mod live;
mod pages;
mod payloads;

use http::Method;
use serde_json::{Value, json};
use sluice_testkit::{Client, FakeProvider, Gateway, eventually};

use crate::support::{chat, gateway};

const CHAT: &str = "/v1/chat/completions";

/// A gateway, an upstream, and the API with a token.
struct Site {
    gateway: Gateway,
    upstream: FakeProvider,
}

impl Site {
    async fn start() -> Self {
        Self {
            gateway: gateway().await,
            upstream: FakeProvider::start(),
        }
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.gateway.admin_key())
    }

    fn api(&self) -> Client {
        Client::new(self.gateway.admin_addr()).with_header("authorization", &self.bearer())
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let mut call = self.api().call(method.clone(), &format!("/api/v1{path}"));
        if !method.is_safe() {
            call = call.json(&body);
        }
        let answer = call.send().await;
        let status = answer.status.as_u16();
        let text = answer.text().await;
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.call(Method::GET, path, json!({})).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// A client of that name with the upstream as its provider: its id and its key.
    async fn client(&self, name: &str, members: Value) -> (String, String) {
        let mut body = json!({
            "name": name,
            "provider": { "type": "openai", "base_url": self.upstream.url("/v1"), "api_key": "sk-upstream-secret" },
            "limits": {},
        });
        for (member, value) in members.as_object().unwrap() {
            body[member] = value.clone();
        }
        let (status, made) = self.call(Method::POST, "/clients", body).await;
        assert_eq!(status, 201, "{made}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&made["client"]["id"]), text(&made["key"]["key"]))
    }

    /// The proxy with a client's key.
    fn with_key(&self, key: &str) -> Client {
        self.gateway
            .client()
            .with_header("authorization", &format!("Bearer {key}"))
    }

    /// Asks for an answer; its status.
    async fn ask(&self, key: &str, text: &str) -> u16 {
        let answer = self.with_key(key).post(CHAT).json(&chat(text)).send().await;
        let status = answer.status.as_u16();
        answer.bytes().await;
        status
    }

    /// The log, once it has so many rows: all pages of it, newest first.
    async fn rows(&self, filter: &str, count: usize) -> Vec<Value> {
        let mut rows = Vec::new();
        eventually("rows in the log", async || {
            rows = self.pages(filter).await;
            (rows.len() >= count).then_some(())
        })
        .await;
        assert_eq!(rows.len(), count, "{rows:#?}");
        rows
    }

    async fn pages(&self, filter: &str) -> Vec<Value> {
        let (mut rows, mut after) = (Vec::new(), String::new());
        loop {
            let mut page = self.get(&format!("/requests?limit=200&{filter}{after}")).await;
            rows.append(page["items"].as_array_mut().unwrap());
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => return rows,
            }
        }
    }
}
