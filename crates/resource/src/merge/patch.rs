//! PATCH (compat §1.6). The result goes through the same checks as a PUT.

use serde_json::{Map, Value};

use crate::check::CheckError;

/// A stored resource with a PATCH body merged in: objects merge, everything else replaces, `null` removes.
///
/// As in RFC 7396, `null` inside an object that the resource lacks removes nothing and is not stored.
///
/// # Errors
///
/// No body, or one that is no object.
pub fn merge_patch(stored: &Value, body: Option<&Value>) -> Result<Value, CheckError> {
    let mut merged = stored.as_object().cloned().unwrap_or_default();
    match body {
        None => return Err(missing()),
        Some(Value::Object(patch)) => merge_into(&mut merged, patch),
        // An empty array is an empty object.
        Some(Value::Array(items)) if items.is_empty() => {}
        Some(_) => return Err(CheckError::refused("invalid configuration")),
    }
    Ok(merged.into())
}

fn merge_into(members: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, change) in patch {
        match (members.get_mut(name), change) {
            (_, Value::Null) => {
                members.shift_remove(name);
            }
            (Some(Value::Object(own)), Value::Object(inner)) => merge_into(own, inner),
            (_, Value::Object(inner)) => {
                let mut own = Map::new();
                merge_into(&mut own, inner);
                members.insert(name.clone(), own.into());
            }
            (_, other) => {
                members.insert(name.clone(), other.clone());
            }
        }
    }
}

/// A stored resource with the member at `path` (`upstream/nodes`) set to a PATCH body of any type. Missing
/// objects on the way are made.
///
/// # Errors
///
/// No body; something on the way that is no object.
pub fn set_at_path(stored: &Value, path: &str, body: Option<Value>) -> Result<Value, CheckError> {
    let body = body.ok_or_else(missing)?;
    let names: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    let mut changed = stored.clone();
    let mut place = &mut changed;
    for (at, name) in names.iter().enumerate() {
        if place.as_array().is_some_and(Vec::is_empty) {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else {
            // APISIX joins what is left of the path by its own counter, which is 1.
            let left = names[at.saturating_sub(1)..].join("1");
            return Err(CheckError::refused(format!("invalid sub-path: /{left}")));
        };
        place = members.entry(*name).or_insert_with(|| Value::Object(Map::new()));
    }
    *place = body;
    Ok(changed)
}

fn missing() -> CheckError {
    CheckError::refused("missing new configuration")
}
