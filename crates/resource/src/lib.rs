//! The resource model: what can be configured, and whether a configuration holds.
//!
//! Kinds and keys of resources, JSON schemas that fail with APISIX's words, the checks before a resource is
//! stored, merging, expressions and templates over request variables, and the catalogue through which plugins
//! are known to those who do not run them. The formats and texts are those of APISIX 3.18 ("compat" in the
//! comments).
//!
//! Stands at the bottom, beside `wire`: no I/O, no async, no knowledge of stores, HTTP or running plugins.
//!
//! ```
//! use std::sync::Arc;
//!
//! use serde_json::json;
//! use sluice_resource::{Catalogue, Checker, Kind, PluginInfo, Schemas, Target, UnknownPlugins};
//!
//! let cors = PluginInfo::new("cors", 4000, json!({"type": "object"}))?;
//! let catalogue = Catalogue::new(vec![cors], None);
//! let checker = Checker::new(Arc::new(Schemas::compile()?), Arc::new(catalogue), UnknownPlugins::Refuse);
//!
//! let route = json!({"uri": "/a", "plugins": {"cors": {}, "corse": {}}});
//! let error = checker.check(&Target::new(Kind::Route, Some("1")), &route).unwrap_err();
//! assert_eq!(error.message, "unknown plugin [corse]");
//! # Ok::<(), sluice_resource::SchemaCompileError>(())
//! ```

mod address;
mod catalogue;
mod check;
mod commands;
mod expr;
mod glob;
mod key;
mod kind;
mod lua;
mod merge;
mod schema;
mod schemas;
mod secret_fields;
mod secret_ref;
mod template;

pub use address::parse_ip_net;
pub use catalogue::{
    Catalogue, CheckHook, CheckScope, CommandHook, MetadataHook, PluginCatalogue, PluginInfo, ResourceHook,
};
pub use check::{
    AuthKey, CheckError, Checker, DeleteCheck, PLUGIN_KINDS, Reference, Target, UnknownPlugins, auth_keys,
    check_global_rule_overlap, check_times, delete_checks, duplicate_auth_key, may_share_auth_key,
    references, set_id,
};
pub use commands::AllowedCommands;
pub use expr::{Expr, ExprError, Variables};
pub use glob::Glob;
pub use key::Key;
pub use kind::{IdRule, Kind, KindInfo, Method};
pub use merge::{
    UpstreamSource, merge_consumer, merge_patch, merge_plugin_config, merge_service, set_at_path,
    upstream_source,
};
pub use schema::{Schema, SchemaCompileError, SchemaError};
pub use schemas::{Schemas, upstream_schema};
pub use secret_fields::{SecretField, SecretOrigin, secret_fields};
pub use secret_ref::is_secret_reference;
pub use template::{Rendered, Template};
