//! What the process runs with.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};

use super::call::ok;
use super::{ApiError, Call, Route, route};
use crate::api::Api;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/settings", Viewer, "Settings in force and where they come from, listeners, storage, health", get),
    ]
}

async fn get(api: Arc<Api>, _: Call) -> Result<Response, ApiError> {
    let process = &api.state.options.process;
    let health = (api.state.health)();
    let member = |name: &str| health.details.get(name).cloned().unwrap_or_default();
    let size = |name: &str| {
        process
            .data_dir
            .as_ref()
            .and_then(|folder| std::fs::metadata(folder.join(name)).ok())
            .map_or(0, |file| file.len())
    };
    let setting = |key: &str| {
        process
            .settings
            .iter()
            .find(|item| item["key"] == key)
            .map(|item| item["value"].clone())
    };
    Ok(ok(&json!({
        "items": process.settings,
        "listeners": process.listeners,
        "public_url": process.public_url,
        "storage": {
            "config_db_bytes": size("sluice.db"),
            "ledger_db_bytes": size("ledger.db"),
        },
        "ledger": {
            "retention_days": setting("ledger.retention_days"),
            "payload_retention_days": setting("ledger.payload_retention_days"),
            "queue": member("records").get("waiting").cloned().unwrap_or_default(),
            "spilled": member("ledger").get("spilled").cloned().unwrap_or_default(),
        },
        "health": health.unready.map_or_else(|| Value::from("ready"), Value::from),
    })))
}
