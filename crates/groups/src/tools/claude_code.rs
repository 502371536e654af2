//! Claude Code: settings with environment variables. It speaks Anthropic's Messages; its base has no `/v1`.

use serde_json::json;

use super::{Access, Tool};

pub(super) const TOOL: Tool = Tool {
    name: "claude-code",
    title: "Claude Code",
    file: ".claude/settings.json",
    place: "the project's root, or your home folder",
    render,
};

fn render(access: &Access) -> String {
    super::json(&json!({
        "env": {
            "ANTHROPIC_BASE_URL": access.base_url,
            "ANTHROPIC_AUTH_TOKEN": access.key,
            "ANTHROPIC_MODEL": access.model,
            "ANTHROPIC_SMALL_FAST_MODEL": access.model,
            "CLAUDE_CODE_MAX_OUTPUT_TOKENS": access.output.to_string(),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
    }))
}
