//! The Admin API, the control API, status and metrics: everything that an operator talks to over HTTP.
//!
//! Stands beside `proxy` and `plugins`, above the store. It sees plugins only through the catalogue of
//! `sluice-resource`, and of the data plane only what [`DataPlane`] tells: which revision is in force and what
//! could not be compiled. Behaviour is that of APISIX 3.18 ("compat" in the comments), with the security
//! exceptions of DESIGN §4: APISIX's published keys are refused, and what needs no key shows no secret.
//!
//! ```
//! # use std::sync::Arc;
//! # use futures_util::future::BoxFuture;
//! # use sluice_admin::{AdminOptions, AdminServer, AdminState, CompileReport, DataPlane, Health, SecretPaths};
//! # use sluice_admin::{ProviderCalls, ProviderHealth, ProviderModels, ProviderTest};
//! # use sluice_observe::{Metrics, MetricsConfig};
//! # use sluice_resource::{Catalogue, Schemas};
//! # use sluice_store::{Database, KeySource, Keyring, Store, Vault};
//! # struct Idle;
//! # impl DataPlane for Idle {
//! #     fn reached(&self, _: u64) -> futures_util::future::BoxFuture<'_, ()> { Box::pin(async {}) }
//! #     fn report(&self) -> CompileReport { CompileReport::default() }
//! # }
//! # impl ProviderCalls for Idle {
//! #     fn test<'a>(&'a self, _: &'a str, _: Option<&'a str>) -> BoxFuture<'a, Option<ProviderTest>> {
//! #         Box::pin(async { None })
//! #     }
//! #     fn models<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Option<ProviderModels>> {
//! #         Box::pin(async { None })
//! #     }
//! #     fn test_draft<'a>(
//! #         &'a self, _: &'a serde_json::Value, _: Option<&'a str>,
//! #     ) -> BoxFuture<'a, Result<ProviderTest, String>> {
//! #         Box::pin(async { Err("nobody calls".to_owned()) })
//! #     }
//! #     fn models_of_draft<'a>(
//! #         &'a self, _: &'a serde_json::Value,
//! #     ) -> BoxFuture<'a, Result<ProviderModels, String>> {
//! #         Box::pin(async { Err("nobody calls".to_owned()) })
//! #     }
//! #     fn health(&self, _: &str) -> ProviderHealth { ProviderHealth::default() }
//! #     fn own_targets(&self) -> Vec<(String, ProviderHealth)> { Vec::new() }
//! #     fn types(&self) -> Vec<serde_json::Value> { Vec::new() }
//! #     fn prices(&self) -> Vec<(String, serde_json::Value)> { Vec::new() }
//! #     fn price(&self, _: &str, _: &str) -> Option<serde_json::Value> { None }
//! #     fn key_header(&self, _: &str) -> Option<&'static str> { None }
//! # }
//! # impl sluice_admin::DataPath for Idle {
//! #     fn call<'a>(
//! #         &'a self, _: &'a str, _: http::Request<axum::body::Body>,
//! #     ) -> BoxFuture<'a, Result<http::Response<axum::body::Body>, String>> {
//! #         Box::pin(async { Err("nobody listens".to_owned()) })
//! #     }
//! # }
//! # impl sluice_admin::Holders for Idle {
//! #     fn holder(&self, _: &str) -> Option<sluice_admin::Holder> { None }
//! # }
//! # impl sluice_admin::CachedAnswers for Idle {
//! #     fn held(&self, _: usize) -> sluice_admin::HeldAnswers { sluice_admin::HeldAnswers::default() }
//! #     fn clear(&self) -> usize { 0 }
//! # }
//! # impl sluice_admin::LimitStandings for Idle {
//! #     fn of_client(&self, _: &str) -> Vec<(&'static str, String, sluice_core::LimitStanding)> { Vec::new() }
//! #     fn of_group(&self, _: &str) -> Vec<sluice_core::LimitStanding> { Vec::new() }
//! #     fn of_routes(&self) -> Vec<(String, sluice_core::LimitStanding)> { Vec::new() }
//! #     fn reset(&self, _: sluice_core::Subject<'_>, _: &str) -> bool { false }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let database = Database::open(folder.path().join("sluice.db")).await?;
//! # let vault = Vault::unlock(&database, KeySource::File(folder.path().join("secret.key"))).await?;
//! let catalogue = Arc::new(Catalogue::new(vec![], None));
//! let store = Store::open(&database, vault, SecretPaths::new(catalogue.clone())).await?;
//! let server = AdminServer::new(AdminState {
//!     store,
//!     database,
//!     schemas: Arc::new(Schemas::compile()?),
//!     catalogue,
//!     keyring: Keyring::default(),
//!     data_plane: Arc::new(Idle),
//!     metrics: Arc::new(Metrics::new(MetricsConfig::default())?),
//!     checks: Box::new(Vec::new),
//!     dry_run: Box::new(|_, _, _| Ok(())),
//!     health: Box::new(Health::ready),
//!     providers: Arc::new(Idle),
//!     keys: Arc::new(Idle),
//!     data_path: Arc::new(Idle),
//!     limits: Arc::new(Idle),
//!     ledger: None,
//!     live: Arc::default(),
//!     answers: Arc::new(Idle),
//!     options: AdminOptions::default(),
//! });
//! server.serve_admin(std::net::TcpListener::bind("127.0.0.1:0")?, None)?;
//! server.serve_control(std::net::TcpListener::bind("127.0.0.1:0")?)?;
//! assert!(server.shutdown(std::time::Duration::from_secs(5)).await);
//! # Ok(())
//! # }
//! ```

mod allow;
mod answers;
mod api;
mod audit;
mod auth;
mod body;
mod bulk;
mod control;
mod dashboard;
mod data_path;
mod data_plane;
mod diff;
mod dry_run;
mod envelope;
mod holders;
mod limits;
mod listeners;
mod metrics;
mod options;
mod own_paths;
mod path;
mod plugins;
mod providers;
mod query;
mod reply;
mod resources;
mod secrets;
mod server;
mod standalone;
mod status;
mod status_server;
#[cfg(test)]
mod tests;
mod v1;
mod yaml;

pub use self::answers::{CachedAnswers, HeldAnswers};
pub use self::api::{AdminState, Health};
pub use self::auth::{ConfiguredKey, is_published_key};
pub use self::data_path::DataPath;
pub use self::data_plane::{CompileReport, DataPlane};
pub use self::dry_run::DryRunHook;
pub use self::envelope::ApiVersion;
pub use self::holders::{Holder, Holders};
pub use self::limits::LimitStandings;
pub use self::metrics::BasicAuth;
pub use self::options::{AdminOptions, ProcessInfo};
pub use self::own_paths::OwnPaths;
pub use self::providers::{ProviderCalls, ProviderHealth, ProviderModel, ProviderModels, ProviderTest};
pub use self::secrets::SecretPaths;
pub use self::server::AdminServer;
pub use self::status_server::StatusServer;
pub use self::v1::{SETUP_TOKEN, hash_password, setup_token_value};
