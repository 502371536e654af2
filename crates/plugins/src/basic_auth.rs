//! `basic-auth`: the caller shows a user name and a password (compat §3.6).

use std::sync::Arc;

use base64::Engine;
use http::header::AUTHORIZATION;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{Caller, CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Step};
use sluice_resource::{PluginInfo, SchemaCompileError};
use subtle::ConstantTimeEq;

use crate::auth::{self, Gate, Refusal};

const NAME: &str = "basic-auth";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "hide_credentials": { "type": "boolean", "default": false },
            "realm": auth::realm("basic"),
            "anonymous_consumer": auth::anonymous_consumer(),
        },
    });
    let consumer_schema = json!({
        "type": "object",
        "properties": { "username": { "type": "string" }, "password": { "type": "string" } },
        "required": ["username", "password"],
    });
    let info = PluginInfo::new(NAME, 2520, schema)?
        .with_consumer_schema(consumer_schema)?
        .as_auth("username")
        .with_consumer_encrypted_fields(&["password"]);
    Ok(PluginDef {
        info,
        compile: BasicAuth::compile,
    })
}

const MISSING: Refusal = Refusal::missing("Missing authorization in request");
const MALFORMED: Refusal = Refusal::invalid("Invalid authorization in request");
const WRONG: Refusal = Refusal::invalid("Invalid user authorization");

#[derive(Deserialize)]
struct Config {
    hide_credentials: bool,
    realm: String,
    anonymous_consumer: Option<String>,
}

struct BasicAuth {
    hide_credentials: bool,
    gate: Gate,
}

/// What a client shows.
struct Shown {
    username: String,
    password: String,
}

impl BasicAuth {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        Ok(Arc::new(Self {
            hide_credentials: config.hide_credentials,
            gate: Gate::new("Basic", &config.realm, config.anonymous_consumer)?,
        }))
    }
}

fn authenticate(cx: &Context) -> Result<Caller, Refusal> {
    let value = cx.request.headers.get(AUTHORIZATION).ok_or(MISSING)?;
    let shown = value.to_str().ok().and_then(Shown::parse).ok_or(MALFORMED)?;
    let (caller, identity) = auth::find(cx, NAME, &shown.username).ok_or(WRONG)?;
    let password = auth::secret(&identity, "password").ok_or(WRONG)?;
    match password.as_bytes().ct_eq(shown.password.as_bytes()).into() {
        true => Ok(caller),
        false => Err(WRONG),
    }
}

impl Shown {
    /// What the value of an `Authorization` header says. As in APISIX the scheme may stand anywhere in it, white space
    /// does not count, and neither does what follows a second colon.
    fn parse(header: &str) -> Option<Self> {
        let (_, rest) = header.split_once("Basic")?;
        let encoded = rest.strip_prefix([' ', '\t'])?;
        let decoded = auth::BASE64.decode(encoded).ok()?;
        // Keys and passwords are text, so that other bytes match none of them.
        let decoded = String::from_utf8_lossy(&decoded);
        let mut parts = decoded.split(':').map(|part| part.split_whitespace().collect());
        Some(Self {
            username: parts.next()?,
            password: parts.next()?,
        })
    }
}

impl Plugin for BasicAuth {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        match authenticate(cx) {
            Ok(caller) => cx.attach(caller),
            Err(refusal) => {
                if let Err(failure) = self.gate.fall_back(cx, refusal) {
                    return failure.into();
                }
            }
        }
        if self.hide_credentials {
            cx.request.headers.remove(AUTHORIZATION);
        }
        Step::CONTINUE
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn parsed(header: &str) -> Option<(String, String)> {
        Shown::parse(header).map(|shown| (shown.username, shown.password))
    }

    fn encoded(text: &[u8]) -> Option<(String, String)> {
        parsed(&format!("Basic {}", STANDARD.encode(text)))
    }

    fn pair(username: &str, password: &str) -> Option<(String, String)> {
        Some((username.to_owned(), password.to_owned()))
    }

    #[test]
    fn headers_that_say_who_calls() {
        assert_eq!(encoded(b"foo:bar"), pair("foo", "bar"));
        assert_eq!(encoded(b" f oo\t:\nb ar "), pair("foo", "bar"));
        assert_eq!(encoded(b"foo:bar:baz"), pair("foo", "bar"));
        assert_eq!(encoded(b"foo:"), pair("foo", ""));
        assert_eq!(encoded(b"f\xff:bar"), pair("f\u{fffd}", "bar"));
        // Without its padding.
        assert_eq!(parsed("Basic Zm9vOmJhcjE"), pair("foo", "bar1"));
        assert_eq!(parsed("Proxy Basic Zm9vOmJhcg=="), pair("foo", "bar"));
    }

    #[test]
    fn headers_that_do_not() {
        assert_eq!(encoded(b"foobar"), None);
        for header in [
            "",
            "Basic",
            "Basic ",
            "BasicZm9vOmJhcg==",
            "basic Zm9vOmJhcg==",
            "Basic  Zm9vOmJhcg==",
            "Basic Zm9vOmJhcg== x",
            "Basic ?",
            "Bearer Zm9vOmJhcg==",
        ] {
            assert_eq!(parsed(header), None, "{header:?}");
        }
    }
}
