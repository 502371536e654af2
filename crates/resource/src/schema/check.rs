//! Checking a value, in the keyword order of compat §1.9, and filling in defaults on the way.
//!
//! Both are one pass, because keywords that come late (`if`, `oneOf`, …) see the defaults that `properties`
//! filled in. A branch of `anyOf` or `oneOf` is tried on a copy and leaves its defaults only if it holds;
//! `if`, `not` and
//! `contains` leave none.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::error::SchemaError;
use super::node::{
    Additional, AnyOf, ArrayRules, Compound, Condition, Dependency, Node, NumberRules, ObjectRules,
    StringRules, Type,
};
use crate::lua;
use crate::secret_ref::is_secret_reference;

type Result = std::result::Result<(), SchemaError>;

impl Node {
    /// Checks `value` and fills in what it lacks.
    pub(super) fn check(&self, value: &mut Value) -> Result {
        if self.types == [Type::String] && value.as_str().is_some_and(is_secret_reference) {
            return Ok(());
        }
        self.check_type(value)?;
        if let Some(rules) = &self.object {
            rules.check_table(value)?;
        }
        if let Some(rules) = &self.array {
            rules.check_table(value)?;
        }
        if let (Some(rules), Value::String(text)) = (&self.string, &*value) {
            rules.check(text)?;
        }
        if let (Some(rules), Some(number)) = (&self.number, value.as_f64()) {
            rules.check(number)?;
        }
        if self
            .values
            .as_ref()
            .is_some_and(|values| !values.iter().any(|one| lua::same(one, value)))
        {
            return Err(SchemaError::Enum);
        }
        if self
            .constant
            .as_ref()
            .is_some_and(|constant| !lua::same(constant, value))
        {
            return Err(SchemaError::Const);
        }
        self.compound
            .as_ref()
            .map_or(Ok(()), |compound| compound.check(value))
    }

    /// The value with the defaults of this schema if it holds.
    fn tried(&self, value: &Value) -> Option<Value> {
        let mut copy = value.clone();
        self.check(&mut copy).is_ok().then_some(copy)
    }

    /// Turns an empty table of the wrong kind into the wanted one.
    fn check_type(&self, value: &mut Value) -> Result {
        let admits = |value: &Value| self.types.iter().any(|known| known.admits(value));
        if self.types.is_empty() || admits(value) {
            return Ok(());
        }
        let other = match &*value {
            Value::Array(items) if items.is_empty() => Some(Value::Object(Map::new())),
            Value::Object(members) if members.is_empty() => Some(Value::Array(Vec::new())),
            _ => None,
        };
        if let Some(other) = other.filter(admits) {
            *value = other;
            return Ok(());
        }
        let names: Vec<&str> = self.types.iter().map(|known| known.name()).collect();
        let expected = match *names {
            [name] => name.to_owned(),
            _ => format!("one of {}", names.join(", ")),
        };
        Err(SchemaError::WrongType {
            expected,
            got: lua::type_name(value),
        })
    }
}

