//! The stored resources, with versions: what the pages of routes and plugins work on.

use std::sync::Arc;

use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_resource::{CheckScope, Key, Kind, Method};
use sluice_store::Item;

use super::call::{no_content, ok};
use super::{ApiError, Call, Route, route};
use crate::api::Api;
use crate::body::Payload;
use crate::path::Address;
use crate::query::Query;
use crate::resources::{self, Expected};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/kinds", Viewer, "Kinds of resources and their schemas", kinds),
        route!(GET "/plugins", Viewer, "Plugins and their schemas", plugins),
        route!(GET "/resources/{kind}", Viewer, "Resources of a kind", list),
        route!(GET "/resources/{kind}/{id}", Viewer, "A resource", get),
        route!(PUT "/resources/{kind}/{id}", Admin, "Write a resource", put),
        route!(DELETE "/resources/{kind}/{id}", Admin, "Delete a resource", delete),
        route!(POST "/resources/{kind}/validate", Viewer, "Check a resource without writing it", validate),
    ]
}

/// Kinds that the pages show. Credentials stand below their consumers.
fn shown_kinds() -> impl Iterator<Item = Kind> {
    Kind::ALL
        .into_iter()
        .filter(|kind| !matches!(kind, Kind::Credential | Kind::StreamRoute | Kind::Proto))
}

fn kind_of(segment: &str) -> Result<Kind, ApiError> {
    Kind::from_segment(segment)
        .filter(|kind| shown_kinds().any(|shown| shown == *kind))
        .ok_or_else(|| ApiError::not_found(format!("there are no resources of a kind `{segment}`")))
}

async fn kinds(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    let items: Vec<Value> = shown_kinds()
        .map(|kind| {
            let info = kind.info();
            // Metadata has a schema per plugin, secrets have one per manager.
            let schema = api.state.schemas.of_kind(kind);
            let schema = schema.map_or_else(|| json!({ "type": "object" }), |schema| schema.source().clone());
            json!({ "kind": info.segment, "title": info.name, "schema": schema, "id_member": id_member(kind) })
        })
        .collect();
    Ok(ok(&json!({ "items": items })))
}

fn id_member(kind: Kind) -> &'static str {
    if kind == Kind::Consumer { "username" } else { "id" }
}

async fn plugins(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    let catalogue = &api.state.catalogue;
    let items: Vec<Value> = catalogue
        .names_by_priority()
        .into_iter()
        .filter_map(|name| catalogue.get(name))
        .map(|info| {
            let mut described = info.describe();
            described["name"] = info.name.into();
            described["encrypted_fields"] = json!(info.encrypted_fields(CheckScope::Main));
            described["consumer_encrypted_fields"] = json!(info.encrypted_fields(CheckScope::Consumer));
            described
        })
        .collect();
    Ok(ok(&json!({ "items": items })))
}

async fn list(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let kind = kind_of(call.param("kind"))?;
    let search = call.text("search").map(|text| text.to_lowercase());
    let limit = call.limit()? as usize;
    let after = call.text("after");
    let report = api.state.data_plane.report();
    let mut all = api.all(kind).await.map_err(ApiError::from)?;
    all.sort_by(|(left, _), (right, _)| left.id().cmp(right.id()));
    let fits = |key: &Key, item: &Item| match &search {
        None => true,
        Some(text) => {
            let named = item.value["name"].as_str().unwrap_or_default().to_lowercase();
            key.id().to_lowercase().contains(text) || named.contains(text)
        }
    };
    let mut rest = all
        .into_iter()
        .filter(|(key, _)| after.as_deref().is_none_or(|after| key.id() > after))
        .filter(|(key, item)| fits(key, item));
    let page: Vec<_> = rest.by_ref().take(limit).collect();
    let next = rest.next().and(page.last()).map(|(key, _)| key.id().to_owned());
    let items: Vec<Value> = page
        .into_iter()
        .map(|(key, item)| {
            let error = report.error_of(&key.to_string());
            let mut shown = entry(&api, &key, &item);
            shown["compile_error"] = error.into();
            shown
        })
        .collect();
    Ok(ok(&json!({ "items": items, "next": next })))
}

/// A resource as pages show it: without its secrets.
fn entry(api: &Api, key: &Key, item: &Item) -> Value {
    let time = |member: &str| item.value[member].as_u64().map(|seconds| seconds * 1000);
    json!({
        "id": key.id(),
        "value": api.redacted(key, item.value.clone()),
        "version": item.mod_revision,
        "created_at": time("create_time"),
        "updated_at": time("update_time"),
    })
}

