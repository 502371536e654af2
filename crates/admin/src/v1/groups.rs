//! Groups: faces over consumer groups, whose limits and models all members share.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_resource::{Key, Kind};
use sluice_store::Item;

use super::call::{no_content, ok};
use super::clients::{self, checked_id};
use super::providers::put_at;
use super::{ApiError, Call, Route, resources, route};
use crate::api::Api;
use crate::resources::Expected;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/groups", Viewer, "Groups of clients", list),
        route!(GET "/groups/{id}", Viewer, "A group", get),
        route!(PUT "/groups/{id}", Admin, "Add or change a group", put),
        route!(DELETE "/groups/{id}", Admin, "Delete a group without members", remove),
    ]
}

fn key(id: &str) -> Key {
    Key::new(Kind::ConsumerGroup, id)
}

/// The groups of all clients, one for each member.
async fn memberships(api: &Api) -> Result<Vec<String>, ApiError> {
    let consumers = api.all(Kind::Consumer).await?;
    let group = |item: &Item| item.value["group_id"].as_str().map(str::to_owned);
    Ok(consumers.iter().filter_map(|(_, item)| group(item)).collect())
}

fn shown(api: &Api, id: &str, item: &Item, memberships: &[String]) -> Value {
    let plugins = &item.value["plugins"];
    let member = |plugin: &str, name: &str| plugins[plugin].get(name).cloned();
    let limits = plugins.get("ai-limits").cloned();
    let other: Vec<&String> = plugins
        .as_object()
        .into_iter()
        .flat_map(|plugins| plugins.keys())
        .filter(|name| !matches!(name.as_str(), "ai-limits" | "ai-models"))
        .collect();
    json!({
        "id": id,
        "name": item.value["name"].as_str().unwrap_or(id),
        "description": item.value["desc"].as_str().unwrap_or_default(),
        "limits": limits.unwrap_or_else(|| json!({})),
        "allowed_models": member("ai-models", "allow").unwrap_or_else(|| json!([])),
        "members": memberships.iter().filter(|group| *group == id).count(),
        "standing": clients::group_standings(api, id),
        "unmanaged_plugins": other,
        "version": item.mod_revision,
    })
}

async fn list(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let search = call.text("search").map(|text| text.to_lowercase());
    let memberships = memberships(&api).await?;
    let items: Vec<Value> = api
        .all(Kind::ConsumerGroup)
        .await?
        .iter()
        .map(|(key, item)| shown(&api, key.id(), item, &memberships))
        .filter(|group| {
            let named = |member: &str| group[member].as_str().unwrap_or_default().to_lowercase();
            let found = |text: &String| named("id").contains(text) || named("name").contains(text);
            search.as_ref().is_none_or(found)
        })
        .collect();
    Ok(ok(&json!({ "total": items.len(), "items": items, "next": null })))
}

async fn stored(api: &Api, id: &str) -> Result<Option<Item>, ApiError> {
    Ok(api.state.store.get(&key(id).to_string()).await?)
}

async fn one(api: &Api, id: &str) -> Result<Value, ApiError> {
    let item = stored(api, id).await?;
    let item = item.ok_or_else(|| ApiError::not_found(format!("there is no group `{id}`")))?;
    Ok(shown(api, id, &item, &memberships(api).await?))
}

async fn get(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    Ok(ok(&one(&api, call.param("id")).await?))
}

/// What a form may say of a group; what is absent stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    name: Option<String>,
    description: Option<String>,
    limits: Option<Value>,
    allowed_models: Option<Vec<String>>,
    version: Option<u64>,
}

async fn put(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Put = call.json().await?;
    let id = checked_id(call.param("id"))?.to_owned();
    let mut value = match (stored(&api, &id).await?, wanted.version) {
        (None, None) => json!({ "id": id }),
        (None, Some(_)) => return Err(ApiError::not_found(format!("there is no group `{id}`"))),
        (Some(item), Some(_)) => item.value,
        (Some(_), None) => return Err(ApiError::taken(format!("there is a group `{id}`"))),
    };
    let text = |text: String| (!text.is_empty()).then(|| Value::from(text));
    if let Some(name) = wanted.name {
        put_at(&mut value, &["name"], text(name));
    }
    if let Some(description) = wanted.description {
        put_at(&mut value, &["desc"], text(description));
    }
    if let Some(limits) = &wanted.limits {
        clients::set_limits(&mut value, limits)?;
    }
    if let Some(allowed) = wanted.allowed_models {
        let allowed = (!allowed.is_empty()).then(|| json!(allowed));
        put_at(&mut value, &["plugins", "ai-models", "allow"], allowed);
    }
    if !value["plugins"].is_object() {
        value["plugins"] = json!({});
    }
    let expected = wanted.version.map_or(Expected::Absent, Expected::At);
    resources::write(&api, &call, &key(&id), value, expected)
        .await
        .map_err(|error| error.at_fields(clients::form_field))?;
    Ok(ok(&one(&api, &id).await?))
}

async fn remove(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let id = call.param("id").to_owned();
    let expected = call.number("version")?.map_or(Expected::Any, Expected::At);
    one(&api, &id).await?;
    resources::remove(&api, &call, &key(&id), false, expected).await?;
    Ok(no_content())
}
