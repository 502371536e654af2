//! `jwt-auth`: the caller shows a JSON Web Token that its consumer's key has signed (compat §3.6).

mod claims;
mod signature;
mod token;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use http::HeaderName;
use http::header::COOKIE;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    Caller, CompileEnv, CompileError, Context, Identity, KeyPlace, Phase, Phases, Plugin, PluginDef, Step,
};
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError, is_secret_reference};

use self::claims::{Claim, Clock};
use self::token::Token;
use crate::auth::{self, Gate, Refusal};

const NAME: &str = "jwt-auth";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "header": { "type": "string", "default": "authorization" },
            "query": { "type": "string", "default": "jwt" },
            "cookie": { "type": "string", "default": "jwt" },
            "hide_credentials": { "type": "boolean", "default": false },
            "key_claim_name": { "type": "string", "default": "key" },
            "store_in_ctx": { "type": "boolean", "default": false },
            "realm": auth::realm("jwt"),
            "anonymous_consumer": auth::anonymous_consumer(),
            "claims_to_verify": {
                "type": "array", "uniqueItems": true,
                "items": { "type": "string", "enum": ["exp", "nbf"] },
            },
        },
    });
    let info = PluginInfo::new(NAME, 2510, schema)?
        .with_consumer_schema(consumer_schema())?
        .as_auth("key")
        .with_consumer_encrypted_fields(&["secret"])
        .with_check(check);
    Ok(PluginDef {
        info,
        compile: JwtAuth::compile,
    })
}

