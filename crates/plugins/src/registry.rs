//! The list of plugins: one line each.

use sluice_core::{ModelsDef, PluginDef};
use sluice_resource::SchemaCompileError;

/// All plugins of this crate.
///
/// # Errors
/// When a schema does not compile: a defect that every start would show.
pub fn all() -> Result<Vec<PluginDef>, SchemaCompileError> {
    let mut plugins = [
        crate::request_id::definition,
        crate::opentelemetry::definition,
        crate::fault_injection::definition,
        crate::mocking::definition,
        crate::cors::definition,
        crate::ip_restriction::definition,
        crate::hmac_auth::definition,
        crate::basic_auth::definition,
        crate::jwt_auth::definition,
        crate::key_auth::definition,
        crate::ai_key::definition,
        crate::ai_client::definition,
        crate::consumer_restriction::definition,
        crate::forward_auth::definition,
        crate::ai_request_rewrite::definition,
        crate::ai_prompt_guard::definition,
        crate::ai_prompt_template::definition,
        crate::ai_prompt_decorator::definition,
        crate::ai_rag::definition,
        crate::ai_models::definition,
        crate::ai_router::definition,
        crate::ai_proxy_multi::definition,
        crate::ai_proxy::definition,
        crate::ai_cache::definition,
        crate::ai_guard::definition,
        crate::ai_content_moderation::definition,
        crate::ai_aws_content_moderation::definition,
        crate::ai_rate_limiting::definition,
        crate::ai_limits::definition,
        crate::ai_queue::definition,
        crate::ai_aliyun_content_moderation::definition,
        crate::ai_lakera_guard::definition,
        crate::proxy_rewrite::definition,
        crate::api_breaker::definition,
        crate::limit_conn::definition,
        crate::limit_count::definition,
        crate::limit_req::definition,
        crate::traffic_split::definition,
        crate::redirect::definition,
        crate::response_rewrite::definition,
        crate::mcp_bridge::definition,
        crate::prometheus::definition,
        crate::echo::definition,
        crate::loki_logger::definition,
        crate::elasticsearch_logger::definition,
        crate::http_logger::definition,
        crate::tcp_logger::definition,
        crate::kafka_logger::definition,
        crate::syslog::definition,
        crate::udp_logger::definition,
        crate::file_logger::definition,
    ]
    .into_iter()
    .map(|definition| definition())
    .collect::<Result<Vec<_>, _>>()?;
    plugins.push(crate::multi_auth::definition(&plugins)?);
    Ok(plugins)
}

/// What the resources of the model registry mean.
#[must_use]
pub fn models() -> ModelsDef {
    crate::ai_router::models()
}
