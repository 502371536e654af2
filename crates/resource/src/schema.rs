//! JSON schemas that fail with APISIX's words (compat §1.9).
//!
//! Order, texts and quirks are those of the validator that APISIX uses, but for one thing: members are
//! visited in the order of the schema instead of hash order, so that of several faults always the same one is
//! reported.

mod check;
mod compile;
mod error;
mod format;
mod node;

use serde_json::Value;

pub use self::error::{SchemaCompileError, SchemaError};
use self::node::Node;

/// A compiled JSON schema. Immutable; knows the source it was made from.
///
/// Three rules differ from the JSON Schema standard, as they do in APISIX:
/// * an empty array and an empty object pass for each other;
/// * a default is in place before anything that comes after `properties` looks at the object, so `if`, `oneOf`
///   or `required` in a branch see it;
/// * a secret reference (`$secret://…`, `$env://…`) passes every schema whose `type` is `string`.
///
/// ```
/// use serde_json::json;
/// use sluice_resource::Schema;
///
/// let schema = Schema::compile(json!({
///     "type": "object",
///     "properties": {"weight": {"type": "integer", "minimum": 0, "default": 1}},
/// }))?;
/// let error = schema.check(&json!({"weight": -1})).unwrap_err();
/// assert_eq!(error.to_string(), r#"property "weight" validation failed: expected -1 to be at least 0"#);
/// assert_eq!(schema.with_defaults(&json!({})), json!({"weight": 1}));
/// # Ok::<(), sluice_resource::SchemaCompileError>(())
/// ```
#[derive(Debug)]
pub struct Schema {
    root: Node,
    source: Value,
}

impl Schema {
    /// Compiles a schema.
    ///
    /// # Errors
    ///
    /// When a keyword is unknown or malformed, or a pattern is no regular expression. Unknown keywords are
    /// refused, since one that is skipped would let everything pass; annotations (`title`, `description`,
    /// `$comment`, …) are not.
    pub fn compile(source: Value) -> Result<Self, SchemaCompileError> {
        let root = compile::compile(&source)?;
        Ok(Self {
            root,
            source: printed(source),
        })
    }

    /// The schema as the schema endpoints show it: as it was given, but an empty array as default is `{}`
    /// (compat §1.8).
    pub fn source(&self) -> &Value {
        &self.source
    }

    /// Whether `value` holds.
    ///
    /// # Errors
    ///
    /// The first fault. Its text may quote the value.
    pub fn check(&self, value: &Value) -> Result<(), SchemaError> {
        self.checked(value).map(drop)
    }

    /// Checks `value` and returns it with defaults filled in, at every depth.
    ///
    /// An empty array where the schema wants an object comes back as an object, and the other way round.
    ///
    /// # Errors
    ///
    /// As [`Schema::check`].
    pub fn checked(&self, value: &Value) -> Result<Value, SchemaError> {
        let mut filled = value.clone();
        self.root.check(&mut filled).map(|()| filled)
    }

    /// As [`Schema::checked`] for a value that is known to hold. Of one that does not, what comes after the
    /// first fault stays as it is.
    pub fn with_defaults(&self, value: &Value) -> Value {
        let mut filled = value.clone();
        // The fault was reported when the value was checked.
        let _ = self.root.check(&mut filled);
        filled
    }
}

/// Replaces empty array defaults by `{}`: APISIX's JSON encoder cannot tell them apart.
fn printed(schema: Value) -> Value {
    match schema {
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| {
                let empty = name == "default" && member.as_array().is_some_and(Vec::is_empty);
                (
                    name,
                    if empty {
                        Value::Object(serde_json::Map::new())
                    } else {
                        printed(member)
                    },
                )
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(printed).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests;
