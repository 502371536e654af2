//! The checks of a resource before it is stored or used (compat §1.7): all that needs nothing but the
//! resource, the schemas and the plugin catalogue.
//!
//! What needs the store is data here: [`references`], [`delete_checks`], [`auth_keys`],
//! [`check_global_rule_overlap`]. Plugins that look around say so: [`Checker::depends_on_metadata`],
//! [`Checker::has_groups`].

mod auth_keys;
mod certificates;
mod deletes;
mod error;
mod global_rules;
mod plugins;
mod references;
mod surroundings;
mod target;
mod times;
mod upstream;

use std::sync::Arc;

use serde_json::Value;

pub use self::auth_keys::{AuthKey, auth_keys, duplicate_auth_key, may_share_auth_key};
pub use self::deletes::{DeleteCheck, delete_checks};
pub use self::error::CheckError;
pub use self::global_rules::check_global_rule_overlap;
pub use self::references::{Reference, references};
pub use self::surroundings::PLUGIN_KINDS;
pub use self::target::{Target, set_id};
pub use self::times::check_times;
use crate::address::parse_ip_net;
use crate::catalogue::{CheckScope, PluginCatalogue};
use crate::commands::AllowedCommands;
use crate::expr::Expr;
use crate::kind::Kind;
use crate::schema::{Schema, SchemaError};
use crate::schemas::Schemas;

type Result<T = ()> = std::result::Result<T, CheckError>;

/// What to do about a plugin that the catalogue does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownPlugins {
    /// Refuse the resource: the Admin API and files.
    Refuse,
    /// Pass over the plugin: what a shared store may hold for other nodes (compat §9.1).
    Ignore,
}

/// Checks resources. Cheap to clone.
///
/// A write is checked in two halves, because what the resource refers to is looked up in between. This is the
/// order of the messages that APISIX gives:
///
/// ```
/// use std::sync::Arc;
///
/// use serde_json::json;
/// use sluice_resource::{
///     Catalogue, Checker, Key, Kind, Schemas, Target, UnknownPlugins, check_times, references,
/// };
///
/// # let read = |_: &Key| Some(json!({}));
/// let schemas = Arc::new(Schemas::compile()?);
/// let checker = Checker::new(schemas, Arc::new(Catalogue::new(vec![], None)), UnknownPlugins::Refuse);
///
/// let target = Target::new(Kind::Route, Some("1"));
/// let route = target.identify_put(Some(json!({"uri": "/a", "upstream_id": 7})))?;
/// check_times(&route)?;
/// checker.check_before_references(&target, &route)?;
/// for reference in references(&target, &route) {
///     reference.check(read(&reference.key).as_ref())?;
/// }
/// checker.check_after_references(&target, &route)?;
/// assert_eq!(target.key(&route)?.to_string(), "/routes/1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Checker {
    schemas: Arc<Schemas>,
    catalogue: Arc<dyn PluginCatalogue>,
    unknown_plugins: UnknownPlugins,
    commands: AllowedCommands,
}

impl Checker {
    /// A checker over the given schemas and plugins.
    pub fn new(
        schemas: Arc<Schemas>,
        catalogue: Arc<dyn PluginCatalogue>,
        unknown_plugins: UnknownPlugins,
    ) -> Self {
        Self {
            schemas,
            catalogue,
            unknown_plugins,
            commands: AllowedCommands::default(),
        }
    }

    /// Lets plugins run these commands; without it they may run none.
    #[must_use]
    pub fn with_commands(mut self, allowed: AllowedCommands) -> Self {
        self.commands = allowed;
        self
    }

