//! opencode.

use serde_json::json;

use super::{Access, Tool};

pub(super) const TOOL: Tool = Tool {
    name: "opencode",
    title: "opencode",
    file: "opencode.json",
    place: "the project's root or ~/.config/opencode/",
    render,
};

fn render(access: &Access) -> String {
    super::json(&json!({
        "$schema": "https://opencode.ai/config.json",
        "model": format!("gateway/{}", access.model),
        "provider": {
            "gateway": {
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
    }))
}
