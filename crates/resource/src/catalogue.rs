//! What the rest of the gateway may know of plugins without seeing them: names, priorities, schemas, secret
//! fields.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::commands::AllowedCommands;
use crate::kind::Kind;
use crate::schema::{Schema, SchemaCompileError, SchemaError};
use crate::schemas::with_meta;

/// The plugins that exist, seen from outside: what the Admin API and the resource checks need.
pub trait PluginCatalogue: Send + Sync {
    /// The plugin of that name, if it exists and is enabled.
    fn get(&self, name: &str) -> Option<&PluginInfo>;

    /// The enabled plugins, highest priority first, equals by name.
    fn names_by_priority(&self) -> Vec<&str>;

    /// What the schema of a kind cannot say of a resource: for the kinds that the plugins give a meaning to.
    ///
    /// # Errors
    ///
    /// What is wrong.
    fn check_resource(&self, kind: Kind, value: &Value) -> Result<(), String>;
}

/// Checks a resource whose schema holds; see [`PluginCatalogue::check_resource`].
pub type ResourceHook = fn(Kind, &Value) -> Result<(), String>;

/// Which configuration of a plugin is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckScope {
    /// On a route, service, consumer group, plugin config, global rule; and, for a plugin without a consumer
    /// schema, on a consumer.
    Main,
    /// On a consumer or credential.
    Consumer,
    /// In `plugin_metadata`.
    Metadata,
}

/// What a plugin checks beyond its schemas. Gets the configuration with defaults filled in; the error is the
/// text behind
/// `err: `.
pub type CheckHook = Box<dyn Fn(&Value, CheckScope) -> Result<(), String> + Send + Sync>;

/// What a plugin checks of a configuration and its metadata together, if there is any. Gets the configuration with
/// defaults filled in; the error is the text behind `err: `.
pub type MetadataHook = Box<dyn Fn(&Value, Option<&Value>) -> Result<(), String> + Send + Sync>;

/// Holds the command that a configuration makes the plugin run against those that are allowed on this machine. The error
/// is the text behind `err: `.
pub type CommandHook = fn(&Value, &AllowedCommands) -> Result<(), String>;

/// Everything that is to be known of a plugin without running it.
///
/// ```
/// use serde_json::json;
/// use sluice_resource::{CheckScope, PluginInfo};
///
/// let plugin = PluginInfo::new("key-auth", 2500, json!({"type": "object"}))?
///     .with_consumer_schema(json!({
///         "type": "object",
///         "properties": {"key": {"type": "string"}},
///         "required": ["key"],
///     }))?
///     .as_auth("key")
///     .with_encrypted_fields(&["key"]);
/// assert_eq!(plugin.check(&json!({}), CheckScope::Consumer).unwrap_err(), r#"property "key" is required"#);
/// # Ok::<(), sluice_resource::SchemaCompileError>(())
/// ```
#[non_exhaustive]
pub struct PluginInfo {
    /// Its name in `plugins`.
    pub name: &'static str,
    /// Higher runs first (compat §3.3).
    pub priority: i32,
    /// As listed by the Admin API.
    pub version: f64,
    /// The schema of its configuration, `_meta` included.
    pub schema: Schema,
    /// The schema of its configuration on consumers and credentials, if that is another.
    pub consumer_schema: Option<Schema>,
    /// The schema of its metadata; without one, any object will do.
    pub metadata_schema: Option<Schema>,
    /// Dotted paths of what is encrypted at rest in its configuration (compat §1.11).
    pub encrypt_fields: &'static [&'static str],
    /// The same for consumers and credentials; `None` when [`PluginInfo::encrypt_fields`] holds there too.
    pub consumer_encrypt_fields: Option<&'static [&'static str]>,
    /// The member of a consumer's configuration that finds the consumer; unique among consumers.
    pub auth_key_attribute: Option<&'static str>,
    /// The member that names a group: all configurations with one group must be equal.
    pub group_member: Option<&'static str>,
    auth: bool,
    global: bool,
    hook: Option<CheckHook>,
    metadata_hook: Option<MetadataHook>,
    command_hook: Option<CommandHook>,
}

