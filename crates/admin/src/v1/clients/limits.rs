//! How the limits of clients stand.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};
use sluice_core::LimitStanding;
use sluice_resource::Kind;

use super::super::call::{no_content, ok};
use super::super::{ApiError, Call, Route, audit, route, session};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/limits", Viewer, "How all limits stand, fullest first", all),
        route!(GET "/clients/{id}/limits", Viewer, "How a client's limits stand", of_client),
        route!(POST "/clients/{id}/limits/{name}/reset", Admin, "Start a limit over", reset),
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
    let scope = call.text("scope").unwrap_or_default();
    let mut items: Vec<Value> = Vec::new();
    for (key, _) in api.all(Kind::Consumer).await? {
        let own = standings(&api, key.id());
        items.extend(
            own.as_array()
                .into_iter()
                .flatten()
                .filter(|item| item["scope"] == "client")
                .cloned(),
        );
    }
    for (key, _) in api.all(Kind::ConsumerGroup).await? {
        let own = api.state.limits.of_group(key.id());
        items.extend(own.iter().map(|standing| shown("group", key.id(), standing)));
    }
    items.retain(|item| {
        let text = |member: &str| item[member].as_str().unwrap_or_default().to_lowercase();
        let has =
            |member: &str| text(member).contains(&search) || text(member).replace('_', " ").contains(&search);
        (scope.is_empty() || item["scope"] == scope.as_str()) && (has("subject") || has("name"))
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

async fn reset(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let (client, name) = (call.param("id").to_owned(), call.param("name").to_owned());
    super::consumer(&api, &client).await?;
    if !api.state.limits.reset(&client, &name) {
        return Err(ApiError::not_found(format!("this client has no limit `{name}`")));
    }
    audit::note(
        &api,
        &call,
        "reset-limit",
        format!("/consumers/{client}/limits/{name}"),
        json!([]),
    )
    .await?;
    Ok(no_content())
}
