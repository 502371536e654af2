//! The real binary from outside: its ports, its command line, its files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::too_many_lines, reason = "a scenario is told in one piece")]

mod ai_proxy;
mod ai_proxy_multi;
mod ai_rate_limiting;
mod bad_input;
mod boot;
mod canaries;
mod cli;
mod crash;
mod demo;
mod ledger;
mod listeners;
mod measuring;
mod native;
mod peer;
mod process;
mod routing;
mod scrape;
mod sdk;
mod smoke;
mod support;
mod traffic_plugins;
mod upstreams;
