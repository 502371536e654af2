//! `hmac-auth`: the caller signs parts of its request with a shared secret (compat §3.6.1).

mod credentials;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{AUTHORIZATION, DATE, HeaderName};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    Caller, CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, ReadBodyError,
    Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_resource::{PluginInfo, SchemaCompileError};

use self::credentials::{Algorithm, Credentials};
use crate::auth::{self, Gate, Refusal};

const NAME: &str = "hmac-auth";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "allowed_algorithms": {
                "type": "array", "minItems": 1,
                "items": { "type": "string", "enum": Algorithm::NAMES },
                "default": Algorithm::NAMES,
            },
            "clock_skew": { "type": "integer", "minimum": 1, "default": 300 },
            "signed_headers": {
                "type": "array", "items": { "type": "string", "minLength": 1, "maxLength": 50 },
                "default": ["date"],
            },
            "validate_request_body": { "type": "boolean", "default": false },
            "max_req_body_size": { "type": "integer", "minimum": 1, "default": 67_108_864 },
            "hide_credentials": { "type": "boolean", "default": false },
            "realm": auth::realm("hmac"),
            "anonymous_consumer": auth::anonymous_consumer(),
        },
    });
    let text = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let consumer_schema = json!({
        "type": "object",
        "properties": { "key_id": text, "secret_key": text },
        "required": ["key_id", "secret_key"],
    });
    let info = PluginInfo::new(NAME, 2530, schema)?
        .with_consumer_schema(consumer_schema)?
        .as_auth("key_id")
        .with_consumer_encrypted_fields(&["secret_key"]);
    Ok(PluginDef {
        info,
        compile: HmacAuth::compile,
    })
}

const DIGEST: HeaderName = HeaderName::from_static("digest");

const NO_HEADER: Refusal =
    Refusal::missing("client request can't be validated: missing Authorization header");
const OTHER_SCHEME: Refusal = Refusal::invalid(
    "client request can't be validated: Authorization header does not start with 'Signature'",
);
const INVALID: Refusal = Refusal::invalid("client request can't be validated");

/// Refuses without telling the client why; the log says it.
fn invalid(reason: &str) -> Refusal {
    tracing::info!("client request can't be validated: {reason}");
    INVALID
}

#[derive(Deserialize)]
struct Config {
    allowed_algorithms: Vec<Algorithm>,
    /// Seconds.
    clock_skew: u64,
    signed_headers: Vec<String>,
    validate_request_body: bool,
    max_req_body_size: u64,
    hide_credentials: bool,
    realm: String,
    anonymous_consumer: Option<String>,
}

struct HmacAuth {
    allowed_algorithms: Vec<Algorithm>,
    clock_skew: Duration,
    signed_headers: Vec<String>,
    validate_request_body: bool,
    max_req_body_size: u64,
    hide_credentials: bool,
    gate: Gate,
}

