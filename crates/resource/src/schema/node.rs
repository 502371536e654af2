//! The compiled form of a schema: one node per (sub)schema, keywords grouped by the type that they speak
//! about.

use serde_json::Value;

use super::format::Format;

/// A compiled (sub)schema. Groups without a keyword are absent and cost nothing.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Empty: any type.
    pub(super) types: Vec<Type>,
    pub(super) object: Option<Box<ObjectRules>>,
    pub(super) array: Option<Box<ArrayRules>>,
    pub(super) string: Option<Box<StringRules>>,
    pub(super) number: Option<Box<NumberRules>>,
    pub(super) values: Option<Vec<Value>>,
    pub(super) constant: Option<Value>,
    pub(super) compound: Option<Box<Compound>>,
    /// What an object gets when it lacks the member that this node describes.
    pub(super) default: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    Null,
}

impl Type {
    pub(super) const ALL: [Self; 7] = [
        Self::Object,
        Self::Array,
        Self::String,
        Self::Integer,
        Self::Number,
        Self::Boolean,
        Self::Null,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::Null => "null",
        }
    }

    pub(super) fn admits(self, value: &Value) -> bool {
        match self {
            Self::Object => value.is_object(),
            Self::Array => value.is_array(),
            Self::String => value.is_string(),
            Self::Integer => value.as_f64().is_some_and(|n| n.fract() == 0.0),
            Self::Number => value.is_number(),
            Self::Boolean => value.is_boolean(),
            Self::Null => value.is_null(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct ObjectRules {
    pub(super) properties: Vec<Property>,
    /// Required members that `properties` does not describe.
    pub(super) required: Vec<String>,
    /// Dependencies of members that `properties` does not describe.
    pub(super) dependencies: Vec<(String, Dependency)>,
    pub(super) patterns: Vec<(Pattern, Node)>,
    pub(super) additional: Additional,
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) node: Node,
    pub(super) required: bool,
    pub(super) dependency: Option<Dependency>,
}

#[derive(Debug)]
pub(super) enum Dependency {
    /// Members that must be there too.
    Members(Vec<String>),
    /// A schema that the whole object must hold.
    Schema(Box<Node>),
}

#[derive(Debug, Default)]
pub(super) enum Additional {
    #[default]
    Any,
    Forbidden,
    Schema(Box<Node>),
}

#[derive(Debug, Default)]
pub(super) struct ArrayRules {
    pub(super) items: Option<Node>,
    pub(super) contains: Option<Node>,
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
    pub(super) unique: bool,
}

#[derive(Debug, Default)]
pub(super) struct StringRules {
    pub(super) shortest: Option<u64>,
    pub(super) longest: Option<u64>,
    pub(super) pattern: Option<Pattern>,
    pub(super) format: Option<Format>,
}

#[derive(Debug, Default)]
pub(super) struct NumberRules {
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_minimum: Option<f64>,
    pub(super) exclusive_maximum: Option<f64>,
    pub(super) multiple_of: Option<f64>,
}

/// Keywords made of whole schemas.
#[derive(Debug, Default)]
pub(super) struct Compound {
    pub(super) condition: Option<Condition>,
    pub(super) all_of: Vec<Node>,
    pub(super) any_of: Option<AnyOf>,
    pub(super) one_of: Vec<Node>,
    pub(super) not: Option<Node>,
}

#[derive(Debug)]
pub(super) struct Condition {
    pub(super) when: Node,
    pub(super) then: Option<Node>,
    pub(super) otherwise: Option<Node>,
}

#[derive(Debug)]
pub(super) struct AnyOf {
    pub(super) branches: Vec<Node>,
    /// The end of the message: the `required` lists of the branches.
    pub(super) requires: String,
}

/// A regular expression with its source, which messages quote.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) source: String,
    pub(super) regex: fancy_regex::Regex,
}

impl Pattern {
    /// A match that runs into the step limit counts as none.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text).unwrap_or(false)
    }
}
