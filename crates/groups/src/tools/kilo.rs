//! Kilo Code, in the form that it documents. Its root keys are checked strictly: nothing of ours may stand there.

use serde_json::{Value, json};

use super::{Access, Tool};

pub(super) const TOOL: Tool = Tool {
    name: "kilo",
    title: "Kilo Code",
    file: "kilo.jsonc",
    place: "the project's root, .kilo/ in it, or ~/.config/kilo/",
    render,
};

fn render(access: &Access) -> String {
    let mut config = json!({
        "$schema": "https://app.kilo.ai/config.json",
        "model": format!("lemonade-gateway/{}", access.model),
        "provider": {
            "lemonade-gateway": {
                "npm": "@ai-sdk/openai-compatible",
                "name": "AI Gateway",
                "options": { "baseURL": access.v1(), "apiKey": access.key },
                "models": {
                    access.model.as_str(): {
                        "name": access.label(),
                        "limit": { "context": access.context, "output": access.output },
                    },
                },
            },
        },
        "experimental": experimental(access.embedding_model.is_some()),
    });
    if let Some(model) = &access.embedding_model {
        config["indexing"] = json!({
            "enabled": true,
            "provider": "openai-compatible",
            "model": model,
            "dimension": access.dimension(),
            "vectorStore": "lancedb",
            "openai-compatible": { "baseUrl": access.v1(), "apiKey": access.key },
        });
    }
    super::json(&config)
}

/// Switches that both forms of the file have.
pub(super) fn experimental(semantic_indexing: bool) -> Value {
    json!({
        "batch_tool": false,
        "codebase_search": true,
        "openTelemetry": false,
        "continue_loop_on_deny": true,
        "semantic_indexing": semantic_indexing,
        "agent_manager_tool": true,
    })
}
