//! `forward-auth`: another service decides whether a request may pass (compat §6.8).

use std::sync::Arc;

use http::header::{
    CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TE, TRAILER, TRANSFER_ENCODING,
    UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, ReadBodyError, Reply,
    ReplyBody, Retry, Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_net::Body;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError, Template, Variables, is_secret_reference};

use crate::body_vars;
use crate::callout::{Callout, CalloutAnswer, CalloutConfig};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let flag = |default: bool| json!({ "type": "boolean", "default": default });
    let count =
        |minimum: u64, default: u64| json!({ "type": "integer", "minimum": minimum, "default": default });
    let names = json!({ "type": "array", "items": { "type": "string" }, "default": [] });
    let schema = json!({
        "type": "object",
        "properties": {
            "uri": { "type": "string" },
            "allow_degradation": flag(false),
            "status_on_error": { "type": "integer", "minimum": 200, "maximum": 599, "default": 403 },
            "ssl_verify": flag(true),
            "request_method": { "type": "string", "enum": ["GET", "POST"], "default": "GET" },
            "max_req_body_size": count(1, 67_108_864),
            "request_headers": names,
            "extra_headers": {
                "type": "object", "minProperties": 1,
                "patternProperties": { "^[^:]+$": { "oneOf": [{ "type": "string" }, { "type": "number" }] } },
            },
            "upstream_headers": names,
            "client_headers": names,
            "timeout": { "type": "integer", "minimum": 1, "maximum": 60000, "default": 3000 },
            "keepalive": flag(true),
            "keepalive_timeout": count(1000, 60000),
            "keepalive_pool": count(1, 5),
        },
        "required": ["uri"],
    });
    Ok(PluginDef {
        info: PluginInfo::new("forward-auth", 2002, schema)?.with_check(check),
        compile: ForwardAuth::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let text = conf.get("uri").and_then(Value::as_str).unwrap_or_default();
    let is_url = text
        .parse::<Uri>()
        .is_ok_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some());
    match is_url || is_secret_reference(text) {
        true => Ok(()),
        false => Err(format!("uri \"{text}\" is no URL of http or https")),
    }
}

/// Most bytes of an answer. A refusal is a page or an error object.
const ANSWER_MAX: u64 = 1 << 20;

/// Headers of one connection or one body: they travel neither to the service nor from it.
const FRAMING: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    EXPECT,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_METHOD: HeaderName = HeaderName::from_static("x-forwarded-method");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_URI: HeaderName = HeaderName::from_static("x-forwarded-uri");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// The configuration. Times are in milliseconds.
#[derive(Deserialize)]
struct Config {
    uri: String,
    allow_degradation: bool,
    status_on_error: u16,
    ssl_verify: bool,
    request_method: String,
    max_req_body_size: u64,
    request_headers: Vec<String>,
    #[serde(default)]
    extra_headers: Map<String, Value>,
    upstream_headers: Vec<String>,
    client_headers: Vec<String>,
    timeout: u64,
    keepalive: bool,
    keepalive_timeout: u64,
    keepalive_pool: usize,
}

struct ForwardAuth {
    service: Callout,
    allow_degradation: bool,
    status_on_error: StatusCode,
    method: Method,
    max_req_body_size: u64,
    request_headers: Vec<HeaderName>,
    extra_headers: Vec<(HeaderName, Template)>,
    /// Whether one of them needs the body of the request.
    reads_body: bool,
    upstream_headers: Vec<HeaderName>,
    client_headers: Vec<HeaderName>,
}

