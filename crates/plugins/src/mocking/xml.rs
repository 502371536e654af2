//! JSON values as XML: an element per member, one per item of an array.

use serde_json::{Map, Value};

/// The members as elements inside `root`.
pub(super) fn write(root: &str, members: &Map<String, Value>) -> String {
    let mut text = String::new();
    element(&mut text, root, |text| content(text, members));
    text
}

fn content(text: &mut String, members: &Map<String, Value>) {
    for (name, value) in members {
        match value {
            Value::Array(items) => items.iter().for_each(|item| one(text, name, item)),
            other => one(text, name, other),
        }
    }
}

fn one(text: &mut String, name: &str, value: &Value) {
    element(text, name, |text| match value {
        Value::Object(members) => content(text, members),
        Value::Array(items) => items.iter().for_each(|item| one(text, name, item)),
        Value::String(plain) => text.push_str(&escaped(plain)),
        other => text.push_str(&other.to_string()),
    });
}

fn element(text: &mut String, name: &str, inside: impl FnOnce(&mut String)) {
    text.push_str(&format!("<{name}>"));
    inside(text);
    text.push_str(&format!("</{name}>"));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_are_elements() {
        let value = json!({ "a": 1, "b": ["x", "<&>"], "c": { "d": true }, "e": [] });
        assert_eq!(
            write("data", value.as_object().unwrap()),
            "<data><a>1</a><b>x</b><b>&lt;&amp;&gt;</b><c><d>true</d></c></data>"
        );
    }
}
