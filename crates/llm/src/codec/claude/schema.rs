//! Structured output: schemas in the form that Claude's providers enforce, and as an instruction where they do not.

use serde_json::{Map, Value};

use crate::chat::{Json, OutputFormat};

/// Constraints that are refused in an enforced schema.
const REFUSED: [&str; 11] = [
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "minProperties",
    "maxProperties",
];

/// A schema that can be enforced: every object is closed, and constraints that are refused stand in the descriptions
/// instead. Schemas that are so already stay byte for byte.
pub(in crate::codec) fn closed_schema(schema: &Json) -> Json {
    let Some(mut value) = schema.read::<Value>() else {
        return schema.clone();
    };
    if close(&mut value) {
        Json::of(&value)
    } else {
        schema.clone()
    }
}

/// Closes a schema and those within; says whether that changed anything. The parser bounds the depth.
fn close(schema: &mut Value) -> bool {
    let Value::Object(schema) = schema else {
        return false;
    };
    let mut changed = describe_refused(schema);
    let is_object = schema.contains_key("properties")
        || match schema.get("type") {
            Some(Value::String(kind)) => kind == "object",
            Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
            _ => false,
        };
    if is_object && matches!(schema.get("additionalProperties"), None | Some(Value::Bool(true))) {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
        changed = true;
    }
    for keyword in ["properties", "$defs", "definitions"] {
        if let Some(Value::Object(schemas)) = schema.get_mut(keyword) {
            for schema in schemas.values_mut() {
                changed |= close(schema);
            }
        }
    }
    for keyword in ["items", "anyOf", "oneOf", "allOf"] {
        match schema.get_mut(keyword) {
            Some(Value::Array(schemas)) => {
                for schema in schemas {
                    changed |= close(schema);
                }
            }
            Some(inner) => changed |= close(inner),
            None => {}
        }
    }
    changed
}

/// Moves constraints that are refused to the description.
fn describe_refused(schema: &mut Map<String, Value>) -> bool {
    let moved: Vec<String> = REFUSED
        .iter()
        .filter_map(|name| Some(format!("{name}: {}", schema.shift_remove(*name)?)))
        .collect();
    if moved.is_empty() {
        return false;
    }
    let moved = format!("{{{}}}", moved.join(", "));
    let described = match schema.get("description").and_then(Value::as_str) {
        Some(before) => format!("{before}\n\n{moved}"),
        None => moved,
    };
    schema.insert("description".to_owned(), described.into());
    true
}

/// The sentence that asks for a form of answer which the provider does not enforce; `None` for plain text.
pub(in crate::codec) fn instruction(format: &OutputFormat) -> Option<String> {
    match format {
        OutputFormat::Text => None,
        OutputFormat::JsonObject => {
            Some("Answer with one JSON object and nothing else, without Markdown fences.".to_owned())
        }
        OutputFormat::JsonSchema {
            schema, description, ..
        } => {
            let mut text = String::from(
                "Answer with one JSON document and nothing else, without Markdown fences. It must be valid under this \
                 JSON Schema:\n",
            );
            text.push_str(schema.text());
            if let Some(description) = description {
                text.push_str("\nWhat it is for: ");
                text.push_str(description);
            }
            Some(text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_closed_and_refused_constraints_described() {
        let schema = r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1,"description":"count"},"o":{"type":"array","items":{"type":"object"}}}}"#;
        assert_eq!(
            closed_schema(&Json::parse(schema).unwrap()).text(),
            r#"{"type":"object","properties":{"n":{"type":"integer","description":"count\n\n{minimum: 1}"},"o":{"type":"array","items":{"type":"object","additionalProperties":false}}},"additionalProperties":false}"#
        );
        let closed = r#"{ "type": "object", "additionalProperties": false, "x": 1.50 }"#;
        assert_eq!(closed_schema(&Json::parse(closed).unwrap()).text(), closed);
    }
}
