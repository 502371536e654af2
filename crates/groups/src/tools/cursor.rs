//! Cursor: the values of its settings page; its models are called from its own servers, so the gateway must be reachable
//! from there.

use super::{Access, Tool};

pub(super) const TOOL: Tool = Tool {
    name: "cursor",
    title: "Cursor",
    file: "cursor.md",
    place: "Cursor › Settings › Models › API keys",
    render,
};

fn render(access: &Access) -> String {
    format!(
        "# Cursor\n\nIn *Settings › Models*:\n\n\
         1. *Add model*: `{model}`, and switch the other models off.\n\
         2. *OpenAI API Key*: `{key}`\n\
         3. *Override OpenAI Base URL*: `{base}`\n\
         4. *Verify*.\n\n\
         Cursor calls models from its own servers: the address must be reachable from the internet.\n",
        model = access.model,
        key = access.key,
        base = access.v1(),
    )
}