impl ForwardAuth {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let extra_headers = config.extra_headers.iter().filter_map(|(name, value)| {
            let template = match value {
                Value::String(text) => Template::parse(text),
                other => Template::parse(&other.to_string()),
            };
            Some((header_name(name)?, template))
        });
        let service = CalloutConfig {
            ssl_verify: config.ssl_verify,
            timeout: config.timeout,
            keepalive_pool: if config.keepalive {
                config.keepalive_pool
            } else {
                0
            },
            keepalive_timeout: config.keepalive_timeout,
            answer_max: ANSWER_MAX,
            ..CalloutConfig::new(&config.uri)
        };
        Ok(Arc::new(Self {
            service: Callout::compile(service, env.services)?,
            allow_degradation: config.allow_degradation,
            status_on_error: StatusCode::from_u16(config.status_on_error)
                .map_err(|error| CompileError(error.to_string()))?,
            method: if config.request_method == "POST" {
                Method::POST
            } else {
                Method::GET
            },
            max_req_body_size: config.max_req_body_size,
            request_headers: header_names(&config.request_headers),
            extra_headers: extra_headers.collect(),
            reads_body: config.extra_headers.values().any(body_vars::are_in),
            upstream_headers: header_names(&config.upstream_headers),
            client_headers: header_names(&config.client_headers),
        }))
    }

    /// The headers of the question: what the gateway says, then what the configuration adds, then what the client sent.
    fn headers(&self, cx: &Context) -> HeaderMap {
        let request = &cx.request;
        let mut headers = HeaderMap::new();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(FORWARDED_PROTO, request.scheme);
        set(FORWARDED_METHOD, request.method.as_str());
        set(FORWARDED_HOST, &request.host);
        set(FORWARDED_URI, &cx.get("request_uri").unwrap_or_default());
        set(FORWARDED_FOR, &request.peer.ip().to_string());
        for (name, template) in &self.extra_headers {
            set(name.clone(), &template.render(cx));
        }
        for name in &self.request_headers {
            if !headers.contains_key(name) {
                copy(name, &request.headers, &mut headers);
            }
        }
        headers
    }

    /// The question for the service.
    async fn question(&self, cx: &mut Context) -> Result<Request<Body>, Failure> {
        let mut question = Request::new(Body::empty());
        if self.method == Method::POST {
            let body = cx.request.body.read(self.max_req_body_size).await;
            *question.body_mut() = Body::from(body.map_err(unreadable)?);
        } else if self.reads_body {
            cx.read_body_for_variables().await;
        }
        let mut headers = self.headers(cx);
        if self.method == Method::POST && !headers.contains_key(CONTENT_ENCODING) {
            copy(&CONTENT_ENCODING, &cx.request.headers, &mut headers);
        }
        *question.method_mut() = self.method.clone();
        *question.headers_mut() = headers;
        Ok(question)
    }

    /// What becomes of the request.
    fn settle(&self, cx: &mut Context, answer: CalloutAnswer) -> Verdict {
        let CalloutAnswer {
            status,
            headers,
            body,
        } = answer;
        if status.as_u16() >= 300 {
            let mut reply = Reply {
                body: ReplyBody::Raw(Body::from(body)),
                ..Reply::status(status)
            };
            for name in &self.client_headers {
                copy(name, &headers, &mut reply.headers);
            }
            reply.headers.entry(CONTENT_TYPE).or_insert(TEXT);
            return reply.into();
        }
        for name in &self.upstream_headers {
            cx.request.headers.remove(name);
            copy(name, &headers, &mut cx.request.headers);
        }
        Verdict::Continue
    }

    async fn decide(&self, cx: &mut Context) -> Verdict {
        let question = match self.question(cx).await {
            Ok(question) => question,
            Err(failure) => return failure.into(),
        };
        match self.service.ask(&cx.worker.pool, question).await {
            Ok(answer) => self.settle(cx, answer),
            Err(error) if self.allow_degradation => {
                tracing::warn!("a request passes without authorization: the service {error}");
                Verdict::Continue
            }
            Err(error) => Failure::new(
                self.status_on_error,
                match self.status_on_error {
                    StatusCode::UNAUTHORIZED => ErrorKind::Authentication,
                    StatusCode::FORBIDDEN => ErrorKind::Permission,
                    _ => ErrorKind::Upstream,
                },
                "authorizer_unreachable",
                "it could not be found out whether this request is allowed",
            )
            .upstream(Retry::Never)
            .caused_by(error)
            .into(),
        }
    }
}

impl Plugin for ForwardAuth {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(self.decide(cx))
    }
}

fn unreadable(error: ReadBodyError) -> Failure {
    let (status, kind, code) = match &error {
        ReadBodyError::TooLarge { .. } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::RequestTooLarge,
            "body_too_large",
        ),
        ReadBodyError::Broken(_) | ReadBodyError::Gone => {
            (StatusCode::BAD_REQUEST, ErrorKind::InvalidRequest, "broken_body")
        }
    };
    Failure::new(status, kind, code, error.to_string())
}

/// A configured name of a header. One that no header can have names none, and framing is not the configuration's.
fn header_name(name: &str) -> Option<HeaderName> {
    let name: HeaderName = name.parse().ok()?;
    (!FRAMING.contains(&name)).then_some(name)
}

fn header_names(names: &[String]) -> Vec<HeaderName> {
    names.iter().filter_map(|name| header_name(name)).collect()
}

/// Copies all values of a header.
fn copy(name: &HeaderName, from: &HeaderMap, to: &mut HeaderMap) {
    for value in from.get_all(name) {
        to.append(name.clone(), value.clone());
    }
}
