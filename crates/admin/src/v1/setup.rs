//! The first sign-in: a token that the terminal showed once makes its holder the owner.

use std::sync::Arc;

use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use subtle::ConstantTimeEq;

use super::{ApiError, Call, Route, audit, members, password, route, session};
use crate::api::Api;

/// Name of the token's digest in the database.
pub const SETUP_TOKEN: &str = "setup_token";

/// How long the token is good for, in milliseconds: a day.
const LIFE: u64 = 24 * 3600 * 1000;

/// What is stored for a token: its digest and when it ends. Empty once it is used.
#[must_use]
pub fn setup_token_value(token: &str) -> String {
    format!("{} {}", hex(token), session::now() + LIFE)
}

fn hex(token: &str) -> String {
    session::digest(token)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(POST "/setup", Anybody, "Become the owner, with the token that the first start shows", set_up),
    ]
}

/// Whether the token is still to be used.
pub(super) async fn is_open(api: &Api) -> Result<bool, ApiError> {
    Ok(stored(api).await?.is_some())
}

async fn stored(api: &Api) -> Result<Option<String>, ApiError> {
    let value = api
        .state
        .database
        .meta()
        .get(SETUP_TOKEN)
        .await?
        .unwrap_or_default();
    let digest = value.split_once(' ').and_then(|(digest, ends)| {
        let ends: u64 = ends.parse().ok()?;
        (session::now() < ends).then(|| digest.to_owned())
    });
    Ok(digest)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetUp {
    token: String,
    name: String,
    password: String,
}

async fn set_up(api: Arc<Api>, mut call: Call) -> Result<Response, ApiError> {
    let wanted: SetUp = call.json().await?;
    if let Some(seconds) = call.peer.and_then(|peer| api.auth.backoff.blocked(peer)) {
        return Err(ApiError::too_many(seconds));
    }
    members::check_name(&wanted.name)?;
    // One at a time: the token is good once.
    let _one = api.setting_up.lock().await;
    let known = stored(&api).await?;
    let given = hex(&wanted.token);
    let right = known.is_some_and(|known| bool::from(known.as_bytes().ct_eq(given.as_bytes())));
    if !right {
        if let Some(peer) = call.peer {
            api.auth.backoff.failed(peer);
        }
        let message = "this token is not good (any more); `sluice admin reset-password` gives access again";
        return Err(ApiError::field("token", message));
    }
    let hash = password::hashed("password", wanted.password).await?;
    let database = &api.state.database;
    let users = database.admin_users();
    let first = users.list().await?.into_iter().next();
    match first {
        Some(first) if first.name != wanted.name && !users.rename(&first.name, &wanted.name).await? => {
            return Err(ApiError::field("name", "this name is taken"));
        }
        Some(_) => {
            users.set_password(&wanted.name, &hash).await?;
        }
        None => {
            users
                .create(&wanted.name, &hash, sluice_store::Role::Owner)
                .await?;
        }
    }
    database.meta().set(SETUP_TOKEN, "").await?;
    let changes = json!([{ "path": "/password", "to": "***" }]);
    audit::note_by(
        &api,
        &wanted.name,
        call.peer,
        "setup",
        format!("/admin_users/{}", wanted.name),
        changes,
    )
    .await;
    users.signed_in(&wanted.name).await?;
    session::begin(&api, &call, &wanted.name, None).await
}
