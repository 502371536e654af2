//! Aider: YAML; a model of an OpenAI-compatible server begins with `openai/`.

use super::{Access, Tool, quoted};

pub(super) const TOOL: Tool = Tool {
    name: "aider",
    title: "Aider",
    file: ".aider.conf.yml",
    place: "the project's root or your home folder",
    render,
};

fn render(access: &Access) -> String {
    format!(
        "model: {}\nopenai-api-base: {}\nopenai-api-key: {}\n",
        quoted(&format!("openai/{}", access.model)),
        quoted(&access.v1()),
        quoted(&access.key),
    )
}
