//! Clients: made through `/api/v1`, used through the proxy.

mod fields;
mod groups;
mod keys;
mod limits;
mod parity;
mod playground;
mod reserving;
mod shape;

use http::Method;
use serde_json::{Value, json};
use sluice_testkit::{Client, FakeProvider, Gateway};

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

    fn api(&self) -> Client {
        let bearer = format!("Bearer {}", self.gateway.admin_key());
        Client::new(self.gateway.admin_addr()).with_header("authorization", &bearer)
    }

    /// Status and body of a call of the API.
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

    /// A client with the upstream as its provider and more members: its id and its key.
    async fn client(&self, members: Value) -> (String, String) {
        let mut body = json!({
            "name": "Ann",
            "provider": { "type": "openai", "base_url": self.upstream.url("/v1"), "api_key": "sk-upstream" },
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

    /// Changes a client as it is.
    async fn change(&self, id: &str, mut members: Value) -> (u16, Value) {
        members["version"] = self.get(&format!("/clients/{id}")).await["version"].clone();
        self.call(Method::PATCH, &format!("/clients/{id}"), members).await
    }

    async fn ask(&self, key: &str) -> (u16, Value) {
        let client = self
            .gateway
            .client()
            .with_header("authorization", &format!("Bearer {key}"));
        let answer = client.post(CHAT).json(&chat("conf:hello")).send().await;
        let status = answer.status.as_u16();
        (status, answer.json().await)
    }
}
