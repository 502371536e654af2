//! `response-rewrite`: status, headers and body of the answer (compat §6.2).

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fancy_regex::Regex;
use http::{StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, ResponseHead, Step, Verdict,
};
use sluice_net::{Body, BodyError};
use sluice_resource::{CheckScope, Expr, PluginInfo, SchemaCompileError, Template};

use crate::body_vars;
use crate::header_edits::{HeaderEdits, plain_map};
use crate::replacement::Replacement;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let value = json!({ "oneOf": [{ "type": "string" }, { "type": "number" }] });
    let map = json!({ "type": "object", "minProperties": 1, "patternProperties": { "^[^:]+$": value } });
    let filter = json!({
        "type": "object",
        "properties": {
            "regex": { "type": "string", "minLength": 1 },
            "scope": { "type": "string", "enum": ["once", "global"], "default": "once" },
            "replace": { "type": "string" },
            "options": { "type": "string", "default": "jo" },
        },
        "required": ["regex", "replace"],
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "headers": {
                "anyOf": [
                    {
                        "type": "object", "minProperties": 1, "additionalProperties": false,
                        "properties": {
                            "add": { "type": "array", "minItems": 1, "items": { "type": "string", "pattern": "^[^:]+:[^:]*[^/]$" } },
                            "set": map,
                            "remove": { "type": "array", "minItems": 1, "items": { "type": "string", "pattern": "^[^:]+$" } },
                        },
                    },
                    map,
                ],
            },
            "body": { "type": "string" },
            "body_base64": { "type": "boolean", "default": false },
            "status_code": { "type": "integer", "minimum": 200, "maximum": 598 },
            "vars": { "type": "array" },
            "filters": { "type": "array", "minItems": 1, "items": filter },
            "max_resp_body_size": { "type": "integer", "minimum": 1, "default": 67_108_864 },
        },
        "dependencies": { "body": { "not": { "required": ["filters"] } }, "filters": { "not": { "required": ["body"] } } },
    });
    let info = PluginInfo::new("response-rewrite", 899, schema)?.with_check(check);
    Ok(PluginDef {
        info,
        compile: ResponseRewrite::compile,
    })
}

/// What OpenResty's regular expressions know as options.
const OPTIONS: &str = "adDijJmosuUx";

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let headers = conf.get("headers").and_then(Value::as_object);
    if headers
        .and_then(plain_map)
        .is_some_and(|map| map.contains_key(""))
    {
        return Err("invalid field length in header".to_owned());
    }
    if let Some(vars) = conf.get("vars") {
        Expr::parse(vars).map_err(|error| format!("failed to validate the 'vars' expression: {error}"))?;
    }
    if conf.get("body_base64").and_then(Value::as_bool) == Some(true) {
        let body = conf.get("body").and_then(Value::as_str).unwrap_or_default();
        if body.is_empty() || STANDARD.decode(body).is_err() {
            return Err("invalid base64 content".to_owned());
        }
    }
    for filter in conf
        .get("filters")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let text = |name: &str| filter.get(name).and_then(Value::as_str).unwrap_or_default();
        let (pattern, options) = (text("regex"), text("options"));
        let invalid =
            |error: &dyn std::fmt::Display| format!("regex \"{pattern}\" validation failed: {error}");
        if let Some(option) = options.chars().find(|option| !OPTIONS.contains(*option)) {
            return Err(invalid(&format_args!(
                "unknown flag \"{option}\" (flags \"{options}\")"
            )));
        }
        Regex::new(pattern).map_err(|error| invalid(&error))?;
    }
    Ok(())
}

struct ResponseRewrite {
    status: Option<StatusCode>,
    headers: HeaderEdits,
    body: Option<Bytes>,
    filters: Arc<[Filter]>,
    max_body: usize,
    vars: Option<Expr>,
    /// Whether `vars` or a header looks into the request's body.
    reads_body: bool,
}

struct Filter {
    pattern: Regex,
    /// Without one the filter changes nothing: the template has no meaning.
    replacement: Option<Replacement>,
    everywhere: bool,
}

