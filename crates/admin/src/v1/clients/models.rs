//! Which models a client may use: the list as it gets it, and what would become of a name.

use std::sync::Arc;

use axum::response::Response;
use http::Method;
use serde_json::{Value, json};
use sluice_resource::{Glob, Key, Kind};
use sluice_store::Item;

use super::super::call::ok;
use super::super::playground::{ask, complaint};
use super::super::{ApiError, Call, Route, route, session};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/clients/{id}/models", Admin, "The models that a client gets listed", list),
        route!(GET "/clients/{id}/models/check", Viewer, "What would become of a model's name", check),
    ]
}

/// The list is asked for as the client would: through the data path.
async fn list(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let id = call.param("id");
    let item = super::consumer(&api, id).await?;
    let (conf, whose) = access(&api, &item).await?;
    let answer = ask(&api, id, Method::GET, "/v1/models", None).await?;
    let mut items: Vec<Value> = answer.body["data"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|model| {
            json!({
                "id": model["id"],
                "allowed": verdict(&conf, whose, model["id"].as_str().unwrap_or_default())["allowed"],
                "display_name": model.get("display_name").or_else(|| model.get("name")),
                "owned_by": model.get("owned_by"),
                "context_window": model.get("context_window").or_else(|| model.get("context_length")),
            })
        })
        .collect();
    if call.query.get("fetch") == Some("true") {
        let known = |id: &str| items.iter().any(|item| item["id"] == id);
        let further: Vec<Value> = not_listed(&api, &item.value)
            .await?
            .into_iter()
            .filter(|model| model["id"].as_str().is_some_and(|id| !known(id)))
            .collect();
        items.extend(further);
    }
    let error = (answer.status != 200).then(|| complaint(&answer.body));
    Ok(ok(
        &json!({ "items": items, "fetched_at": session::now(), "error": error }),
    ))
}

/// What the client's provider has, or the registry where it has none of its own, whether the client may use it or not:
/// for whoever is to allow more. Nothing where the provider cannot be asked.
async fn not_listed(api: &Api, client: &Value) -> Result<Vec<Value>, ApiError> {
    let shown = |id: &str, name: Option<String>, owner: Option<String>, window: Option<u64>| {
        json!({
            "id": id, "allowed": false, "display_name": name, "owned_by": owner, "context_window": window,
        })
    };
    let plugins = &client["plugins"];
    let own = match &plugins["ai-proxy"] {
        Value::Null => &plugins["ai-proxy-multi"]["instances"][0],
        own => own,
    };
    if own.is_null() {
        let models = api.all(Kind::Model).await?;
        let names = models
            .iter()
            .map(|(key, item)| item.value["name"].as_str().unwrap_or(key.id()).to_owned());
        return Ok(names.map(|name| shown(&name, None, None, None)).collect());
    }
    let listed = api.state.providers.models_of_draft(&as_provider(own)).await;
    let models = listed.ok().and_then(Result::ok).unwrap_or_default();
    let models = models.into_iter().map(|model| {
        shown(
            &model.id,
            model.display_name,
            model.owned_by,
            model.context_window,
        )
    });
    Ok(models.collect())
}

/// A provider of a client as one of the registry would say it.
fn as_provider(own: &Value) -> Value {
    let text = |place: &str| own.pointer(place).and_then(Value::as_str).unwrap_or_default();
    let mut provider = json!({ "type": own["provider"] });
    let base = format!("{}{}", text("/override/endpoint"), text("/override/base"));
    if !base.is_empty() {
        provider["base_url"] = base.into();
    }
    let headers = own.pointer("/auth/header").and_then(Value::as_object);
    if let Some(key) = headers.and_then(|headers| headers.values().next()?.as_str()) {
        provider["auth"] = json!({ "api_key": key.strip_prefix("Bearer ").unwrap_or(key) });
    }
    provider
}

/// What `ai-models` says for a client, and whose word that is. What a consumer says of a plugin stands in place of what
/// its group says.
async fn access(api: &Api, item: &Item) -> Result<(Value, &'static str), ApiError> {
    let own = &item.value["plugins"]["ai-models"];
    let group = match item.value["group_id"].as_str() {
        Some(group) if own.is_null() => {
            let key = Key::new(Kind::ConsumerGroup, group);
            api.state.store.get(&key.to_string()).await?
        }
        _ => None,
    };
    Ok(match group {
        Some(group) => (group.value["plugins"]["ai-models"].clone(), "the group's list"),
        None => (own.clone(), "the client's list"),
    })
}

async fn check(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let item = super::consumer(&api, call.param("id")).await?;
    let name = call.text("name").unwrap_or_default();
    let (conf, whose) = access(&api, &item).await?;
    Ok(ok(&verdict(&conf, whose, &name)))
}

/// What `ai-models` makes of a name.
fn verdict(conf: &Value, whose: &str, name: &str) -> Value {
    let asked = if name.is_empty() {
        conf["default"].as_str().unwrap_or_default()
    } else {
        name
    };
    if asked.is_empty() {
        let reason = "no model is asked for, and there is no default";
        return json!({ "allowed": false, "target": null, "reason": reason });
    }
    if let Some(target) = conf["aliases"][asked].as_str() {
        let reason = format!("an alias of {whose} leads to it");
        return json!({ "allowed": true, "target": target, "reason": reason });
    }
    let patterns: Vec<&str> = conf["allow"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    if patterns.is_empty() {
        return json!({ "allowed": true, "target": asked, "reason": "all models are allowed" });
    }
    let found = patterns.iter().find(|pattern| Glob::new(pattern).matches(asked));
    let reason = match found {
        Some(pattern) => format!("`{pattern}` of {whose} allows it"),
        None => format!("nothing of {whose} allows it"),
    };
    json!({ "allowed": found.is_some(), "target": found.map(|_| asked), "reason": reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_provider_is_one_of_the_registry() {
        let own = json!({
            "provider": "openai", "auth": { "header": { "authorization": "Bearer sk" } },
            "override": { "endpoint": "http://a:1", "base": "/v1" },
        });
        assert_eq!(
            as_provider(&own),
            json!({ "type": "openai", "base_url": "http://a:1/v1", "auth": { "api_key": "sk" } })
        );
        let plain = json!({ "provider": "ollama", "auth": {} });
        assert_eq!(as_provider(&plain), json!({ "type": "ollama" }));
    }

    #[test]
    fn names_are_judged_as_the_plugin_does() {
        let conf = json!({ "default": "small", "aliases": { "small": "gpt-4o-mini" }, "allow": ["gpt-*"] });
        let of = |name: &str| verdict(&conf, "the client's list", name);
        assert_eq!(
            (&of("")["allowed"], &of("")["target"]),
            (&json!(true), &json!("gpt-4o-mini"))
        );
        assert_eq!(of("gpt-5")["allowed"], true);
        assert_eq!(of("claude")["allowed"], false);
        assert_eq!(verdict(&Value::Null, "", "x")["allowed"], true);
        assert_eq!(verdict(&Value::Null, "", "")["allowed"], false);
    }
}
