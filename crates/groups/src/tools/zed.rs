//! Zed: settings. The key goes into its keychain or the environment, since the file has no place for it.

use serde_json::json;

use super::{Access, Tool};

pub(super) const TOOL: Tool = Tool {
    name: "zed",
    title: "Zed",
    file: "zed-settings.json",
    place: "~/.config/zed/settings.json; the key is asked for in Zed, or read from GATEWAY_API_KEY",
    render,
};

fn render(access: &Access) -> String {
    let settings = super::json(&json!({
        "language_models": {
            "openai_compatible": {
                "gateway": {
                    "api_url": access.v1(),
                    "available_models": [{
                        "name": access.model,
                        "display_name": access.label(),
                        "max_tokens": access.context,
                        "max_output_tokens": access.output,
                        "capabilities": { "tools": true, "images": false, "parallel_tool_calls": true, "prompt_cache_key": false },
                    }],
                },
            },
        },
        "agent": { "default_model": { "provider": "gateway", "model": access.model } },
    }));
    format!("// GATEWAY_API_KEY={}\n{settings}", access.key)
}
