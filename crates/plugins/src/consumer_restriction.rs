//! `consumer-restriction`: which consumers, groups, services or routes may pass (compat §6.6).

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step};
use sluice_llm::ErrorKind;
use sluice_resource::{PluginInfo, SchemaCompileError, Variables};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let names = json!({ "type": "array", "minItems": 1, "items": { "type": "string" } });
    let methods = json!([
        "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PURGE",
    ]);
    let schema = json!({
        "type": "object",
        "properties": {
            "type": {
                "type": "string", "enum": ["consumer_name", "service_id", "route_id", "consumer_group_id"],
                "default": "consumer_name",
            },
            "blacklist": names,
            "whitelist": names,
            "allowed_by_methods": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "user": { "type": "string" },
                        "methods": { "type": "array", "minItems": 1, "items": { "type": "string", "enum": methods } },
                    },
                },
            },
            "rejected_code": { "type": "integer", "minimum": 200, "default": 403 },
            "rejected_msg": { "type": "string" },
        },
        "anyOf": [
            { "required": ["blacklist"] }, { "required": ["whitelist"] }, { "required": ["allowed_by_methods"] },
        ],
    });
    Ok(PluginDef {
        info: PluginInfo::new("consumer-restriction", 2400, schema)?,
        compile: Restriction::compile,
    })
}

#[derive(Deserialize)]
struct Restriction {
    #[serde(rename = "type")]
    subject: String,
    #[serde(default)]
    blacklist: Vec<String>,
    #[serde(default)]
    whitelist: Vec<String>,
    #[serde(default)]
    allowed_by_methods: Vec<UserMethods>,
    rejected_code: u16,
    rejected_msg: Option<String>,
}

#[derive(Deserialize)]
struct UserMethods {
    #[serde(default)]
    user: String,
    #[serde(default)]
    methods: Vec<String>,
}

impl Restriction {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let plugin = Self::deserialize(conf)?;
        StatusCode::from_u16(plugin.rejected_code).map_err(|e| CompileError(e.to_string()))?;
        Ok(Arc::new(plugin))
    }

    /// The black list first, then the white list, then methods of those that the white list does not name.
    fn admits(&self, value: &str, method: &str) -> bool {
        if self.blacklist.iter().any(|name| name == value) {
            return false;
        }
        let whitelisted = self.whitelist.iter().any(|name| name == value);
        if whitelisted {
            return true;
        }
        if self.allowed_by_methods.is_empty() {
            return self.whitelist.is_empty();
        }
        match self.allowed_by_methods.iter().find(|entry| entry.user == value) {
            Some(entry) => entry.methods.iter().any(|allowed| allowed == method),
            None => self.whitelist.is_empty(),
        }
    }
}

impl Plugin for Restriction {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        let Some(value) = cx.get(&self.subject) else {
            let message = format!(
                "The request is rejected, please check the {} for this request",
                self.subject
            );
            return Failure::new(
                StatusCode::UNAUTHORIZED,
                ErrorKind::Authentication,
                "unknown_caller",
                message.clone(),
            )
            .apisix_json(json!({ "message": message }))
            .into();
        };
        if self.admits(&value, cx.request.method.as_str()) {
            return Step::CONTINUE;
        }
        let message = self
            .rejected_msg
            .clone()
            .unwrap_or_else(|| format!("The {} is forbidden.", self.subject));
        let status = StatusCode::from_u16(self.rejected_code).unwrap_or(StatusCode::FORBIDDEN);
        Failure::new(
            status,
            ErrorKind::Permission,
            "caller_not_allowed",
            message.clone(),
        )
        .apisix_json(json!({ "message": message }))
        .into()
    }
}
