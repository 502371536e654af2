//! `multi-auth`: several ways to get in, of which one must do (compat §3.6, §6.8).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{StatusCode, header};
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_resource::{CheckScope, PluginInfo, SchemaCompileError};

use crate::{basic_auth, hmac_auth, jwt_auth, key_auth};

/// The definition; `plugins` are all others there are.
pub(crate) fn definition(plugins: &[PluginDef]) -> Result<PluginDef, SchemaCompileError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "auth_plugins": { "type": "array", "minItems": 2, "items": { "type": "object" } },
        },
        "required": ["auth_plugins"],
    });
    let known = plugins.iter().map(|plugin| plugin.info.name).collect();
    let ways = ways()?;
    let info = PluginInfo::new("multi-auth", 2600, schema)?
        .as_auth_without_key()
        .with_check(move |conf, scope| match scope {
            CheckScope::Main => check(conf, &ways, &known),
            CheckScope::Consumer | CheckScope::Metadata => Ok(()),
        });
    Ok(PluginDef {
        info,
        compile: MultiAuth::compile,
    })
}

/// Makes a plugin's definition.
type Definition = fn() -> Result<PluginDef, SchemaCompileError>;

/// The plugins that can be a way in.
const WAYS: [(&str, Definition); 4] = [
    ("hmac-auth", hmac_auth::definition),
    ("basic-auth", basic_auth::definition),
    ("jwt-auth", jwt_auth::definition),
    ("key-auth", key_auth::definition),
];

/// Ways in that entries are checked with.
type Ways = BTreeMap<&'static str, PluginInfo>;

fn ways() -> Result<Ways, SchemaCompileError> {
    WAYS.into_iter()
        .map(|(name, definition)| Ok((name, definition()?.info)))
        .collect()
}

/// All entries with the plugin's name and configuration, in order.
fn entries(conf: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let entries = conf.get("auth_plugins").and_then(Value::as_array);
    entries
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .flatten()
}

fn check(conf: &Value, ways: &Ways, known: &BTreeSet<&str>) -> Result<(), String> {
    for (name, conf) in entries(conf) {
        let Some(way) = ways.get(name.as_str()) else {
            let problem = match known.contains(name.as_str()) {
                true => "is not supported",
                false => "did not found",
            };
            return Err(format!("{name} plugin {problem}"));
        };
        way.check(conf, CheckScope::Main)
            .map_err(|error| format!("plugin {name} check schema failed: {error}"))?;
    }
    Ok(())
}

struct MultiAuth {
    ways: Vec<(&'static str, Arc<dyn Plugin>)>,
}

impl MultiAuth {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let compiled = entries(conf).map(|(name, conf)| {
            let (name, definition) = WAYS
                .into_iter()
                .find(|(way, _)| way == name)
                .ok_or_else(|| CompileError(format!("{name} plugin is not supported")))?;
            let PluginDef { info, compile } =
                definition().map_err(|error| CompileError(error.to_string()))?;
            let conf = info.checked(conf, CheckScope::Main).map_err(CompileError)?;
            Ok((name, compile(&conf, env)?))
        });
        Ok(Arc::new(Self {
            ways: compiled.collect::<Result<_, CompileError>>()?,
        }))
    }

    async fn authenticate(&self, cx: &mut Context) -> Verdict {
        const MESSAGE: &str = "Authorization Failed";
        let mut refusal = Failure::new(
            StatusCode::UNAUTHORIZED,
            ErrorKind::Authentication,
            "invalid_credentials",
            MESSAGE,
        )
        .apisix_json(json!({ "message": MESSAGE }));
        for (name, way) in &self.ways {
            let verdict = match way.rewrite(cx) {
                Step::Done(verdict) => verdict,
                Step::Wait(future) => future.await,
            };
            match verdict {
                Verdict::Continue => return Verdict::Continue,
                Verdict::Fail(failure) => {
                    tracing::debug!("{name} failed to authenticate the request: {failure}");
                    for challenge in failure.reply.headers.get_all(header::WWW_AUTHENTICATE) {
                        refusal = refusal.header(header::WWW_AUTHENTICATE, challenge.clone());
                    }
                }
                Verdict::Reply(_) => {}
            }
        }
        refusal.into()
    }
}

impl Plugin for MultiAuth {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(self.authenticate(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(conf: Value) -> String {
        let others = [
            key_auth::definition().unwrap(),
            crate::cors::definition().unwrap(),
        ];
        let info = definition(&others).unwrap().info;
        info.check(&conf, CheckScope::Main).unwrap_err()
    }

    #[test]
    fn entries_are_checked_as_their_plugins() {
        let key = json!({ "key-auth": {} });
        for (conf, error) in [
            (json!({}), "property \"auth_plugins\" is required"),
            (
                json!({ "auth_plugins": [key] }),
                "property \"auth_plugins\" validation failed: expect array to have at least 2 items",
            ),
            (
                json!({ "auth_plugins": [key, { "not-there": {} }] }),
                "not-there plugin did not found",
            ),
            (
                json!({ "auth_plugins": [key, { "cors": {} }] }),
                "cors plugin is not supported",
            ),
            (
                json!({ "auth_plugins": [key, { "key-auth": { "header": 1 } }] }),
                "plugin key-auth check schema failed: property \"header\" validation failed: wrong type: expected string, got number",
            ),
        ] {
            assert_eq!(refused(conf), error);
        }
    }
}