impl PluginInfo {
    /// A plugin with the given schema, to which `_meta` is added.
    ///
    /// # Errors
    ///
    /// When the schema does not compile.
    pub fn new(name: &'static str, priority: i32, schema: Value) -> Result<Self, SchemaCompileError> {
        Ok(Self {
            name,
            priority,
            version: 0.1,
            schema: Schema::compile(with_meta(schema))?,
            consumer_schema: None,
            metadata_schema: None,
            encrypt_fields: &[],
            consumer_encrypt_fields: None,
            auth_key_attribute: None,
            group_member: None,
            auth: false,
            global: false,
            hook: None,
            metadata_hook: None,
            command_hook: None,
        })
    }

    /// Sets the schema for consumers and credentials.
    ///
    /// # Errors
    ///
    /// When it does not compile.
    pub fn with_consumer_schema(mut self, schema: Value) -> Result<Self, SchemaCompileError> {
        self.consumer_schema = Some(Schema::compile(schema)?);
        Ok(self)
    }

    /// Sets the schema of the metadata.
    ///
    /// # Errors
    ///
    /// When it does not compile.
    pub fn with_metadata_schema(mut self, schema: Value) -> Result<Self, SchemaCompileError> {
        self.metadata_schema = Some(Schema::compile(schema)?);
        Ok(self)
    }

    /// Makes it an auth plugin that finds consumers by this member of their configuration.
    pub fn as_auth(mut self, key_attribute: &'static str) -> Self {
        self.auth_key_attribute = Some(key_attribute);
        self.as_auth_without_key()
    }

    /// Makes it an auth plugin that keeps nothing on consumers, such as multi-auth.
    pub fn as_auth_without_key(mut self) -> Self {
        self.auth = true;
        self
    }

    /// Confines it to global rules.
    pub fn as_global(mut self) -> Self {
        self.global = true;
        self
    }

    /// Names what is encrypted at rest; see [`PluginInfo::encrypt_fields`].
    pub fn with_encrypted_fields(mut self, paths: &'static [&'static str]) -> Self {
        self.encrypt_fields = paths;
        self
    }

    /// Names what is encrypted at rest on consumers; see [`PluginInfo::consumer_encrypt_fields`].
    pub fn with_consumer_encrypted_fields(mut self, paths: &'static [&'static str]) -> Self {
        self.consumer_encrypt_fields = Some(paths);
        self
    }

    /// Sets what it checks beyond its schemas.
    pub fn with_check(
        mut self,
        hook: impl Fn(&Value, CheckScope) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.hook = Some(Box::new(hook));
        self
    }

    /// Sets what it checks of a configuration and its metadata together. Writes of the Admin API are held against it;
    /// what arrives otherwise is compiled, which has to see to the same.
    pub fn with_metadata_check(
        mut self,
        hook: impl Fn(&Value, Option<&Value>) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.metadata_hook = Some(Box::new(hook));
        self
    }

    /// Makes it a plugin that runs commands. Writes of the Admin API are held against what is allowed; what arrives
    /// otherwise is compiled, and must not run.
    pub fn with_command_check(mut self, hook: CommandHook) -> Self {
        self.command_hook = Some(hook);
        self
    }

    /// Names the member that puts configurations into a group; see [`PluginInfo::group_member`].
    pub fn with_group_member(mut self, member: &'static str) -> Self {
        self.group_member = Some(member);
        self
    }

    /// Whether its configurations are to be checked together with its metadata.
    pub fn depends_on_metadata(&self) -> bool {
        self.metadata_hook.is_some()
    }

    /// Checks a configuration that holds together with the plugin's metadata, if there is any.
    ///
    /// # Errors
    ///
    /// As [`PluginInfo::check`].
    pub fn check_with_metadata(&self, conf: &Value, metadata: Option<&Value>) -> Result<(), String> {
        let Some(hook) = &self.metadata_hook else {
            return Ok(());
        };
        hook(&self.checked(conf, CheckScope::Main)?, metadata)
    }

    /// Whether the command of a configuration, if it has any, may be run on this machine.
    ///
    /// # Errors
    ///
    /// As [`PluginInfo::check`].
    pub fn check_command(&self, conf: &Value, allowed: &AllowedCommands) -> Result<(), String> {
        self.command_hook.map_or(Ok(()), |hook| hook(conf, allowed))
    }

    /// Whether it finds the caller: `"type": "auth"`.
    pub fn is_auth(&self) -> bool {
        self.auth
    }

    /// Whether it works in global rules only: `"scope": "global"`.
    pub fn is_global(&self) -> bool {
        self.global
    }

    /// The dotted paths of what is encrypted at rest in a configuration of the given scope. Nothing in
    /// metadata.
    pub fn encrypted_fields(&self, scope: CheckScope) -> &'static [&'static str] {
        match scope {
            CheckScope::Main => self.encrypt_fields,
            CheckScope::Consumer => self.consumer_encrypt_fields.unwrap_or(self.encrypt_fields),
            CheckScope::Metadata => &[],
        }
    }

    /// Whether a configuration holds: its schema, then what the plugin checks itself.
    ///
    /// # Errors
    ///
    /// The text behind `failed to check the configuration of plugin {name} err: `.
    pub fn check(&self, conf: &Value, scope: CheckScope) -> Result<(), String> {
        self.checked(conf, scope).map(drop)
    }

    /// Checks a configuration and returns it with defaults filled in.
    ///
    /// # Errors
    ///
    /// As [`PluginInfo::check`].
    pub fn checked(&self, conf: &Value, scope: CheckScope) -> Result<Value, String> {
        let (schema, scope) = match scope {
            CheckScope::Consumer if self.consumer_schema.is_none() => (Some(&self.schema), CheckScope::Main),
            CheckScope::Consumer => (self.consumer_schema.as_ref(), scope),
            CheckScope::Main => (Some(&self.schema), scope),
            CheckScope::Metadata => (self.metadata_schema.as_ref(), scope),
        };
        let filled = match schema {
            Some(schema) => schema.checked(conf).map_err(|error| error.to_string())?,
            None => any_object(conf).map_err(|error| error.to_string())?,
        };
        if let Some(hook) = &self.hook {
            hook(&filled, scope)?;
        }
        Ok(filled)
    }

    /// The plugin as `GET /plugins?all=true` and the control API list it.
    pub fn describe(&self) -> Value {
        let mut described = Map::new();
        described.insert("version".to_owned(), json!(self.version));
        described.insert("priority".to_owned(), json!(self.priority));
        let schemas = [
            ("schema", Some(&self.schema)),
            ("consumer_schema", self.consumer_schema.as_ref()),
            ("metadata_schema", self.metadata_schema.as_ref()),
        ];
        for (name, schema) in schemas {
            if let Some(schema) = schema {
                described.insert(name.to_owned(), schema.source().clone());
            }
        }
        if self.auth {
            described.insert("type".to_owned(), json!("auth"));
        }
        if self.global {
            described.insert("scope".to_owned(), json!("global"));
        }
        Value::Object(described)
    }
}

