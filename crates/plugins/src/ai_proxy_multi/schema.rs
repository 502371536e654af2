//! What `ai-proxy-multi` accepts.

use serde_json::{Value, json};
use sluice_resource::CheckScope;

use crate::ai_proxy::{call_properties, check_target, target_properties};

pub(super) fn schema() -> Value {
    let mut instance = target_properties();
    if let Value::Object(own) = json!({
        "name": { "type": "string", "minLength": 1, "maxLength": 100 },
        "weight": { "type": "integer", "minimum": 0 },
        "priority": { "type": "integer", "default": 0 },
    }) {
        instance.extend(own);
    }
    let mut properties = call_properties();
    if let Value::Object(own) = json!({
        "balancer": {
            "type": "object",
            "properties": {
                "algorithm": { "type": "string", "enum": ["roundrobin", "chash"] },
                "hash_on": {
                    "type": "string", "enum": ["vars", "header", "cookie", "consumer", "vars_combinations"],
                    "default": "vars",
                },
                "key": { "type": "string" },
            },
            "default": { "algorithm": "roundrobin" },
        },
        "instances": {
            "type": "array", "minItems": 1,
            "items": {
                "type": "object", "properties": instance, "required": ["name", "provider", "auth", "weight"],
            },
        },
        "fallback_strategy": {
            "anyOf": [
                { "type": "string", "enum": ["instance_health_and_rate_limiting", "http_429", "http_5xx"] },
                { "type": "array", "items": { "type": "string", "enum": ["rate_limiting", "http_429", "http_5xx"] } },
            ],
        },
        "fallback_http_statuses": {
            "type": "array", "minItems": 1, "uniqueItems": true,
            "items": { "type": "integer", "minimum": 400, "maximum": 599 },
        },
        "max_retries": { "type": "integer", "minimum": 0 },
        "retry_on_failure_within_ms": { "type": "integer", "minimum": 1 },
    }) {
        properties.extend(own);
    }
    json!({ "type": "object", "properties": properties, "required": ["instances"] })
}

pub(super) fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let instances: Vec<&Value> = conf
        .get("instances")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect();
    let name = |instance: &Value| {
        instance
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    for (index, instance) in instances.iter().enumerate() {
        let own = name(instance);
        if let Some(first) = instances[..index].iter().position(|other| name(other) == own) {
            return Err(format!(
                "duplicate instance name '{own}' at instances[{}] and instances[{}]",
                first + 1,
                index + 1
            ));
        }
        check_target(instance).map_err(|error| match error.as_str() {
            "invalid endpoint" => error,
            _ => format!("instance '{own}': {error}"),
        })?;
    }
    check_hash(conf.get("balancer"))
}

fn check_hash(balancer: Option<&Value>) -> Result<(), String> {
    let text = |name: &str| balancer.and_then(|b| b.get(name)).and_then(Value::as_str);
    if text("algorithm") != Some("chash") {
        return Ok(());
    }
    let Some(hash_on) = text("hash_on") else {
        return Err("must configure `hash_on` when balancer algorithm is chash".to_owned());
    };
    if hash_on != "consumer" && text("key").is_none() {
        return Err("must configure `hash_key` when balancer `hash_on` is not set to cookie".to_owned());
    }
    Ok(())
}
