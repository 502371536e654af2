//! What a configuration of `traffic-split` may say.

use serde_json::{Value, json};
use sluice_resource::{CheckScope, Expr, SchemaCompileError, upstream_schema};

pub(super) fn schema() -> Result<Value, SchemaCompileError> {
    let upstream = upstream_schema()?;
    let entry = json!({
        "type": "object",
        "properties": {
            "upstream_id": upstream["properties"]["id"],
            "upstream": upstream,
            "weight": { "type": "integer", "minimum": 0, "default": 1 },
        },
    });
    let rule = json!({
        "type": "object",
        "properties": {
            "match": {
                "type": "array",
                "items": { "type": "object", "properties": { "vars": { "type": "array" } } },
            },
            "weighted_upstreams": {
                "type": "array", "minItems": 1, "maxItems": 20, "items": entry, "default": [{ "weight": 1 }],
            },
        },
    });
    Ok(json!({ "type": "object", "properties": { "rules": { "type": "array", "items": rule } } }))
}

/// Expressions must be ones. Upstreams may come later: whether they exist is asked per request.
pub(super) fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let items = |value: Option<&Value>| value.and_then(Value::as_array).cloned().unwrap_or_default();
    for rule in items(conf.get("rules")) {
        for one in items(rule.get("match")) {
            let parsed = match one.get("vars") {
                Some(vars) => Expr::parse(vars).map(drop).map_err(|error| error.to_string()),
                None => Err("missing argument rule".to_owned()),
            };
            parsed.map_err(|error| format!("failed to validate the 'vars' expression: {error}"))?;
        }
    }
    Ok(())
}
