//! `team-header`: callers say for which team they call; only some teams may.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sluice::plugin::{
    CheckScope, CompileEnv, CompileError, Context, ErrorKind, Failure, Phase, Phases, Plugin, PluginDef,
    PluginInfo, SchemaCompileError, Step,
};

/// Name, place in the order, schema: what the Admin API knows of the plugin. And how a configuration becomes one.
pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "header": { "type": "string", "minLength": 1, "default": "x-team" },
            "teams": { "type": "array", "minItems": 1, "items": { "type": "string" } },
        },
        "required": ["teams"],
    });
    let info = PluginInfo::new("team-header", 2390, schema)?.with_check(check);
    Ok(PluginDef {
        info,
        compile: TeamHeader::compile,
    })
}

/// What the schema cannot say. Its text is the answer to the write.
fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    let header = conf["header"].as_str().unwrap_or_default();
    match header.parse::<HeaderName>() {
        Err(_) if scope == CheckScope::Main => Err(format!("{header:?} is no name of a header")),
        _ => Ok(()),
    }
}

#[derive(Deserialize)]
struct Config {
    header: String,
    teams: Vec<String>,
}

/// The running form: everything that can be worked out before a request comes is worked out.
struct TeamHeader {
    header: HeaderName,
    teams: Vec<HeaderValue>,
}

impl TeamHeader {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let bad = |text: &str| CompileError(format!("{text:?} cannot stand in a header"));
        let teams = config
            .teams
            .iter()
            .map(|team| HeaderValue::from_str(team).map_err(|_| bad(team)));
        Ok(Arc::new(Self {
            header: config.header.parse().map_err(|_| bad(&config.header))?,
            teams: teams.collect::<Result<_, _>>()?,
        }))
    }
}

impl Plugin for TeamHeader {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        match cx.request.headers.get(&self.header) {
            Some(team) if self.teams.contains(team) => {
                cx.response_headers.insert("x-served-for", team.clone());
                Step::CONTINUE
            }
            _ => {
                let message = "this route is not for your team";
                Failure::new(
                    StatusCode::FORBIDDEN,
                    ErrorKind::Permission,
                    "wrong_team",
                    message,
                )
                .apisix_json(json!({ "message": message }))
                .into()
            }
        }
    }
}
