//! Members: who may sign in, and as what.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};
use sluice_store::{AdminUser, Role};

use super::call::{created, no_content, ok};
use super::{ApiError, Call, Route, audit, password, route};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/members", Owner, "Members", list),
        route!(POST "/members", Owner, "Add a member", add),
        route!(PATCH "/members/{name}", Owner, "Change a member's role or password", change),
        route!(DELETE "/members/{name}", Owner, "Remove a member; their sessions end", remove),
    ]
}

fn shown(user: &AdminUser) -> Value {
    json!({
        "name": user.name,
        "role": user.role.as_str(),
        "created_at": user.created_at * 1000,
        "last_login_at": user.login_at.map(|at| at * 1000),
    })
}

pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    let plain = |character: char| character.is_alphanumeric() || "._@+-".contains(character);
    if name.is_empty() || name.chars().count() > 64 || !name.chars().all(plain) {
        return Err(ApiError::field(
            "name",
            "a name has 1 to 64 letters, digits and . _ @ + -",
        ));
    }
    Ok(())
}

pub(super) fn role(name: &str) -> Result<Role, ApiError> {
    Role::from_name(name).ok_or_else(|| ApiError::field("role", "a role is owner, admin or viewer"))
}

async fn list(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    let users = api.state.database.admin_users().list().await?;
    let items: Vec<Value> = users.iter().map(shown).collect();
    Ok(ok(&json!({ "items": items, "next": null })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    name: String,
    role: String,
    password: String,
}

async fn add(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Add = call.json().await?;
    check_name(&wanted.name)?;
    let role = role(&wanted.role)?;
    let hash = password::hashed("password", wanted.password).await?;
    let users = api.state.database.admin_users();
    if !users.create(&wanted.name, &hash, role).await? {
        return Err(ApiError::taken(format!(
            "there is a member {} already",
            wanted.name
        )));
    }
    let changes = json!([{ "path": "", "to": { "role": role.as_str() } }]);
    audit::note(
        &api,
        &call,
        "create",
        format!("/admin_users/{}", wanted.name),
        changes,
    )
    .await?;
    Ok(created(
        &users
            .get(&wanted.name)
            .await?
            .as_ref()
            .map(shown)
            .unwrap_or_default(),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    role: Option<String>,
    password: Option<String>,
}

async fn change(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: Change = call.json().await?;
    let name = call.param("name").to_owned();
    let users = api.state.database.admin_users();
    let _one = api.setting_up.lock().await;
    let user = users
        .get(&name)
        .await?
        .ok_or_else(|| ApiError::not_found("there is no such member"))?;
    let mut changes = Vec::new();
    let new_role = wanted.role.as_deref().map(role).transpose()?;
    let hash = match wanted.password {
        Some(password) => Some(password::hashed("password", password).await?),
        None => None,
    };
    if let Some(role) = new_role.filter(|role| *role != user.role) {
        if role != Role::Owner {
            keep_an_owner(&api, &name).await?;
        }
        users.set_role(&name, role).await?;
        changes.push(json!({ "path": "/role", "from": user.role.as_str(), "to": role.as_str() }));
    }
    if let Some(hash) = hash {
        users.set_password(&name, &hash).await?;
        let own = call.signed()?;
        let but = own.session.filter(|_| own.name == name);
        api.state.database.sessions().end_all(&name, but).await?;
        changes.push(json!({ "path": "/password", "to": "***" }));
    }
    audit::note(
        &api,
        &call,
        "update",
        format!("/admin_users/{name}"),
        changes.into(),
    )
    .await?;
    Ok(ok(&users
        .get(&name)
        .await?
        .as_ref()
        .map(shown)
        .unwrap_or_default()))
}

async fn remove(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let name = call.param("name").to_owned();
    let _one = api.setting_up.lock().await;
    keep_an_owner(&api, &name).await?;
    if !api.state.database.admin_users().delete(&name).await? {
        return Err(ApiError::not_found("there is no such member"));
    }
    api.state.database.sessions().end_all(&name, None).await?;
    audit::note(&api, &call, "delete", format!("/admin_users/{name}"), json!([])).await?;
    Ok(no_content())
}

/// Somebody must be left who can let others in.
async fn keep_an_owner(api: &Api, name: &str) -> Result<(), ApiError> {
    let users = api.state.database.admin_users().list().await?;
    let owners: Vec<_> = users.iter().filter(|user| user.role == Role::Owner).collect();
    match owners.as_slice() {
        [only] if only.name == name => Err(ApiError::invalid(
            "this is the only owner: make somebody else owner first",
        )),
        _ => Ok(()),
    }
}
