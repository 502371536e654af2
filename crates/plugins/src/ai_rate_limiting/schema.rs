//! What `ai-rate-limiting` accepts.

use serde_json::{Value, json};
use sluice_resource::CheckScope;

use super::cost::CostExpr;
use crate::limit_policy;
use crate::redis_settings;

pub(super) fn schema() -> Value {
    let number = json!({ "oneOf": [{ "type": "integer", "exclusiveMinimum": 0 }, { "type": "string" }] });
    let instance = json!({
        "type": "object",
        "properties": {
            "name": { "type": "string" },
            "limit": { "oneOf": [{ "type": "integer", "minimum": 1 }, { "type": "string" }] },
            "time_window": { "oneOf": [{ "type": "integer", "minimum": 1 }, { "type": "string" }] },
        },
        "required": ["name", "limit", "time_window"],
    });
    let rule = json!({
        "type": "object",
        "properties": {
            "count": number, "time_window": number,
            "key": { "type": "string" }, "header_prefix": { "type": "string" },
        },
        "required": ["count", "time_window", "key"],
    });
    let schema = json!({
        "type": "object",
        "properties": {
            "limit": number,
            "time_window": number,
            "show_limit_quota_header": { "type": "boolean", "default": true },
            "limit_strategy": {
                "type": "string",
                // `token` is what older articles write for `total_tokens`.
                "enum": ["total_tokens", "prompt_tokens", "completion_tokens", "expression", "token"],
                "default": "total_tokens",
            },
            "cost_expr": { "type": "string", "minLength": 1 },
            "instances": { "type": "array", "minItems": 1, "items": instance },
            "rejected_code": { "type": "integer", "minimum": 200, "maximum": 599, "default": 503 },
            "rejected_msg": { "type": "string", "minLength": 1 },
            "rules": { "type": "array", "items": rule },
            "allow_degradation": { "type": "boolean", "default": false },
            // Without a default, which would show in what is stored.
            "persist": { "type": "boolean" },
        },
        "dependencies": { "limit": ["time_window"], "time_window": ["limit"] },
        "oneOf": [
            { "anyOf": [{ "required": ["limit", "time_window"] }, { "required": ["instances"] }] },
            { "required": ["rules"] },
        ],
    });
    limit_policy::with_policy(schema, &["redis", "redis-cluster", "redis-sentinel"], &json!({}))
}

pub(super) fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    redis_settings::check(conf)?;
    if conf.get("limit_strategy").and_then(Value::as_str) != Some("expression") {
        return Ok(());
    }
    match conf.get("cost_expr").and_then(Value::as_str) {
        None => Err("cost_expr is required when limit_strategy is 'expression'".to_owned()),
        Some(source) => CostExpr::parse(source)
            .map(drop)
            .map_err(|error| format!("invalid cost_expr: {error}")),
    }
}
