//! Fields of `ai-cache` (compat §4.13).

use serde::Deserialize;
use serde_json::{Value, json};
use sluice_resource::CheckScope;

use crate::fail_mode::FailMode;
use crate::redis_settings;

/// Where OpenAI has its embeddings.
const OPENAI_EMBEDDINGS: &str = "https://api.openai.com/v1/embeddings";

/// Seconds that exact answers are kept.
const EXACT_TTL: u64 = 3600;

pub(super) fn schema() -> Value {
    let seconds = |default: u64| json!({ "type": "integer", "minimum": 1, "default": default });
    let flag = |default: bool| json!({ "type": "boolean", "default": default });
    let name = json!({ "type": "string", "minLength": 1 });
    json!({
        "type": "object",
        "properties": {
            "layers": {
                "type": "array", "minItems": 1, "uniqueItems": true,
                "items": { "type": "string", "enum": ["exact", "semantic"] },
                "default": ["exact"],
            },
            "exact": { "type": "object", "properties": { "ttl": seconds(EXACT_TTL) } },
            "semantic": semantic(),
            "cache_key": {
                "type": "object",
                "properties": {
                    "share_across_routes": flag(false),
                    "include_consumer": flag(false),
                    "include_vars": { "type": "array", "items": name, "default": [] },
                },
            },
            "max_cache_body_size": { "type": "integer", "minimum": 0, "default": 1_048_576 },
            "cache_headers": flag(true),
            "bypass_on": {
                "type": "array", "minItems": 1,
                "items": {
                    "type": "object",
                    "properties": { "header": name, "equals": { "type": "string" } },
                    "required": ["header", "equals"],
                },
            },
            "policy": { "type": "string", "enum": ["redis", "local"], "default": "redis" },
            "fail_mode": FailMode::schema(),
        },
        "if": { "properties": { "policy": { "enum": ["redis"] } } },
        "then": redis_settings::schema("redis"),
    })
}

fn semantic() -> Value {
    let flag = json!({ "type": "boolean", "default": true });
    let timeout = json!({ "type": "integer", "minimum": 1, "default": 5000 });
    let dimensions = json!({ "type": "integer", "minimum": 1 });
    let text = json!({ "type": "string", "minLength": 1 });
    let url = json!({ "type": "string", "pattern": "^https?://" });
    let mut openai_url = url.clone();
    openai_url["default"] = json!(OPENAI_EMBEDDINGS);
    json!({
        "type": "object",
        "properties": {
            "similarity_threshold": { "type": "number", "minimum": 0, "maximum": 1, "default": 0.95 },
            "top_k": { "type": "integer", "minimum": 1, "default": 1 },
            "distance_metric": { "type": "string", "enum": ["cosine"], "default": "cosine" },
            "ttl": { "type": "integer", "minimum": 1, "default": 86_400 },
            "match": {
                "type": "object",
                "properties": {
                    "message_countback": { "type": "integer", "minimum": 1, "default": 1 },
                    "ignore_system_prompts": flag,
                    "ignore_assistant_prompts": flag,
                    "ignore_tool_prompts": flag,
                },
            },
            "embedding": {
                "type": "object",
                "properties": {
                    "openai": {
                        "type": "object",
                        "properties": {
                            "endpoint": openai_url, "model": text, "api_key": text, "dimensions": dimensions,
                            "ssl_verify": flag, "timeout": timeout,
                        },
                        "required": ["model", "api_key"],
                    },
                    "azure_openai": {
                        "type": "object",
                        "properties": {
                            "endpoint": url, "api_key": text, "dimensions": dimensions,
                            "ssl_verify": flag, "timeout": timeout,
                        },
                        "required": ["endpoint", "api_key"],
                    },
                },
                "oneOf": [{ "required": ["openai"] }, { "required": ["azure_openai"] }],
            },
            "vector_search": {
                "type": "object",
                "properties": {
                    "redis": {
                        "type": "object",
                        "properties": { "index": { "type": "string", "minLength": 1, "default": "ai-cache" } },
                    },
                },
                "required": ["redis"],
            },
        },
        "required": ["embedding"],
    })
}

