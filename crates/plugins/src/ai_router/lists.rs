//! Lists of models, in the client's dialect: exactly what the caller may use.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use sluice_core::{Context, Model, ModelAccess, Reply, Step};
use sluice_llm::{AskedModels, ListedModel, write_model, write_models};
use sluice_record::Text;

use super::refusals;

/// Answers a request for the list of models, or for one of them. What is neither goes on.
pub(super) fn answer(cx: &Context) -> Step<'static> {
    let Some(asked) = AskedModels::of(&cx.request.path) else {
        return Step::CONTINUE;
    };
    let dialect = cx.dialect();
    let body = match asked {
        AskedModels::All => write_models(dialect, &usable(cx), |name| cx.request.query_arg(name)),
        AskedModels::One(name) => match one(cx, name) {
            Some(shown) => write_model(dialect, &shown),
            None => return refusals::model_not_found(name).into(),
        },
    };
    json(&body).into()
}

fn json(body: &Value) -> Reply {
    let json = HeaderValue::from_static("application/json");
    Reply::bytes(StatusCode::OK, json, Bytes::from(body.to_string()))
}

fn access(cx: &Context) -> Option<&dyn ModelAccess> {
    let own = cx.pipeline.plugins().get(crate::ai_models::NAME);
    let entry = own.or_else(|| cx.snapshot.global.plugins().get(crate::ai_models::NAME))?;
    entry.plugin.model_access()
}

/// All models that a caller may ask for and lists show, by name: those of the registry that are allowed, and the aliases
/// that lead to one.
fn usable(cx: &Context) -> Vec<ListedModel> {
    let models = &cx.snapshot.models;
    let access = access(cx);
    let mut found: BTreeMap<Text, Arc<Model>> = BTreeMap::new();
    for model in models.iter().filter(|model| !model.info.hidden) {
        let members = model.info.members.iter().map(|member| Text::from(&**member));
        let names: Vec<Text> = match model.is_pattern() {
            true => members.collect(),
            false => vec![model.name.clone()],
        };
        for name in names {
            // A name may lead to another model than the one that lists it.
            if let Some(meant) = models.find(&name) {
                found.insert(name, meant.clone());
            }
        }
    }
    if let Some(access) = access {
        found.retain(|name, _| access.allows(name));
        for (alias, meant) in access.aliases() {
            if let Some(model) = models.find(meant) {
                found.insert(alias.clone(), model.clone());
            }
        }
    }
    let shown = found.iter().map(|(name, model)| shown(name, model));
    shown.collect()
}

/// One model, by the name that the caller asks for.
fn one(cx: &Context, name: &str) -> Option<ListedModel> {
    let access = access(cx);
    let alias = access.and_then(|access| access.aliases().iter().find(|(alias, _)| **alias == *name));
    let meant = match (alias, access) {
        (Some((_, meant)), _) => meant,
        (None, Some(access)) if !access.allows(name) => return None,
        _ => name,
    };
    let model = cx.snapshot.models.find(meant)?.clone();
    Some(shown(name, &model))
}

/// A model as lists show it, under the name that the caller asks for.
fn shown(name: &str, model: &Model) -> ListedModel {
    let info = &model.info;
    ListedModel {
        id: name.to_owned(),
        display_name: info.display_name.clone(),
        owned_by: info.owned_by.clone(),
        created: Some(info.created.unwrap_or(model.created)),
        context_window: info.context_window,
        max_output_tokens: info.max_output_tokens,
        embeds: info.capabilities.iter().any(|name| name == "embeddings"),
    }
}
