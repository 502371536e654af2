//! Kilo Code, in an older form that versions of today do not take. Its keys are kept to the letter.

use serde_json::json;

use super::{Access, Tool, kilo};

pub(super) const TOOL: Tool = Tool {
    name: "kilo-seed",
    title: "Kilo Code (older form)",
    file: "kilo.json",
    place: "the project's root, of versions that read it",
    render,
};

fn render(access: &Access) -> String {
    let mut config = json!({
        "providers": { "lemonade-gateway": { "baseUrl": access.base_url, "apiKey": access.key } },
        "models": { access.label(): { "provider": "lemonade-gateway", "modelId": access.model } },
        "experimental": kilo::experimental(access.embedding_model.is_some()),
    });
    if let Some(model) = &access.embedding_model {
        config["indexing"] = json!({
            "enabled": true,
            "provider": "openai-compatible",
            "vectorStore": "lancedb",
            "openai-compatible": { "baseUrl": access.v1(), "apiKey": access.key, "model": model },
        });
    }
    super::json(&config)
}
