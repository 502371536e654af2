//! The plugins, one module each, and their registry.
//!
//! Stands beside the proxy and the Admin API, blind to both: a plugin sees a request through
//! [`sluice_core::Context`] and calls providers through [`sluice_exchange`].

mod ai_proxy;
mod ai_proxy_multi;
mod ai_rate_limiting;
mod consumer_restriction;
mod cors;
mod file_logger;
#[cfg(test)]
mod fixture;
mod header_edits;
mod http_logger;
mod ip_restriction;
mod key_auth;
mod limit_count;
mod log_entry;
mod number;
mod prometheus;
mod proxy_rewrite;
mod registry;
mod request_id;
mod response_rewrite;
mod window;

pub use self::registry::all;
