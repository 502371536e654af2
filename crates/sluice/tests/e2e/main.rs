//! The real binary from outside: its ports, its command line, its files.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod ai_proxy;
mod ai_rate_limiting;
mod boot;
mod cli;
mod demo;
mod process;
mod routing;
mod sdk;
mod smoke;
mod support;
