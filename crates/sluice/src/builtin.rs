//! The standard LLM endpoints, which exist without anybody having stored a route (DESIGN §1).

use serde_json::json;
use sluice_core::BuiltinRoute;

use crate::config::BuiltinRoutesConfig;

/// Name, path patterns and methods of each.
const ENDPOINTS: [(&str, &[&str], &[&str]); 22] = [
    (
        "chat_completions",
        &["/v1/chat/completions", "/chat/completions"],
        &["POST"],
    ),
    ("completions", &["/v1/completions", "/completions"], &["POST"]),
    ("responses", &["/v1/responses", "/responses"], &["POST"]),
    ("embeddings", &["/v1/embeddings", "/embeddings"], &["POST"]),
    ("moderations", &["/v1/moderations"], &["POST"]),
    (
        "models",
        &["/v1/models", "/v1/models/*", "/models", "/models/*"],
        &["GET"],
    ),
    ("gemini_models", &["/v1beta/models", "/v1beta/models/*"], &["GET"]),
    ("ollama_tags", &["/api/tags"], &["GET"]),
    ("messages", &["/v1/messages"], &["POST"]),
    ("count_tokens", &["/v1/messages/count_tokens"], &["POST"]),
    ("gemini", &["/v1beta/models/*", "/v1/models/*"], &["POST"]),
    ("bedrock", &["/model/*"], &["POST"]),
    ("cohere_chat", &["/v2/chat"], &["POST"]),
    ("cohere_embed", &["/v2/embed"], &["POST"]),
    ("rerank", &["/v1/rerank", "/v2/rerank"], &["POST"]),
    ("ollama", &["/api/chat", "/api/generate"], &["POST"]),
    ("ollama_embed", &["/api/embed", "/api/embeddings"], &["POST"]),
    (
        "stored_responses",
        &["/v1/responses/*"],
        &["GET", "POST", "DELETE"],
    ),
    (
        "images",
        &[
            "/v1/images/generations",
            "/v1/images/edits",
            "/v1/images/variations",
        ],
        &["POST"],
    ),
    (
        "audio",
        &[
            "/v1/audio/speech",
            "/v1/audio/transcriptions",
            "/v1/audio/translations",
        ],
        &["POST"],
    ),
    ("files", &["/v1/files", "/v1/files/*"], &["GET", "POST", "DELETE"]),
    ("batches", &["/v1/batches", "/v1/batches/*"], &["GET", "POST"]),
];

/// The built-in routes that the configuration leaves on. Names in `disabled` that no route has come back as the error.
pub(crate) fn routes(config: &BuiltinRoutesConfig) -> Result<Vec<BuiltinRoute>, String> {
    if let Some(unknown) = config
        .disabled
        .iter()
        .find(|name| !ENDPOINTS.iter().any(|(known, ..)| known == name))
    {
        let known: Vec<_> = ENDPOINTS.iter().map(|(name, ..)| *name).collect();
        return Err(format!(
            "builtin_routes.disabled: `{unknown}` is none of {}",
            known.join(", ")
        ));
    }
    let on = ENDPOINTS
        .iter()
        .filter(|(name, ..)| config.enabled && !config.disabled.iter().any(|off| off == name));
    Ok(on
        .map(|(name, uris, methods)| BuiltinRoute {
            name,
            value: json!({ "uris": uris, "methods": methods, "plugins": { "key-auth": {}, "prometheus": {}, "ai-router": {} } }),
        })
        .collect())
}
