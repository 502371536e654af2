//! What `ai-proxy` accepts; `ai-proxy-multi` builds on it.

use http::HeaderValue;
use serde_json::{Map, Value, json};
use sluice_llm::{Provider, ProviderConf};

/// Protocols that `override.request_body` may name.
const REQUEST_BODY_KEYS: [&str; 6] = [
    "anthropic-messages",
    "bedrock-converse",
    "openai-chat",
    "openai-embeddings",
    "openai-responses",
    "passthrough",
];

pub(super) fn schema() -> Value {
    let mut properties = target_properties();
    properties.extend(call_properties());
    properties.insert(
        "model".to_owned(),
        json!({
            "type": "object",
            "properties": {
                "provider": { "type": "string" }, "name": { "type": "string" }, "options": { "type": "object" },
            },
        }),
    );
    json!({
        "type": "object",
        "properties": properties,
        // `provider` is required, too, unless the older form has it: `check` says so.
        "required": ["auth"],
    })
}

/// Members of one target: `ai-proxy` itself, or an instance of `ai-proxy-multi` (compat §4.1.2).
pub(crate) fn target_properties() -> Map<String, Value> {
    let names: Vec<_> = Provider::all().iter().map(Provider::name).collect();
    let credentials = json!({
        "type": "object",
        "patternProperties": { "^[a-zA-Z0-9._-]+$": { "type": "string" } },
        "additionalProperties": false,
    });
    let request_body: Map<String, Value> = REQUEST_BODY_KEYS
        .iter()
        .map(|name| ((*name).to_owned(), json!({ "type": "object" })))
        .collect();
    let properties = json!({
        "provider": { "type": "string", "enum": names },
        "auth": {
            "type": "object",
            "properties": {
                "header": credentials,
                "query": credentials,
                "gcp": {
                    "type": "object",
                    "properties": {
                        "service_account_json": { "type": "string" },
                        "max_ttl": { "type": "integer", "minimum": 1 },
                        "expire_early_secs": { "type": "integer", "minimum": 0, "default": 60 },
                    },
                },
                "aws": {
                    "type": "object",
                    "properties": {
                        "access_key_id": { "type": "string", "minLength": 1 },
                        "secret_access_key": { "type": "string", "minLength": 1 },
                        "session_token": { "type": "string", "minLength": 1 },
                    },
                    "required": ["access_key_id", "secret_access_key"],
                },
            },
            "additionalProperties": false,
        },
        "options": { "type": "object", "properties": { "model": { "type": "string" } } },
        "override": {
            "type": "object",
            "properties": {
                "endpoint": { "type": "string", "minLength": 1 },
                "llm_options": {
                    "type": "object",
                    "properties": { "max_tokens": { "type": "integer", "minimum": 1 } },
                },
                "request_body": {
                    "type": "object", "properties": request_body, "additionalProperties": false,
                },
                "request_body_force_override": { "type": "boolean", "default": false },
                "keep_model": { "type": "boolean" },
                "base": { "type": "string", "pattern": "^/[^?#]*$", "maxLength": 256 },
            },
        },
        "prices": { "type": "object" },
        "provider_conf": {
            "type": "object",
            "properties": {
                "project_id": { "type": "string", "minLength": 1 },
                "region": { "type": "string", "minLength": 1 },
            },
        },
    });
    into_map(properties)
}

/// Members about calls (compat §4.2), and our own `profile` and `first_byte_hold`.
pub(crate) fn call_properties() -> Map<String, Value> {
    into_map(json!({
        "logging": {
            "type": "object",
            "properties": {
                "summaries": { "type": "boolean", "default": false },
                "payloads": { "type": "boolean", "default": false },
            },
        },
        "timeout": { "type": "integer", "minimum": 1, "maximum": 600_000, "default": 30_000 },
        "max_req_body_size": { "type": "integer", "minimum": 1, "default": 67_108_864 },
        "max_stream_duration_ms": { "type": "integer", "minimum": 1 },
        "max_response_bytes": { "type": "integer", "minimum": 1 },
        "keepalive": { "type": "boolean", "default": true },
        "keepalive_timeout": { "type": "integer", "minimum": 1000, "default": 60_000 },
        "keepalive_pool": { "type": "integer", "minimum": 1, "default": 30 },
        "streaming_flush_interval_ms": { "type": "integer", "minimum": 0, "default": 10 },
        "ssl_verify": { "type": "boolean", "default": true },
        "profile": { "type": "string", "enum": ["apisix", "native"] },
        "first_byte_hold": { "type": "integer", "minimum": 0, "maximum": 600, "default": 15 },
    }))
}

fn into_map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// A service account must be JSON; what is in it is looked at when a token is needed. References to secrets pass.
fn check_service_account(text: &str) -> Result<(), String> {
    if text.starts_with('$') {
        return Ok(());
    }
    serde_json::from_str::<Value>(text)
        .map(drop)
        .map_err(|error| format!("invalid gcp service_account_json: {error}"))
}

/// Values that cannot stand in a header. References to secrets pass.
fn check_headers(conf: &Value) -> Result<(), String> {
    let headers = conf.pointer("/auth/header").and_then(Value::as_object);
    let unusable = |value: &Value| {
        let text = value.as_str().unwrap_or_default();
        !text.starts_with('$') && HeaderValue::from_str(text).is_err()
    };
    match headers.into_iter().flatten().find(|(_, value)| unusable(value)) {
        Some((name, _)) => Err(format!("auth.header.{name} is not a valid header")),
        None => Ok(()),
    }
}

/// What the schema cannot say of a target.
pub(crate) fn check_target(conf: &Value) -> Result<(), String> {
    let name = conf
        .get("provider")
        .and_then(Value::as_str)
        .ok_or("property \"provider\" is required")?;
    let provider = Provider::find(name).map_err(|error| error.to_string())?;
    let text = |place: &str| conf.pointer(place).and_then(Value::as_str).map(str::to_owned);
    let place = ProviderConf {
        project_id: text("/provider_conf/project_id"),
        region: text("/provider_conf/region"),
    };
    let endpoint = text("/override/endpoint");
    let has_aws_keys = conf.pointer("/auth/aws").is_some();
    provider
        .check(&place, endpoint.is_some(), has_aws_keys)
        .map_err(|error| error.to_string())?;
    if let Some(account) = text("/auth/gcp/service_account_json") {
        check_service_account(&account)?;
    }
    check_headers(conf)?;
    if endpoint.is_none() && !provider.is_built_in() && provider.host(&place).is_none() {
        return Err(format!("provider {name} requires override.endpoint"));
    }
    match endpoint {
        Some(endpoint) if !sluice_exchange::is_endpoint(&endpoint) => Err("invalid endpoint".to_owned()),
        _ => Ok(()),
    }
}
