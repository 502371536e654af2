//! Values that a JSON schema describes.

use rand::RngExt;
use serde_json::{Map, Value, json};

/// Why there is none.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the property {0} of the schema has no type")]
pub(super) struct Untyped(String);

/// An object of what the schema's properties say, whatever its own type. Properties of a type that is not known are
/// left out, and so are arrays that say nothing of their items.
pub(super) fn of(schema: &Value) -> Result<Map<String, Value>, Untyped> {
    let mut sample = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        if let Some(value) = value_of(name, property)? {
            sample.insert(name.clone(), value);
        }
    }
    Ok(sample)
}

fn value_of(name: &str, schema: &Value) -> Result<Option<Value>, Untyped> {
    let untyped = || Untyped(name.to_owned());
    let kind = schema.get("type").and_then(Value::as_str).ok_or_else(untyped)?;
    let example = schema.get("example");
    let mut random = rand::rng();
    let value = match kind {
        "string" => match example {
            Some(Value::String(text)) => json!(text),
            _ => {
                let length = random.random_range(1..=10);
                let letters = (0..length).map(|_| char::from(random.random_range(b'a'..=b'z')));
                json!(letters.collect::<String>())
            }
        },
        "number" => match example {
            Some(Value::Number(number)) => json!(number),
            _ => json!(random.random_range(0.0..10_000.0)),
        },
        "integer" => match example {
            Some(Value::Number(number)) => rounded_down(number),
            _ => json!(random.random_range(1..=10_000)),
        },
        "boolean" => match example {
            Some(Value::Bool(truth)) => json!(truth),
            _ => json!(random.random_bool(0.5)),
        },
        "array" => match (example, schema.get("items")) {
            (Some(Value::Array(items)), _) => json!(items),
            (_, Some(items)) => {
                let values = (0..random.random_range(1..=3)).map(|_| value_of(name, items));
                let values: Vec<_> = values.collect::<Result<_, _>>()?;
                values.into_iter().flatten().collect()
            }
            (_, None) => return Ok(None),
        },
        "object" => match example {
            Some(Value::Object(members)) => json!(members),
            _ => Value::Object(of(schema)?),
        },
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn rounded_down(number: &serde_json::Number) -> Value {
    match number.as_f64().map(f64::floor) {
        // What an integer cannot hold stays as it is.
        Some(floor) if !number.is_i64() && !number.is_u64() && floor.abs() < 9e15 => json!(floor as i64),
        _ => json!(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(properties: Value) -> Value {
        Value::Object(of(&json!({ "type": "array", "properties": properties })).unwrap())
    }

    #[test]
    fn examples_of_the_right_type_count() {
        let schema = json!({
            "s": { "type": "string", "example": "x" },
            "n": { "type": "number", "example": 1.5 },
            "i": { "type": "integer", "example": -1.5 },
            "b": { "type": "boolean", "example": false },
            "a": { "type": "array", "example": [1] },
            "o": { "type": "object", "example": { "k": null } },
            "none": { "type": "null", "example": null },
            "empty": { "type": "array" },
        });
        assert_eq!(
            sample(schema),
            json!({ "s": "x", "n": 1.5, "i": -2, "b": false, "a": [1], "o": { "k": null } })
        );
    }

    #[test]
    fn the_rest_is_random_within_bounds() {
        let schema = json!({
            "s": { "type": "string", "example": 1 },
            "n": { "type": "number", "example": "1" },
            "i": { "type": "integer" },
            "b": { "type": "boolean", "example": 1 },
            "a": { "type": "array", "items": { "type": "integer", "example": 7 } },
            "o": { "type": "object", "properties": { "s": { "type": "string", "example": "deep" } } },
        });
        for _ in 0..200 {
            let sample = sample(schema.clone());
            let text = sample["s"].as_str().unwrap();
            assert!((1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase()));
            assert!((0.0..=10_000.0).contains(&sample["n"].as_f64().unwrap()));
            assert!((1..=10_000).contains(&sample["i"].as_i64().unwrap()));
            assert!(sample["b"].is_boolean());
            let items = sample["a"].as_array().unwrap();
            assert!((1..=3).contains(&items.len()) && items.iter().all(|item| *item == 7));
            assert_eq!(sample["o"], json!({ "s": "deep" }));
        }
    }

    #[test]
    fn a_property_needs_a_type() {
        let schema = json!({ "properties": { "o": { "type": "object", "properties": { "p": {} } } } });
        assert_eq!(of(&schema), Err(Untyped("p".to_owned())));
        assert_eq!(of(&json!({ "type": "string" })), Ok(Map::new()));
    }
}
