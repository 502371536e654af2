//! `redirect`: sends the client elsewhere (compat §6.8.2).

mod target;

use std::sync::Arc;

use fancy_regex::Regex;
use http::{HeaderValue, Method, StatusCode, header};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use rand::seq::IndexedRandom;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Reply, Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError, Variables};

use self::target::Target;
use crate::replacement::Replacement;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "ret_code": { "type": "integer", "minimum": 200, "default": 302 },
            "uri": {
                "type": "string", "minLength": 2,
                "pattern": r"(\\\$[0-9a-zA-Z_]+)|\$\{([0-9a-zA-Z_]+)\}|\$([0-9a-zA-Z_]+)|(\$|[^$\\]+)",
            },
            "regex_uri": {
                "type": "array", "minItems": 2, "maxItems": 2, "items": { "type": "string" },
            },
            "http_to_https": { "type": "boolean" },
            "encode_uri": { "type": "boolean", "default": false },
            "append_query_string": { "type": "boolean", "default": false },
        },
        "oneOf": [
            { "required": ["uri"] },
            { "required": ["regex_uri"] },
            { "required": ["http_to_https"] },
        ],
    });
    let info = PluginInfo::new("redirect", 900, schema)?.with_check(check);
    Ok(PluginDef {
        info,
        compile: Redirect::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let config = Config::deserialize(conf).map_err(|error| error.to_string())?;
    if let Some(pair) = &config.regex_uri {
        pattern_and_replacement(pair)?;
    }
    if config.http_to_https == Some(true) && config.append_query_string {
        return Err("only one of `http_to_https` and `append_query_string` can be configured.".to_owned());
    }
    Ok(())
}

fn pattern_and_replacement([pattern, template]: &[String; 2]) -> Result<(Regex, Replacement), String> {
    let invalid =
        |error: &dyn std::fmt::Display| format!("invalid regex_uri ({pattern}, {template}), err:{error}");
    let regex = Regex::new(pattern).map_err(|error| invalid(&error))?;
    Ok((
        regex,
        Replacement::parse(template).map_err(|error| invalid(&error))?,
    ))
}

#[derive(Deserialize)]
struct Config {
    ret_code: u64,
    uri: Option<String>,
    regex_uri: Option<[String; 2]>,
    http_to_https: Option<bool>,
    encode_uri: bool,
    append_query_string: bool,
}

struct Redirect {
    status: StatusCode,
    to: To,
    encodes: bool,
    appends_query: bool,
}

/// Where the client is sent.
enum To {
    Uri(Target),
    /// What the pattern matches in the path is replaced.
    Pattern(Box<Regex>, Replacement),
    /// The same by TLS, at one of these ports.
    Https(Box<[u16]>),
    Nowhere,
}

/// What nginx escapes in a URI.
const URI: &AsciiSet = &CONTROLS.add(b' ').add(b'#').add(b'%').add(b'?');

impl Redirect {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let to = match (&config.uri, &config.regex_uri, config.http_to_https) {
            (Some(uri), _, _) => To::Uri(Target::parse(uri)),
            (_, Some(pair), _) => {
                let (pattern, replacement) = pattern_and_replacement(pair).map_err(CompileError)?;
                To::Pattern(Box::new(pattern), replacement)
            }
            (_, _, Some(true)) => To::Https(env.services.https_ports.clone()),
            _ => To::Nowhere,
        };
        // More than three digits do not go into a status line.
        let code = u16::try_from(config.ret_code).unwrap_or(u16::MAX).min(999);
        Ok(Arc::new(Self {
            status: StatusCode::from_u16(code).map_err(|error| CompileError(error.to_string()))?,
            to,
            encodes: config.encode_uri,
            appends_query: config.append_query_string,
        }))
    }

    /// Status and target; `None` lets the request go on.
    fn target(&self, cx: &Context) -> Result<Option<(StatusCode, String)>, fancy_regex::Error> {
        let target = match &self.to {
            To::Uri(target) => (self.status, target.render(cx)),
            To::Pattern(pattern, replacement) => {
                let path = &*cx.request.path;
                let Some(found) = pattern.captures(path)? else {
                    return Ok(None);
                };
                (self.status, replacement.apply(path, &found))
            }
            To::Https(ports) if cx.request.scheme != "https" => https(cx, ports),
            To::Https(_) | To::Nowhere => return Ok(None),
        };
        Ok(Some(target))
    }

    /// The target as the client gets it.
    fn finished(&self, cx: &Context, mut target: String) -> String {
        if self.encodes {
            let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
            target = format!("{}{query}", utf8_percent_encode(path, URI));
        }
        if self.appends_query
            && let Some(query) = cx.request.query.as_deref().filter(|query| !query.is_empty())
        {
            target.push(if target.contains('?') { '&' } else { '?' });
            target.push_str(query);
        }
        // What would end the header is escaped in any case.
        match target.bytes().any(|byte| byte.is_ascii_control()) {
            true => utf8_percent_encode(&target, CONTROLS).to_string(),
            false => target,
        }
    }
}

/// The request's own address by TLS. Methods that carry bodies must stay as they are.
fn https(cx: &Context, ports: &[u16]) -> (StatusCode, String) {
    let status = match cx.request.method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    let port = match ports.choose(&mut rand::rng()) {
        None | Some(0 | 443) => String::new(),
        Some(port) => format!(":{port}"),
    };
    let uri = cx.get("request_uri").unwrap_or_default();
    (status, format!("https://{}{port}{uri}", cx.request.host))
}

impl Plugin for Redirect {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let (status, target) = match self.target(cx) {
            Ok(Some(found)) => found,
            Ok(None) => return Step::CONTINUE,
            Err(error) => return Step::Done(unusable(error)),
        };
        match HeaderValue::try_from(self.finished(cx, target)) {
            Ok(location) => Reply::status(status).header(header::LOCATION, location).into(),
            Err(error) => Step::Done(unusable(error)),
        }
    }
}

/// A pattern that takes too long, or a target that no header can hold.
fn unusable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Verdict {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        "bad_pattern",
        "the target of the redirect cannot be made",
    )
    .caused_by(error)
    .into()
}

#[cfg(test)]
mod tests;
