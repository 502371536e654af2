//! The list of plugins: one line each.

use sluice_core::PluginDef;
use sluice_resource::SchemaCompileError;

/// All plugins of this crate.
///
/// # Errors
/// When a schema does not compile: a defect that every start would show.
pub fn all() -> Result<Vec<PluginDef>, SchemaCompileError> {
    [
        crate::request_id::definition,
        crate::cors::definition,
        crate::ip_restriction::definition,
        crate::key_auth::definition,
        crate::consumer_restriction::definition,
        crate::ai_proxy_multi::definition,
        crate::ai_proxy::definition,
        crate::ai_rate_limiting::definition,
        crate::proxy_rewrite::definition,
        crate::limit_count::definition,
        crate::response_rewrite::definition,
        crate::prometheus::definition,
        crate::http_logger::definition,
        crate::file_logger::definition,
    ]
    .into_iter()
    .map(|definition| definition())
    .collect()
}
