//! The plugins, one module each, and their registry.
//!
//! Stands beside the proxy and the Admin API, blind to both: a plugin sees a request through
//! [`sluice_core::Context`] and calls providers through [`sluice_exchange`].

mod ai_aliyun_content_moderation;
mod ai_aws_content_moderation;
mod ai_cache;
mod ai_client;
mod ai_content_moderation;
mod ai_guard;
mod ai_key;
mod ai_lakera_guard;
mod ai_limits;
mod ai_models;
mod ai_prompt_decorator;
mod ai_prompt_guard;
mod ai_prompt_template;
mod ai_proxy;
mod ai_proxy_multi;
mod ai_queue;
mod ai_rag;
mod ai_rate_limiting;
mod ai_request_rewrite;
mod ai_router;
mod api_breaker;
mod auth;
mod basic_auth;
mod body_vars;
mod callout;
mod consumer_restriction;
mod cors;
mod echo;
mod elasticsearch_logger;
mod embeddings;
mod fail_mode;
mod fault_injection;
mod file_logger;
#[cfg(test)]
mod fixture;
mod forward_auth;
mod header_edits;
mod hmac_auth;
mod http_logger;
mod ip_restriction;
mod json_body;
mod jwt_auth;
mod kafka_logger;
mod key_auth;
mod limit_conn;
mod limit_count;
mod limit_key;
mod limit_policy;
mod limit_req;
mod log_entry;
mod logger;
mod loki_logger;
mod mcp_bridge;
mod mocking;
mod moderation;
mod multi_auth;
mod number;
mod opentelemetry;
mod prometheus;
mod proxy_rewrite;
mod redirect;
mod redis_settings;
mod registry;
mod replacement;
mod request_id;
mod response_rewrite;
mod syslog;
mod tcp_logger;
mod text_cut;
mod traffic_split;
mod udp_logger;
mod window;

pub use self::registry::{all, models};
