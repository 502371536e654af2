//! The grammar: lists of conditions, negation, logic forms.

use serde_json::Value;

use super::operator::Test;
use super::{ExprError, Logic, Node};

/// The outermost level: a list of conditions, all of which must hold, or one logic form.
pub(super) fn expression(value: &Value) -> Result<Node, ExprError> {
    let items = array(value)?;
    if let Some(form) = logic_form(items)? {
        return Ok(form);
    }
    Ok(Node::Group {
        logic: Logic::All,
        negated: false,
        operands: rules(items)?,
    })
}

fn rules(items: &[Value]) -> Result<Box<[Node]>, ExprError> {
    items.iter().map(rule).collect()
}

fn rule(value: &Value) -> Result<Node, ExprError> {
    let items = array(value)?;
    match logic_form(items)? {
        Some(form) => Ok(form),
        None => condition(items),
    }
}

/// An empty object is an empty list, as everywhere in APISIX (compat §1.9).
fn array(value: &Value) -> Result<&[Value], ExprError> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Object(members) if members.is_empty() => Ok(&[]),
        _ => Err(ExprError::NotWrapped),
    }
}

fn logic_form(items: &[Value]) -> Result<Option<Node>, ExprError> {
    let Some((Value::String(name), operands)) = items.split_first() else {
        return Ok(None);
    };
    let (logic, negated) = match name.to_ascii_uppercase().as_str() {
        "AND" => (Logic::All, false),
        "OR" => (Logic::Any, false),
        "!AND" => (Logic::All, true),
        "!OR" => (Logic::Any, true),
        _ => return Ok(None),
    };
    if operands.len() < 2 {
        return Err(ExprError::TooShort);
    }
    Ok(Some(Node::Group {
        logic,
        negated,
        operands: rules(operands)?,
    }))
}

fn condition(items: &[Value]) -> Result<Node, ExprError> {
    match items {
        [] | [_] => Err(ExprError::TooShort),
        [variable, value] => compare(variable, "==", value, false),
        [_, bang, _] if bang == "!" => Err(ExprError::BadNot),
        [variable, operator, value] => compare(variable, text(operator)?, value, false),
        [variable, bang, operator, value] if bang == "!" => compare(variable, text(operator)?, value, true),
        [_, _, _, _] => Err(ExprError::BadNot),
        _ => Err(ExprError::Invalid),
    }
}

fn compare(variable: &Value, operator: &str, value: &Value, negated: bool) -> Result<Node, ExprError> {
    let variable = Box::from(text(variable)?);
    // `~=` is `==` negated in every case, absent and non-numeric variables included.
    let (operator, negated) = if operator == "~=" {
        ("==", !negated)
    } else {
        (operator, negated)
    };
    Ok(Node::Condition {
        variable,
        negated,
        test: Test::parse(operator, value)?,
    })
}

fn text(value: &Value) -> Result<&str, ExprError> {
    value.as_str().ok_or(ExprError::Invalid)
}
