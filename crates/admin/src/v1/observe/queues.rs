//! Queues before busy upstreams.

use std::sync::Arc;

use axum::response::Response;
use serde_json::json;

use crate::api::Api;
use crate::v1::call::ok;
use crate::v1::{ApiError, Call, Route, route};

pub(super) fn routes() -> Vec<Route> {
    vec![route!(GET "/queues", Viewer, "Who runs and who waits at busy upstreams", queues)]
}

async fn queues(api: Arc<Api>, _call: Call) -> Result<Response, ApiError> {
    Ok(ok(&json!({ "items": api.state.limits.queues() })))
}
