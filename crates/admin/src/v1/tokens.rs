//! Tokens for automation: the keys of the Admin API.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_store::{AdminKey, NewAdminKey};

use super::call::{created, no_content, ok};
use super::{ApiError, Call, Route, audit, members, route, session};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/tokens", Owner, "Tokens for automation", list),
        route!(POST "/tokens", Owner, "Make a token; it is shown once", make),
        route!(DELETE "/tokens/{id}", Owner, "Revoke a token", revoke),
    ]
}

fn shown(key: &AdminKey) -> Value {
    json!({
        "id": key.id.to_string(),
        "name": key.name,
        "role": key.role.as_str(),
        "hint": key.hint,
        "created_at": key.created_at * 1000,
    })
}

async fn list(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    let keys = api.state.database.admin_keys().list().await?;
    let items: Vec<Value> = keys.iter().map(shown).collect();
    Ok(ok(&json!({ "items": items, "next": null })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Make {
    name: String,
    role: String,
}

async fn make(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Make = call.json().await?;
    let name = wanted.name.trim();
    if name.is_empty() || name.chars().count() > 100 {
        return Err(ApiError::field("name", "a name has 1 to 100 characters"));
    }
    let role = members::role(&wanted.role)?;
    let token = format!("slt_{}", session::secret());
    let hint = format!("slt_…{}", token.get(token.len() - 4..).unwrap_or_default());
    let new = NewAdminKey {
        name,
        digest: session::digest(&token),
        role,
        hint: &hint,
    };
    let key = api
        .state
        .database
        .admin_keys()
        .create(new)
        .await?
        .ok_or_else(ApiError::internal)?;
    let changes = json!([{ "path": "", "to": { "name": name, "role": role.as_str() } }]);
    audit::note(&api, &call, "create", format!("/admin_keys/{}", key.id), changes).await?;
    let mut body = shown(&key);
    body["token"] = token.into();
    Ok(created(&body))
}

async fn revoke(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let absent = || ApiError::not_found("there is no such token");
    let id: u64 = call.param("id").parse().map_err(|_| absent())?;
    if !api.state.database.admin_keys().delete(id).await? {
        return Err(absent());
    }
    audit::note(&api, &call, "delete", format!("/admin_keys/{id}"), json!([])).await?;
    Ok(no_content())
}
