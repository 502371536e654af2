//! The audit log: every change of the configuration, with who made it and what is different, without secrets.

use http::StatusCode;
use serde_json::{Value, json};
use sluice_resource::Key;
use sluice_store::{AuditEntry, NewAuditEntry, Role};

use crate::api::Api;
use crate::auth::Caller;
use crate::diff::diff;
use crate::query::Query;
use crate::reply::{Refusal, Reply};

/// Entries of a page, unless the query says another number.
const PAGE: u32 = 50;

/// Most entries of a page.
const MAX_PAGE: u32 = 500;

/// A change of one resource.
pub(crate) struct Edit<'a> {
    pub(crate) key: &'a Key,
    pub(crate) before: Option<&'a Value>,
    pub(crate) after: Option<&'a Value>,
}

impl Api {
    /// What the audit log says of a change.
    pub(crate) fn audited(
        &self,
        caller: &Caller,
        action: &str,
        revision: u64,
        edit: &Edit<'_>,
    ) -> NewAuditEntry {
        let Edit { key, before, after } = edit;
        let shown = after.map(|after| self.redacted_beside(key, after.clone(), *before));
        let previous = before.map(|before| self.redacted(key, before.clone()));
        let (before, after) = (previous.map(without_time), shown.map(without_time));
        let caller_name = caller.name();
        tracing::info!(%key, action, caller = caller_name, revision, "configuration changed");
        NewAuditEntry {
            caller: caller_name.to_owned(),
            peer: caller.peer().map(|peer| peer.to_string()),
            action: action.to_owned(),
            key: key.to_string(),
            revision: Some(revision),
            changes: diff(before.as_ref(), after.as_ref()),
        }
    }

    /// Keeps changes. They are made already, so a failure can only be told.
    pub(crate) async fn note(&self, entries: Vec<NewAuditEntry>) {
        if let Err(error) = self.state.database.audit_log().append(&entries).await {
            tracing::error!(%error, "a change could not be written to the audit log");
        }
    }

    /// `GET /api/gateway/events`: newest first, `limit` entries, older than the id `before`.
    pub(crate) async fn events(&self, caller: &Caller, query: &Query) -> Result<Reply, Refusal> {
        if caller.role() < Role::Admin {
            let message = "the audit log is for admins";
            return Ok(Reply::error(StatusCode::FORBIDDEN, message));
        }
        let number = |name: &str| match query.get(name).map(str::parse::<u64>) {
            None => Ok(None),
            Some(Ok(number)) => Ok(Some(number)),
            Some(Err(_)) => Err(Refusal::Text("before and limit must be whole numbers")),
        };
        let before = number("before")?;
        let limit = number("limit")?.map_or(PAGE, |limit| u32::try_from(limit).unwrap_or(MAX_PAGE));
        let limit = limit.clamp(1, MAX_PAGE);
        let entries = self.state.database.audit_log().list(before, limit).await?;
        let full = entries.len() == limit as usize;
        let next = entries.last().filter(|_| full).map(|entry| entry.id);
        let list: Vec<Value> = entries.into_iter().map(listed).collect();
        Ok(Reply::json(
            StatusCode::OK,
            json!({"events": list, "next_before": next}),
        ))
    }
}

fn listed(entry: AuditEntry) -> Value {
    json!({
        "id": entry.id,
        "at": entry.at,
        "caller": entry.caller,
        "peer": entry.peer,
        "action": entry.action,
        "key": entry.key,
        "revision": entry.revision,
        "changes": entry.changes,
    })
}

/// When it was changed is known.
fn without_time(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.shift_remove("update_time");
    }
    value
}
