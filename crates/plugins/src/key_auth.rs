//! `key-auth`: the caller shows an API key (compat §3.5).

use std::sync::Arc;

use http::{HeaderName, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    Caller, CompileEnv, CompileError, Context, GEMINI_KEY, KeyPlace, Phase, Phases, Plugin, PluginDef,
    Profile, Step, is_llm_path,
};
use sluice_resource::{PluginInfo, SchemaCompileError};

use crate::ai_key::{self, Found};
use crate::auth::{self, Gate, Refusal};

const NAME: &str = "key-auth";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "header": { "type": "string", "default": "apikey" },
            "query": { "type": "string", "default": "apikey" },
            "hide_credentials": { "type": "boolean", "default": false },
            "realm": auth::realm("key"),
            "anonymous_consumer": auth::anonymous_consumer(),
        },
    });
    let consumer_schema = json!({
        "type": "object",
        "properties": { "key": { "type": "string" } },
        "required": ["key"],
    });
    let info = PluginInfo::new(NAME, 2500, schema)?
        .with_consumer_schema(consumer_schema)?
        .as_auth("key")
        .with_consumer_encrypted_fields(&["key"]);
    Ok(PluginDef {
        info,
        compile: KeyAuth::compile,
    })
}

#[derive(Deserialize)]
struct Config {
    header: String,
    query: String,
    hide_credentials: bool,
    realm: String,
    anonymous_consumer: Option<String>,
}

struct KeyAuth {
    header: Option<HeaderName>,
    query: String,
    hide_credentials: bool,
    gate: Gate,
}

/// Where a key was found.
enum Place {
    Header(HeaderName),
    Query(String),
    /// Where an LLM dialect puts keys: never goes upstream.
    DialectHeader(HeaderName),
    DialectQuery(&'static str),
}

impl Place {
    /// What logs have to mask, beyond the places that they always mask.
    fn masked(&self) -> Option<KeyPlace> {
        match self {
            Self::Header(name) => Some(KeyPlace::Header(name.clone())),
            Self::Query(name) => Some(KeyPlace::Argument(name.clone())),
            Self::DialectHeader(_) | Self::DialectQuery(_) => None,
        }
    }
}

/// Headers in which LLM clients send their key.
const DIALECT_HEADERS: [HeaderName; 4] = [
    header::AUTHORIZATION,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static(GEMINI_KEY),
];

const MISSING: Refusal = Refusal {
    code: "missing_api_key",
    message: "Missing API key in request",
};
const INVALID: Refusal = Refusal {
    code: "invalid_api_key",
    message: "Invalid API key in request",
};

impl KeyAuth {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let Config {
            header,
            query,
            hide_credentials,
            realm,
            anonymous_consumer,
        } = Config::deserialize(conf)?;
        // A name that no header can have finds none; the query still works.
        let header = header.parse().ok();
        Ok(Arc::new(Self {
            header,
            query,
            hide_credentials,
            gate: Gate::new("apikey", &realm, anonymous_consumer)?,
        }))
    }

    /// The caller, or what is wrong.
    fn authenticate(&self, cx: &mut Context) -> Result<(), Refusal> {
        let mut problem = MISSING;
        if let Some((key, place)) = self.own_place(cx) {
            cx.key_place = place.masked();
            match find(cx, &key) {
                Found::Caller(caller) => {
                    self.accept(cx, caller, place);
                    return Ok(());
                }
                Found::Ended(refusal) => return Err(refusal),
                Found::Nobody => problem = INVALID,
            }
        }
        if !(llm_endpoint(cx)) {
            return Err(problem);
        }
        for (key, place) in dialect_places(cx) {
            match find(cx, &key) {
                Found::Caller(caller) => {
                    self.accept(cx, caller, place);
                    return Ok(());
                }
                Found::Ended(refusal) => return Err(refusal),
                Found::Nobody => {}
            }
            // To APISIX these places hold the provider's key, not the caller's.
            if cx.profile == Profile::Native {
                problem = INVALID;
            }
        }
        Err(problem)
    }

