//! Service accounts and the grants they sign.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use http::Uri;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;
use serde_json::{Map, Value};

use super::GcpError;

/// Where the key file itself stands if the configuration names none (compat §4.1.2).
const VARIABLE: &str = "GCP_SERVICE_ACCOUNT";
const GOOGLE: &str = "https://oauth2.googleapis.com/token";
/// Seconds that a grant is good for; the most that Google takes.
const GRANT_LIVES: u64 = 3600;

/// A Google service account: who signs, with what, and where the signature is turned into a token.
#[derive(Clone)]
pub struct ServiceAccount {
    email: String,
    key: EncodingKey,
    key_id: Option<String>,
    project_id: Option<String>,
    token_uri: Uri,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: String,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    /// An account by its parts, with Google's token endpoint unless another is given.
    ///
    /// # Errors
    /// [`GcpError::Key`] unless `private_key` is an RSA key in PEM form, [`GcpError::TokenUri`].
    pub fn new(client_email: &str, private_key: &str, token_uri: Option<&str>) -> Result<Self, GcpError> {
        let token_uri: Uri = token_uri
            .unwrap_or(GOOGLE)
            .parse()
            .map_err(|_| GcpError::TokenUri)?;
        if !matches!(token_uri.scheme_str(), Some("http" | "https")) {
            return Err(GcpError::TokenUri);
        }
        Ok(Self {
            email: client_email.to_owned(),
            key: EncodingKey::from_rsa_pem(private_key.as_bytes()).map_err(|_| GcpError::Key)?,
            key_id: None,
            project_id: None,
            token_uri,
        })
    }

    /// Reads a key file as Google hands it out: `client_email` and `private_key`, and if they are there
    /// `private_key_id`, `project_id` and `token_uri`.
    ///
    /// # Errors
    /// [`GcpError::Json`], [`GcpError::Member`], and those of [`new`](Self::new).
    pub fn from_json(text: &str) -> Result<Self, GcpError> {
        let value: Value = serde_json::from_str(text).map_err(|error| GcpError::Json(error.to_string()))?;
        let Value::Object(file) = value else {
            return Err(GcpError::Json("not a JSON object".to_owned()));
        };
        let required = |name| member(&file, name).ok_or(GcpError::Member(name));
        let account = Self::new(
            required("client_email")?,
            required("private_key")?,
            member(&file, "token_uri"),
        )?;
        Ok(Self {
            key_id: member(&file, "private_key_id").map(str::to_owned),
            project_id: member(&file, "project_id").map(str::to_owned),
            ..account
        })
    }

    /// Reads the key file that stands in the environment variable `GCP_SERVICE_ACCOUNT`.
    ///
    /// # Errors
    /// [`GcpError::Environment`] if it is not set, and those of [`from_json`](Self::from_json).
    pub fn from_env() -> Result<Self, GcpError> {
        let text = std::env::var(VARIABLE).map_err(|_| GcpError::Environment(VARIABLE))?;
        Self::from_json(&text)
    }

    /// The project that a key file names.
    #[must_use]
    pub fn project_id(&self) -> Option<&str> {
        self.project_id.as_deref()
    }

    pub(super) fn token_uri(&self) -> &Uri {
        &self.token_uri
    }

    /// A signed grant as of `now`, in the form that goes into a query.
    pub(super) fn grant(&self, scope: &str, now: SystemTime) -> Result<String, GcpError> {
        let now = now
            .duration_since(UNIX_EPOCH)
            .map_err(|_| GcpError::Sign)?
            .as_secs();
        let claims = Claims {
            iss: &self.email,
            scope,
            aud: self.token_uri.to_string(),
            iat: now,
            exp: now + GRANT_LIVES,
        };
        let header = Header {
            kid: self.key_id.clone(),
            ..Header::new(Algorithm::RS256)
        };
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|_| GcpError::Sign)
    }
}

impl fmt::Debug for ServiceAccount {
    /// Who, not with what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServiceAccount({})", self.email)
    }
}

fn member<'a>(file: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    file.get(name).and_then(Value::as_str)
}