impl HmacAuth {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        Ok(Arc::new(Self::new(Config::deserialize(conf)?)?))
    }

    fn new(config: Config) -> Result<Self, CompileError> {
        Ok(Self {
            allowed_algorithms: config.allowed_algorithms,
            clock_skew: Duration::from_secs(config.clock_skew),
            signed_headers: config.signed_headers,
            validate_request_body: config.validate_request_body,
            max_req_body_size: config.max_req_body_size,
            hide_credentials: config.hide_credentials,
            gate: Gate::new("hmac", &config.realm, config.anonymous_consumer)?,
        })
    }

    /// The caller, by all checks that need no body.
    fn authenticate(&self, cx: &Context, now: SystemTime) -> Result<Caller, Refusal> {
        let header = cx.request.headers.get(AUTHORIZATION).ok_or(NO_HEADER)?;
        let header = String::from_utf8_lossy(header.as_bytes());
        let pieces = header.strip_prefix("Signature").ok_or(OTHER_SCHEME)?;
        let credentials = Credentials::parse(pieces).map_err(invalid)?;
        let (caller, identity) =
            auth::find(cx, NAME, credentials.key_id).ok_or_else(|| invalid("Invalid key_id"))?;
        let algorithm = Algorithm::named(credentials.algorithm)
            .filter(|algorithm| self.allowed_algorithms.contains(algorithm))
            .ok_or_else(|| invalid("Invalid algorithm"))?;
        self.check_date(cx, now).map_err(invalid)?;
        if let Some(missing) = self
            .signed_headers
            .iter()
            .find(|name| !credentials.headers.contains(&name.as_str()))
        {
            return Err(invalid(&format!(
                "expected header \"{missing}\" missing in signing"
            )));
        }
        let secret =
            auth::secret(&identity, "secret_key").ok_or_else(|| invalid("the secret_key cannot be used"))?;
        let key = hmac::Key::new(algorithm.function(), secret.as_bytes());
        let signature = auth::BASE64.decode(credentials.signature).unwrap_or_default();
        hmac::verify(&key, &credentials.signing_string(cx), &signature)
            .map_err(|_| invalid("Invalid signature"))?;
        Ok(caller)
    }

    /// Whether the request was made about now.
    fn check_date(&self, cx: &Context, now: SystemTime) -> Result<(), &'static str> {
        let date = cx
            .request
            .headers
            .get(DATE)
            .ok_or("Date header missing. failed to validate clock skew")?;
        let date = date
            .to_str()
            .ok()
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .ok_or("Invalid GMT format time")?;
        // In whole seconds, as the header counts.
        let seconds = |at: SystemTime| {
            at.duration_since(SystemTime::UNIX_EPOCH)
                .map_or(0, |since| since.as_secs())
        };
        match seconds(now).abs_diff(seconds(date)) > self.clock_skew.as_secs() {
            true => Err("Clock skew exceeded"),
            false => Ok(()),
        }
    }

    /// Whether the body is the one whose digest the client sent.
    async fn check_body(&self, cx: &mut Context) -> Result<(), Refused> {
        let Some(sent) = cx.request.headers.get(DIGEST).cloned() else {
            return Err(invalid("Invalid digest").into());
        };
        let body = match cx.request.body.read(self.max_req_body_size).await {
            Ok(body) => body,
            Err(error @ ReadBodyError::TooLarge { .. }) => return Err(Refused::TooLarge(error.to_string())),
            Err(error) => return Err(invalid(&error.to_string()).into()),
        };
        let expected = format!("SHA-256={}", STANDARD.encode(digest(&SHA256, &body)));
        match sent == expected {
            true => Ok(()),
            false => Err(invalid("Invalid digest").into()),
        }
    }

    /// Lets the caller in, or whoever the gate lets in its place.
    fn settle(&self, cx: &mut Context, found: Result<Caller, Refused>) -> Verdict {
        match found {
            Ok(caller) => cx.attach(caller),
            Err(Refused::TooLarge(message)) => {
                let failure = Failure::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    ErrorKind::RequestTooLarge,
                    "body_too_large",
                    message.clone(),
                );
                return failure.apisix_json(json!({ "message": message })).into();
            }
            Err(Refused::Unknown(refusal)) => {
                if let Err(failure) = self.gate.fall_back(cx, refusal) {
                    return failure.into();
                }
            }
        }
        if self.hide_credentials {
            cx.request.headers.remove(AUTHORIZATION);
        }
        Verdict::Continue
    }
}

/// Why a request does not get in.
enum Refused {
    /// The anonymous consumer may take it.
    Unknown(Refusal),
    /// Nobody may: its body passes the limit, as this text says.
    TooLarge(String),
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self::Unknown(refusal)
    }
}

impl Plugin for HmacAuth {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let found = self.authenticate(cx, SystemTime::now());
        match found {
            Ok(caller) if self.validate_request_body => Step::wait(async move {
                let found = self.check_body(cx).await.map(|()| caller);
                self.settle(cx, found)
            }),
            found => Step::Done(self.settle(cx, found.map_err(Refused::Unknown))),
        }
    }
}

#[cfg(test)]
mod tests;
