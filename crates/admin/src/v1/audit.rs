//! The audit log.

use std::net::IpAddr;
use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};
use sluice_store::{AuditEntry, NewAuditEntry};

use super::call::ok;
use super::{ApiError, Call, Route, route};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![route!(GET "/audit", Admin, "Who changed what, newest first", list)]
}

/// Notes a change that the caller made.
pub(super) async fn note(
    api: &Api,
    call: &Call,
    action: &str,
    key: String,
    changes: Value,
) -> Result<(), ApiError> {
    note_by(api, &call.signed()?.name, call.peer, action, key, changes).await;
    Ok(())
}

/// Notes a change of somebody who was not signed in before.
pub(super) async fn note_by(
    api: &Api,
    name: &str,
    peer: Option<IpAddr>,
    action: &str,
    key: String,
    changes: Value,
) {
    tracing::info!(key, action, caller = name, "access changed");
    let entry = NewAuditEntry {
        caller: name.to_owned(),
        peer: peer.map(|peer| peer.to_string()),
        action: action.to_owned(),
        key,
        revision: None,
        changes,
    };
    api.note(vec![entry]).await;
}

/// Pages are filtered as they are read: an empty page may have a next one.
async fn list(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let before = call.number("before")?.or(call.number("after")?);
    let limit = call.limit()?;
    let (key, caller) = (call.text("key"), call.text("caller"));
    let entries = api.state.database.audit_log().list(before, limit).await?;
    let full = entries.len() == limit as usize;
    let next = entries.last().filter(|_| full).map(|entry| entry.id.to_string());
    let fits = |entry: &AuditEntry| {
        key.as_ref().is_none_or(|key| entry.key.contains(key.as_str()))
            && caller
                .as_ref()
                .is_none_or(|caller| entry.caller.contains(caller.as_str()))
    };
    let items: Vec<Value> = entries.into_iter().filter(fits).map(shown).collect();
    Ok(ok(&json!({ "items": items, "next": next })))
}

fn shown(entry: AuditEntry) -> Value {
    json!({
        "id": entry.id.to_string(),
        "at": entry.at,
        "caller": entry.caller,
        "peer": entry.peer,
        "action": entry.action,
        "key": entry.key,
        "revision": entry.revision,
        "changes": entry.changes,
    })
}
