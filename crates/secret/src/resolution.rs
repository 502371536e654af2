//! References in a configuration, and the configuration without them.

use std::borrow::Cow;

use serde_json::Value;

/// A configuration with its references resolved.
pub struct Resolution<'a> {
    /// The configuration; what is unresolved stands in it as it was written.
    pub value: Cow<'a, Value>,
    /// The references that lead to nothing.
    pub unresolved: Vec<Unresolved>,
}

/// A reference that leads to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unresolved {
    /// The reference.
    pub reference: String,
    /// Why. Contains no secret.
    pub reason: String,
}

/// A secret as configuration takes it: numbers and objects as the JSON text that they are.
pub(crate) fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The part of a document that a reference means: a member, or all of it. Documents that are text may hold JSON.
pub(crate) fn field_of(document: &Value, field: Option<&str>) -> Option<String> {
    match (document, field) {
        (document, None) => text_of(document),
        (Value::String(text), Some(field)) => {
            let parsed: Value = serde_json::from_str(text).ok()?;
            parsed.get(field).and_then(text_of)
        }
        (document, Some(field)) => document.get(field).and_then(text_of),
    }
}

/// Every string of a value.
pub(crate) fn each_text<'a>(value: &'a Value, visit: &mut impl FnMut(&'a str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, visit)),
        Value::Object(members) => members.values().for_each(|member| each_text(member, visit)),
        _ => {}
    }
}

/// Every string of a value, to be changed.
pub(crate) fn each_text_mut(value: &mut Value, visit: &mut impl FnMut(&mut String)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter_mut().for_each(|item| each_text_mut(item, visit)),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| each_text_mut(member, visit)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_of_documents() {
        let object = json!({"key": "value", "n": 1.5, "none": null, "list": ["a"]});
        let field = |field| field_of(&object, Some(field));
        assert_eq!(field("key").as_deref(), Some("value"));
        assert_eq!(field("n").as_deref(), Some("1.5"));
        assert_eq!(field("list").as_deref(), Some(r#"["a"]"#));
        assert_eq!(field("none"), None);
        assert_eq!(field("other"), None);
        let text = json!(r#"{"key": "value"}"#);
        assert_eq!(field_of(&text, Some("key")).as_deref(), Some("value"));
        assert_eq!(field_of(&text, None).as_deref(), Some(r#"{"key": "value"}"#));
        assert_eq!(field_of(&json!("no JSON"), Some("key")), None);
    }
}
