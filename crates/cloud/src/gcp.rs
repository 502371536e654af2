//! Access tokens of Google service accounts (RFC 7523 grant; compat §4.1.4).

mod account;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{Request, StatusCode};
use serde::Deserialize;
use sluice_net::{Body, Origin, OriginConfig, Origins, Pool, Replay, Scheme, Timeouts};
use tokio::time::Instant;

pub use self::account::ServiceAccount;

/// Largest answer of a token endpoint.
const ANSWER_MAX: u64 = 64 << 10;

/// How tokens are asked for and kept.
#[derive(Clone, Debug)]
pub struct GcpTokenConfig {
    /// Scopes of the token, separated by spaces.
    pub scope: String,
    /// Longest time that a token is kept.
    pub max_ttl: Option<Duration>,
    /// How long before its end a token is given up.
    pub expire_early: Duration,
    /// Limit of connecting, of each send and of each read.
    pub timeout: Duration,
    /// Whether the token endpoint's certificate is verified.
    pub verify_tls: bool,
}

impl Default for GcpTokenConfig {
    /// Everything that Google Cloud has, given up a minute early (compat §4.1.2).
    fn default() -> Self {
        Self {
            scope: "https://www.googleapis.com/auth/cloud-platform".to_owned(),
            max_ttl: None,
            expire_early: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            verify_tls: true,
        }
    }
}

/// Why there is no access token. Contains nothing of the key and nothing of a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GcpError {
    /// The text is not JSON.
    #[error("{0}")]
    Json(String),
    /// A member that must be a string is not there.
    #[error("{0} is missing or not a string")]
    Member(&'static str),
    /// `private_key` cannot be used.
    #[error("private_key is not an RSA key in PEM form")]
    Key,
    /// `token_uri` cannot be called.
    #[error("token_uri is not an http or https URL")]
    TokenUri,
    /// The environment names no service account.
    #[error("the environment variable {0} is not set")]
    Environment(&'static str),
    /// The grant could not be signed.
    #[error("the token request could not be signed")]
    Sign,
    /// The token endpoint was not reached.
    #[error("token endpoint: {0}")]
    Unreachable(String),
    /// The token endpoint refused.
    #[error("token endpoint answered {status}{}", .reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Refused {
        /// Its status.
        status: StatusCode,
        /// Its `error` member, if that looks like one of OAuth's codes.
        reason: Option<String>,
    },
    /// The token endpoint's answer holds no usable token.
    #[error("token endpoint answered without a usable access_token")]
    NoToken,
}

/// The access token of one service account: kept until shortly before its end, got once however many ask for it.
///
/// Shared by all threads. Each asks through its own [`Pool`].
pub struct GcpTokens {
    account: ServiceAccount,
    config: GcpTokenConfig,
    origin: Arc<Origin>,
    kept: Mutex<Option<Kept>>,
    /// Held by who is asking the endpoint; inside is how the last attempt ended.
    asking: tokio::sync::Mutex<Option<Outcome>>,
    /// Attempts that have ended.
    ended: AtomicU64,
}

type Outcome = Result<HeaderValue, GcpError>;

struct Kept {
    authorization: HeaderValue,
    until: Instant,
}

/// What a token endpoint answers.
#[derive(Deserialize)]
struct Granted {
    access_token: String,
    #[serde(default)]
    expires_in: u64,
}

impl GcpTokens {
    /// Nothing is asked for before [`authorization`](Self::authorization) is.
    ///
    /// # Errors
    /// [`GcpError::TokenUri`].
    pub fn new(account: ServiceAccount, config: GcpTokenConfig, origins: &Origins) -> Result<Self, GcpError> {
        let uri = account.token_uri();
        let (scheme, default) = match uri.scheme_str() {
            Some("https") => (Scheme::Https, 443),
            Some("http") => (Scheme::Http, 80),
            _ => return Err(GcpError::TokenUri),
        };
        let host = uri.host().ok_or(GcpError::TokenUri)?;
        let mut origin = OriginConfig::new(scheme, host, uri.port_u16().unwrap_or(default));
        origin.tls.verify = config.verify_tls;
        origin.replay = Replay::Any;
        Ok(Self {
            origin: origins.get(origin).map_err(|_| GcpError::TokenUri)?,
            account,
            config,
            kept: Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            ended: AtomicU64::new(0),
        })
    }

    /// The value of an `authorization` header, `Bearer` and the token, marked as sensitive.
    ///
    /// Who asks while another one's request is under way waits for that and shares its outcome, its failure too.
    ///
    /// # Errors
    /// [`GcpError`]. The next call after a failure asks again.
    pub async fn authorization(&self, pool: &Pool) -> Result<HeaderValue, GcpError> {
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        let came = self.ended.load(Ordering::Acquire);
        let mut last = self.asking.lock().await;
        if let Some(kept) = self.kept() {
            return Ok(kept);
        }
        if let Some(outcome) = &*last
            && self.ended.load(Ordering::Acquire) != came
        {
            return outcome.clone();
        }
        let outcome = match self.ask(pool).await {
            Ok(granted) => self.keep(&granted),
            Err(error) => Err(error),
        };
        *last = Some(outcome.clone());
        self.ended.fetch_add(1, Ordering::Release);
        outcome
    }

    fn kept(&self) -> Option<HeaderValue> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref()
            .filter(|kept| Instant::now() < kept.until)
            .map(|kept| kept.authorization.clone())
    }

    fn keep(&self, granted: &Granted) -> Outcome {
        let text = format!("Bearer {}", granted.access_token);
        let mut authorization = HeaderValue::try_from(text).map_err(|_| GcpError::NoToken)?;
        authorization.set_sensitive(true);
        let lives = Duration::from_secs(granted.expires_in).saturating_sub(self.config.expire_early);
        let ttl = self.config.max_ttl.map_or(lives, |most| lives.min(most));
        if let Some(until) = Instant::now().checked_add(ttl) {
            *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(Kept {
                authorization: authorization.clone(),
                until,
            });
        }
        Ok(authorization)
    }

    async fn ask(&self, pool: &Pool) -> Result<Granted, GcpError> {
        let grant = self.account.grant(&self.config.scope, SystemTime::now())?;
        let body =
            format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={grant}");
        let path = self.account.token_uri().path_and_query();
        let request = Request::post(path.map_or("/", |path| path.as_str()))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Body::from(Bytes::from(body)))
            .map_err(|_| GcpError::TokenUri)?;
        let timeouts = Timeouts {
            connect: self.config.timeout,
            send: self.config.timeout,
            read: self.config.timeout,
        };
        let answer = pool
            .send(&self.origin, request, timeouts)
            .await
            .map_err(|error| GcpError::Unreachable(error.to_string()))?;
        let status = answer.response.status();
        let body = answer.response.into_body().collect_limited(ANSWER_MAX).await;
        let body = body.map_err(|error| GcpError::Unreachable(error.to_string()))?;
        if status != StatusCode::OK {
            return Err(GcpError::Refused {
                status,
                reason: reason(&body),
            });
        }
        serde_json::from_slice(&body).map_err(|_| GcpError::NoToken)
    }
}

impl fmt::Debug for GcpTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GcpTokens({:?})", self.account)
    }
}

/// The code of an OAuth error (RFC 6749 §5.2), such as `invalid_grant`. Other texts are not passed on: an endpoint may
/// repeat what it was sent.
fn reason(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
    }
    let code = serde_json::from_slice::<Refusal>(body).ok()?.error;
    let is_code = code.len() <= 40 && code.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_'));
    is_code.then_some(code)
}

#[cfg(test)]
mod tests;
