//! Google's token endpoint, which checks the grant (RFC 7523), and Secret Manager behind it
//! (<https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access>).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::fake::{FakeProvider, Recorded, Reply};

const TOKEN: &str = "ya29.token-of-the-fake";
const EMAIL: &str = "gateway@project-1.iam.gserviceaccount.com";
const PROJECT: &str = "project-1";

/// Google Secret Manager with one project and one service account.
pub struct FakeGcpSecrets {
    server: FakeProvider,
    kept: Arc<Mutex<HashMap<String, String>>>,
    key: KeyPair,
}

impl FakeGcpSecrets {
    /// One with a new service account.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn start() -> Self {
        let kept: Arc<Mutex<HashMap<String, String>>> = Arc::default();
        let server = FakeProvider::start();
        let key = KeyPair::generate(KeySize::Rsa2048).expect("an RSA key");
        let public = key.public_key().as_ref().to_vec();
        let (known, token_uri) = (kept.clone(), server.url("/token"));
        server.always(Reply::by(move |request| match request.path.as_str() {
            "/token" => token(request, &public, &token_uri),
            _ => access(&known.lock().unwrap_or_else(PoisonError::into_inner), request),
        }));
        Self { server, kept, key }
    }

    /// What the service account's key file says, with the addresses of this fake.
    ///
    /// # Panics
    /// When the key cannot be written.
    #[must_use]
    pub fn account(&self) -> Value {
        let der: Pkcs8V1Der<'_> = self.key.as_der().expect("PKCS#8");
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        );
        json!({
            "client_email": EMAIL,
            "private_key": pem,
            "project_id": PROJECT,
            "token_uri": self.server.url("/token"),
            "entries_uri": self.server.url("/v1"),
        })
    }

    /// Stores a secret.
    pub fn write(&self, name: &str, text: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(name.to_owned(), text.to_owned());
    }

    /// The requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.server.requests()
    }
}

fn token(request: &Recorded, public: &[u8], audience: &str) -> Reply {
    let body = String::from_utf8_lossy(&request.body);
    let member = |name: &str| {
        let mut members = body.split('&').filter_map(|member| member.split_once('='));
        members.find(|(key, _)| *key == name).map(|(_, value)| value)
    };
    let is_grant = member("grant_type") == Some("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer");
    let claims = member("assertion").and_then(|jwt| verified(jwt, public));
    match claims.filter(|claims| is_grant && claims["iss"] == EMAIL && claims["aud"] == audience) {
        Some(_) => Reply::json(
            200,
            &json!({"access_token": TOKEN, "expires_in": 3599, "token_type": "Bearer"}),
        ),
        None => Reply::json(400, &json!({"error": "invalid_grant"})),
    }
}

/// The claims of a JWT whose RS256 signature holds (RFC 7515).
fn verified(jwt: &str, public: &[u8]) -> Option<Value> {
    let (signed, signature) = jwt.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public)
        .verify(signed.as_bytes(), &signature)
        .ok()?;
    let claims = URL_SAFE_NO_PAD.decode(signed.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&claims).ok()
}

fn access(kept: &HashMap<String, String>, request: &Recorded) -> Reply {
    if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return Reply::json(401, &json!({"error": {"code": 401, "status": "UNAUTHENTICATED"}}));
    }
    let name = request
        .path
        .strip_prefix(&format!("/v1/projects/{PROJECT}/secrets/"))
        .and_then(|rest| rest.strip_suffix("/versions/latest:access"));
    match name.and_then(|name| kept.get(name)) {
        Some(text) => Reply::json(
            200,
            &json!({"name": name, "payload": {"data": STANDARD.encode(text)}}),
        ),
        None => Reply::json(404, &json!({"error": {"code": 404, "status": "NOT_FOUND"}})),
    }
}
