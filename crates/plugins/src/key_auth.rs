//! `key-auth`: the caller shows an API key (compat §3.5).

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    Caller, CompileEnv, CompileError, Context, Failure, KeyPlace, Phase, Phases, Plugin, PluginDef, Profile,
    Step, is_llm_path,
};
use sluice_llm::ErrorKind;
use sluice_resource::{PluginInfo, SchemaCompileError};

const NAME: &str = "key-auth";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "header": { "type": "string", "default": "apikey" },
            "query": { "type": "string", "default": "apikey" },
            "hide_credentials": { "type": "boolean", "default": false },
            "realm": {
                "type": "string", "minLength": 1, "maxLength": 128,
                "pattern": "^[\\x20\\x21\\x23-\\x5B\\x5D-\\x7E]+$", "default": "key",
            },
            "anonymous_consumer": { "type": "string", "minLength": 1 },
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
    challenge: HeaderValue,
    anonymous_consumer: Option<String>,
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
    HeaderName::from_static("x-goog-api-key"),
];

const MISSING: &str = "Missing API key in request";
const INVALID: &str = "Invalid API key in request";

impl KeyAuth {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let Config {
            header,
            query,
            hide_credentials,
            realm,
            anonymous_consumer,
        } = Config::deserialize(conf)?;
        let challenge = HeaderValue::from_str(&format!("apikey realm=\"{realm}\""))
            .map_err(|_| CompileError("realm cannot be a header value".to_owned()))?;
        // A name that no header can have finds none; the query still works.
        let header = header.parse().ok();
        Ok(Arc::new(Self {
            header,
            query,
            hide_credentials,
            challenge,
            anonymous_consumer,
        }))
    }

    /// The caller, or what is wrong.
    fn authenticate(&self, cx: &mut Context) -> Result<(), &'static str> {
        let mut problem = MISSING;
        if let Some((key, place)) = self.own_place(cx) {
            cx.key_place = place.masked();
            match find(cx, &key) {
                Some(caller) => {
                    self.accept(cx, caller, place);
                    return Ok(());
                }
                None => problem = INVALID,
            }
        }
        if !(llm_endpoint(cx)) {
            return Err(problem);
        }
        for (key, place) in dialect_places(cx) {
            if let Some(caller) = find(cx, &key) {
                self.accept(cx, caller, place);
                return Ok(());
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
            Place::DialectHeader(name) => drop(cx.request.headers.remove(name)),
            Place::DialectQuery(name) => cx.request.remove_query_arg(name),
            Place::Header(_) | Place::Query(_) => {}
        }
        cx.attach(caller);
    }

    fn refuse(&self, message: &'static str) -> Step<'static> {
        let code = if message == MISSING {
            "missing_api_key"
        } else {
            "invalid_api_key"
        };
        Failure::new(StatusCode::UNAUTHORIZED, ErrorKind::Authentication, code, message)
            .apisix_json(json!({ "message": message }))
            .header(header::WWW_AUTHENTICATE, self.challenge.clone())
            .into()
    }
}

impl Plugin for KeyAuth {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let problem = match self.authenticate(cx) {
            Ok(()) => return Step::CONTINUE,
            Err(problem) => problem,
        };
        let Some(name) = &self.anonymous_consumer else {
            return self.refuse(problem);
        };
        let Some(consumer) = cx.snapshot.consumers.get(name).cloned() else {
            return self.refuse("Invalid user authorization");
        };
        if self.hide_credentials {
            self.header
                .iter()
                .for_each(|name| drop(cx.request.headers.remove(name)));
            cx.request.remove_query_arg(&self.query);
        }
        cx.attach(Caller {
            consumer,
            credential: None,
        });
        Step::CONTINUE
    }
}

fn find(cx: &Context, key: &str) -> Option<Caller> {
    let (consumer, identity) = cx.snapshot.consumers.find(NAME, key)?;
    Some(Caller {
        consumer: consumer.clone(),
        credential: identity.credential.clone(),
    })
}

fn llm_endpoint(cx: &Context) -> bool {
    cx.route
        .as_ref()
        .is_some_and(|matched| matched.route.llm_endpoint)
        || is_llm_path(&cx.request.path)
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
            true => value
                .split_once(' ')
                .filter(|(s, _)| s.eq_ignore_ascii_case("bearer"))
                .map(|(_, key)| key.trim()),
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
