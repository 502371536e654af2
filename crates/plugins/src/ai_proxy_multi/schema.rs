//! What `ai-proxy-multi` accepts.

use serde_json::{Value, json};
use sluice_resource::{CheckScope, Schema, SchemaCompileError, Schemas, upstream_schema};

use crate::ai_proxy::{call_properties, check_target, target_properties};

pub(super) fn schema() -> Result<Value, SchemaCompileError> {
    let upstream = upstream_schema()?;
    let active = upstream.pointer("/properties/checks/properties/active").cloned();
    let mut instance = target_properties();
    if let Value::Object(own) = json!({
        "name": { "type": "string", "minLength": 1, "maxLength": 100 },
        "weight": { "type": "integer", "minimum": 0 },
        "priority": { "type": "integer", "default": 0 },
        "checks": {
            "type": "object", "properties": { "active": active.unwrap_or_default() }, "required": ["active"],
        },
        "examples": { "type": "array", "minItems": 1, "maxItems": 64, "items": { "type": "string" } },
        "threshold": { "type": "number", "minimum": -1, "maximum": 1 },
    }) {
        instance.extend(own);
    }
    let mut properties = call_properties();
    if let Value::Object(own) = json!({
        "balancer": {
            "type": "object",
            "properties": {
                "algorithm": { "type": "string", "enum": ["roundrobin", "chash", "semantic"] },
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
        "semantic_opts": semantic_opts(),
    }) {
        properties.extend(own);
    }
    Ok(json!({ "type": "object", "properties": properties, "required": ["instances"] }))
}

fn semantic_opts() -> Value {
    let credentials = json!({ "type": "object", "additionalProperties": { "type": "string" } });
    json!({
        "type": "object",
        "properties": {
            "embeddings": {
                "type": "object",
                "properties": {
                    "provider": { "type": "string", "enum": ["openai", "azure-openai"] },
                    "model": { "type": "string", "minLength": 1 },
                    "auth": {
                        "type": "object",
                        "properties": { "header": credentials, "query": credentials },
                        "additionalProperties": false,
                    },
                    "endpoint": { "type": "string", "minLength": 1 },
                    "timeout": { "type": "integer", "minimum": 1, "default": 3000 },
                    "ssl_verify": { "type": "boolean", "default": true },
                },
                "required": ["provider", "model", "auth"],
            },
            "threshold": { "type": "number", "minimum": -1, "maximum": 1, "default": 0 },
            "fallback": { "type": "string" },
            "debugging": { "type": "boolean", "default": false },
        },
    })
}

/// What the schema cannot say.
pub(super) fn checks()
-> Result<impl Fn(&Value, CheckScope) -> Result<(), String> + Send + Sync, SchemaCompileError> {
    let definitions = Schemas::compile()?;
    let pattern = |name: &str| Schema::compile(definitions.definition(name).cloned().unwrap_or_default());
    let keys = HashKeys {
        vars: pattern("hash_key_vars")?,
        header: pattern("hash_key_header")?,
    };
    Ok(move |conf: &Value, scope| match scope {
        CheckScope::Main => check(conf, &keys),
        CheckScope::Consumer | CheckScope::Metadata => Ok(()),
    })
}

/// What `balancer.key` may be.
struct HashKeys {
    vars: Schema,
    header: Schema,
}

fn check(conf: &Value, keys: &HashKeys) -> Result<(), String> {
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
    check_hash(conf.get("balancer"), keys)?;
    check_semantic(conf, &instances)
}

fn check_hash(balancer: Option<&Value>, keys: &HashKeys) -> Result<(), String> {
    let text = |name: &str| balancer.and_then(|b| b.get(name)).and_then(Value::as_str);
    if text("algorithm") != Some("chash") {
        return Ok(());
    }
    let Some(hash_on) = text("hash_on") else {
        return Err("must configure `hash_on` when balancer algorithm is chash".to_owned());
    };
    let pattern = match hash_on {
        "consumer" => return Ok(()),
        "vars" => Some(&keys.vars),
        "header" | "cookie" => Some(&keys.header),
        _ => None,
    };
    let Some(key) = balancer.and_then(|balancer| balancer.get("key")) else {
        return Err("must configure `hash_key` when balancer `hash_on` is not set to cookie".to_owned());
    };
    pattern.map_or(Ok(()), |pattern| {
        pattern
            .check(key)
            .map_err(|error| format!("invalid configuration: {error}"))
    })
}

fn check_semantic(conf: &Value, instances: &[&Value]) -> Result<(), String> {
    if conf.pointer("/balancer/algorithm").and_then(Value::as_str) != Some("semantic") {
        return Ok(());
    }
    let text = |place: &str| conf.pointer(place).and_then(Value::as_str);
    if conf.pointer("/semantic_opts/embeddings").is_none() {
        return Err(
            "must configure `semantic_opts.embeddings` when balancer algorithm is semantic".to_owned(),
        );
    }
    match text("/semantic_opts/embeddings/endpoint") {
        Some(endpoint) if !sluice_exchange::is_endpoint(endpoint) => {
            return Err("invalid `semantic_opts.embeddings.endpoint`".to_owned());
        }
        None if text("/semantic_opts/embeddings/provider") == Some("azure-openai") => {
            return Err(
                "must configure `semantic_opts.embeddings.endpoint` when embeddings provider is azure-openai"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let name = |instance: &Value| {
        instance
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let without = |instance: &&&Value| instance.get("examples").is_none();
    if let Some(instance) = instances.iter().find(without) {
        return Err(format!(
            "instance '{}': must configure non-empty `examples` for the semantic algorithm",
            name(instance)
        ));
    }
    match text("/semantic_opts/fallback") {
        Some(fallback) if instances.iter().all(|instance| name(instance) != fallback) => Err(format!(
            "`semantic_opts.fallback` names unknown instance '{fallback}'"
        )),
        _ => Ok(()),
    }
}