fn consumer_schema() -> Value {
    let symmetric = &signature::NAMES[..signature::SYMMETRIC];
    let asymmetric = &signature::NAMES[signature::SYMMETRIC..];
    json!({
        "type": "object",
        "properties": {
            "key": { "type": "string", "minLength": 1 },
            "secret": { "type": "string", "minLength": 1 },
            "public_key": { "type": "string" },
            "algorithm": { "type": "string", "enum": signature::NAMES, "default": "HS256" },
            "exp": { "type": "integer", "minimum": 1, "default": 86400 },
            "base64_secret": { "type": "boolean", "default": false },
            "lifetime_grace_period": { "type": "integer", "minimum": 0, "default": 0 },
        },
        "dependencies": {
            "algorithm": {
                "oneOf": [
                    { "properties": { "algorithm": { "enum": symmetric } } },
                    { "properties": { "algorithm": { "enum": asymmetric } }, "required": ["public_key"] },
                ],
            },
        },
        "required": ["key"],
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Consumer {
        return Ok(());
    }
    let text = |member: &str| conf.get(member).and_then(Value::as_str);
    let is_symmetric = text("algorithm").is_some_and(signature::is_symmetric);
    let Some(secret) = text("secret") else {
        return match is_symmetric {
            true => Err(
                "property \"secret\" is required when \"algorithm\" is one of HS256, HS384, HS512".to_owned(),
            ),
            false => Ok(()),
        };
    };
    let is_encoded = conf.get("base64_secret") == Some(&Value::Bool(true));
    if is_encoded && !is_secret_reference(secret) && auth::BASE64.decode(secret).is_err() {
        return Err("base64_secret required but the secret is not in base64 format".to_owned());
    }
    Ok(())
}

const MISSING: Refusal = Refusal::missing("Missing JWT token in request");
const MALFORMED: Refusal = Refusal::invalid("JWT token invalid");
const KEYLESS: Refusal = Refusal::invalid("missing user key in JWT token");
const UNKNOWN: Refusal = Refusal::invalid("Invalid user key in JWT token");
const UNVERIFIED: Refusal = Refusal::invalid("failed to verify jwt");

#[derive(Deserialize)]
struct Config {
    header: String,
    query: String,
    cookie: String,
    hide_credentials: bool,
    key_claim_name: String,
    store_in_ctx: bool,
    realm: String,
    anonymous_consumer: Option<String>,
    claims_to_verify: Option<Vec<Claim>>,
}

struct JwtAuth {
    header: Option<HeaderName>,
    query: String,
    cookie: String,
    hide_credentials: bool,
    key_claim_name: String,
    keeps_claims: bool,
    claims: Vec<Claim>,
    gate: Gate,
}

/// Where a token was found.
enum Place {
    Header(HeaderName),
    Query,
    Cookie,
}

impl JwtAuth {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        Ok(Arc::new(Self::new(Config::deserialize(conf)?)?))
    }

    fn new(config: Config) -> Result<Self, CompileError> {
        Ok(Self {
            // A name that no header can have finds none; query and cookie still work.
            header: config.header.parse().ok(),
            query: config.query,
            cookie: config.cookie,
            hide_credentials: config.hide_credentials,
            key_claim_name: config.key_claim_name,
            keeps_claims: config.store_in_ctx,
            claims: config
                .claims_to_verify
                .unwrap_or_else(|| vec![Claim::Nbf, Claim::Exp]),
            gate: Gate::new("Bearer", &config.realm, config.anonymous_consumer)?,
        })
    }

    /// The token, from the header, else the query, else the cookie.
    fn token(&self, cx: &Context) -> Option<(String, Place)> {
        let request = &cx.request;
        if let Some(name) = &self.header
            && let Some(value) = request.headers.get(name)
        {
            let value = String::from_utf8_lossy(value.as_bytes());
            let token = ["Bearer ", "bearer "]
                .into_iter()
                .find_map(|prefix| value.strip_prefix(prefix));
            return Some((token.unwrap_or(&value).to_owned(), Place::Header(name.clone())));
        }
        if let Some(token) = request.query_arg(&self.query) {
            return Some((token, Place::Query));
        }
        let token = request.cookie(&self.cookie)?;
        Some((token.to_owned(), Place::Cookie))
    }

    /// What logs have to mask.
    fn masked(&self, place: &Place) -> KeyPlace {
        match place {
            Place::Header(name) => KeyPlace::Header(name.clone()),
            Place::Query => KeyPlace::Argument(self.query.clone()),
            Place::Cookie => KeyPlace::Header(COOKIE),
        }
    }

    fn hide(&self, cx: &mut Context, place: Place) {
        match place {
            Place::Header(name) => drop(cx.request.headers.remove(name)),
            Place::Query => cx.request.remove_query_arg(&self.query),
            Place::Cookie => cx.request.remove_cookie(&self.cookie),
        }
    }

    fn authenticate(&self, cx: &Context, token: &str) -> Result<(Caller, Map<String, Value>), Refusal> {
        let token = Token::parse(token).ok_or(MALFORMED)?;
        let key = match token.claims.get(&self.key_claim_name) {
            None | Some(Value::Bool(false)) => return Err(KEYLESS),
            Some(key) => key.as_str().ok_or(UNKNOWN)?,
        };
        let (caller, identity) = auth::find(cx, NAME, key).ok_or(UNKNOWN)?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64());
        match self.verify(&token, &identity, now) {
            Ok(()) => Ok((caller, token.claims)),
            Err(reason) => {
                tracing::info!(consumer = %identity.username, reason, "failed to verify jwt");
                Err(UNVERIFIED)
            }
        }
    }

    /// Whether a token is what this identity has signed, and is in force at `now` (Unix seconds).
    fn verify(&self, token: &Token<'_>, identity: &Identity, now: f64) -> Result<(), &'static str> {
        let algorithm = identity.conf.get("algorithm").and_then(Value::as_str);
        if algorithm != Some(&token.algorithm) {
            return Err("its algorithm is not that of the consumer");
        }
        if token.has_critical_extensions {
            return Err("it demands extensions");
        }
        signature::verify(token, identity)?;
        let grace = identity.conf.get("lifetime_grace_period").and_then(Value::as_f64);
        let clock = Clock {
            now,
            grace: grace.unwrap_or_default(),
        };
        self.claims
            .iter()
            .try_for_each(|claim| claim.verify(&token.claims, &clock))
    }
}

impl Plugin for JwtAuth {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let shown = self.token(cx);
        cx.key_place = shown.as_ref().map(|(_, place)| self.masked(place));
        let found = match &shown {
            Some((token, _)) => self.authenticate(cx, token),
            None => Err(MISSING),
        };
        match found {
            Ok((caller, claims)) => {
                cx.attach(caller);
                if self.keeps_claims {
                    cx.jwt_auth_payload = Some(Box::new(claims));
                }
            }
            Err(refusal) => {
                if let Err(failure) = self.gate.fall_back(cx, refusal) {
                    return failure.into();
                }
            }
        }
        if let Some((_, place)) = shown
            && self.hide_credentials
        {
            self.hide(cx, place);
        }
        Step::CONTINUE
    }
}

#[cfg(test)]
mod tests;