async fn stored(api: &Api, key: &Key) -> Result<Item, ApiError> {
    let item = api.state.store.get(&key.to_string()).await?;
    item.ok_or_else(|| ApiError::not_found(format!("there is no {} `{}`", key.kind().info().name, key.id())))
}

fn key_of(call: &Call) -> Result<Key, ApiError> {
    Ok(Key::new(kind_of(call.param("kind"))?, call.param("id")))
}

async fn get(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let key = key_of(&call)?;
    let item = stored(&api, &key).await?;
    Ok(ok(&entry(&api, &key, &item)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    value: Value,
    version: Option<u64>,
}

async fn put(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let key = key_of(&call)?;
    let Put { value, version } = call.json().await?;
    let expected = version.map_or(Expected::Absent, Expected::At);
    let status = write(&api, &call, &key, value, expected)
        .await
        .map_err(|error| error.at_fields(in_value))?;
    let item = stored(&api, &key).await?;
    Ok(super::call::json_response(status, &entry(&api, &key, &item)))
}

/// The place in a body that has a resource as its `value`.
fn in_value(path: &str) -> String {
    format!("value.{path}")
}

/// Writes a resource as the Admin API does: checked, compiled dry, noted, in force. Masked secrets stay as they are.
pub(super) async fn write(
    api: &Arc<Api>,
    call: &Call,
    key: &Key,
    mut value: Value,
    expected: Expected,
) -> Result<StatusCode, ApiError> {
    if let Some(before) = api.state.store.get(&key.to_string()).await? {
        api.unmask(key, &mut value, &before.value);
    }
    if let Some(members) = value.as_object_mut() {
        members.shift_remove("create_time");
        members.shift_remove("update_time");
    }
    let id = (key.kind() != Kind::Consumer).then(|| key.id().to_owned());
    if id.is_none() && value["username"] != key.id() {
        value["username"] = key.id().into();
    }
    let address = Address {
        kind: key.kind(),
        parent: None,
        id,
        sub_path: String::new(),
    };
    let reply = admin_call(api, call, Method::Put, &address, Some(value), expected).await?;
    Ok(reply)
}

/// Deletes a resource as the Admin API does.
pub(super) async fn remove(
    api: &Arc<Api>,
    call: &Call,
    key: &Key,
    force: bool,
    expected: Expected,
) -> Result<(), ApiError> {
    let address = Address {
        kind: key.kind(),
        parent: None,
        id: Some(key.id().to_owned()),
        sub_path: String::new(),
    };
    let query = Query::parse(if force { "force=true" } else { "" });
    let caller = call.caller()?;
    let call = resources::Call {
        method: Method::Delete,
        address: &address,
        query: &query,
        caller: &caller,
        payload: Payload {
            body: None,
            ttl: None,
        },
        expected,
    };
    api.call(call).await?;
    Ok(())
}

async fn admin_call(
    api: &Arc<Api>,
    call: &Call,
    method: Method,
    address: &Address,
    body: Option<Value>,
    expected: Expected,
) -> Result<StatusCode, ApiError> {
    let query = Query::parse("");
    let caller = call.caller()?;
    let call = resources::Call {
        method,
        address,
        query: &query,
        caller: &caller,
        payload: Payload { body, ttl: None },
        expected,
    };
    Ok(api.call(call).await?.status())
}

async fn delete(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let key = key_of(&call)?;
    let expected = call.number("version")?.map_or(Expected::Any, Expected::At);
    let force = call.query.get("force") == Some("true");
    remove(&api, &call, &key, force, expected).await?;
    Ok(no_content())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Validate {
    value: Value,
}

async fn validate(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let kind = kind_of(call.param("kind"))?;
    let Validate { mut value } = call.json().await?;
    let id = value[id_member(kind)].as_str().unwrap_or("validated").to_owned();
    let key = Key::new(kind, id.as_str());
    if let Some(before) = api.state.store.get(&key.to_string()).await? {
        api.unmask(&key, &mut value, &before.value);
    }
    let reply = api.validate_schema(kind.info().segment, Some(&value));
    if reply.status().is_success() {
        return Ok(ok(&json!({ "ok": true })));
    }
    let message = reply.message().unwrap_or_else(|| "this does not hold".to_owned());
    Err(ApiError::of_check(message).at_fields(in_value))
}
