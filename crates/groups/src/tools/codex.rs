//! Codex CLI: TOML with a provider of its own. It speaks OpenAI's Responses.

use super::{Access, Tool, quoted};

pub(super) const TOOL: Tool = Tool {
    name: "codex",
    title: "Codex CLI",
    file: ".codex/config.toml",
    place: "your home folder",
    render,
};

fn render(access: &Access) -> String {
    format!(
        r#"model = {model}
model_provider = "gateway"
model_context_window = {context}
model_max_output_tokens = {output}

[model_providers.gateway]
name = "AI Gateway"
base_url = {base}
wire_api = "responses"
http_headers = {{ Authorization = {bearer} }}
"#,
        model = quoted(&access.model),
        context = access.context,
        output = access.output,
        base = quoted(&access.v1()),
        bearer = quoted(&format!("Bearer {}", access.key)),
    )
}