/// What the schema cannot say.
pub(super) fn check(conf: &Value, scope: CheckScope) -> Result<(), String> {
    if scope != CheckScope::Main {
        return Ok(());
    }
    let layers = conf.get("layers").and_then(Value::as_array);
    let has = |layer: &str| layers.is_some_and(|layers| layers.contains(&json!(layer)));
    if !has("exact") {
        return Err(r#"property "layers" validation failed: must contain "exact""#.to_owned());
    }
    if has("semantic") && conf.get("semantic").is_none() {
        return Err(r#"property "semantic" is required when "layers" contains "semantic""#.to_owned());
    }
    let in_redis = conf.get("policy") != Some(&json!("local"));
    let semantic = conf.get("semantic");
    if in_redis && semantic.is_some_and(|semantic| semantic.get("vector_search").is_none()) {
        return Err(
            r#"property "semantic" validation failed: property "vector_search" is required"#.to_owned(),
        );
    }
    Ok(())
}

/// The configuration, defaults applied.
#[derive(Deserialize)]
pub(super) struct Config {
    pub(super) layers: Vec<Layer>,
    #[serde(default)]
    pub(super) exact: ExactConfig,
    pub(super) semantic: Option<SemanticConfig>,
    #[serde(default)]
    pub(super) cache_key: KeyConfig,
    pub(super) max_cache_body_size: usize,
    pub(super) cache_headers: bool,
    #[serde(default)]
    pub(super) bypass_on: Vec<BypassConfig>,
    pub(super) fail_mode: FailMode,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Layer {
    Exact,
    Semantic,
}

#[derive(Deserialize)]
pub(super) struct ExactConfig {
    pub(super) ttl: u64,
}

impl Default for ExactConfig {
    fn default() -> Self {
        Self { ttl: EXACT_TTL }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct KeyConfig {
    pub(super) share_across_routes: bool,
    pub(super) include_consumer: bool,
    pub(super) include_vars: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct BypassConfig {
    pub(super) header: String,
    pub(super) equals: String,
}

#[derive(Deserialize)]
pub(super) struct SemanticConfig {
    pub(super) similarity_threshold: f32,
    pub(super) top_k: i64,
    pub(super) ttl: u64,
    #[serde(default, rename = "match")]
    pub(super) matching: MatchConfig,
    pub(super) embedding: EmbeddingConfig,
    pub(super) vector_search: Option<VectorSearchConfig>,
}

/// Which messages are compared by what they mean.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct MatchConfig {
    pub(super) message_countback: usize,
    pub(super) ignore_system_prompts: bool,
    pub(super) ignore_assistant_prompts: bool,
    pub(super) ignore_tool_prompts: bool,
}

impl Default for MatchConfig {
    fn default() -> Self {
        Self {
            message_countback: 1,
            ignore_system_prompts: true,
            ignore_assistant_prompts: true,
            ignore_tool_prompts: true,
        }
    }
}

#[derive(Deserialize)]
pub(super) struct EmbeddingConfig {
    pub(super) openai: Option<ServiceConfig>,
    pub(super) azure_openai: Option<ServiceConfig>,
}

#[derive(Deserialize)]
pub(super) struct ServiceConfig {
    pub(super) endpoint: String,
    pub(super) model: Option<String>,
    pub(super) api_key: String,
    pub(super) dimensions: Option<u64>,
    pub(super) ssl_verify: bool,
    pub(super) timeout: u64,
}

#[derive(Deserialize)]
pub(super) struct VectorSearchConfig {
    pub(super) redis: IndexConfig,
}

#[derive(Deserialize)]
pub(super) struct IndexConfig {
    pub(super) index: String,
}
