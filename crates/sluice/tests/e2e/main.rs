//! The real binary from outside: its ports, its command line, its files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::too_many_lines, reason = "a scenario is told in one piece")]

mod admin_api;
mod ai_cache;
mod ai_guard;
mod ai_instances;
mod ai_proxy;
mod ai_proxy_multi;
mod ai_queue;
mod ai_rate_limiting;
mod auth_plugins;
mod bad_input;
mod boot;
mod canaries;
mod cli;
mod clients;
mod cloud_providers;
mod crash;
mod demo;
mod groups;
mod health;
mod ledger;
mod limits;
mod listeners;
mod loggers;
mod mcp_bridge;
mod measuring;
mod models;
mod moderation;
mod native;
mod observing;
mod one_port;
mod operations;
mod peer;
mod process;
mod prompt_plugins;
mod routing;
mod scrape;
mod sdk;
mod secrets;
mod smoke;
mod ssls;
mod status;
mod support;
mod traffic_plugins;
mod translation;
mod upstreams;
