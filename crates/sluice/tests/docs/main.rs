//! What README.md and docs/ say is what the code does: fields, defaults, settings, metrics, commands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod clients;
mod compatibility;
mod configuration;
mod fields;
mod links;
mod markdown;
mod models;
mod operations;
mod plugins;
mod providers;
mod readme;