fn any_object(conf: &Value) -> Result<Value, SchemaError> {
    match conf {
        Value::Object(_) => Ok(conf.clone()),
        Value::Array(items) if items.is_empty() => Ok(Value::Object(Map::new())),
        other => Err(SchemaError::WrongType {
            expected: "object".to_owned(),
            got: crate::lua::type_name(other),
        }),
    }
}

/// The plugins of a gateway.
pub struct Catalogue {
    by_priority: IndexMap<&'static str, PluginInfo>,
    unknown: Vec<String>,
    resource_hook: Option<ResourceHook>,
}

impl Catalogue {
    /// A catalogue of the given plugins. With `enabled`, those that it does not name do not exist. Of two
    /// plugins of one name the first counts.
    pub fn new(plugins: Vec<PluginInfo>, enabled: Option<&[String]>) -> Self {
        let is_enabled = |name: &str| enabled.is_none_or(|names| names.iter().any(|one| one == name));
        let unknown = enabled
            .into_iter()
            .flatten()
            .filter(|name| !plugins.iter().any(|plugin| plugin.name == **name))
            .cloned()
            .collect();
        let mut by_priority = IndexMap::with_capacity(plugins.len());
        for plugin in plugins.into_iter().filter(|plugin| is_enabled(plugin.name)) {
            by_priority.entry(plugin.name).or_insert(plugin);
        }
        by_priority.sort_by(|_, a, _, b| b.priority.cmp(&a.priority).then(a.name.cmp(b.name)));
        Self {
            by_priority,
            unknown,
            resource_hook: None,
        }
    }

    /// Sets what is checked of resources beyond the schemas of their kinds.
    pub fn set_resource_check(&mut self, hook: ResourceHook) {
        self.resource_hook = Some(hook);
    }

    /// The plugins, highest priority first, equals by name.
    pub fn iter(&self) -> impl Iterator<Item = &PluginInfo> {
        self.by_priority.values()
    }

    /// The enabled names that are no plugin here: worth a line in the log, as a list written for APISIX may
    /// have some.
    pub fn unknown_names(&self) -> &[String] {
        &self.unknown
    }
}

