//! Structured output: a schema in the strict form that OpenAI asks for (compat §5.4).

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

#[derive(Deserialize)]
struct Format {
    #[serde(rename = "type")]
    kind: String,
    schema: Map<String, Value>,
}

/// Converts `output_format` to `response_format`; `None` unless it is a JSON schema that says something.
pub(super) fn convert_format(format: &RawValue) -> Option<Value> {
    let Format { kind, schema } = serde_json::from_str(format.get()).ok()?;
    if kind != "json_schema" || schema.is_empty() {
        return None;
    }
    let mut schema = Value::Object(schema);
    make_strict(&mut schema);
    Some(json!({
        "type": "json_schema",
        "json_schema": { "name": "structured_output", "schema": schema, "strict": true },
    }))
}

/// Closes every object of a schema and requires all of its properties. Recursion is bounded by the parser's depth.
fn make_strict(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    let properties: Option<Vec<String>> = schema
        .get("properties")
        .and_then(Value::as_object)
        .map(|properties| properties.keys().cloned().collect());
    if properties.is_some() || is_object_type(schema.get("type")) {
        schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
    if let Some(mut names) = properties {
        names.sort_unstable();
        schema.insert("required".to_owned(), names.into());
    }
    for keyword in ["properties", "$defs", "definitions"] {
        if let Some(Value::Object(schemas)) = schema.get_mut(keyword) {
            schemas.values_mut().for_each(make_strict);
        }
    }
    for keyword in ["items", "anyOf", "oneOf", "allOf"] {
        match schema.get_mut(keyword) {
            Some(Value::Array(schemas)) => schemas.iter_mut().for_each(make_strict),
            Some(inner) => make_strict(inner),
            None => {}
        }
    }
}

fn is_object_type(kind: Option<&Value>) -> bool {
    match kind {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn convert(format: &Value) -> Option<Value> {
        convert_format(&RawValue::from_string(format.to_string()).unwrap())
    }

    #[test]
    fn every_object_is_closed() {
        let schema = json!({
            "type": "object",
            "properties": {
                "z": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}}}},
                "a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/thing"}]},
                "free": {"type": ["object", "null"]},
            },
            "required": ["z"],
            "$defs": {"thing": {"properties": {"n": {"type": "integer"}}, "additionalProperties": true}},
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "z": {"type": "array", "items": {"type": "object", "properties": {"k": {"type": "string"}},
                    "additionalProperties": false, "required": ["k"]}},
                "a": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/thing"}]},
                "free": {"type": ["object", "null"], "additionalProperties": false},
            },
            "required": ["a", "free", "z"],
            "additionalProperties": false,
            "$defs": {"thing": {"properties": {"n": {"type": "integer"}}, "additionalProperties": false,
                "required": ["n"]}},
        });
        let format = convert(&json!({"type": "json_schema", "schema": schema})).unwrap();
        assert_eq!(format["json_schema"]["schema"], expected);
        assert_eq!(format["json_schema"]["name"], "structured_output");
        assert_eq!(format["json_schema"]["strict"], true);
    }

    #[test]
    fn other_formats_are_dropped() {
        for format in [
            json!({"type": "json_schema", "schema": {}}),
            json!({"type": "json_schema"}),
            json!({"type": "text", "schema": {"type": "object"}}),
            json!("json_schema"),
        ] {
            assert_eq!(convert(&format), None, "{format}");
        }
    }
}
