//! Schemas: Gemini's subset of OpenAPI as JSON Schema.

use serde_json::{Map, Value};

use crate::chat::Json;

/// The JSON Schema that a schema of Gemini's means: types in lower case, `nullable` as one type more, counts that are
/// written as text as numbers.
pub(super) fn to_json_schema(schema: &Json) -> Json {
    match schema.read::<Value>() {
        Some(mut value) => {
            convert(&mut value);
            Json::of(&value)
        }
        None => schema.clone(),
    }
}

/// Recursion is bounded by the parser's depth.
fn convert(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    let is_nullable = schema.remove("nullable").is_some_and(|nullable| nullable == true);
    if schema.get("type").is_some_and(|kind| kind == "TYPE_UNSPECIFIED") {
        schema.remove("type");
    }
    if let Some(kind) = schema.get_mut("type") {
        lower(kind);
    }
    if is_nullable {
        allow_null(schema);
    }
    for name in [
        "minItems",
        "maxItems",
        "minLength",
        "maxLength",
        "minProperties",
        "maxProperties",
    ] {
        let number = schema
            .get(name)
            .and_then(Value::as_str)
            .and_then(|text| text.parse::<u64>().ok());
        if let Some(number) = number {
            schema.insert(name.to_owned(), number.into());
        }
    }
    for name in ["properties", "$defs", "defs"] {
        if let Some(Value::Object(schemas)) = schema.get_mut(name) {
            schemas.values_mut().for_each(convert);
        }
    }
    for name in ["items", "anyOf", "prefixItems", "additionalProperties"] {
        match schema.get_mut(name) {
            Some(Value::Array(schemas)) => schemas.iter_mut().for_each(convert),
            Some(inner) => convert(inner),
            None => {}
        }
    }
}

fn lower(kind: &mut Value) {
    match kind {
        Value::String(kind) => kind.make_ascii_lowercase(),
        Value::Array(kinds) => kinds.iter_mut().for_each(|kind| {
            if let Value::String(kind) = kind {
                kind.make_ascii_lowercase();
            }
        }),
        _ => {}
    }
}

fn allow_null(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(kind @ Value::String(_)) => *kind = Value::Array(vec![kind.take(), "null".into()]),
        Some(Value::Array(kinds)) if !kinds.contains(&"null".into()) => kinds.push("null".into()),
        _ => {}
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum") {
        values.push(Value::Null);
    }
    if let Some(Value::Array(schemas)) = schema.get_mut("anyOf") {
        schemas.push(serde_json::json!({ "type": "null" }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openapi_becomes_json_schema() {
        let schema = Json::parse(
            r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","enum":["a"],"nullable":true},
            "list":{"type":"ARRAY","minItems":"1","items":{"anyOf":[{"type":"INTEGER"}],"nullable":true}}},
            "required":["type"],"propertyOrdering":["type","list"]}"#,
        )
        .unwrap();
        assert_eq!(
            to_json_schema(&schema).text(),
            concat!(
                r#"{"type":"object","properties":{"type":{"type":["string","null"],"enum":["a",null]},"#,
                r#""list":{"type":"array","minItems":1,"items":{"anyOf":[{"type":"integer"},{"type":"null"}]}}},"#,
                r#""required":["type"],"propertyOrdering":["type","list"]}"#
            )
        );
    }
}
