//! `mocking`: an answer made up by the gateway (compat §6.8.5).

mod sample;
mod xml;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Reply, ReplyBody, Step,
    Verdict,
};
use sluice_llm::ErrorKind;
use sluice_net::Body;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError, Template};

use crate::body_vars;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "delay": { "type": "integer", "default": 0 },
            "response_status": { "type": "integer", "default": 200, "minimum": 100 },
            "content_type": { "type": "string", "default": "application/json;charset=utf8" },
            "response_example": { "type": "string" },
            "response_schema": { "type": "object" },
            "with_mock_header": { "type": "boolean", "default": true },
            "response_headers": {
                "type": "object", "minProperties": 1,
                "patternProperties": { "^[^:]+$": { "oneOf": [{ "type": "string" }, { "type": "number" }] } },
            },
        },
        "anyOf": [{ "required": ["response_example"] }, { "required": ["response_schema"] }],
    });
    let info = PluginInfo::new("mocking", 10900, schema)?.with_check(check);
    Ok(PluginDef {
        info,
        compile: Mocking::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    let content_type = conf.get("content_type").and_then(Value::as_str);
    match content_type.map(Format::of) {
        Some(None) if scope == CheckScope::Main => Err("unsupported content type!".to_owned()),
        _ => Ok(()),
    }
}

/// How a body made from a schema is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Xml,
    /// Not at all.
    Html,
}

impl Format {
    /// By the part before the last `;`.
    fn of(content_type: &str) -> Option<Self> {
        let media_type = content_type
            .rsplit_once(';')
            .map_or(content_type, |(before, _)| before);
        match media_type {
            "application/json" | "text/plain" => Some(Self::Json),
            "application/xml" | "text/xml" => Some(Self::Xml),
            "text/html" => Some(Self::Html),
            _ => None,
        }
    }

    fn write(self, sample: &Map<String, Value>) -> String {
        match self {
            Self::Json => Value::Object(sample.clone()).to_string(),
            Self::Xml => xml::write("data", sample),
            Self::Html => String::new(),
        }
    }
}

#[derive(Deserialize)]
struct Config {
    /// Seconds.
    delay: i64,
    response_status: u64,
    content_type: String,
    response_example: Option<String>,
    response_schema: Option<Value>,
    with_mock_header: bool,
    #[serde(default)]
    response_headers: Map<String, Value>,
}

struct Mocking {
    delay: Duration,
    status: StatusCode,
    content_type: HeaderValue,
    content: Content,
    marked: bool,
    headers: Vec<(HeaderName, Template)>,
    reads_body: bool,
}

enum Content {
    Example(Template),
    Schema(Value, Format),
}

const MOCK_BY: HeaderName = HeaderName::from_static("x-mock-by");
const APISIX: HeaderValue = HeaderValue::from_static("APISIX/3.18.0");

impl Mocking {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let bad = |what: &str| CompileError(format!("{what} cannot be used"));
        let format = Format::of(&config.content_type).ok_or_else(|| bad("content_type"))?;
        let content = match (config.response_example, config.response_schema) {
            (Some(example), _) => Content::Example(Template::parse(&example)),
            (None, Some(schema)) => Content::Schema(schema, format),
            (None, None) => return Err(bad("a configuration without an answer")),
        };
        let headers = config.response_headers.iter().map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let name = name.parse().map_err(|_| bad("response_headers"))?;
            Ok((name, Template::parse(&text)))
        });
        // More than three digits do not go into a status line.
        let code = u16::try_from(config.response_status).unwrap_or(u16::MAX).min(999);
        Ok(Arc::new(Self {
            delay: Duration::from_secs(u64::try_from(config.delay).unwrap_or(0)),
            status: StatusCode::from_u16(code).map_err(|_| bad("response_status"))?,
            content_type: HeaderValue::from_str(&config.content_type).map_err(|_| bad("content_type"))?,
            content,
            marked: config.with_mock_header,
            headers: headers.collect::<Result<_, CompileError>>()?,
            reads_body: body_vars::are_in(conf),
        }))
    }

    fn answer(&self, cx: &Context) -> Verdict {
        let body = match &self.content {
            Content::Example(template) => template.render(cx).into_owned(),
            Content::Schema(schema, format) => match sample::of(schema) {
                Ok(sample) => format.write(&sample),
                Err(error) => {
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    let message = "no answer can be made from the schema";
                    return Failure::new(status, ErrorKind::Internal, "bad_schema", message)
                        .caused_by(error)
                        .into();
                }
            },
        };
        let mut reply = Reply {
            body: ReplyBody::Raw(Body::from(Bytes::from(body))),
            ..Reply::status(self.status)
        };
        reply
            .headers
            .insert(header::CONTENT_TYPE, self.content_type.clone());
        if self.marked {
            reply.headers.insert(MOCK_BY, APISIX);
        }
        for (name, template) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(&template.render(cx)) {
                reply.headers.append(name.clone(), value);
            }
        }
        reply.into()
    }
}

impl Plugin for Mocking {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if self.delay.is_zero() && !self.reads_body {
            return Step::Done(self.answer(cx));
        }
        Step::wait(async move {
            if self.reads_body {
                cx.read_body_for_variables().await;
            }
            tokio::time::sleep(self.delay).await;
            self.answer(cx)
        })
    }
}

#[cfg(test)]
mod tests;