impl ObjectRules {
    fn check_table(&self, value: &mut Value) -> Result {
        match value {
            Value::Object(_) => self.check(value),
            Value::Array(items) if items.is_empty() => {
                let mut object = Value::Object(Map::new());
                self.check(&mut object)?;
                if object.as_object().is_some_and(|members| !members.is_empty()) {
                    *value = object;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn check(&self, object: &mut Value) -> Result {
        self.check_properties(object)?;
        if let Some(absent) = self
            .required
            .iter()
            .find(|name| object.get(name.as_str()).is_none())
        {
            return Err(SchemaError::Required(absent.clone()));
        }
        for (present, dependency) in &self.dependencies {
            if object.get(present).is_some() {
                dependency.check(present, object)?;
            }
        }
        let Some(members) = object.as_object_mut() else {
            return Ok(());
        };
        self.check_other_members(members)?;
        let count = members.len() as u64;
        if let Some(least) = self.least.filter(|least| count < *least) {
            return Err(SchemaError::TooFewProperties(least));
        }
        self.most
            .filter(|most| count > *most)
            .map_or(Ok(()), |most| Err(SchemaError::TooManyProperties(most)))
    }

    fn check_properties(&self, object: &mut Value) -> Result {
        for property in &self.properties {
            match object.get_mut(&property.name) {
                Some(member) => {
                    property
                        .node
                        .check(member)
                        .map_err(|inner| SchemaError::Property {
                            property: property.name.clone(),
                            inner: Box::new(inner),
                        })?;
                    if let Some(dependency) = &property.dependency {
                        dependency.check(&property.name, object)?;
                    }
                }
                None if property.required => return Err(SchemaError::Required(property.name.clone())),
                None => {
                    if let (Some(default), Some(members)) = (&property.node.default, object.as_object_mut()) {
                        members.insert(property.name.clone(), default.clone());
                    }
                }
            }
        }
        Ok(())
    }

    /// `patternProperties` and `additionalProperties`, member by member.
    fn check_other_members(&self, members: &mut Map<String, Value>) -> Result {
        if self.patterns.is_empty() && matches!(self.additional, Additional::Any) {
            return Ok(());
        }
        for (name, member) in members {
            let mut known = self.properties.iter().any(|property| property.name == *name);
            for (pattern, node) in self.patterns.iter().filter(|(pattern, _)| pattern.matches(name)) {
                known = true;
                node.check(member).map_err(|inner| SchemaError::PatternProperty {
                    property: name.clone(),
                    pattern: pattern.source.clone(),
                    inner: Box::new(inner),
                })?;
            }
            match &self.additional {
                Additional::Forbidden if !known => {
                    return Err(SchemaError::AdditionalForbidden(name.clone()));
                }
                Additional::Schema(node) if !known => {
                    node.check(member)
                        .map_err(|inner| SchemaError::AdditionalProperty {
                            property: name.clone(),
                            inner: Box::new(inner),
                        })?
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Dependency {
    fn check(&self, present: &str, object: &mut Value) -> Result {
        match self {
            Self::Members(names) => match names.iter().find(|name| object.get(name.as_str()).is_none()) {
                Some(absent) => Err(SchemaError::DependentRequired {
                    required: absent.clone(),
                    present: present.to_owned(),
                }),
                None => Ok(()),
            },
            Self::Schema(node) => node.check(object).map_err(|inner| SchemaError::DependentSchema {
                present: present.to_owned(),
                inner: Box::new(inner),
            }),
        }
    }
}

impl ArrayRules {
    fn check_table(&self, value: &mut Value) -> Result {
        match value {
            Value::Array(items) => self.check(items),
            Value::Object(members) if members.is_empty() => self.check(&mut []),
            _ => Ok(()),
        }
    }

    fn check(&self, items: &mut [Value]) -> Result {
        let count = items.len() as u64;
        if let Some(least) = self.least.filter(|least| count < *least) {
            return Err(SchemaError::TooFewItems(least));
        }
        if let Some(most) = self.most.filter(|most| count > *most) {
            return Err(SchemaError::TooManyItems(most));
        }
        if let Some(node) = &self.items {
            for (at, item) in items.iter_mut().enumerate() {
                node.check(item).map_err(|inner| SchemaError::Item {
                    index: at + 1,
                    inner: Box::new(inner),
                })?;
            }
        }
        if self
            .contains
            .as_ref()
            .is_some_and(|node| !items.iter().any(|item| node.tried(item).is_some()))
        {
            return Err(SchemaError::Contains);
        }
        if self.unique { check_unique(items) } else { Ok(()) }
    }
}

/// Scalars are compared by hash, tables one by one.
fn check_unique(items: &[Value]) -> Result {
    #[derive(PartialEq, Eq, Hash)]
    enum Scalar<'a> {
        Null,
        Bool(bool),
        Number(u64),
        Text(&'a str),
    }

    let mut seen = HashMap::new();
    let mut tables: Vec<(usize, &Value)> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        let scalar = match item {
            Value::Null => Scalar::Null,
            Value::Bool(flag) => Scalar::Bool(*flag),
            // Zero is added because -0 and 0 are equal and differ in their bits.
            Value::Number(number) => Scalar::Number((number.as_f64().unwrap_or_default() + 0.0).to_bits()),
            Value::String(text) => Scalar::Text(text),
            Value::Array(_) | Value::Object(_) => {
                if let Some((first, _)) = tables.iter().find(|(_, table)| lua::same(table, item)) {
                    return Err(SchemaError::EqualItems(first + 1, at + 1));
                }
                tables.push((at, item));
                continue;
            }
        };
        if let Some(first) = seen.insert(scalar, at) {
            return Err(SchemaError::EqualItems(first + 1, at + 1));
        }
    }
    Ok(())
}

impl StringRules {
    fn check(&self, text: &str) -> Result {
        if self.shortest.is_some() || self.longest.is_some() {
            let got = text.chars().count() as u64;
            if let Some(least) = self.shortest.filter(|least| got < *least) {
                return Err(SchemaError::TooShort { least, got });
            }
            if let Some(most) = self.longest.filter(|most| got > *most) {
                return Err(SchemaError::TooLong { most, got });
            }
        }
        if let Some(pattern) = self.pattern.as_ref().filter(|pattern| !pattern.matches(text)) {
            return Err(SchemaError::Pattern {
                pattern: pattern.source.clone(),
                value: text.to_owned(),
            });
        }
        if let Some(format) = self.format.filter(|format| !format.admits(text)) {
            return Err(SchemaError::Format {
                format: format.name(),
                value: text.to_owned(),
            });
        }
        Ok(())
    }
}

impl NumberRules {
    fn check(&self, number: f64) -> Result {
        if let Some(limit) = self.minimum.filter(|limit| number < *limit) {
            return Err(SchemaError::Minimum(number, limit));
        }
        if let Some(limit) = self.maximum.filter(|limit| number > *limit) {
            return Err(SchemaError::Maximum(number, limit));
        }
        if let Some(limit) = self.exclusive_minimum.filter(|limit| number <= *limit) {
            return Err(SchemaError::ExclusiveMinimum(number, limit));
        }
        if let Some(limit) = self.exclusive_maximum.filter(|limit| number >= *limit) {
            return Err(SchemaError::ExclusiveMaximum(number, limit));
        }
        if let Some(factor) = self.multiple_of.filter(|factor| (number / factor).fract() != 0.0) {
            return Err(SchemaError::MultipleOf(number, factor));
        }
        Ok(())
    }
}

impl Compound {
    fn check(&self, value: &mut Value) -> Result {
        if let Some(condition) = &self.condition {
            condition.check(value)?;
        }
        for (at, node) in self.all_of.iter().enumerate() {
            node.check(value).map_err(|inner| SchemaError::AllOf {
                index: at + 1,
                inner: Box::new(inner),
            })?;
        }
        if let Some(any_of) = &self.any_of {
            any_of.check(value)?;
        }
        if !self.one_of.is_empty() {
            check_one_of(&self.one_of, value)?;
        }
        match &self.not {
            Some(node) if node.tried(value).is_some() => Err(SchemaError::Not),
            _ => Ok(()),
        }
    }
}

impl Condition {
    fn check(&self, value: &mut Value) -> Result {
        let (branch, error) = match self.when.tried(value) {
            Some(_) => (&self.then, SchemaError::Then),
            None => (&self.otherwise, SchemaError::Else),
        };
        branch
            .as_ref()
            .map_or(Ok(()), |node| node.check(value).map_err(|_| error))
    }
}

impl AnyOf {
    fn check(&self, value: &mut Value) -> Result {
        match self.branches.iter().find_map(|node| node.tried(value)) {
            Some(filled) => {
                *value = filled;
                Ok(())
            }
            None => Err(SchemaError::AnyOf(self.requires.clone())),
        }
    }
}

fn check_one_of(branches: &[Node], value: &mut Value) -> Result {
    let mut holding = branches
        .iter()
        .enumerate()
        .filter_map(|(at, node)| Some((at + 1, node.tried(value)?)));
    let Some((first, filled)) = holding.next() else {
        return Err(SchemaError::OneOfNone);
    };
    if let Some((second, _)) = holding.next() {
        return Err(SchemaError::OneOfBoth(first, second));
    }
    *value = filled;
    Ok(())
}
