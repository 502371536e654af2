//! The Admin API, as operators call it.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::client::{Call, Client};

/// Calls the Admin API with a key.
#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
}

impl Admin {
    /// An operator with `key` at the Admin API at `addr`.
    #[must_use]
    pub fn new(addr: SocketAddr, key: &str) -> Self {
        Self {
            client: Client::new(addr).with_header("x-api-key", key),
        }
    }

    /// Reads `/apisix/admin{path}`.
    pub async fn get(&self, path: &str) -> AdminAnswer {
        self.call(Method::GET, path, None).await
    }

    /// Stores a resource under its id.
    pub async fn put(&self, path: &str, body: Value) -> AdminAnswer {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// Stores a resource under a new id.
    pub async fn post(&self, path: &str, body: Value) -> AdminAnswer {
        self.call(Method::POST, path, Some(body)).await
    }

    /// Changes a resource in part.
    pub async fn patch(&self, path: &str, body: Value) -> AdminAnswer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    /// Deletes a resource.
    pub async fn delete(&self, path: &str) -> AdminAnswer {
        self.call(Method::DELETE, path, None).await
    }

    /// Any call below `/apisix/admin`.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> AdminAnswer {
        let call = self.client.call(method, &format!("/apisix/admin{path}"));
        let call = match body {
            Some(body) => call.json(&body),
            None => call,
        };
        AdminAnswer::of(call).await
    }

    /// The client behind it, for paths of the admin listener beside `/apisix/admin`.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// An answer of the Admin API.
#[derive(Clone, Debug)]
pub struct AdminAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl AdminAnswer {
    async fn of(call: Call) -> Self {
        let answer = call.send().await;
        Self {
            status: answer.status.as_u16(),
            headers: answer.headers.clone(),
            body: answer.bytes().await,
        }
    }

    /// The answer, if it has this status.
    ///
    /// # Panics
    /// When it has another; the message shows the body.
    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "the Admin API says: {}", self.text());
        self
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("the Admin API's answer is not JSON: {error}: {}", self.text()),
        }
    }
}
