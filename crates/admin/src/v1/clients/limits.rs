//! How the limits of clients stand.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};
use sluice_core::{LimitStanding, Subject};
use sluice_resource::{Key, Kind};

use super::super::call::{no_content, ok};
use super::super::{ApiError, Call, Route, audit, route, session};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/limits", Viewer, "How all limits stand, fullest first", all),
        route!(GET "/clients/{id}/limits", Viewer, "How a client's limits stand", of_client),
        route!(POST "/clients/{id}/limits/{name}/reset", Admin, "Start a limit of a client over", reset_of_client),
        route!(POST "/limits/{scope}/{subject}/{name}/reset", Admin, "Start a limit of a client, group or route over", reset),
    ]
}

/// How the limits of a client stand, those of its group among them.
pub(in crate::v1) fn standings(api: &Api, client: &str) -> Value {
    let standings = api.state.limits.of_client(client);
    standings
        .into_iter()
        .map(|(scope, subject, standing)| shown(scope, &subject, &standing))
        .collect()
}

/// How the limits of a group stand.
pub(in super::super) fn of_group(api: &Api, group: &str) -> Value {
    let standings = api.state.limits.of_group(group);
    standings
        .iter()
        .map(|standing| shown("group", group, standing))
        .collect()
}

fn shown(scope: &str, subject: &str, standing: &LimitStanding) -> Value {
    let resets = standing
        .reset_in
        .map(|left| session::now() + u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
    json!({
        "scope": scope,
        "subject": subject,
        "name": standing.name,
        "model": standing.model,
        "unit": standing.unit,
        "limit": standing.limit,
        "used": standing.used,
        "reserved": standing.reserved,
        "remaining": standing.limit.saturating_sub(standing.used).saturating_sub(standing.reserved),
        "resets_at": resets,
        "reset_possible": true,
    })
}

async fn of_client(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let id = call.param("id");
    super::consumer(&api, id).await?;
    Ok(ok(&json!({ "items": standings(&api, id) })))
}

async fn all(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let search = call.text("search").unwrap_or_default().to_lowercase();
    let scope = call.text("scope");
    if scope.as_ref().is_some_and(|scope| subject(scope, "").is_none()) {
        return Err(ApiError::field("scope", "client, group or route is wanted"));
    }
    let wanted = |own: &str| scope.as_ref().is_none_or(|scope| scope == own);
    let mut items: Vec<Value> = Vec::new();
    if wanted("client") {
        for (key, _) in api.all(Kind::Consumer).await? {
            let own = api.state.limits.of_client(key.id()).into_iter();
            let own = own.filter(|(scope, ..)| *scope == "client");
            items.extend(own.map(|(scope, id, standing)| shown(scope, &id, &standing)));
        }
    }
    if wanted("group") {
        for (key, _) in api.all(Kind::ConsumerGroup).await? {
            let own = api.state.limits.of_group(key.id());
            items.extend(own.iter().map(|standing| shown("group", key.id(), standing)));
        }
    }
    if wanted("route") {
        let own = api.state.limits.of_routes().into_iter();
        items.extend(own.map(|(id, standing)| shown("route", &id, &standing)));
    }
    items.retain(|item| {
        let text = |member: &str| item[member].as_str().unwrap_or_default().to_lowercase();
        let has =
            |member: &str| text(member).contains(&search) || text(member).replace('_', " ").contains(&search);
        has("subject") || has("name")
    });
    let fill = |item: &Value| {
        let number = |member: &str| item[member].as_u64().unwrap_or_default();
        u128::from(number("used") + number("reserved")) * 1_000_000 / u128::from(number("limit").max(1))
    };
    items.sort_by_key(|item| std::cmp::Reverse(fill(item)));
    let total = items.len();
    items.truncate(call.limit()? as usize);
    Ok(ok(&json!({ "items": items, "next": null, "total": total })))
}

/// Whose limits a scope and a name mean, and the kind of resource that they stand on.
fn subject<'a>(scope: &str, name: &'a str) -> Option<(Subject<'a>, Kind)> {
    Some(match scope {
        "client" => (Subject::Client(name), Kind::Consumer),
        "group" => (Subject::Group(name), Kind::ConsumerGroup),
        "route" => (Subject::Route(name), Kind::Route),
        _ => return None,
    })
}

async fn reset_of_client(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let client = call.param("id").to_owned();
    super::consumer(&api, &client).await?;
    start_over(&api, &call, "client", &client).await
}

async fn reset(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let (scope, name) = (call.param("scope").to_owned(), call.param("subject").to_owned());
    start_over(&api, &call, &scope, &name).await
}

async fn start_over(api: &Api, call: &Call, scope: &str, whose: &str) -> Result<Response, ApiError> {
    let limit = call.param("name").to_owned();
    let (subject, kind) =
        subject(scope, whose).ok_or_else(|| ApiError::field("scope", "client, group or route is wanted"))?;
    if !api.state.limits.reset(subject, &limit) {
        return Err(ApiError::not_found(format!(
            "the {scope} `{whose}` has no limit `{limit}`"
        )));
    }
    let at = format!("{}/limits/{limit}", Key::new(kind, whose));
    audit::note(api, call, "reset-limit", at, json!([])).await?;
    Ok(no_content())
}
