//! The schemas of the resource kinds, from the JSON files beside the sources (compat §1.10, §8.1, §8.4).
//!
//! In those files `{"$ref": "name"}` stands for a member of `definitions.json`, or for the schema of
//! upstreams.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::kind::Kind;
use crate::schema::{Schema, SchemaCompileError};

/// What marks a plugin schema that has `_meta` (compat §1.8).
const META_MARK: &str = "this is a mark for our injected plugin schema";

/// The compiled schemas of the resource kinds. Made once and shared.
///
/// ```
/// use serde_json::json;
/// use sluice_resource::{Kind, Schemas};
///
/// let schemas = Schemas::compile()?;
/// let consumer = schemas.of_kind(Kind::Consumer).unwrap();
/// assert!(consumer.check(&json!({"username": "jack"})).is_ok());
/// # Ok::<(), sluice_resource::SchemaCompileError>(())
/// ```
#[derive(Debug)]
pub struct Schemas {
    definitions: Map<String, Value>,
    by_name: IndexMap<&'static str, Schema>,
    secrets: IndexMap<&'static str, Schema>,
    pub(crate) hash_key_vars: Schema,
    pub(crate) hash_key_header: Schema,
}

impl Schemas {
    /// Compiles the built-in schemas.
    ///
    /// # Errors
    ///
    /// Never for the files of this crate, which its tests compile.
    pub fn compile() -> Result<Self, SchemaCompileError> {
        let definitions = definitions()?;
        let compiled = |source: &str| Schema::compile(expand(&parse(source)?, &definitions));
        let defined = |name: &str| compiled(&json!({"$ref": name}).to_string());
        let mut by_name = IndexMap::new();
        for (name, source) in NAMED {
            by_name.insert(*name, compiled(source)?);
        }
        by_name.insert("upstream", defined("upstream")?);
        by_name.insert("plugins", defined("plugins")?);
        let mut secrets = IndexMap::new();
        for (manager, source) in SECRETS {
            secrets.insert(*manager, compiled(source)?);
        }
        let (hash_key_vars, hash_key_header) = (defined("hash_key_vars")?, defined("hash_key_header")?);
        Ok(Self {
            by_name,
            secrets,
            hash_key_vars,
            hash_key_header,
            definitions,
        })
    }

    /// The schema of a kind. Plugin metadata has one per plugin, secrets have one per manager
    /// ([`Schemas::of_secret`]).
    pub fn of_kind(&self, kind: Kind) -> Option<&Schema> {
        self.by_name(kind.info().schema_name?)
    }

    /// The schema at `/schema/{name}`: those of the kinds, and `plugins`.
    pub fn by_name(&self, name: &str) -> Option<&Schema> {
        self.by_name.get(name)
    }

    /// All that [`Schemas::by_name`] knows, with their names: `main` of the control API's `/v1/schema`.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Schema)> {
        self.by_name.iter().map(|(name, schema)| (*name, schema))
    }

    /// The schema of the secrets of a manager; `None` for an unknown manager.
    pub fn of_secret(&self, manager: &str) -> Option<&Schema> {
        self.secrets.get(manager)
    }

    /// The source of a building block, for the schemas of plugins: `upstream`, `id`, `host`, `timeout`, ….
    pub fn definition(&self, name: &str) -> Option<&Value> {
        self.definitions.get(name)
    }
}

const NAMED: &[(&str, &str)] = &[
    ("route", include_str!("../schemas/route.json")),
    ("service", include_str!("../schemas/service.json")),
    ("consumer", include_str!("../schemas/consumer.json")),
    ("credential", include_str!("../schemas/credential.json")),
    ("consumer_group", include_str!("../schemas/consumer_group.json")),
    ("plugin_config", include_str!("../schemas/plugin_config.json")),
    ("global_rule", include_str!("../schemas/global_rule.json")),
    ("ssl", include_str!("../schemas/ssl.json")),
    ("proto", include_str!("../schemas/proto.json")),
    ("stream_route", include_str!("../schemas/stream_route.json")),
    ("provider", include_str!("../schemas/provider.json")),
    ("model", include_str!("../schemas/model.json")),
];

const SECRETS: &[(&str, &str)] = &[
    ("vault", include_str!("../schemas/secret_vault.json")),
    ("aws", include_str!("../schemas/secret_aws.json")),
    ("gcp", include_str!("../schemas/secret_gcp.json")),
];

/// The schema of an upstream, for plugins whose configuration holds one.
///
/// # Errors
///
/// Never for the files of this crate, which its tests read.
pub fn upstream_schema() -> Result<Value, SchemaCompileError> {
    Ok(definitions()?.remove("upstream").unwrap_or_default())
}

/// Adds what every plugin schema has: `properties._meta` and the mark that says so (compat §1.8, §3.2). A
/// schema that is no object comes back as it is.
pub(crate) fn with_meta(mut schema: Value) -> Value {
    let Some(members) = schema.as_object_mut() else {
        return schema;
    };
    members.insert("$comment".to_owned(), META_MARK.into());
    let properties = members
        .entry("properties")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(properties) = properties.as_object_mut() {
        properties.insert("_meta".to_owned(), meta());
    }
    schema
}

/// The schema of `_meta`. Without `pre_function`, which is Lua.
fn meta() -> Value {
    json!({
        "type": "object",
        "properties": {
            "disable": {"type": "boolean"},
            "error_response": {"oneOf": [{"type": "string"}, {"type": "object"}]},
            "priority": {"description": "priority of plugins by customized order", "type": "integer"},
            "filter": {
                "description": "filter determines whether the plugin needs to be executed at runtime",
                "type": "array",
            },
        },
        "additionalProperties": false,
    })
}

/// The building blocks, references resolved; one may refer to those before it.
fn definitions() -> Result<Map<String, Value>, SchemaCompileError> {
    let mut resolved = Map::new();
    for (name, definition) in parse(include_str!("../schemas/definitions.json"))?
        .as_object()
        .into_iter()
        .flatten()
    {
        resolved.insert(name.clone(), expand(definition, &resolved));
    }
    let upstream = expand(&parse(include_str!("../schemas/upstream.json"))?, &resolved);
    resolved.insert("upstream".to_owned(), upstream);
    Ok(resolved)
}

/// Puts definitions in the place of references. A reference to nothing stays, and does not compile.
fn expand(schema: &Value, definitions: &Map<String, Value>) -> Value {
    match schema {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str);
            if let Some(definition) = name.and_then(|name| definitions.get(name)) {
                return definition.clone();
            }
            members
                .iter()
                .map(|(name, member)| (name.clone(), expand(member, definitions)))
                .collect()
        }
        Value::Array(items) => items.iter().map(|item| expand(item, definitions)).collect(),
        other => other.clone(),
    }
}

fn parse(source: &str) -> Result<Value, SchemaCompileError> {
    serde_json::from_str(source).map_err(|error| SchemaCompileError {
        pointer: String::new(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
