//! What the auth plugins have in common: finding callers, the anonymous consumer, refusals (compat §3.4).

use std::sync::Arc;

use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Value, json};
use sluice_core::{Caller, CompileError, Context, Failure, Identity};
use sluice_llm::ErrorKind;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);

/// Base64 as nginx decodes it: padding is a choice.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);

/// The same in the alphabet of tokens.
pub(crate) const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Why a request does not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

impl Refusal {
    /// The client shows nothing that says who it is.
    pub(crate) const fn missing(message: &'static str) -> Self {
        Self {
            code: "missing_credentials",
            message,
        }
    }

    /// What the client shows does not hold.
    pub(crate) const fn invalid(message: &'static str) -> Self {
        Self {
            code: "invalid_credentials",
            message,
        }
    }
}

/// There is no consumer of the name that `anonymous_consumer` says.
const NO_ANONYMOUS: Refusal = Refusal::invalid("Invalid user authorization");

/// The schema of `realm`.
pub(crate) fn realm(default: &str) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": 128,
        "pattern": "^[\\x20\\x21\\x23-\\x5B\\x5D-\\x7E]+$", "default": default,
    })
}

/// The schema of `anonymous_consumer`.
pub(crate) fn anonymous_consumer() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

/// What happens to requests that show no valid credentials.
pub(crate) struct Gate {
    /// `WWW-Authenticate`.
    challenge: HeaderValue,
    anonymous_consumer: Option<String>,
}

impl Gate {
    /// A gate that challenges by this scheme and realm.
    pub(crate) fn new(
        scheme: &str,
        realm: &str,
        anonymous_consumer: Option<String>,
    ) -> Result<Self, CompileError> {
        let challenge = HeaderValue::from_str(&format!("{scheme} realm=\"{realm}\""))
            .map_err(|_| CompileError("realm cannot be a header value".to_owned()))?;
        Ok(Self {
            challenge,
            anonymous_consumer,
        })
    }

    /// Attaches the anonymous consumer, where one is configured; otherwise there is only the refusal.
    pub(crate) fn fall_back(&self, cx: &mut Context, refusal: Refusal) -> Result<(), Box<Failure>> {
        let Some(name) = &self.anonymous_consumer else {
            return Err(Box::new(self.refuse(refusal)));
        };
        let Some(consumer) = cx.snapshot.consumers.get(name).cloned() else {
            return Err(Box::new(self.refuse(NO_ANONYMOUS)));
        };
        cx.attach(Caller {
            consumer,
            credential: None,
        });
        Ok(())
    }

    fn refuse(&self, Refusal { code, message }: Refusal) -> Failure {
        Failure::new(StatusCode::UNAUTHORIZED, ErrorKind::Authentication, code, message)
            .apisix_json(json!({ "message": message }))
            .header(header::WWW_AUTHENTICATE, self.challenge.clone())
    }
}

/// The caller that `plugin` knows under `key`, and the configuration that says so.
pub(crate) fn find(cx: &Context, plugin: &str, key: &str) -> Option<(Caller, Arc<Identity>)> {
    let (consumer, identity) = cx.snapshot.consumers.find(plugin, key)?;
    let caller = Caller {
        consumer: consumer.clone(),
        credential: identity.credential.clone(),
    };
    Some((caller, identity.clone()))
}

/// A secret in an identity's configuration. An empty one opens nothing.
pub(crate) fn secret<'a>(identity: &'a Identity, member: &str) -> Option<&'a str> {
    let text = identity.conf.get(member)?.as_str()?;
    (!text.is_empty()).then_some(text)
}
