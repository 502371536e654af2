//! `ai-prompt-template`: the client names a template and fills it in (compat §4.6).

mod render;

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step, Verdict,
};
use sluice_llm::{ErrorKind, RequestView};
use sluice_resource::{PluginInfo, SchemaCompileError};

use self::render::PromptTemplate;
use crate::json_body::{self, MAX_BODY, refused};

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let message = json!({
        "type": "object",
        "properties": {
            "role": { "type": "string", "enum": ["system", "user", "assistant"] },
            "content": { "type": "string", "minLength": 1 },
        },
        "required": ["role", "content"],
    });
    let template = json!({
        "type": "object",
        "properties": {
            "model": { "type": "string", "minLength": 1 },
            "messages": { "type": "array", "minItems": 1, "items": message },
        },
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "templates": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": {
                        "name": { "type": "string", "minLength": 1 },
                        "template": template,
                    },
                    "required": ["name", "template"],
                },
            },
            "max_req_body_size": { "type": "integer", "minimum": 1, "default": MAX_BODY },
        },
        "required": ["templates"],
    });
    Ok(PluginDef {
        info: PluginInfo::new("ai-prompt-template", 1071, schema)?,
        compile: Templates::compile,
    })
}

struct Templates {
    by_name: BTreeMap<String, PromptTemplate>,
    max_body: u64,
}

impl Templates {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let mut by_name = BTreeMap::new();
        for item in conf["templates"].as_array().into_iter().flatten() {
            let name = item["name"].as_str().unwrap_or_default().to_owned();
            let template = PromptTemplate::parse(&item["template"].to_string());
            by_name.entry(name).or_insert(template);
        }
        Ok(Arc::new(Self {
            by_name,
            max_body: conf["max_req_body_size"].as_u64().unwrap_or(MAX_BODY),
        }))
    }

    fn fill_in(&self, request: &RequestView) -> Result<String, Box<Failure>> {
        let values: Value = serde_json::from_slice(request.bytes()).unwrap_or_default();
        let name = values.get("template_name").and_then(Value::as_str);
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            let message = "template name is missing in request.";
            return Err(Box::new(refused("template_missing", message.to_owned())));
        };
        let Some(template) = self.by_name.get(name) else {
            let message = format!("template: {name} not configured.");
            return Err(Box::new(refused("template_unknown", message)));
        };
        template.render(&values).map_err(|error| {
            let message = format!("request template rendering: {error}");
            let body = json!({ "message": message });
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let failure = Failure::new(status, ErrorKind::InvalidRequest, "template_broken", message);
            Box::new(failure.apisix_json(body))
        })
    }
}

impl Plugin for Templates {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Rewrite])
    }

    fn rewrite<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(async move {
            let filled = match json_body::read(cx, self.max_body).await {
                Ok(request) => self.fill_in(&request),
                Err(failure) => Err(Box::new(failure)),
            };
            match filled {
                Ok(body) => cx.request.body.replace(body.into()),
                Err(failure) => return Verdict::Fail(failure),
            }
            Verdict::Continue
        })
    }
}
