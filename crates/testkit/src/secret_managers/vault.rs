//! HashiCorp Vault's KV engine (<https://developer.hashicorp.com/vault/api-docs/secret/kv>).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::fake::{FakeProvider, Recorded, Reply};

/// Namespace, empty for the root, and path below `/v1/`.
type Place = (String, String);

/// A Vault with KV engines at any path.
pub struct FakeVault {
    server: FakeProvider,
    kept: Arc<Mutex<HashMap<Place, Value>>>,
    token: String,
}

impl FakeVault {
    /// A Vault that lets in whoever has this token.
    #[must_use]
    pub fn start(token: &str) -> Self {
        let vault = Self {
            server: FakeProvider::start(),
            kept: Arc::default(),
            token: token.to_owned(),
        };
        vault.recover();
        vault
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url("")
    }

    /// Writes a secret with these fields, as version 1 of the engine keeps it.
    pub fn write(&self, path: &str, fields: Value) {
        self.write_in("", path, fields);
    }

    /// Writes a secret in a namespace.
    pub fn write_in(&self, namespace: &str, path: &str, fields: Value) {
        self.lock()
            .insert((namespace.to_owned(), path.to_owned()), fields);
    }

    /// Writes a secret as version 2 of the engine shows it; its path has `data` behind the engine's.
    pub fn write_version_2(&self, path: &str, fields: Value) {
        let metadata = json!({"created_time": "2025-11-20T15:47:00Z", "deletion_time": "", "version": 3});
        self.write(path, json!({"data": fields, "metadata": metadata}));
    }

    /// Deletes a secret.
    pub fn delete(&self, path: &str) {
        self.lock().remove(&(String::new(), path.to_owned()));
    }

    /// Answers everything with `reply` from here on: slowly, with nonsense, or not at all.
    pub fn suffer(&self, reply: Reply) {
        self.server.always(reply);
    }

    /// Answers again as it should.
    pub fn recover(&self) {
        let (kept, token) = (self.kept.clone(), self.token.clone());
        self.server.always(Reply::by(move |request| {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&kept, &token, request)
        }));
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }

    /// Waits until `count` requests have arrived since the start.
    pub async fn wait_requests(&self, count: usize) -> Vec<Recorded> {
        self.server.wait_requests(count).await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Place, Value>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer(kept: &HashMap<Place, Value>, token: &str, request: &Recorded) -> Reply {
    if request.header("x-vault-token") != Some(token) {
        return Reply::json(403, &json!({"errors": ["permission denied"]}));
    }
    let namespace = request.header("x-vault-namespace").unwrap_or_default();
    let path = request.path.strip_prefix("/v1/").unwrap_or_default();
    match kept.get(&(namespace.to_owned(), path.to_owned())) {
        None => Reply::json(404, &json!({"errors": []})),
        Some(data) => Reply::json(
            200,
            &json!({
                "request_id": "2f1bd7fb-0d4b-4b5c-9b4c-0e0e0a0d9a4f", "lease_id": "", "renewable": false,
                "lease_duration": 2_764_800, "data": data, "wrap_info": null, "warnings": null, "auth": null,
            }),
        ),
    }
}
