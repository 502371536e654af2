//! From the JSON of a schema to its compiled form.

use serde_json::{Map, Value};

use super::error::SchemaCompileError;
use super::format::Format;
use super::node::{
    Additional, AnyOf, ArrayRules, Compound, Condition, Dependency, Node, NumberRules, ObjectRules, Pattern,
    Property, StringRules, Type,
};

/// Keywords that say nothing about whether a value holds. `encrypt_fields` is what APISIX's plugins carry.
const ANNOTATIONS: &[&str] = &[
    "$comment",
    "$id",
    "$schema",
    "deprecated",
    "description",
    "encrypt_fields",
    "examples",
    "title",
];

const KEYWORDS: &[&str] = &[
    "type",
    "properties",
    "required",
    "dependencies",
    "patternProperties",
    "additionalProperties",
    "minProperties",
    "maxProperties",
    "items",
    "contains",
    "minItems",
    "maxItems",
    "uniqueItems",
    "minLength",
    "maxLength",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "enum",
    "const",
    "if",
    "then",
    "else",
    "allOf",
    "anyOf",
    "oneOf",
    "not",
    "default",
];

type Result<T> = std::result::Result<T, SchemaCompileError>;

pub(super) fn compile(schema: &Value) -> Result<Node> {
    node(schema, "")
}

fn node(schema: &Value, pointer: &str) -> Result<Node> {
    if schema == &Value::Bool(true) {
        return Ok(Node::default());
    }
    let Some(map) = schema.as_object() else {
        return fail(pointer, "expected an object or true");
    };
    let known = |name: &String| KEYWORDS.contains(&name.as_str()) || ANNOTATIONS.contains(&name.as_str());
    if let Some(unknown) = map.keys().find(|name| !known(name)) {
        return fail(pointer, format!("unknown keyword {unknown:?}"));
    }
    let keywords = Keywords { map, pointer };
    Ok(Node {
        types: keywords.types()?,
        object: keywords.group(&OBJECT, object)?,
        array: keywords.group(
            &["items", "contains", "minItems", "maxItems", "uniqueItems"],
            array,
        )?,
        string: keywords.group(&["minLength", "maxLength", "pattern", "format"], string)?,
        number: keywords.group(&NUMBER, number)?,
        values: keywords.array("enum")?.map(<[Value]>::to_vec),
        constant: map.get("const").cloned(),
        compound: keywords.group(&["if", "allOf", "anyOf", "oneOf", "not"], compound)?,
        default: map.get("default").cloned(),
    })
}

const OBJECT: [&str; 7] = [
    "properties",
    "required",
    "dependencies",
    "patternProperties",
    "additionalProperties",
    "minProperties",
    "maxProperties",
];

fn object(keywords: &Keywords<'_>) -> Result<ObjectRules> {
    let mut required = keywords.strings("required")?.unwrap_or_default();
    let mut dependencies = keywords.dependencies()?;
    let mut properties = Vec::new();
    for (name, member, pointer) in keywords.members("properties")? {
        let dependency = dependencies.iter().position(|(present, _)| *present == name);
        properties.push(Property {
            node: node(member, &pointer)?,
            required: required.contains(&name),
            dependency: dependency.map(|at| dependencies.remove(at).1),
            name,
        });
    }
    required.retain(|name| !properties.iter().any(|property| property.name == *name));
    let mut patterns = Vec::new();
    for (source, member, pointer) in keywords.members("patternProperties")? {
        patterns.push((pattern(&source, &pointer)?, node(member, &pointer)?));
    }
    Ok(ObjectRules {
        properties,
        required,
        dependencies,
        patterns,
        additional: match keywords.map.get("additionalProperties") {
            None | Some(Value::Bool(true)) => Additional::Any,
            Some(Value::Bool(false)) => Additional::Forbidden,
            Some(schema) => Additional::Schema(Box::new(node(schema, &keywords.at("additionalProperties"))?)),
        },
        least: keywords.count("minProperties")?,
        most: keywords.count("maxProperties")?,
    })
}

fn array(keywords: &Keywords<'_>) -> Result<ArrayRules> {
    Ok(ArrayRules {
        items: keywords.schema("items")?,
        contains: keywords.schema("contains")?,
        least: keywords.count("minItems")?,
        most: keywords.count("maxItems")?,
        unique: keywords.flag("uniqueItems")?,
    })
}

fn string(keywords: &Keywords<'_>) -> Result<StringRules> {
    let text = |name| keywords.typed(name, "a string", Value::as_str);
    Ok(StringRules {
        shortest: keywords.count("minLength")?,
        longest: keywords.count("maxLength")?,
        pattern: text("pattern")?
            .map(|source| pattern(source, &keywords.at("pattern")))
            .transpose()?,
        format: text("format")?.and_then(Format::from_name),
    })
}

const NUMBER: [&str; 5] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
];

fn number(keywords: &Keywords<'_>) -> Result<NumberRules> {
    let limit = |name| keywords.typed(name, "a number", Value::as_f64);
    Ok(NumberRules {
        minimum: limit("minimum")?,
        maximum: limit("maximum")?,
        exclusive_minimum: limit("exclusiveMinimum")?,
        exclusive_maximum: limit("exclusiveMaximum")?,
        multiple_of: limit("multipleOf")?,
    })
}

