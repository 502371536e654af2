//! `api-breaker`: answers in the upstream's place while it fails (compat §6.8.3).

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Reply, Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_resource::{PluginInfo, SchemaCompileError, Template};
use sluice_upstream::BreakerRules;

use crate::body_vars;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let statuses = |from: u16, to: u16, default: u16| {
        json!({
            "type": "array", "minItems": 1, "uniqueItems": true, "default": [default],
            "items": { "type": "integer", "minimum": from, "maximum": to },
        })
    };
    let times = json!({ "type": "integer", "minimum": 1, "default": 3 });
    let schema = json!({
        "type": "object",
        "properties": {
            "break_response_code": { "type": "integer", "minimum": 200, "maximum": 599 },
            "break_response_body": { "type": "string" },
            "break_response_headers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "key": { "type": "string", "minLength": 1 },
                        "value": { "type": "string", "minLength": 1 },
                    },
                    "required": ["key", "value"],
                },
            },
            "max_breaker_sec": { "type": "integer", "minimum": 3, "default": 300 },
            "unhealthy": {
                "type": "object", "default": { "http_statuses": [500], "failures": 3 },
                "properties": { "http_statuses": statuses(500, 599, 500), "failures": times },
            },
            "healthy": {
                "type": "object", "default": { "http_statuses": [200], "successes": 3 },
                "properties": { "http_statuses": statuses(200, 499, 200), "successes": times },
            },
        },
        "required": ["break_response_code"],
    });
    Ok(PluginDef {
        info: PluginInfo::new("api-breaker", 1005, schema)?,
        compile: ApiBreaker::compile,
    })
}

#[derive(Deserialize)]
struct Config {
    break_response_code: u16,
    break_response_body: Option<String>,
    #[serde(default)]
    break_response_headers: Vec<Header>,
    max_breaker_sec: u64,
    unhealthy: Unhealthy,
    healthy: Healthy,
}

#[derive(Deserialize)]
struct Header {
    key: String,
    value: String,
}

#[derive(Deserialize)]
struct Unhealthy {
    http_statuses: Vec<u16>,
    failures: u64,
}

#[derive(Deserialize)]
struct Healthy {
    http_statuses: Vec<u16>,
    successes: u64,
}

struct ApiBreaker {
    status: StatusCode,
    body: Option<String>,
    headers: Vec<(HeaderName, Template)>,
    bad: Vec<u16>,
    good: Vec<u16>,
    rules: BreakerRules,
    /// Whether a header of the refusal looks into the request's body.
    reads_body: bool,
}

const MESSAGE: &str = "the upstream failed repeatedly and is left alone for a while";

impl ApiBreaker {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let header = |Header { key, value }: Header| match key.parse() {
            Ok(name) => Ok((name, Template::parse(&value))),
            Err(_) => Err(CompileError(format!("invalid header name {key:?}"))),
        };
        let headers = config.break_response_headers.into_iter().map(header);
        Ok(Arc::new(Self {
            status: StatusCode::from_u16(config.break_response_code)
                .map_err(|error| CompileError(error.to_string()))?,
            body: config.break_response_body,
            headers: headers.collect::<Result<_, _>>()?,
            bad: config.unhealthy.http_statuses,
            good: config.healthy.http_statuses,
            reads_body: body_vars::are_in(conf),
            rules: BreakerRules {
                failures: config.unhealthy.failures,
                successes: config.healthy.successes,
                max_seconds: config.max_breaker_sec,
            },
        }))
    }

    fn refuse(&self, cx: &Context) -> Verdict {
        let Some(body) = self.body.clone() else {
            return self.failure(MESSAGE.to_owned()).into();
        };
        let values = self.headers.iter().filter_map(|(name, value)| {
            let value = HeaderValue::from_str(&value.render(cx)).ok()?;
            Some((name.clone(), value))
        });
        if self.status.as_u16() < 400 {
            let reply = Reply::text(self.status, body);
            return values
                .fold(reply, |reply, (name, value)| reply.header(name, value))
                .into();
        }
        let failure = self.failure(body.clone()).apisix_text(body);
        values
            .fold(failure, |failure, (name, value)| failure.header(name, value))
            .into()
    }

    fn failure(&self, message: String) -> Failure {
        Failure::new(self.status, ErrorKind::Overloaded, "breaker_open", message)
    }
}

/// What is guarded, for all routes alike.
fn key(cx: &Context) -> String {
    format!("{}{}", cx.request.host, cx.request.path)
}

