//! `proxy-rewrite`: path, method, host and headers of the upstream request (compat §6.1).

use std::borrow::Cow;
use std::sync::Arc;

use fancy_regex::Regex;
use http::{HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError, Template, Variables};

use crate::body_vars;
use crate::header_edits::{HeaderEdits, plain_map};

const METHODS: [&str; 14] = [
    "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "MKCOL", "COPY", "MOVE", "PROPFIND", "LOCK", "UNLOCK",
    "PATCH", "TRACE",
];

/// What a path may not hold unescaped (RFC 3986 §3.3); `%` and `?` stay, since templates may bring escapes and a query.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// What decoded text may not hold when it becomes part of a path: nothing in it is an escape or the start of a query.
const DECODED: &AsciiSet = &PATH.add(b'%').add(b'?');

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "minProperties": 1,
        "properties": {
            "uri": { "type": "string", "minLength": 1, "maxLength": 4096, "pattern": r"^\/.*" },
            "method": { "type": "string", "enum": METHODS },
            "regex_uri": { "type": "array", "minItems": 2, "items": { "type": "string", "minLength": 1 } },
            "host": { "type": "string", "pattern": r"^[0-9a-zA-Z-.]+(:\d{1,5})?$" },
            "headers": headers_schema(),
            // A default would count as the one property that there must be.
            "use_real_request_uri_unsafe": { "type": "boolean" },
        },
    });
    let info = PluginInfo::new("proxy-rewrite", 1008, schema)?.with_check(check);
    Ok(PluginDef {
        info,
        compile: ProxyRewrite::compile,
    })
}

fn headers_schema() -> Value {
    let scalar = [json!({ "type": "string" }), json!({ "type": "number" })];
    let list = json!({ "type": "array", "minItems": 1, "items": { "oneOf": scalar } });
    let value = json!({ "oneOf": [scalar[0], scalar[1], list] });
    let map = json!({ "type": "object", "minProperties": 1, "patternProperties": { "^[^:]+$": value } });
    json!({
        "anyOf": [
            {
                "type": "object", "minProperties": 1, "additionalProperties": false,
                "properties": {
                    "add": map, "set": map,
                    "remove": { "type": "array", "minItems": 1, "items": { "type": "string", "pattern": "^[^:]+$" } },
                },
            },
            map,
        ],
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    if let Some(list) = conf.get("regex_uri").and_then(Value::as_array) {
        check_patterns(list)?;
    }
    match conf.get("headers").and_then(Value::as_object).and_then(plain_map) {
        Some(headers) => headers
            .iter()
            .try_for_each(|(name, value)| check_header(name, value)),
        None => Ok(()),
    }
}

fn check_patterns(list: &[Value]) -> Result<(), String> {
    if !list.len().is_multiple_of(2) {
        return Err("The length of regex_uri should be an even number".to_owned());
    }
    let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    for pair in texts.chunks_exact(2) {
        let (pattern, template) = (pair[0], pair[1]);
        Regex::new(pattern).map_err(|error| format!("invalid regex_uri({pattern}, {template}): {error}"))?;
    }
    Ok(())
}

fn check_header(name: &str, value: &Value) -> Result<(), String> {
    let error = if name.is_empty() {
        "invalid field length in header"
    } else if name.bytes().any(|b| !b.is_ascii_graphic() || b == b':') {
        "invalid field character in header"
    } else if value
        .as_str()
        .is_some_and(|text| text.bytes().any(|b| !matches!(b, b' '..=b'~')))
    {
        "invalid value character in header"
    } else {
        return Ok(());
    };
    Err(error.to_owned())
}

struct ProxyRewrite {
    path: NewPath,
    method: Option<Method>,
    host: Option<HeaderValue>,
    headers: HeaderEdits,
    real_uri: bool,
    /// Whether a template looks into the request's body.
    reads_body: bool,
}

enum NewPath {
    Same,
    Fixed(Template),
    Patterns(Vec<(Regex, Template)>),
}

impl ProxyRewrite {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let text = |name: &str| conf.get(name).and_then(Value::as_str);
        let bad = |what: &str| CompileError(format!("{what} cannot be used"));
        Ok(Arc::new(Self {
            path: NewPath::compile(conf)?,
            method: text("method")
                .map(str::parse)
                .transpose()
                .map_err(|_| bad("method"))?,
            host: text("host")
                .map(HeaderValue::from_str)
                .transpose()
                .map_err(|_| bad("host"))?,
            headers: HeaderEdits::compile(conf.get("headers"), Template::parse_with_groups)?,
            real_uri: conf
                .get("use_real_request_uri_unsafe")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            reads_body: body_vars::are_in(conf),
        }))
    }

    fn apply(&self, cx: &mut Context) -> Verdict {
        let rewritten = match rewritten_path(&self.path, cx) {
            Ok(rewritten) => rewritten,
            Err(failure) => return Verdict::Fail(failure),
        };
        let captures = rewritten.captures;
        let edits = self.headers.resolve(&WithCaptures { cx, captures });
        edits.apply(&mut cx.request.headers);
        if rewritten.path.is_some() {
            cx.overrides.path = rewritten.path;
        } else if self.real_uri {
            cx.overrides.path = Some(cx.request.uri.path().to_owned());
        }
        if self.method.is_some() {
            cx.overrides.method.clone_from(&self.method);
        }
        if self.host.is_some() {
            cx.overrides.host.clone_from(&self.host);
        }
        Verdict::Continue
    }
}

impl NewPath {
    fn compile(conf: &Value) -> Result<Self, CompileError> {
        if let Some(uri) = conf.get("uri").and_then(Value::as_str) {
            return Ok(Self::Fixed(Template::parse(uri)));
        }
        let Some(list) = conf.get("regex_uri").and_then(Value::as_array) else {
            return Ok(Self::Same);
        };
        let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        let pairs = texts.chunks_exact(2).map(|pair| {
            let pattern = Regex::new(pair[0]).map_err(|error| CompileError(error.to_string()))?;
            Ok((pattern, Template::parse_with_groups(pair[1])))
        });
        Ok(Self::Patterns(pairs.collect::<Result<_, CompileError>>()?))
    }
}

/// The request's variables with the captures of a pattern as `$1`, `$2`, …
struct WithCaptures<'a> {
    cx: &'a Context,
    captures: Vec<Option<String>>,
}

