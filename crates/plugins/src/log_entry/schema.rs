//! The members that all loggers share.

use serde_json::{Map, Value, json};
use sluice_resource::Expr;

/// Members of a logger's configuration.
pub(crate) fn properties() -> Map<String, Value> {
    let expression = json!({ "type": "array", "minItems": 1, "items": { "type": "array" } });
    let size = json!({ "type": "integer", "minimum": 1, "default": 524_288 });
    members(json!({
        "log_format": { "type": "object" },
        "log_format_extra": { "type": "object" },
        "include_req_body": { "type": "boolean", "default": false },
        "include_req_body_expr": expression,
        "include_resp_body": { "type": "boolean", "default": false },
        "include_resp_body_expr": expression,
        "max_req_body_bytes": size,
        "max_resp_body_bytes": size,
    }))
}

/// Members of a logger's metadata.
pub(crate) fn metadata_properties() -> Map<String, Value> {
    members(json!({ "log_format": { "type": "object" }, "log_format_extra": { "type": "object" } }))
}

/// What the schema cannot say: the expressions must compile.
pub(crate) fn check(conf: &Value) -> Result<(), String> {
    for name in ["include_req_body_expr", "include_resp_body_expr"] {
        if let Some(expression) = conf.get(name) {
            Expr::parse(expression)
                .map_err(|error| format!("failed to validate the '{name}' expression: {error}"))?;
        }
    }
    Ok(())
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
