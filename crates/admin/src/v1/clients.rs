//! Clients: faces over consumers, their credentials and the plugins that stand on them (DESIGN §1).

mod form;
mod keys;
mod limits;
mod models;
mod shape;
mod write;

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_resource::{Key, Kind};
use sluice_store::Item;

pub(super) use self::form::form_field;
pub(super) use self::limits::{of_group as group_standings, standings};
use self::shape::Face;
use self::write::Write;
pub(super) use self::write::{checked_id, limits as set_limits};
use super::call::{created, csv, no_content, ok};
use super::{ApiError, Call, Route, observe, providers, resources, route};
use crate::api::Api;
use crate::resources::Expected;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![
        route!(GET "/clients", Viewer, "Clients", list),
        route!(POST "/clients", Admin, "Add a client with its first key", add),
        route!(GET "/clients/export.csv", Viewer, "Clients as CSV", export),
        route!(GET "/clients/defaults", Viewer, "What the form of a client begins with", defaults),
        route!(POST "/clients/bulk", Admin, "Switch on, switch off, tag or delete several clients", bulk),
        route!(GET "/clients/{id}", Viewer, "A client", get),
        route!(PATCH "/clients/{id}", Admin, "Change a client", change),
        route!(DELETE "/clients/{id}", Admin, "Delete a client with its keys", remove),
    ];
    routes.extend(keys::routes());
    routes.extend(limits::routes());
    routes.extend(models::routes());
    routes
}

fn key(id: &str) -> Key {
    Key::new(Kind::Consumer, id)
}

/// A client's consumer.
pub(super) async fn consumer(api: &Api, id: &str) -> Result<Item, ApiError> {
    let item = api.state.store.get(&key(id).to_string()).await?;
    item.ok_or_else(|| ApiError::not_found(format!("there is no client `{id}`")))
}

/// A client with its keys.
async fn shown(api: &Api, id: &str) -> Result<Value, ApiError> {
    let item = consumer(api, id).await?;
    let mut client = Face::of(api, id, &item).client();
    client["seen_at"] = api.state.live.client(id).seen_at.into();
    client["keys"] = keys::of(api, id, &item).await?;
    client["limit_standings"] = standings(api, id);
    Ok(client)
}

async fn get(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    Ok(ok(&shown(&api, call.param("id")).await?))
}

/// Rows that fit, sorted.
async fn rows(api: &Api, call: &Call) -> Result<Vec<Value>, ApiError> {
    let search = call.text("search").map(|text| text.to_lowercase());
    let (tag, group) = (call.text("tag"), call.text("group"));
    let active = match call.query.get("active") {
        None | Some("") => None,
        Some("true") => Some(true),
        Some("false") => Some(false),
        Some(_) => return Err(ApiError::field("active", "true or false is wanted")),
    };
    let mut rows = Vec::new();
    for (key, item) in api.all(Kind::Consumer).await? {
        let face = Face::of(api, key.id(), &item);
        let mut row = face.row();
        let named = |member: &str| row[member].as_str().unwrap_or_default().to_lowercase();
        let found = search.as_ref().is_none_or(|text| {
            named("id").contains(text) || named("name").contains(text) || named("owner").contains(text)
        });
        let tagged = tag.as_ref().is_none_or(|tag| {
            row["tags"]
                .as_array()
                .into_iter()
                .flatten()
                .any(|own| own == tag.as_str())
        });
        let grouped = group.as_ref().is_none_or(|group| row["group"] == group.as_str());
        let switched = active.is_none_or(|active| row["active"] == active);
        if !(found && tagged && grouped && switched) {
            continue;
        }
        let today = api.state.live.client(key.id());
        row["requests_today"] = today.totals.requests.into();
        row["tokens_today"] = today.totals.tokens().into();
        row["cost_today_micro_usd"] = today.totals.cost_micros.into();
        row["errors_today"] = today.totals.errors.into();
        row["seen_at"] = today.seen_at.into();
        rows.push(row);
    }
    let number = |row: &Value, member: &str| std::cmp::Reverse(row[member].as_i64().unwrap_or_default());
    match call.query.get("sort").unwrap_or("name") {
        "-cost_today" => rows.sort_by_key(|row| number(row, "cost_today_micro_usd")),
        "-requests_today" => rows.sort_by_key(|row| number(row, "requests_today")),
        "-tokens_today" => rows.sort_by_key(|row| number(row, "tokens_today")),
        "-seen_at" => rows.sort_by_key(|row| number(row, "seen_at")),
        "-created_at" => rows.sort_by_key(|row| number(row, "created_at")),
        "name" | "" => rows.sort_by_key(|row| row["name"].as_str().unwrap_or_default().to_lowercase()),
        _ => {
            let known = "name, -cost_today, -requests_today, -tokens_today, -seen_at, -created_at";
            return Err(ApiError::field("sort", format!("one of {known} is wanted")));
        }
    }
    Ok(rows)
}