impl Plugin for ApiBreaker {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access, Phase::Settle])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let breakers = &cx.services.breakers;
        if !breakers.is_open(&key(cx), &self.rules, Instant::now()) {
            return Step::CONTINUE;
        }
        if !self.reads_body {
            return Step::Done(self.refuse(cx));
        }
        Step::wait(async move {
            cx.read_body_for_variables().await;
            self.refuse(cx)
        })
    }

    /// Before the last byte is released: the caller's next request meets what this one changed.
    fn settle(&self, cx: &mut Context) {
        let Some(status) = cx.attempts.last().map(|attempt| attempt.status) else {
            return;
        };
        if self.bad.contains(&status) {
            cx.services
                .breakers
                .failure(&key(cx), &self.rules, Instant::now());
        } else if self.good.contains(&status) {
            cx.services.breakers.success(&key(cx), &self.rules);
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_core::{ReplyBody, Trial};
    use sluice_record::Text;
    use sluice_resource::CheckScope;

    use super::*;
    use crate::fixture::Fixture;

    fn answered(fixture: &Fixture, plugin: &dyn Plugin, uri: &str, statuses: &[u16]) {
        let mut cx = fixture.context("GET", uri);
        for status in statuses {
            cx.attempts.push(Trial {
                addr: Text::from("10.1.0.1:80"),
                status: *status,
                started: Instant::now(),
                ended: None,
            });
        }
        plugin.settle(&mut cx);
    }

    fn verdict(fixture: &Fixture, plugin: &dyn Plugin, uri: &str) -> Verdict {
        match plugin.access(&mut fixture.context("GET", uri)) {
            Step::Done(verdict) => verdict,
            Step::Wait(_) => panic!("it never waits"),
        }
    }

    fn is_open(fixture: &Fixture, plugin: &dyn Plugin, uri: &str) -> bool {
        !matches!(verdict(fixture, plugin, uri), Verdict::Continue)
    }

    #[tokio::test]
    async fn the_last_status_of_the_upstream_counts() {
        let fixture = Fixture::new();
        let conf = json!({ "break_response_code": 502, "unhealthy": { "http_statuses": [500, 503], "failures": 2 } });
        let plugin = fixture.compile(definition, &conf).unwrap();
        for statuses in [&[500, 200][..], &[], &[502], &[404]] {
            answered(&fixture, &*plugin, "/a", statuses);
        }
        answered(&fixture, &*plugin, "/a?q=1", &[503]);
        assert!(!is_open(&fixture, &*plugin, "/a"));
        answered(&fixture, &*plugin, "/a", &[200, 500]);
        assert!(
            is_open(&fixture, &*plugin, "/a?q=2"),
            "the query is no part of the key"
        );
        assert!(!is_open(&fixture, &*plugin, "/b"));
        for _ in 0..3 {
            answered(&fixture, &*plugin, "/a", &[200]);
        }
        assert!(!is_open(&fixture, &*plugin, "/a"));
    }

    #[tokio::test]
    async fn headers_come_with_a_body_only() {
        let fixture = Fixture::new();
        for (conf, body) in [
            (json!({ "break_response_code": 503 }), None),
            (
                json!({ "break_response_code": 503, "break_response_body": "$host is down" }),
                Some("$host is down"),
            ),
        ] {
            let mut conf = conf;
            conf["unhealthy"] = json!({ "failures": 1 });
            conf["break_response_headers"] = json!([{ "key": "X-Uri", "value": "$uri!" }]);
            let plugin = fixture.compile(definition, &conf).unwrap();
            answered(&fixture, &*plugin, "/h", &[500]);
            let Verdict::Fail(failure) = verdict(&fixture, &*plugin, "/h") else {
                panic!("it is open");
            };
            match (body, &failure.reply.body) {
                (None, ReplyBody::Page) => assert!(failure.reply.headers.is_empty()),
                (Some(expected), ReplyBody::Text(text)) => {
                    assert_eq!(text, expected);
                    assert_eq!(failure.reply.headers["x-uri"], "/h!");
                }
                (_, other) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn configurations_are_checked() {
        let info = definition().unwrap().info;
        for (conf, error) in [
            (json!({}), r#"property "break_response_code" is required"#),
            (
                json!({ "break_response_code": 199 }),
                r#"property "break_response_code" validation failed: expected 199 to be at least 200"#,
            ),
            (
                json!({ "break_response_code": 500, "max_breaker_sec": 2 }),
                r#"property "max_breaker_sec" validation failed: expected 2 to be at least 3"#,
            ),
        ] {
            assert_eq!(info.check(&conf, CheckScope::Main).unwrap_err(), error);
        }
    }
}
