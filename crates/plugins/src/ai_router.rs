//! `ai-router`: looks the requested model up in the registry and calls one of its targets (DESIGN §1).

mod call;
mod check;
mod compile;
mod config;
mod hash;
mod lists;
mod makers;
mod outcome;
mod pick;
mod refusals;
mod rules;
mod score;
mod task;
mod turns;

use std::sync::Arc;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_core::{
    AiLogging, CompileEnv, CompileError, Context, ModelsDef, Phase, Phases, Picked, Plugin, PluginDef,
    Profile, Routing, Step, Verdict,
};
use sluice_exchange::{prepare, stored_response};
use sluice_llm::openai_resource;
use sluice_record::Text;
use sluice_resource::{PluginInfo, SchemaCompileError};

pub(crate) use self::refusals::{failure, model_not_found};
use crate::ai_proxy::logging;

const NAME: &str = "ai-router";

/// Plugins that call a provider of their own: where one of them runs, the registry is not asked.
const OTHERS: [&str; 2] = ["ai-proxy", "ai-proxy-multi"];

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    Ok(PluginDef {
        info: PluginInfo::new(NAME, 1042, schema())?,
        compile: AiRouter::compile,
    })
}

/// What the resources of the model registry mean.
pub(crate) fn models() -> ModelsDef {
    ModelsDef {
        check: check::check,
        compile_provider: compile::provider,
        compile_model: compile::model,
    }
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "max_req_body_size": { "type": "integer", "minimum": 1, "default": 33_554_432 },
            "logging": {
                "type": "object",
                "properties": {
                    "summaries": { "type": "boolean", "default": false },
                    "payloads": { "type": "boolean", "default": false },
                },
                "additionalProperties": false,
            },
        },
        "additionalProperties": false,
    })
}

/// Whether the registry decides who answers a request, as far as its plugins say.
fn is_asked(cx: &Context) -> bool {
    cx.ai.is_none()
        && OTHERS
            .iter()
            .all(|other| cx.pipeline.plugins().get(other).is_none())
}

#[derive(Deserialize)]
struct AiRouter {
    max_req_body_size: u64,
    #[serde(skip)]
    logging: AiLogging,
}

impl AiRouter {
    fn compile(conf: &Value, _env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let mut router = Self::deserialize(conf)?;
        router.logging = logging(conf)?;
        Ok(Arc::new(router))
    }

    async fn route(&self, cx: &mut Context) -> Verdict {
        let prepared = match prepare(cx, self.max_req_body_size).await {
            Ok(prepared) => prepared,
            Err(failure) => return failure.into(),
        };
        // What the gateway keeps is asked of nobody, and so needs no model.
        if let Some(stored) = stored_response(cx) {
            if cx.has_answer_rules() {
                prepared.begin(cx, nobody(), self.logging);
            }
            return stored.show(cx).await.into();
        }
        let asked = prepared.model(cx);
        if asked.is_empty() {
            return refusals::no_model().into();
        }
        let snapshot = cx.snapshot.clone();
        let Some(model) = snapshot.models.find(&asked) else {
            return refusals::unknown_model(cx, &asked).into();
        };
        prepared.begin(cx, nobody(), self.logging);
        if let Some(ai) = cx.ai.as_deref_mut() {
            ai.routing = Some(Box::new(Routing {
                model: model.clone(),
                rule: None,
                only: None,
                preferred: None,
                keeps_signatures: false,
                ignores_cool_down: false,
                hash_key: None,
                why: String::new(),
                failed: Vec::new(),
                active: None,
            }));
        }
        match model.route.pick(cx) {
            Step::Done(verdict) => verdict,
            Step::Wait(future) => future.await,
        }
    }
}

/// What stands in the place of the target until one is picked.
fn nobody() -> Picked {
    Picked {
        index: 0,
        name: Text::from(""),
        provider: "",
        owner: NAME,
        model: None,
        price: None,
        settings: Text::from(""),
    }
}

impl Plugin for AiRouter {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access, Phase::BeforeProxy, Phase::Settle])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if !is_asked(cx) {
            return Step::CONTINUE;
        }
        cx.profile = Profile::Native;
        // Without any model there is no registry: what the request lacks is a provider.
        if cx.snapshot.models.is_empty() {
            return Step::CONTINUE;
        }
        // Files, batches and stored responses are read where a model's provider has them.
        if cx.request.method == Method::GET && openai_resource(&cx.request.path).is_none() {
            return lists::answer(cx);
        }
        Step::wait(self.route(cx))
    }

    fn before_proxy<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        match routed(cx) {
            Some(model) => Step::wait(async move {
                match model.route.call(cx) {
                    Step::Done(verdict) => verdict,
                    Step::Wait(future) => future.await,
                }
            }),
            None => Step::CONTINUE,
        }
    }

    fn settle(&self, cx: &mut Context) {
        if let Some(model) = routed(cx) {
            model.route.settle(cx);
        }
    }
}

/// The model of a call that is this plugin's to make.
fn routed(cx: &Context) -> Option<Arc<sluice_core::Model>> {
    let ai = cx.ai.as_deref().filter(|ai| ai.picked.owner == NAME)?;
    Some(ai.routing.as_ref()?.model.clone())
}
