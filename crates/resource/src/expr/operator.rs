//! What a condition asks of its variable.
//!
//! APISIX compares Lua values: a string never equals a number, a number is taken from a string with
//! `tonumber`, and a table equals nothing.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;

use super::pattern::Pattern;
use super::{ExprError, Variables};

/// An operator with its right side.
#[derive(Debug)]
pub(super) enum Test {
    /// `== null`
    Absent,
    /// `==` a string
    Text(Box<str>),
    /// `==` a boolean, which only typed variables can be
    Bool(bool),
    /// `== > >= < <=` a number
    Number(fn(&f64, &f64) -> bool, f64),
    /// `~~ ~*`
    Search(Pattern),
    /// `in`
    In(Members),
    /// `has`
    Has(Value),
    /// `ipmatch`
    Within(Box<[IpNet]>),
    /// An operand of a type that the operator never accepts.
    Never,
}

impl Test {
    pub(super) fn parse(operator: &str, value: &Value) -> Result<Self, ExprError> {
        Ok(match operator.to_ascii_lowercase().as_str() {
            "==" => equality(value),
            ">" => inequality(f64::gt, value),
            ">=" => inequality(f64::ge, value),
            "<" => inequality(f64::lt, value),
            "<=" => inequality(f64::le, value),
            "~~" => Self::Search(pattern(value, false)?),
            "~*" => Self::Search(pattern(value, true)?),
            "in" => value
                .as_array()
                .map_or(Self::Never, |list| Self::In(Members::new(list))),
            "has" => Self::Has(value.clone()),
            "ipmatch" => Self::Within(networks(value)?),
            _ => return Err(ExprError::InvalidOperator(operator.to_owned())),
        })
    }

    pub(super) fn holds(&self, variable: &str, vars: &dyn Variables) -> bool {
        match self {
            Self::Absent => vars.get(variable).is_none() && vars.get_json(variable).is_none(),
            Self::Text(right) => vars.get(variable).is_some_and(|left| left == **right),
            Self::Bool(right) => vars.get_json(variable).is_some_and(|left| left == *right),
            Self::Number(compare, right) => vars
                .get(variable)
                .and_then(|left| number(&left))
                .is_some_and(|left| compare(&left, right)),
            Self::Search(pattern) => vars.get(variable).is_some_and(|left| pattern.is_match(&left)),
            Self::In(members) => members.contain(variable, vars),
            Self::Has(right) => match vars.get_json(variable) {
                Some(Value::Array(left)) => left.iter().any(|element| raw_equal(element, right)),
                _ => false,
            },
            Self::Within(networks) => vars
                .get(variable)
                .and_then(|left| left.parse::<IpAddr>().ok())
                .map(|left| left.to_canonical())
                .is_some_and(|left| networks.iter().any(|network| network.contains(&left))),
            Self::Never => false,
        }
    }
}

/// The elements of an `in` list, split by whether the text of a variable can equal them.
#[derive(Debug)]
pub(super) struct Members {
    /// Sorted.
    texts: Box<[Box<str>]>,
    typed: Box<[Value]>,
}

impl Members {
    fn new(list: &[Value]) -> Self {
        let mut texts: Vec<Box<str>> = list.iter().filter_map(Value::as_str).map(Box::from).collect();
        texts.sort_unstable();
        let typed = list
            .iter()
            .filter(|element| element.is_number() || element.is_boolean())
            .cloned()
            .collect();
        Self {
            texts: texts.into(),
            typed,
        }
    }

    fn contain(&self, variable: &str, vars: &dyn Variables) -> bool {
        let has_text = |left: &str| {
            self.texts
                .binary_search_by(|element| (**element).cmp(left))
                .is_ok()
        };
        if vars.get(variable).is_some_and(|left| has_text(&left)) {
            return true;
        }
        !self.typed.is_empty()
            && vars
                .get_json(variable)
                .is_some_and(|left| self.typed.iter().any(|element| raw_equal(element, &left)))
    }
}

fn equality(value: &Value) -> Test {
    match value {
        Value::Null => Test::Absent,
        Value::String(text) => Test::Text(text.as_str().into()),
        Value::Bool(flag) => Test::Bool(*flag),
        Value::Number(number) => number
            .as_f64()
            .map_or(Test::Never, |number| Test::Number(f64::eq, number)),
        Value::Array(_) | Value::Object(_) => Test::Never,
    }
}

fn inequality(compare: fn(&f64, &f64) -> bool, value: &Value) -> Test {
    let right = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => number(text),
        _ => None,
    };
    right.map_or(Test::Never, |right| Test::Number(compare, right))
}

fn pattern(value: &Value, ignore_case: bool) -> Result<Pattern, ExprError> {
    match value {
        Value::String(text) => Pattern::new(text, ignore_case),
        Value::Number(number) => Pattern::new(&number.to_string(), ignore_case),
        _ => Err(ExprError::Invalid),
    }
}

fn networks(value: &Value) -> Result<Box<[IpNet]>, ExprError> {
    let list = value
        .as_array()
        .map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter()
        .map(|element| {
            let text = element.as_str().ok_or(ExprError::Invalid)?;
            let network = text
                .parse::<IpNet>()
                .or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            network.map_err(|_| ExprError::InvalidAddress(text.to_owned()))
        })
        .collect()
}

/// Lua's `tonumber` of a string: blanks around are ignored, `0x` integers are taken.
fn number(text: &str) -> Option<f64> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace() || c == '\x0b');
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) => {
            let magnitude = hex
                .bytes()
                .all(|b| b.is_ascii_hexdigit())
                .then(|| u64::from_str_radix(hex, 16).ok())?;
            magnitude.map(|magnitude| {
                if negative {
                    -(magnitude as f64)
                } else {
                    magnitude as f64
                }
            })
        }
        None => text.parse().ok(),
    }
}

/// Lua's `==` for two values that came from JSON.
fn raw_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        _ => false,
    }
}
