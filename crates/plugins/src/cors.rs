//! `cors`: cross-origin requests of browsers (compat §6.5).

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Reply, ResponseHead, Step,
};
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let patterns = json!({
        "type": "array", "minItems": 1, "uniqueItems": true,
        "items": { "type": "string", "minLength": 1, "maxLength": 4096 },
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "allow_origins": {
                "type": "string", "default": "*",
                "pattern": r"^(|\*|\*\*|null|\w+://[^,]+(,\w+://[^,]+)*)$",
            },
            "allow_methods": { "type": "string", "default": "*" },
            "allow_headers": { "type": "string", "default": "*" },
            "expose_headers": { "type": "string" },
            "max_age": { "type": "integer", "default": 5 },
            "allow_credential": { "type": "boolean", "default": false },
            "allow_origins_by_regex": patterns,
            "allow_origins_by_metadata": patterns,
            "timing_allow_origins": { "type": "string", "pattern": r"^(|\*|\*\*|null|\w+://[^,]+(,\w+://[^,]+)*)$" },
            "timing_allow_origins_by_regex": patterns,
        },
    });
    let metadata = json!({
        "type": "object",
        "properties": { "allow_origins": { "type": "object", "additionalProperties": { "type": "string" } } },
    });
    let info = PluginInfo::new("cors", 4000, schema)?
        .with_metadata_schema(metadata)?
        .with_check(check);
    Ok(PluginDef {
        info,
        compile: Cors::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let is_any = |name: &str| conf.get(name).and_then(Value::as_str) == Some("*");
    let credential = conf.get("allow_credential").and_then(Value::as_bool) == Some(true);
    if credential
        && [
            "allow_origins",
            "allow_methods",
            "allow_headers",
            "expose_headers",
        ]
        .into_iter()
        .any(is_any)
    {
        return Err("you can not set '*' for other option when 'allow_credential' is true".to_owned());
    }
    for name in ["allow_origins_by_regex", "timing_allow_origins_by_regex"] {
        for pattern in conf
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            Regex::new(pattern).map_err(|error| format!("{error}"))?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Config {
    allow_origins: String,
    allow_methods: String,
    allow_headers: String,
    expose_headers: Option<String>,
    max_age: i64,
    allow_credential: bool,
    #[serde(default)]
    allow_origins_by_regex: Vec<String>,
    #[serde(default)]
    allow_origins_by_metadata: Vec<String>,
    timing_allow_origins: Option<String>,
    #[serde(default)]
    timing_allow_origins_by_regex: Vec<String>,
}

struct Cors {
    config: Config,
    origins: Origins,
    timing: Option<Origins>,
}

/// Which origins are let in.
struct Origins {
    listed: String,
    patterns: Vec<Regex>,
    named: Vec<String>,
}

const TIMING: HeaderName = HeaderName::from_static("timing-allow-origin");
const EVERY_METHOD: &str = "GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE";

impl Cors {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let table: BTreeMap<String, String> = match env.metadata.and_then(|m| m.get("allow_origins")) {
            Some(table) => BTreeMap::deserialize(table)?,
            None => BTreeMap::new(),
        };
        let named = config
            .allow_origins_by_metadata
            .iter()
            .filter_map(|key| table.get(key))
            .cloned()
            .collect();
        let origins = Origins {
            listed: config.allow_origins.clone(),
            patterns: patterns(&config.allow_origins_by_regex)?,
            named,
        };
        let timing = match (
            &config.timing_allow_origins,
            config.timing_allow_origins_by_regex.is_empty(),
        ) {
            (None, true) => None,
            (listed, _) => Some(Origins {
                listed: listed.clone().unwrap_or_default(),
                patterns: patterns(&config.timing_allow_origins_by_regex)?,
                named: Vec::new(),
            }),
        };
        Ok(Arc::new(Self {
            config,
            origins,
            timing,
        }))
    }

    fn dress(&self, cx: &Context, head: &mut ResponseHead) {
        let sent = cx.request.header("origin");
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                head.headers.insert(name, value);
            }
        };
        if let Some(origin) = self.timing.as_ref().and_then(|timing| timing.answer(sent)) {
            set(TIMING, &origin);
        }
        let Some(origin) = self.origins.answer(sent) else {
            return;
        };
        let config = &self.config;
        let methods = if config.allow_methods == "**" {
            EVERY_METHOD
        } else {
            &config.allow_methods
        };
        set(header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        set(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(exposed) = config
            .expose_headers
            .as_deref()
            .filter(|exposed| !exposed.is_empty())
        {
            set(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
        match (
            config.allow_headers.as_str(),
            cx.request.header("access-control-request-headers"),
        ) {
            ("**", Some(asked)) => set(header::ACCESS_CONTROL_ALLOW_HEADERS, asked),
            ("**", None) => {}
            (listed, _) => set(header::ACCESS_CONTROL_ALLOW_HEADERS, listed),
        }
        set(header::ACCESS_CONTROL_MAX_AGE, &config.max_age.to_string());
        if config.allow_credential {
            set(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, "true");
        }
        if config.allow_origins != "*" {
            head.headers
                .append(header::VARY, HeaderValue::from_static("Origin"));
        }
    }
}

impl Origins {
    /// The origin to allow, if the one that was sent is let in.
    fn answer(&self, sent: Option<&str>) -> Option<String> {
        match (self.listed.as_str(), sent) {
            ("*", _) if self.patterns.is_empty() && self.named.is_empty() => return Some("*".to_owned()),
            ("**", sent) => return Some(sent.unwrap_or("*").to_owned()),
            _ => {}
        }
        let sent = sent?;
        let among = |list: &str| list == "*" || list.split(',').any(|origin| origin == sent);
        let is_let_in = if self.patterns.is_empty() && self.named.is_empty() {
            among(&self.listed)
        } else {
            self.patterns.iter().any(|pattern| pattern.is_match(sent))
                || self.named.iter().any(|list| among(list))
        };
        is_let_in.then(|| sent.to_owned())
    }
}

fn patterns(texts: &[String]) -> Result<Vec<Regex>, CompileError> {
    texts
        .iter()
        .map(|text| Regex::new(text).map_err(|e| CompileError(e.to_string())))
        .collect()
}

impl Plugin for Cors {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite, Phase::ResponseHead])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if cx.request.method == Method::OPTIONS {
            Reply::status(StatusCode::OK).into()
        } else {
            Step::CONTINUE
        }
    }

    fn response_head(&self, cx: &mut Context, head: &mut ResponseHead) {
        self.dress(cx, head);
    }
}