impl Variables for WithCaptures<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        match name.parse::<usize>() {
            Ok(index) => self.captures.get(index)?.as_deref().map(Cow::Borrowed),
            Err(_) => self.cx.get(name),
        }
    }
}

impl Plugin for ProxyRewrite {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if !self.reads_body {
            return Step::Done(self.apply(cx));
        }
        Step::wait(async move {
            cx.read_body_for_variables().await;
            self.apply(cx)
        })
    }
}

/// What became of the path.
#[derive(Default)]
struct Rewritten {
    /// Percent-encoded; `None` leaves it as it is.
    path: Option<String>,
    /// Of the pattern that made it.
    captures: Vec<Option<String>>,
}

fn rewritten_path(new: &NewPath, cx: &Context) -> Result<Rewritten, Box<Failure>> {
    match new {
        NewPath::Same => Ok(Rewritten::default()),
        NewPath::Fixed(template) => Ok(Rewritten {
            path: Some(absolute(escape(&template.render(&Escaped(cx)), PATH))),
            ..Rewritten::default()
        }),
        NewPath::Patterns(patterns) => {
            let path = &*cx.request.path;
            for (pattern, template) in patterns {
                let found = pattern
                    .captures(path)
                    .map_err(|error| without_end(path, &error))?;
                let Some((found, whole)) = found.and_then(|found| found.get(0).map(|whole| (found, whole)))
                else {
                    continue;
                };
                let group = |group: Option<fancy_regex::Match<'_>>| group.map(|g| g.as_str().to_owned());
                let vars = WithCaptures {
                    cx,
                    captures: found.iter().map(group).collect(),
                };
                // Only what the pattern matches is replaced.
                let path = [
                    escape(&path[..whole.start()], DECODED),
                    escape(&template.render(&Escaped(&vars)), PATH),
                    escape(&path[whole.end()..], DECODED),
                ];
                return Ok(Rewritten {
                    path: Some(absolute(path.concat())),
                    captures: vars.captures,
                });
            }
            Ok(Rewritten::default())
        }
    }
}

fn without_end(path: &str, error: &fancy_regex::Error) -> Box<Failure> {
    let message = format!("failed to substitute the uri {path}: {error}");
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    let failure = Failure::new(status, ErrorKind::Internal, "bad_pattern", message.clone());
    Box::new(failure.apisix_json(json!({ "error_msg": message })))
}

/// Variables as parts of a path.
struct Escaped<'a>(&'a dyn Variables);

impl Variables for Escaped<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let value = self.0.get(name)?;
        Some(Cow::Owned(escape(&value, DECODED)))
    }
}

fn escape(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

/// A request target that does not start with a slash means something else.
fn absolute(path: String) -> String {
    if path.starts_with('/') {
        path
    } else {
        format!("/{path}")
    }
}
