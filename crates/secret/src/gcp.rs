//! Google Secret Manager: `projects.secrets.versions.access`
//! (<https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access>).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Request, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use sluice_cloud::{GcpTokenConfig, GcpTokens, ServiceAccount};
use sluice_net::Body;

use crate::http::{Http, Server, encoded, meaningless, unexpected, unsendable};
use crate::manager::{Reading, SecretManager, SecretReadError};

const ENTRIES: &str = "https://secretmanager.googleapis.com/v1";
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

/// A `secrets` resource of kind `gcp` (compat §1.10).
#[derive(Deserialize)]
struct GcpConfig {
    auth_config: Option<AuthConfig>,
    auth_file: Option<String>,
    #[serde(default = "yes")]
    ssl_verify: bool,
}

/// A service account, inline or in a file.
#[derive(Deserialize)]
struct AuthConfig {
    client_email: String,
    private_key: String,
    project_id: String,
    token_uri: Option<String>,
    scope: Option<Vec<String>>,
    entries_uri: Option<String>,
}

/// Google Secret Manager, for one project.
pub(crate) struct GcpSecrets {
    server: Server,
    tokens: GcpTokens,
    /// `/v1/projects/{project}/secrets`.
    base: String,
}

/// An answer that has the secret.
#[derive(Deserialize)]
struct Answer {
    payload: Payload,
}

#[derive(Deserialize)]
struct Payload {
    data: String,
}

fn yes() -> bool {
    true
}

impl GcpSecrets {
    pub(crate) fn new(http: &Arc<Http>, config: &Value) -> Result<Self, String> {
        let config = GcpConfig::deserialize(config).map_err(|error| error.to_string())?;
        let auth = match (config.auth_config, config.auth_file) {
            (Some(auth), _) => auth,
            (None, Some(file)) => read_file(Path::new(&file))?,
            (None, None) => return Err("it has neither auth_config nor auth_file".to_owned()),
        };
        let account = ServiceAccount::new(&auth.client_email, &auth.private_key, auth.token_uri.as_deref());
        let settings = GcpTokenConfig {
            scope: auth
                .scope
                .map_or_else(|| SCOPE.to_owned(), |scopes| scopes.join(" ")),
            timeout: Duration::from_secs(5),
            verify_tls: config.ssl_verify,
            ..GcpTokenConfig::default()
        };
        let account = account.map_err(|error| error.to_string())?;
        let tokens = GcpTokens::new(account, settings, &http.origins).map_err(|error| error.to_string())?;
        let entries = auth.entries_uri.as_deref().unwrap_or(ENTRIES);
        let server = Server::new(http, entries, config.ssl_verify)?;
        let project = encoded(&auth.project_id);
        Ok(Self {
            base: format!("{}/projects/{project}/secrets", server.path),
            server,
            tokens,
        })
    }

    async fn get(&self, document: &str) -> Result<Value, SecretReadError> {
        let authorization = self.tokens.authorization(self.server.pool()).await;
        let authorization = authorization.map_err(SecretReadError::failed)?;
        let target = format!("{}/{}/versions/latest:access", self.base, encoded(document));
        let request = Request::get(target)
            .header(header::AUTHORIZATION, authorization)
            .body(Body::empty())
            .map_err(unsendable)?;
        match self.server.ask(request).await? {
            (StatusCode::OK, body) => {
                let answer: Answer = serde_json::from_slice(&body).map_err(meaningless)?;
                let bytes = STANDARD.decode(answer.payload.data).map_err(meaningless)?;
                let text = String::from_utf8(bytes);
                text.map(Value::String)
                    .map_err(|_| SecretReadError::Failed("the secret is not text".to_owned()))
            }
            (StatusCode::NOT_FOUND, _) => Err(SecretReadError::Absent(
                "it does not exist in Google Cloud".to_owned(),
            )),
            (status, _) => Err(unexpected(status)),
        }
    }
}

impl SecretManager for GcpSecrets {
    fn read<'a>(&'a self, document: &'a str) -> Reading<'a> {
        Box::pin(self.get(document))
    }
}

fn read_file(path: &Path) -> Result<AuthConfig, String> {
    let text = std::fs::read(path).map_err(|error| format!("auth_file cannot be read: {error}"))?;
    // The parser's own words might repeat a part of the file.
    serde_json::from_slice(&text).map_err(|_| "auth_file is not a service account".to_owned())
}
