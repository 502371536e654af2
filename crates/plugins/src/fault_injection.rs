//! `fault-injection`: delays and errors on purpose (compat §6.8.4).

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Phase, Phases, Plugin, PluginDef, Reply, ReplyBody, Step, Verdict,
};
use sluice_resource::{CheckScope, Expr, PluginInfo, SchemaCompileError, Template};

use crate::body_vars;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let percentage = json!({ "type": "integer", "minimum": 0, "maximum": 100 });
    let vars = json!({ "type": "array", "maxItems": 20, "items": { "type": "array" } });
    let schema = json!({
        "type": "object",
        "properties": {
            "abort": {
                "type": "object",
                "properties": {
                    "http_status": { "type": "integer", "minimum": 200 },
                    "body": { "type": "string", "minLength": 0 },
                    "headers": {
                        "type": "object", "minProperties": 1,
                        "patternProperties": { "^[^:]+$": { "oneOf": [{ "type": "string" }, { "type": "number" }] } },
                    },
                    "percentage": percentage,
                    "vars": vars,
                },
                "required": ["http_status"],
            },
            "delay": {
                "type": "object",
                "properties": {
                    "duration": { "type": "number", "minimum": 0 },
                    "percentage": percentage,
                    "vars": vars,
                },
                "required": ["duration"],
            },
        },
        "minProperties": 1,
    });
    let info = PluginInfo::new("fault-injection", 11000, schema)?.with_check(check);
    Ok(PluginDef {
        info,
        compile: FaultInjection::compile,
    })
}

fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    for fault in ["abort", "delay"] {
        let vars = conf.get(fault).and_then(|fault| fault.get("vars"));
        for expression in vars.and_then(Value::as_array).into_iter().flatten() {
            Expr::parse(expression).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
struct Config {
    abort: Option<AbortConfig>,
    delay: Option<DelayConfig>,
}

#[derive(Deserialize)]
struct AbortConfig {
    http_status: u64,
    body: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    percentage: Option<u32>,
    vars: Option<Vec<Value>>,
}

#[derive(Deserialize)]
struct DelayConfig {
    duration: f64,
    percentage: Option<u32>,
    vars: Option<Vec<Value>>,
}

struct FaultInjection {
    delay: Option<(Duration, Occasion)>,
    abort: Option<(Abort, Occasion)>,
    reads_body: bool,
}

struct Abort {
    status: StatusCode,
    body: Option<Template>,
    headers: Vec<(HeaderName, Template)>,
}

/// Which requests are hit.
struct Occasion {
    percentage: Option<u32>,
    /// Of which one must hold, if they are given.
    vars: Option<Vec<Expr>>,
}

impl FaultInjection {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let Config { abort, delay } = Config::deserialize(conf)?;
        let delay = delay.map(|delay| {
            // Longer than a duration can be is for ever.
            let duration = Duration::try_from_secs_f64(delay.duration).unwrap_or(Duration::MAX);
            Ok::<_, CompileError>((duration, Occasion::new(delay.percentage, delay.vars)?))
        });
        Ok(Arc::new(Self {
            delay: delay.transpose()?,
            abort: abort.map(Abort::compile).transpose()?,
            reads_body: body_vars::are_in(conf),
        }))
    }

    async fn inject(&self, cx: &mut Context) -> Verdict {
        if self.reads_body {
            cx.read_body_for_variables().await;
        }
        if let Some((duration, occasion)) = &self.delay
            && occasion.is_given(cx)
        {
            tokio::time::sleep(*duration).await;
        }
        self.abort(cx)
    }

    fn abort(&self, cx: &Context) -> Verdict {
        match &self.abort {
            Some((abort, occasion)) if occasion.is_given(cx) => abort.reply(cx).into(),
            _ => Verdict::Continue,
        }
    }
}

impl Abort {
    fn compile(config: AbortConfig) -> Result<(Self, Occasion), CompileError> {
        let header = |(name, value): (&String, &Value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match name.parse() {
                Ok(name) => Ok((name, Template::parse(&text))),
                Err(_) => Err(CompileError(format!("invalid header name {name:?}"))),
            }
        };
        let abort = Self {
            // The schema knows no highest status, HTTP does.
            status: u16::try_from(config.http_status)
                .ok()
                .and_then(|status| StatusCode::from_u16(status).ok())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            body: config.body.as_deref().map(Template::parse),
            headers: config.headers.iter().map(header).collect::<Result<_, _>>()?,
        };
        Ok((abort, Occasion::new(config.percentage, config.vars)?))
    }

    fn reply(&self, cx: &Context) -> Reply {
        let mut reply = Reply::status(self.status);
        for (name, value) in &self.headers {
            if let Ok(value) = HeaderValue::from_str(&value.render(cx)) {
                reply.headers.insert(name, value);
            }
        }
        if let Some(body) = &self.body {
            reply.body = ReplyBody::Text(body.render(cx).into_owned().into());
        }
        reply
    }
}

impl Occasion {
    fn new(percentage: Option<u32>, vars: Option<Vec<Value>>) -> Result<Self, CompileError> {
        let vars = vars.map(|vars| vars.iter().map(Expr::parse).collect::<Result<_, _>>());
        Ok(Self {
            percentage,
            vars: vars
                .transpose()
                .map_err(|error| CompileError(error.to_string()))?,
        })
    }

    fn is_given(&self, cx: &Context) -> bool {
        let drawn = || {
            self.percentage
                .is_none_or(|share| rand::random_range(0..100) < share)
        };
        let holds = |vars: &Vec<Expr>| vars.iter().any(|expression| expression.eval(cx));
        drawn() && self.vars.as_ref().is_none_or(holds)
    }
}

impl Plugin for FaultInjection {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if self.delay.is_none() && !self.reads_body {
            return Step::Done(self.abort(cx));
        }
        Step::wait(self.inject(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    /// The status of an abort for this request.
    async fn aborted(fixture: &Fixture, plugin: &dyn Plugin, uri: &str) -> Option<u16> {
        let mut cx = fixture.context("GET", uri);
        let verdict = match plugin.rewrite(&mut cx) {
            Step::Done(verdict) => verdict,
            Step::Wait(verdict) => verdict.await,
        };
        match verdict {
            Verdict::Continue => None,
            Verdict::Reply(reply) => Some(reply.status.as_u16()),
            Verdict::Fail(failure) => panic!("{failure}"),
        }
    }

    #[tokio::test]
    async fn a_share_of_the_requests_is_hit() {
        let fixture = Fixture::new();
        for (percentage, hit) in [
            (json!(0), 0..=0),
            (json!(100), 1000..=1000),
            (json!(50), 400..=600),
        ] {
            let conf = json!({ "abort": { "http_status": 503, "percentage": percentage } });
            let plugin = fixture.compile(definition, &conf).unwrap();
            let mut count = 0;
            for _ in 0..1000 {
                count += usize::from(aborted(&fixture, &*plugin, "/").await.is_some());
            }
            assert!(hit.contains(&count), "{percentage} {count}");
        }
    }

    #[tokio::test]
    async fn one_expression_must_hold() {
        let fixture = Fixture::new();
        let vars = json!([
            [["arg_name", "==", "jack"]],
            [["arg_age", "!", "<", 18], ["arg_name", "==", "rose"]]
        ]);
        let plugin = fixture
            .compile(
                definition,
                &json!({ "abort": { "http_status": 403, "vars": vars } }),
            )
            .unwrap();
        for (uri, status) in [
            ("/", None),
            ("/?name=jack", Some(403)),
            ("/?name=rose&age=20", Some(403)),
            ("/?name=rose&age=17", None),
        ] {
            assert_eq!(aborted(&fixture, &*plugin, uri).await, status, "{uri}");
        }
        let never = json!({ "abort": { "http_status": 403, "vars": [] } });
        let plugin = fixture.compile(definition, &never).unwrap();
        assert_eq!(aborted(&fixture, &*plugin, "/").await, None);
    }

    #[tokio::test]
    async fn a_status_that_cannot_be_sent_is_500() {
        let fixture = Fixture::new();
        let plugin = fixture
            .compile(definition, &json!({ "abort": { "http_status": 70_000 } }))
            .unwrap();
        assert_eq!(aborted(&fixture, &*plugin, "/").await, Some(500));
    }

    #[tokio::test]
    async fn delay_and_abort_add_up() {
        let fixture = Fixture::new();
        tokio::time::pause();
        let conf = json!({ "delay": { "duration": 1.5 }, "abort": { "http_status": 503 } });
        let plugin = fixture.compile(definition, &conf).unwrap();
        let start = tokio::time::Instant::now();
        assert_eq!(aborted(&fixture, &*plugin, "/").await, Some(503));
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(1500), "{waited:?}");
        assert!(waited < Duration::from_secs(2), "{waited:?}");
    }

    #[test]
    fn configurations_are_checked() {
        let info = definition().unwrap().info;
        for (conf, error) in [
            (json!({}), "expect object to have at least 1 properties"),
            (
                json!({ "abort": { "http_status": 503, "vars": [["arg_name", "==", "jack"]] } }),
                "rule should be wrapped inside brackets",
            ),
            (
                json!({ "delay": { "duration": 1, "percentage": 101 } }),
                r#"property "delay" validation failed: property "percentage" validation failed: expected 101 to be at most 100"#,
            ),
        ] {
            assert_eq!(info.check(&conf, CheckScope::Main).unwrap_err(), error);
        }
    }
}
