//! Lists of models, in the client's dialect: exactly what the caller may use.

mod dialects;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use serde_json::Value;
use sluice_core::{Context, Model, ModelAccess, Reply, Step};
use sluice_llm::Dialect;
use sluice_record::Text;

use super::refusals;

/// A model as lists show it.
struct Shown {
    /// The name that the caller asks for.
    name: Text,
    model: Arc<Model>,
}

/// What a request asks of the list.
enum Asked<'p> {
    All,
    One(&'p str),
}

/// Answers a request for the list of models, or for one of them. What is neither goes on.
pub(super) fn answer(cx: &Context) -> Step<'static> {
    let Some(asked) = asked(&cx.request.path) else {
        return Step::CONTINUE;
    };
    let dialect = Dialect::of(&cx.request.path, &cx.request.headers);
    let body = match asked {
        Asked::All => {
            let shown: Vec<Shown> = usable(cx).into_iter().collect();
            dialects::list(dialect, &shown, |name| cx.request.query_arg(name))
        }
        Asked::One(name) => match one(cx, name) {
            Some(shown) => dialects::one(dialect, &shown),
            None => return refusals::model_not_found(name).into(),
        },
    };
    json(&body).into()
}

fn json(body: &Value) -> Reply {
    let json = HeaderValue::from_static("application/json");
    Reply::bytes(StatusCode::OK, json, Bytes::from(body.to_string()))
}

/// By the path: `…/models`, `…/models/<name>`, Ollama's `/api/tags`.
fn asked(path: &str) -> Option<Asked<'_>> {
    if path.ends_with("/api/tags") {
        return Some(Asked::All);
    }
    let (_, after) = path.split_once("/models")?;
    match after.strip_prefix('/') {
        None if after.is_empty() => Some(Asked::All),
        Some("") => Some(Asked::All),
        Some(name) => Some(Asked::One(name)),
        None => None,
    }
}

fn access(cx: &Context) -> Option<&dyn ModelAccess> {
    let own = cx.pipeline.plugins().get(crate::ai_models::NAME);
    let entry = own.or_else(|| cx.snapshot.global.plugins().get(crate::ai_models::NAME))?;
    entry.plugin.model_access()
}

/// All models that a caller may ask for and lists show, by name: those of the registry that are allowed, and the aliases
/// that lead to one.
fn usable(cx: &Context) -> Vec<Shown> {
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
    let shown = found.into_iter().map(|(name, model)| Shown { name, model });
    shown.collect()
}

/// One model, by the name that the caller asks for.
fn one(cx: &Context, name: &str) -> Option<Shown> {
    let access = access(cx);
    let alias = access.and_then(|access| access.aliases().iter().find(|(alias, _)| **alias == *name));
    let meant = match (alias, access) {
        (Some((_, meant)), _) => meant,
        (None, Some(access)) if !access.allows(name) => return None,
        _ => name,
    };
    let model = cx.snapshot.models.find(meant)?.clone();
    Some(Shown {
        name: Text::from(name),
        model,
    })
}