fn compound(keywords: &Keywords<'_>) -> Result<Compound> {
    let (then, otherwise) = (keywords.schema("then")?, keywords.schema("else")?);
    let condition = keywords.schema("if")?.map(|when| Condition {
        when,
        then,
        otherwise,
    });
    let any_of = match keywords.array("anyOf")? {
        Some(branches) => Some(AnyOf {
            requires: requires(branches),
            branches: keywords.schemas("anyOf")?,
        }),
        None => None,
    };
    Ok(Compound {
        condition,
        all_of: keywords.schemas("allOf")?,
        any_of,
        one_of: keywords.schemas("oneOf")?,
        not: keywords.schema("not")?,
    })
}

/// `: ["a"] or ["b","c"]`, or nothing when no branch has `required`.
fn requires(branches: &[Value]) -> String {
    let lists: Vec<String> = branches
        .iter()
        .filter_map(|branch| branch.get("required"))
        .map(Value::to_string)
        .collect();
    if lists.is_empty() {
        String::new()
    } else {
        format!(": {}", lists.join(" or "))
    }
}

fn pattern(source: &str, pointer: &str) -> Result<Pattern> {
    match fancy_regex::Regex::new(source) {
        Ok(regex) => Ok(Pattern {
            source: source.to_owned(),
            regex,
        }),
        Err(error) => fail(pointer, error.to_string()),
    }
}

fn fail<T>(pointer: &str, reason: impl Into<String>) -> Result<T> {
    Err(SchemaCompileError {
        pointer: pointer.to_owned(),
        reason: reason.into(),
    })
}

/// The keywords of one schema and where it stands.
struct Keywords<'a> {
    map: &'a Map<String, Value>,
    pointer: &'a str,
}

impl<'a> Keywords<'a> {
    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.pointer)
    }

    /// The rules of a group of keywords, if one of them is there.
    fn group<T>(&self, names: &[&str], build: impl FnOnce(&Self) -> Result<T>) -> Result<Option<Box<T>>> {
        if names.iter().any(|name| self.map.contains_key(*name)) {
            return build(self).map(|rules| Some(Box::new(rules)));
        }
        Ok(None)
    }

    fn typed<T>(
        &self,
        name: &str,
        what: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.map.get(name) else {
            return Ok(None);
        };
        match read(value) {
            Some(read) => Ok(Some(read)),
            None => fail(&self.at(name), format!("expected {what}")),
        }
    }

    fn count(&self, name: &str) -> Result<Option<u64>> {
        self.typed(name, "a count", Value::as_u64)
    }

    fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.typed(name, "a boolean", Value::as_bool)?.unwrap_or(false))
    }

    fn array(&self, name: &str) -> Result<Option<&'a [Value]>> {
        self.typed(name, "an array", |value| value.as_array().map(Vec::as_slice))
    }

    fn strings(&self, name: &str) -> Result<Option<Vec<String>>> {
        self.typed(name, "an array of strings", strings)
    }

    fn schema(&self, name: &str) -> Result<Option<Node>> {
        self.map
            .get(name)
            .map(|schema| node(schema, &self.at(name)))
            .transpose()
    }

    fn schemas(&self, name: &str) -> Result<Vec<Node>> {
        let schemas = self.array(name)?.unwrap_or_default();
        schemas
            .iter()
            .enumerate()
            .map(|(at, schema)| node(schema, &format!("{}/{name}/{at}", self.pointer)))
            .collect()
    }

    /// Name, value and pointer of each member of the object under `name`.
    fn members(&self, name: &str) -> Result<impl Iterator<Item = (String, &'a Value, String)>> {
        let members = self.typed(name, "an object", Value::as_object)?;
        let pointer = self.at(name);
        Ok(members
            .into_iter()
            .flatten()
            .map(move |(name, member)| (name.clone(), member, format!("{pointer}/{name}"))))
    }

    fn dependencies(&self) -> Result<Vec<(String, Dependency)>> {
        let dependency = |(name, member, pointer): (String, &Value, String)| match strings(member) {
            Some(names) => Ok((name, Dependency::Members(names))),
            None => Ok((name, Dependency::Schema(Box::new(node(member, &pointer)?)))),
        };
        self.members("dependencies")?.map(dependency).collect()
    }

    fn types(&self) -> Result<Vec<Type>> {
        let names = match self.map.get("type") {
            None => return Ok(Vec::new()),
            Some(Value::String(name)) => vec![name.clone()],
            Some(_) => self.strings("type")?.unwrap_or_default(),
        };
        let named = |name: &String| match Type::ALL.into_iter().find(|known| known.name() == name) {
            Some(known) => Ok(known),
            None => fail(&self.at("type"), format!("unknown type {name:?}")),
        };
        names.iter().map(named).collect()
    }
}

fn strings(value: &Value) -> Option<Vec<String>> {
    value
        .as_array()?
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect()
}