impl ResponseRewrite {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let fail = |error: &dyn std::fmt::Display| CompileError(error.to_string());
        let status = conf
            .get("status_code")
            .and_then(Value::as_u64)
            .and_then(|code| u16::try_from(code).ok());
        let encoded = conf.get("body_base64").and_then(Value::as_bool) == Some(true);
        let body = conf
            .get("body")
            .and_then(Value::as_str)
            .map(|body| match encoded {
                true => STANDARD.decode(body).map(Bytes::from).map_err(|e| fail(&e)),
                false => Ok(Bytes::copy_from_slice(body.as_bytes())),
            });
        let filters = conf
            .get("filters")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(Filter::compile);
        Ok(Arc::new(Self {
            status: status
                .map(StatusCode::from_u16)
                .transpose()
                .map_err(|e| fail(&e))?,
            headers: HeaderEdits::compile(conf.get("headers"), Template::parse)?,
            body: body.transpose()?,
            filters: filters.collect::<Result<_, _>>()?,
            max_body: conf
                .get("max_resp_body_size")
                .and_then(Value::as_u64)
                .map_or(64 << 20, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
            vars: conf
                .get("vars")
                .map(Expr::parse)
                .transpose()
                .map_err(|e| fail(&e))?,
            reads_body: ["vars", "headers"]
                .iter()
                .filter_map(|name| conf.get(name))
                .any(body_vars::are_in),
        }))
    }

    fn applies(&self, cx: &mut Context) -> bool {
        self.vars.as_ref().is_none_or(|vars| cx.holds(vars))
    }
}

impl Filter {
    fn compile(conf: &Value) -> Result<Self, CompileError> {
        let text = |name: &str| conf.get(name).and_then(Value::as_str).unwrap_or_default();
        // PCRE options that change what matches; `j` and `o` are about speed.
        let flags: String = text("options")
            .chars()
            .filter(|option| "imsx".contains(*option))
            .collect();
        let pattern = if flags.is_empty() {
            text("regex").to_owned()
        } else {
            format!("(?{flags}){}", text("regex"))
        };
        Ok(Self {
            pattern: Regex::new(&pattern).map_err(|error| CompileError(error.to_string()))?,
            replacement: Replacement::parse(text("replace")).ok(),
            everywhere: text("scope") == "global",
        })
    }

    /// The text after it; `None` leaves it as it is, as does a pattern that runs out of steps.
    fn apply(&self, text: &str) -> Option<String> {
        let replacement = self.replacement.as_ref()?;
        if self.everywhere {
            return replacement.apply_everywhere(text, &self.pattern);
        }
        let found = self.pattern.captures(text).ok()??;
        Some(replacement.apply(text, &found))
    }
}

impl Plugin for ResponseRewrite {
    fn phases(&self) -> Phases {
        let mut phases = vec![Phase::ResponseHead];
        if self.body.is_some() || !self.filters.is_empty() {
            phases.push(Phase::ResponseBody);
        }
        if self.reads_body {
            phases.push(Phase::BeforeProxy);
        }
        Phases::of(&phases)
    }

    /// The last chance to read the request's body.
    fn before_proxy<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(async move {
            cx.read_body_for_variables().await;
            Verdict::Continue
        })
    }

    fn response_head(&self, cx: &mut Context, head: &mut ResponseHead) {
        if !self.applies(cx) {
            return;
        }
        if let Some(status) = self.status {
            head.status = status;
        }
        if self.body.is_some() || !self.filters.is_empty() {
            for name in [
                header::CONTENT_LENGTH,
                header::CONTENT_ENCODING,
                header::ETAG,
                header::LAST_MODIFIED,
            ] {
                head.headers.remove(name);
            }
        }
        if !self.headers.is_empty() {
            cx.answer.status = head.status.as_u16();
            self.headers.resolve(cx).apply(&mut head.headers);
        }
    }

    fn response_body(&self, cx: &mut Context, body: Body) -> Body {
        if !self.applies(cx) {
            return body;
        }
        if let Some(own) = &self.body {
            return Body::from(own.clone());
        }
        let filters = Arc::clone(&self.filters);
        let limit = self.max_body;
        Body::boxed(http_body_util::StreamBody::new(futures_util::stream::once(
            async move {
                let beginning = beginning(body, limit).await?;
                let mut text = String::from_utf8_lossy(&beginning).into_owned();
                for filter in filters.iter() {
                    text = filter.apply(&text).unwrap_or(text);
                }
                Ok::<_, BodyError>(http_body::Frame::data(Bytes::from(text)))
            },
        )))
    }
}

/// At most `limit` bytes of a body; the rest is not read.
async fn beginning(mut body: Body, limit: usize) -> Result<Vec<u8>, BodyError> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            let fits = data.len().min(limit - read.len());
            read.extend_from_slice(&data[..fits]);
            if read.len() == limit {
                break;
            }
        }
    }
    Ok(read)
}
