//! `echo`: text before, after or instead of the body of the answer (compat §6.8).

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt};
use http::{HeaderName, HeaderValue, header};
use http_body_util::{BodyStream, StreamBody};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, ResponseHead};
use sluice_net::{Body, BodyError};
use sluice_resource::{PluginInfo, SchemaCompileError};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "before_body": { "type": "string" },
            "body": { "type": "string" },
            "after_body": { "type": "string" },
            "headers": { "type": "object", "minProperties": 1 },
        },
        "anyOf": [{ "required": ["before_body"] }, { "required": ["body"] }, { "required": ["after_body"] }],
        "minProperties": 1,
    });
    Ok(PluginDef {
        info: PluginInfo::new("echo", 412, schema)?,
        compile: Echo::compile,
    })
}

#[derive(Deserialize)]
struct Config {
    before_body: Option<String>,
    body: Option<String>,
    after_body: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
}

struct Echo {
    before: Option<Bytes>,
    body: Option<Bytes>,
    after: Option<Bytes>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Echo {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let headers = config
            .headers
            .iter()
            .map(|(name, value)| parse_header(name, value));
        Ok(Arc::new(Self {
            before: config.before_body.map(Bytes::from),
            body: config.body.map(Bytes::from),
            after: config.after_body.map(Bytes::from),
            headers: headers.collect::<Result<_, _>>()?,
        }))
    }
}

fn parse_header(name: &str, value: &Value) -> Result<(HeaderName, HeaderValue), CompileError> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let bad = || CompileError(format!("header {name:?} cannot be sent"));
    Ok((
        name.parse().map_err(|_| bad())?,
        HeaderValue::from_str(&text).map_err(|_| bad())?,
    ))
}

impl Plugin for Echo {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::ResponseHead, Phase::ResponseBody])
    }

    fn response_head(&self, _cx: &mut Context, head: &mut ResponseHead) {
        // They describe the body as it was.
        for name in [
            header::CONTENT_LENGTH,
            header::CONTENT_ENCODING,
            header::ETAG,
            header::LAST_MODIFIED,
        ] {
            head.headers.remove(name);
        }
        for (name, value) in &self.headers {
            head.headers.insert(name, value.clone());
        }
    }

    fn response_body(&self, _cx: &mut Context, body: Body) -> Body {
        let middle = self.body.clone().map_or(body, Body::from);
        let frame = |text: &Option<Bytes>| {
            let frame = text
                .clone()
                .map(|text| Ok::<_, BodyError>(http_body::Frame::data(text)));
            stream::iter(frame)
        };
        // Trailers describe the body as it was.
        let data = BodyStream::new(middle).filter(|frame| {
            let is_data = frame.as_ref().map_or(true, http_body::Frame::is_data);
            std::future::ready(is_data)
        });
        Body::boxed(StreamBody::new(
            frame(&self.before).chain(data).chain(frame(&self.after)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use http_body_util::BodyExt;
    use sluice_resource::CheckScope;

    use super::*;
    use crate::fixture::Fixture;

    async fn echoed(conf: &Value) -> String {
        let fixture = Fixture::new();
        let plugin = fixture.compile(definition, conf).unwrap();
        let mut cx = fixture.context("GET", "/");
        let frames =
            ["up", "stream"].map(|text| Ok::<_, BodyError>(http_body::Frame::data(Bytes::from(text))));
        let body = Body::boxed(StreamBody::new(stream::iter(frames)));
        let echoed = plugin.response_body(&mut cx, body).collect().await.unwrap();
        String::from_utf8(echoed.to_bytes().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn text_stands_before_after_and_instead() {
        for (conf, expected) in [
            (json!({ "before_body": "<" }), "<upstream"),
            (json!({ "after_body": ">" }), "upstream>"),
            (json!({ "before_body": "<", "after_body": ">" }), "<upstream>"),
            (json!({ "body": "mine" }), "mine"),
            (
                json!({ "before_body": "<", "body": "mine", "after_body": ">" }),
                "<mine>",
            ),
            (json!({ "body": "" }), ""),
        ] {
            assert_eq!(echoed(&conf).await, expected, "{conf}");
        }
    }

    #[tokio::test]
    async fn headers_about_the_old_body_go() {
        let fixture = Fixture::new();
        let conf = json!({ "body": "mine", "headers": { "X-Echo": "1", "x-number": 2 } });
        let plugin = fixture.compile(definition, &conf).unwrap();
        let mut headers = HeaderMap::new();
        for name in [
            "content-length",
            "etag",
            "content-encoding",
            "last-modified",
            "x-echo",
        ] {
            headers.insert(name, HeaderValue::from_static("old"));
        }
        let mut head = ResponseHead {
            status: StatusCode::OK,
            headers,
        };
        plugin.response_head(&mut fixture.context("GET", "/"), &mut head);
        let mut left: Vec<_> = head
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        left.sort_unstable();
        assert_eq!(left, [("x-echo", "1"), ("x-number", "2")]);
    }

    #[test]
    fn one_text_is_needed() {
        let info = definition().unwrap().info;
        let error = info.check(&json!({ "headers": { "a": "b" } }), CheckScope::Main);
        let expected =
            r#"object matches none of the required: ["before_body"] or ["body"] or ["after_body"]"#;
        assert_eq!(error.unwrap_err(), expected);
    }
}