/// Pages are numbered by their first row: lists are sorted by what changes.
async fn list(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let rows = rows(&api, &call).await?;
    let limit = call.limit()? as usize;
    let skip = usize::try_from(call.number("after")?.unwrap_or_default()).unwrap_or(usize::MAX);
    let total = rows.len();
    let mut items: Vec<Value> = rows.into_iter().skip(skip).take(limit).collect();
    for item in &mut items {
        let standings = standings(&api, item["id"].as_str().unwrap_or_default());
        item["limits"] = standings;
    }
    let next = skip.saturating_add(limit);
    Ok(ok(
        &json!({ "items": items, "next": (next < total).then(|| next.to_string()), "total": total }),
    ))
}

async fn export(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let columns = [
        "id",
        "name",
        "owner",
        "group",
        "active",
        "provider",
        "default_model",
        "requests_today",
        "tokens_today",
        "cost_today_micro_usd",
        "errors_today",
        "created_at",
    ];
    let mut text = observe::csv_line(columns.map(str::to_owned));
    for row in rows(&api, &call).await? {
        text.push_str(&observe::csv_line(columns.map(|column| match &row[column] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })));
    }
    Ok(csv("clients.csv", text))
}

async fn defaults(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    Ok(ok(&json!({
        "name": "",
        "active": true,
        "tags": [],
        "tool_mode": "pass-through",
        "limits": api.state.options.client_limits,
    })))
}

async fn add(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Write = call.json().await?;
    let name = wanted.name.clone().filter(|name| !name.trim().is_empty());
    let name = name.ok_or_else(|| ApiError::field("name", "a name is wanted"))?;
    let id = match &wanted.id {
        Some(id) => checked_id(id)?.to_owned(),
        None => providers::free_id(&api, Kind::Consumer, &providers::slug(&name)).await?,
    };
    let mut value = json!({ "username": id, "plugins": {} });
    if wanted.limits.is_none() {
        write::limits(&mut value, &api.state.options.client_limits)?;
    }
    wanted.apply(&api, &mut value)?;
    let first = keys::Draft::of(&keys::New::default())?;
    api.put_with_credential(&call.caller()?, value, &first.id, first.value.clone())
        .await
        .map_err(|refusal| ApiError::from(refusal).at_fields(form_field))?;
    let made = keys::with_secret(&api, &id, first).await?;
    Ok(created(
        &json!({ "client": shown(&api, &id).await?, "key": made }),
    ))
}

async fn change(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Write = call.json().await?;
    let id = call.param("id").to_owned();
    let version = wanted
        .version
        .ok_or_else(|| ApiError::field("version", "the version that you read is wanted"))?;
    let mut value = consumer(&api, &id).await?.value;
    wanted.apply(&api, &mut value)?;
    resources::write(&api, &call, &key(&id), value, Expected::At(version))
        .await
        .map_err(|error| error.at_fields(form_field))?;
    Ok(ok(&shown(&api, &id).await?))
}

async fn remove(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let id = call.param("id").to_owned();
    let expected = call.number("version")?.map_or(Expected::Any, Expected::At);
    consumer(&api, &id).await?;
    resources::remove(&api, &call, &key(&id), false, expected).await?;
    Ok(no_content())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bulk {
    ids: Vec<String>,
    action: String,
    tag: Option<String>,
}

/// Each client by itself: what fails is told, the rest is done.
async fn bulk(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Bulk = call.json().await?;
    let tag = || {
        wanted
            .tag
            .clone()
            .filter(|tag| !tag.is_empty())
            .ok_or_else(|| ApiError::field("tag", "a tag is wanted"))
    };
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    for id in &wanted.ids {
        let result = match wanted.action.as_str() {
            "enable" | "disable" => {
                let active = wanted.action == "enable";
                edit(&api, &call, id, |client| client["active"] = active.into()).await
            }
            "tag" => {
                let tag = tag()?;
                edit(&api, &call, id, |client| write::tag(client, &tag, true)).await
            }
            "untag" => {
                let tag = tag()?;
                edit(&api, &call, id, |client| write::tag(client, &tag, false)).await
            }
            "delete" => resources::remove(&api, &call, &key(id), false, Expected::Any).await,
            _ => {
                return Err(ApiError::field(
                    "action",
                    "one of enable, disable, tag, untag, delete is wanted",
                ));
            }
        };
        match result {
            Ok(()) => done.push(id.clone()),
            Err(error) => failed.push(json!({ "id": id, "message": error.message() })),
        }
    }
    Ok(ok(&json!({ "done": done, "failed": failed })))
}

/// Changes what `ai-client` says of a client.
async fn edit(
    api: &Arc<Api>,
    call: &Call,
    id: &str,
    change: impl FnOnce(&mut Value),
) -> Result<(), ApiError> {
    let item = consumer(api, id).await?;
    let mut value = item.value;
    let mut client = value["plugins"]
        .get("ai-client")
        .cloned()
        .unwrap_or_else(|| json!({}));
    change(&mut client);
    providers::put_at(&mut value, &["plugins", "ai-client"], Some(client));
    resources::write(api, call, &key(id), value, Expected::At(item.mod_revision))
        .await
        .map(|_| ())
}