    /// The key where the configuration says: the header wins over the query.
    fn own_place(&self, cx: &Context) -> Option<(String, Place)> {
        if let Some(name) = &self.header
            && let Some(value) = cx.request.headers.get(name)
        {
            return Some((
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
                Place::Header(name.clone()),
            ));
        }
        let key = cx.request.query_arg(&self.query)?;
        Some((key, Place::Query(self.query.clone())))
    }

    fn accept(&self, cx: &mut Context, caller: Caller, place: Place) {
        match place {
            Place::Header(name) if self.hide_credentials => drop(cx.request.headers.remove(name)),
            Place::Query(name) if self.hide_credentials => cx.request.remove_query_arg(&name),
            Place::DialectHeader(name) => {
                cx.has_gemini_key = name == GEMINI_KEY;
                cx.request.headers.remove(name);
            }
            Place::DialectQuery(name) => cx.request.remove_query_arg(name),
            Place::Header(_) | Place::Query(_) => {}
        }
        cx.attach(caller);
    }
}

impl Plugin for KeyAuth {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let Err(refusal) = self.authenticate(cx) else {
            return Step::CONTINUE;
        };
        if let Err(failure) = self.gate.fall_back(cx, refusal) {
            return failure.into();
        }
        if self.hide_credentials {
            self.header
                .iter()
                .for_each(|name| drop(cx.request.headers.remove(name)));
            cx.request.remove_query_arg(&self.query);
        }
        Step::CONTINUE
    }
}

/// Keys that are kept as they are come first: they cost no digest.
fn find(cx: &mut Context, key: &str) -> Found {
    match auth::find(cx, NAME, key) {
        Some((caller, _)) => Found::Caller(caller),
        None => match ai_key::find(cx, key) {
            Found::Nobody => impersonated(cx, key),
            found => found,
        },
    }
}

/// A call that the operator makes as a client. Only such calls are told their id: the page shows the record behind it.
fn impersonated(cx: &mut Context, key: &str) -> Found {
    let Some(name) = cx.services.impersonation.take(key) else {
        return Found::Nobody;
    };
    let Some(consumer) = cx.snapshot.consumers.get(&name).cloned() else {
        return Found::Nobody;
    };
    let id = uuid::Uuid::from_u128(cx.id.0).to_string();
    if let Ok(id) = id.parse() {
        cx.response_headers.insert("x-sluice-request-id", id);
    }
    Found::Caller(Caller {
        consumer,
        credential: None,
    })
}

fn llm_endpoint(cx: &Context) -> bool {
    cx.route
        .as_ref()
        .is_some_and(|matched| matched.route.llm_endpoint)
        || is_llm_path(&cx.request.path)
}

/// The key of an `Authorization` header: a bearer token, or the access key id of an AWS signature, where Bedrock's
/// clients put the gateway's key. The signature proves nothing beside it: the gateway knows no secret of the caller's.
fn authorization_key(value: &str) -> Option<&str> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim());
    }
    if scheme != "AWS4-HMAC-SHA256" {
        return None;
    }
    let credential = rest
        .split(',')
        .find_map(|part| part.trim().strip_prefix("Credential="))?;
    credential.split('/').next()
}

/// Keys where LLM dialects put them (DESIGN §4, "Caller's key").
fn dialect_places(cx: &Context) -> Vec<(String, Place)> {
    let mut found = Vec::new();
    for name in DIALECT_HEADERS {
        let Some(value) = cx
            .request
            .headers
            .get(&name)
            .and_then(|value| value.to_str().ok())
        else {
            continue;
        };
        let key = match name == header::AUTHORIZATION {
            true => authorization_key(value),
            false => Some(value),
        };
        if let Some(key) = key {
            found.push((key.to_owned(), Place::DialectHeader(name)));
        }
    }
    if let Some(key) = cx.request.query_arg("key") {
        found.push((key, Place::DialectQuery("key")));
    }
    found
}
