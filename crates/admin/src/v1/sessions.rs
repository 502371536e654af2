//! Who is signed in, and where.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};
use sluice_store::Role;

use super::call::{no_content, ok};
use super::{ApiError, Call, Route, route, session};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/sessions", Viewer, "Sessions: one's own, an owner's of everybody", list),
        route!(DELETE "/sessions/{id}", Viewer, "End a session", end),
    ]
}

async fn list(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let signed = call.signed()?;
    let everybody = signed.role >= Some(Role::Owner);
    let name = (!everybody).then_some(signed.name.as_str());
    let listed = api.state.database.sessions().list(name, session::now()).await?;
    let items: Vec<Value> = listed
        .into_iter()
        .map(|own| {
            json!({
                "id": own.id.to_string(),
                "name": own.name,
                "holder": own.holder,
                "created_at": own.created_at,
                "seen_at": own.seen_at,
                "expires_at": own.expires_at,
                "peer": own.peer,
                "agent": own.agent,
                "current": signed.session == Some(own.id),
            })
        })
        .collect();
    Ok(ok(&json!({ "items": items, "next": null })))
}

async fn end(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let signed = call.signed()?;
    let everybody = signed.role >= Some(Role::Owner);
    let name = (!everybody).then_some(signed.name.as_str());
    let sessions = api.state.database.sessions();
    let absent = || ApiError::not_found("there is no such session");
    let id: u64 = call.param("id").parse().map_err(|_| absent())?;
    let listed = sessions.list(name, session::now()).await?;
    if !listed.iter().any(|own| own.id == id) {
        return Err(absent());
    }
    sessions.end(id).await?;
    Ok(no_content())
}