impl PluginCatalogue for Catalogue {
    fn get(&self, name: &str) -> Option<&PluginInfo> {
        self.by_priority.get(name)
    }

    fn names_by_priority(&self) -> Vec<&str> {
        self.by_priority.keys().copied().collect()
    }

    fn check_resource(&self, kind: Kind, value: &Value) -> Result<(), String> {
        self.resource_hook.map_or(Ok(()), |hook| hook(kind, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(name: &'static str, priority: i32) -> PluginInfo {
        PluginInfo::new(name, priority, json!({"type": "object"})).unwrap()
    }

    #[test]
    fn plugins_stand_by_priority() {
        let plugins = vec![
            plugin("b", 1),
            plugin("low", -5),
            plugin("a", 1),
            plugin("high", 9),
        ];
        assert_eq!(
            Catalogue::new(plugins, None).names_by_priority(),
            ["high", "a", "b", "low"]
        );
    }

    #[test]
    fn what_is_not_enabled_does_not_exist() {
        let enabled = ["a".to_owned(), "zipkin".to_owned()];
        let catalogue = Catalogue::new(vec![plugin("a", 1), plugin("b", 2)], Some(&enabled));
        assert!(catalogue.get("a").is_some());
        assert!(catalogue.get("b").is_none());
        assert_eq!(catalogue.names_by_priority(), ["a"]);
        assert_eq!(catalogue.unknown_names(), ["zipkin"]);
    }

    #[test]
    fn hooks_see_defaults_and_the_scope_whose_schema_held() {
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "default": 3}}});
        let plain = PluginInfo::new("p", 1, schema)
            .unwrap()
            .with_check(|conf, scope| Err(format!("{} {scope:?}", conf["n"])));
        assert_eq!(plain.check(&json!({}), CheckScope::Main).unwrap_err(), "3 Main");
        assert_eq!(
            plain.check(&json!({"n": 1}), CheckScope::Consumer).unwrap_err(),
            "1 Main"
        );
        assert_eq!(
            plain.check(&json!({"x": 1}), CheckScope::Metadata).unwrap_err(),
            "null Metadata"
        );

        let auth = plain.with_consumer_schema(json!({"type": "object"})).unwrap();
        assert_eq!(
            auth.check(&json!({}), CheckScope::Consumer).unwrap_err(),
            "null Consumer"
        );
    }

    #[test]
    fn metadata_without_a_schema_is_any_object() {
        let plugin = plugin("p", 1);
        assert_eq!(
            plugin.check(&json!({"anything": 1}), CheckScope::Metadata),
            Ok(())
        );
        assert_eq!(plugin.checked(&json!([]), CheckScope::Metadata), Ok(json!({})));
        assert_eq!(
            plugin.check(&json!("x"), CheckScope::Metadata).unwrap_err(),
            "wrong type: expected object, got string",
        );
    }

    #[test]
    fn encrypted_fields_of_consumers_fall_back() {
        let fields = plugin("p", 1).with_encrypted_fields(&["a.b"]);
        assert_eq!(fields.encrypted_fields(CheckScope::Consumer), ["a.b"]);
        let fields = fields.with_consumer_encrypted_fields(&["key"]);
        assert_eq!(fields.encrypted_fields(CheckScope::Consumer), ["key"]);
        assert_eq!(fields.encrypted_fields(CheckScope::Main), ["a.b"]);
        assert!(fields.encrypted_fields(CheckScope::Metadata).is_empty());
    }

    #[test]
    fn descriptions_have_what_the_listing_shows() {
        let bare = plugin("p", 7).describe();
        assert_eq!((&bare["version"], &bare["priority"]), (&json!(0.1), &json!(7)));
        assert!(bare["schema"]["properties"]["_meta"].is_object());
        assert_eq!(bare.as_object().unwrap().len(), 3);

        let full = plugin("q", 1)
            .as_auth("key")
            .as_global()
            .with_consumer_schema(json!({"title": "c"}))
            .unwrap()
            .with_metadata_schema(json!({"title": "m"}))
            .unwrap()
            .describe();
        assert_eq!(full["consumer_schema"], json!({"title": "c"}));
        assert_eq!(full["metadata_schema"], json!({"title": "m"}));
        assert_eq!(
            (&full["type"], &full["scope"]),
            (&json!("auth"), &json!("global"))
        );
    }
}
