//! HashiCorp Vault and OpenBao: the KV engine, versions 1 and 2
//! (<https://developer.hashicorp.com/vault/api-docs/secret/kv>).

use std::sync::Arc;

use http::{HeaderName, HeaderValue, Request, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use sluice_net::Body;

use crate::http::{Http, Server, encoded, hidden, meaningless, unexpected, unsendable};
use crate::manager::{Reading, SecretManager, SecretReadError};

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");

/// A `secrets` resource of kind `vault` (compat §1.10).
#[derive(Deserialize)]
struct VaultConfig {
    uri: String,
    prefix: String,
    token: String,
    namespace: Option<String>,
}

/// A Vault, below one prefix.
pub(crate) struct Vault {
    server: Server,
    /// `/v1/{prefix}`.
    base: String,
    token: HeaderValue,
    namespace: Option<HeaderValue>,
}

/// An answer of the KV engine.
#[derive(Deserialize)]
struct Answer {
    data: Map<String, Value>,
}

impl Vault {
    pub(crate) fn new(http: &Arc<Http>, config: &Value) -> Result<Self, String> {
        let config = VaultConfig::deserialize(config).map_err(|error| error.to_string())?;
        let server = Server::new(http, &config.uri, true)?;
        let namespace = config.namespace.as_deref().map(HeaderValue::from_str).transpose();
        Ok(Self {
            base: format!("{}/v1/{}", server.path, encoded(&config.prefix)),
            server,
            token: hidden(&config.token)?,
            namespace: namespace.map_err(|_| "its namespace cannot be sent in a header".to_owned())?,
        })
    }

    async fn get(&self, document: &str) -> Result<Value, SecretReadError> {
        let mut request = Request::get(format!("{}/{}", self.base, encoded(document)))
            .body(Body::empty())
            .map_err(unsendable)?;
        request.headers_mut().insert(TOKEN, self.token.clone());
        if let Some(namespace) = &self.namespace {
            request.headers_mut().insert(NAMESPACE, namespace.clone());
        }
        match self.server.ask(request).await? {
            (StatusCode::OK, body) => {
                let answer: Answer = serde_json::from_slice(&body).map_err(meaningless)?;
                Ok(Value::Object(secrets_of(answer.data)))
            }
            (StatusCode::NOT_FOUND, _) => {
                Err(SecretReadError::Absent("it does not exist in Vault".to_owned()))
            }
            (status, _) => Err(unexpected(status)),
        }
    }
}

impl SecretManager for Vault {
    fn read<'a>(&'a self, document: &'a str) -> Reading<'a> {
        Box::pin(self.get(document))
    }
}

/// Version 2 of the engine wraps the secrets once more, beside their metadata.
fn secrets_of(mut data: Map<String, Value>) -> Map<String, Value> {
    let is_version_2 = data.len() == 2 && data.get("metadata").is_some_and(Value::is_object);
    match data.get_mut("data") {
        Some(Value::Object(inner)) if is_version_2 => std::mem::take(inner),
        _ => data,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn both_versions_of_the_engine_are_understood() {
        let secrets = |data: Value| Value::Object(secrets_of(data.as_object().unwrap().clone()));
        assert_eq!(secrets(json!({"key": "v"})), json!({"key": "v"}));
        assert_eq!(
            secrets(json!({"data": {"key": "v"}, "metadata": {"version": 2}})),
            json!({"key": "v"})
        );
        // A secret of version 1 may have such names too.
        let odd = json!({"data": "v", "metadata": {"version": 2}});
        assert_eq!(secrets(odd.clone()), odd);
    }
}
