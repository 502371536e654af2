//! Cline: the values of its provider dialog, since it keeps its settings in the editor.

use serde_json::json;

use super::{Access, Tool};

pub(super) const TOOL: Tool = Tool {
    name: "cline",
    title: "Cline",
    file: "cline.json",
    place: "Cline's settings in the editor: provider “OpenAI Compatible”, with these values",
    render,
};

fn render(access: &Access) -> String {
    super::json(&json!({
        "apiProvider": "openai",
        "openAiBaseUrl": access.v1(),
        "openAiApiKey": access.key,
        "openAiModelId": access.model,
        "openAiModelInfo": {
            "contextWindow": access.context,
            "maxTokens": access.output,
            "supportsImages": false,
        },
    }))
}
