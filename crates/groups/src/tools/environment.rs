//! Plain environment variables, as most SDKs read them.

use super::{Access, Tool, shell};

pub(super) const TOOL: Tool = Tool {
    name: "env",
    title: "Environment variables",
    file: "gateway.env",
    place: "source gateway.env",
    render,
};

fn render(access: &Access) -> String {
    let mut file = String::new();
    let mut variable = |name: &str, value: &str| file.push_str(&format!("export {name}={}\n", shell(value)));
    variable("OPENAI_BASE_URL", &access.v1());
    variable("OPENAI_API_KEY", &access.key);
    variable("ANTHROPIC_BASE_URL", &access.base_url);
    variable("ANTHROPIC_API_KEY", &access.key);
    variable("GATEWAY_API_KEY", &access.key);
    variable("GATEWAY_MODEL", &access.model);
    if let Some(model) = &access.embedding_model {
        variable("GATEWAY_EMBEDDING_MODEL", model);
    }
    file
}
