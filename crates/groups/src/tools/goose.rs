//! Goose: YAML of configuration values; its host has no `/v1`.

use super::{Access, Tool, quoted};

pub(super) const TOOL: Tool = Tool {
    name: "goose",
    title: "Goose",
    file: "goose.yaml",
    place: "~/.config/goose/config.yaml",
    render,
};

fn render(access: &Access) -> String {
    format!(
        "GOOSE_PROVIDER: openai\nGOOSE_MODEL: {}\nOPENAI_HOST: {}\nOPENAI_BASE_PATH: v1/chat/completions\nOPENAI_API_KEY: {}\n",
        quoted(&access.model),
        quoted(&access.base_url),
        quoted(&access.key),
    )
}
