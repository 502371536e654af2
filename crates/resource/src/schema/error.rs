//! Why a value does not hold, and why a schema does not compile.

use crate::lua::{Number, Quoted};

/// The first fault of a value. `Display` is the text that APISIX answers with (compat §1.9); faults of
/// members wrap those of the members' values, outside in.
///
/// The text of [`SchemaError::Pattern`] and of the number variants quotes the value: it is for whoever sent
/// it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// `type`.
    #[error("wrong type: expected {expected}, got {got}")]
    WrongType {
        /// The type, or `one of` and several.
        expected: String,
        /// What Lua calls the type of the value.
        got: &'static str,
    },
    /// `required`.
    #[error("property \"{0}\" is required")]
    Required(String),
    /// `properties`.
    #[error("property \"{property}\" validation failed: {inner}")]
    Property {
        /// Its name.
        property: String,
        /// What is wrong with it.
        inner: Box<SchemaError>,
    },
    /// `dependencies`, the list form.
    #[error("property \"{required}\" is required when \"{present}\" is set")]
    DependentRequired {
        /// The absent property.
        required: String,
        /// The property that asks for it.
        present: String,
    },
    /// `dependencies`, the schema form.
    #[error("failed to validate dependent schema for \"{present}\": {inner}")]
    DependentSchema {
        /// The property that brings the schema.
        present: String,
        /// What the schema found.
        inner: Box<SchemaError>,
    },
    /// `patternProperties`.
    #[error("failed to validate {property} (matching {}): {inner}", Quoted(.pattern))]
    PatternProperty {
        /// Its name.
        property: String,
        /// The pattern that its name matches.
        pattern: String,
        /// What is wrong with it.
        inner: Box<SchemaError>,
    },
    /// `additionalProperties: false`.
    #[error("additional properties forbidden, found {0}")]
    AdditionalForbidden(String),
    /// `additionalProperties`, the schema form.
    #[error("failed to validate additional property {property}: {inner}")]
    AdditionalProperty {
        /// Its name.
        property: String,
        /// What is wrong with it.
        inner: Box<SchemaError>,
    },
    /// `minProperties`.
    #[error("expect object to have at least {0} properties")]
    TooFewProperties(u64),
    /// `maxProperties`.
    #[error("expect object to have at most {0} properties")]
    TooManyProperties(u64),
    /// `minItems`.
    #[error("expect array to have at least {0} items")]
    TooFewItems(u64),
    /// `maxItems`.
    #[error("expect array to have at most {0} items")]
    TooManyItems(u64),
    /// `items`.
    #[error("failed to validate item {index}: {inner}")]
    Item {
        /// Counted from 1.
        index: usize,
        /// What is wrong with it.
        inner: Box<SchemaError>,
    },
    /// `contains`.
    #[error("failed to check contains")]
    Contains,
    /// `uniqueItems`; both counted from 1.
    #[error("expected unique items but items {0} and {1} are equal")]
    EqualItems(usize, usize),
    /// `minLength`, in characters.
    #[error("string too short, expected at least {least}, got {got}")]
    TooShort {
        /// The limit.
        least: u64,
        /// The length.
        got: u64,
    },
    /// `maxLength`, in characters.
    #[error("string too long, expected at most {most}, got {got}")]
    TooLong {
        /// The limit.
        most: u64,
        /// The length.
        got: u64,
    },
    /// `pattern`.
    #[error("failed to match pattern {} with {}", Quoted(.pattern), Quoted(.value))]
    Pattern {
        /// The regular expression.
        pattern: String,
        /// What does not match it.
        value: String,
    },
    /// `format`.
    #[error("expect valid {format} address but got: {value}")]
    Format {
        /// The name of the format.
        format: &'static str,
        /// What does not have it.
        value: String,
    },
    /// `minimum`: the number, the limit.
    #[error("expected {} to be at least {}", Number(*.0), Number(*.1))]
    Minimum(f64, f64),
    /// `maximum`: the number, the limit.
    #[error("expected {} to be at most {}", Number(*.0), Number(*.1))]
    Maximum(f64, f64),
    /// `exclusiveMinimum`: the number, the limit.
    #[error("expected {} to be greater than {}", Number(*.0), Number(*.1))]
    ExclusiveMinimum(f64, f64),
    /// `exclusiveMaximum`: the number, the limit.
    #[error("expected {} to be smaller than {}", Number(*.0), Number(*.1))]
    ExclusiveMaximum(f64, f64),
    /// `multipleOf`: the number, the factor.
    #[error("expected {} to be a multiple of {}", Number(*.0), Number(*.1))]
    MultipleOf(f64, f64),
    /// `enum`.
    #[error("matches none of the enum values")]
    Enum,
    /// `const`.
    #[error("failed to check const value")]
    Const,
    /// `then`.
    #[error("then clause did not match")]
    Then,
    /// `else`.
    #[error("else clause did not match")]
    Else,
    /// `allOf`.
    #[error("allOf {index} failed: {inner}")]
    AllOf {
        /// Which schema, counted from 1.
        index: usize,
        /// What it found.
        inner: Box<SchemaError>,
    },
    /// `anyOf`, with the `required` lists of its schemas: empty, or `: ["a"] or ["b","c"]`.
    #[error("object matches none of the required{0}")]
    AnyOf(String),
    /// `oneOf` without a match.
    #[error("value should match only one schema, but matches none")]
    OneOfNone,
    /// `oneOf` with two matches; both counted from 1.
    #[error("value should match only one schema, but matches both schemas {0} and {1}")]
    OneOfBoth(usize, usize),
    /// `not`.
    #[error("value wasn't supposed to match schema")]
    Not,
}

/// Why a schema does not compile: a fault of whoever wrote the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schema at {pointer:?}: {reason}")]
pub struct SchemaCompileError {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What is wrong there.
    pub reason: String,
}