    /// The schemas of the kinds.
    pub fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    /// The whole check but for references: bulk validation, and what arrives from the store or a file.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn check(&self, target: &Target<'_>, value: &Value) -> Result {
        self.check_before_references(target, value)?;
        self.check_after_references(target, value)
    }

    /// What comes before references are looked up: the schema, the upstream; for consumers and credentials
    /// everything.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn check_before_references(&self, target: &Target<'_>, value: &Value) -> Result {
        match target.kind {
            Kind::Route => {
                check_pairs(value)?;
                self.check_schema(target.kind, value)?;
                check_addresses(value)?;
                self.check_inline_upstream(value)
            }
            Kind::Service | Kind::StreamRoute => {
                self.check_schema(target.kind, value)?;
                self.check_inline_upstream(value)
            }
            Kind::Upstream => {
                self.check_schema(target.kind, value)?;
                upstream::check(&self.schemas, value)
            }
            Kind::Consumer => {
                self.check_schema(target.kind, value)?;
                target.check_username(value)?;
                self.check_caller_plugins(value)
            }
            Kind::Credential => {
                self.check_schema(target.kind, value)?;
                self.check_caller_plugins(value)?;
                self.check_auth_plugins_only(value)
            }
            Kind::Ssl => {
                self.check_schema(target.kind, value)?;
                certificates::check_ssl(value)
            }
            Kind::PluginMetadata => self.check_metadata(target, value),
            Kind::Secret => {
                let manager = target.parent.unwrap_or_default();
                let Some(schema) = self.schemas.of_secret(manager) else {
                    return Err(CheckError::refused(format!("invalid secret manager: {manager}")));
                };
                hold(schema, value)
            }
            Kind::ConsumerGroup | Kind::PluginConfig | Kind::GlobalRule | Kind::Proto => {
                self.check_schema(target.kind, value)
            }
            Kind::Provider | Kind::Model => {
                self.check_schema(target.kind, value)?;
                let meaning = self.catalogue.check_resource(target.kind, value);
                meaning.map_err(CheckError::invalid)
            }
        }
    }

    /// What comes after references were looked up: plugins, expressions, Lua code.
    ///
    /// # Errors
    ///
    /// The first fault.
    pub fn check_after_references(&self, target: &Target<'_>, value: &Value) -> Result {
        match target.kind {
            Kind::Route => {
                self.check_plugins(value, CheckScope::Main)
                    .map_err(CheckError::refused)?;
                if let Some(vars) = value.get("vars") {
                    Expr::parse(vars)
                        .map_err(|error| CheckError::refused(plugins::bad_expression(&error)))?;
                }
                refuse_lua(value)
            }
            Kind::Service => {
                self.check_plugins(value, CheckScope::Main)
                    .map_err(CheckError::refused)?;
                refuse_lua(value)
            }
            Kind::ConsumerGroup | Kind::PluginConfig | Kind::GlobalRule | Kind::StreamRoute => self
                .check_plugins(value, CheckScope::Main)
                .map_err(CheckError::refused),
            Kind::Upstream
            | Kind::Consumer
            | Kind::Credential
            | Kind::PluginMetadata
            | Kind::Ssl
            | Kind::Secret
            | Kind::Proto
            | Kind::Provider
            | Kind::Model => Ok(()),
        }
    }

    fn check_schema(&self, kind: Kind, value: &Value) -> Result {
        self.schemas
            .of_kind(kind)
            .map_or(Ok(()), |schema| hold(schema, value))
    }

    fn check_inline_upstream(&self, value: &Value) -> Result {
        value
            .get("upstream")
            .map_or(Ok(()), |inline| upstream::check(&self.schemas, inline))
    }

    /// Metadata is checked without its `id`, which the plugin's schema does not know.
    fn check_metadata(&self, target: &Target<'_>, value: &Value) -> Result {
        let Some(name) = target.id else {
            return Err(CheckError::refused("missing plugin name"));
        };
        let Some(plugin) = self.catalogue.get(name) else {
            return Err(CheckError::refused("invalid plugin name"));
        };
        let mut metadata = value.clone();
        if let Some(members) = metadata.as_object_mut() {
            members.shift_remove("id");
        }
        plugin
            .check(&metadata, CheckScope::Metadata)
            .map_err(CheckError::invalid)
    }
}

fn hold(schema: &Schema, value: &Value) -> Result {
    schema.check(value).map_err(CheckError::invalid)
}

fn check_pairs(route: &Value) -> Result {
    for (one, many) in [("host", "hosts"), ("remote_addr", "remote_addrs")] {
        if route.get(one).is_some() && route.get(many).is_some() {
            return Err(CheckError::refused(format!(
                "only one of {one} or {many} is allowed"
            )));
        }
    }
    Ok(())
}

/// The patterns of the schema let pass what is no network, such as `::/999`: such a route could never be put
/// in force.
fn check_addresses(route: &Value) -> Result {
    let is_network = |address: &Value| address.as_str().is_none_or(|text| parse_ip_net(text).is_some());
    let fault = |property: &str, inner| {
        CheckError::invalid(SchemaError::Property {
            property: property.to_owned(),
            inner: Box::new(inner),
        })
    };
    let none = || SchemaError::AnyOf(String::new());
    if route
        .get("remote_addr")
        .is_some_and(|address| !is_network(address))
    {
        return Err(fault("remote_addr", none()));
    }
    let mut many = route
        .get("remote_addrs")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    match many.position(|address| !is_network(address)) {
        Some(at) => Err(fault(
            "remote_addrs",
            SchemaError::Item {
                index: at + 1,
                inner: Box::new(none()),
            },
        )),
        None => Ok(()),
    }
}

/// Lua source is refused: taking and ignoring it would change what is routed where.
fn refuse_lua(value: &Value) -> Result {
    match ["filter_func", "script"]
        .into_iter()
        .find(|member| value.get(*member).is_some())
    {
        Some(member) => Err(CheckError::refused(format!(
            "{member} is not supported: this gateway does not run Lua"
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
