//! Config files of coding tools: one module per tool, each a template over the same facts.

mod aider;
mod claude_code;
mod cline;
mod codex;
mod continue_dev;
mod cursor;
mod environment;
mod goose;
mod kilo;
mod kilo_seed;
mod open_webui;
mod opencode;
mod snippets;
#[cfg(test)]
mod tests;
mod zed;

use serde_json::Value;

/// What a file says: where the gateway is, with which key, and what it serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Scheme, host and port, without a path: `http://1.2.3.4:9080`.
    pub base_url: String,
    /// The key.
    pub key: String,
    /// Model of chats.
    pub model: String,
    /// Most tokens of a conversation.
    pub context: u64,
    /// Most tokens of an answer.
    pub output: u64,
    /// Model of embeddings, if there is one.
    pub embedding_model: Option<String>,
    /// Numbers per embedding, where they were measured.
    pub dimension: Option<u64>,
}

/// Most tokens of a conversation where nobody knows better.
pub const CONTEXT: u64 = 262_144;
/// Most tokens of an answer where nobody knows better.
pub const OUTPUT: u64 = 4096;
/// Numbers per embedding where nobody knows better.
const DIMENSION: u64 = 1024;

impl Access {
    /// The base of APIs that have `/v1` in their base.
    fn v1(&self) -> String {
        format!("{}/v1", self.base_url)
    }

    /// The model without the prefix that its server gives to models of users.
    fn label(&self) -> &str {
        self.model.strip_prefix("user.").unwrap_or(&self.model)
    }

    fn dimension(&self) -> u64 {
        self.dimension.unwrap_or(DIMENSION)
    }
}

/// A tool that can be set up.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What commands call it.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Name of the file.
    pub file: &'static str,
    /// Where the tool looks for it, for people.
    pub place: &'static str,
    render: fn(&Access) -> String,
}

impl Tool {
    /// All of them.
    pub const ALL: [Self; 14] = [
        kilo::TOOL,
        kilo_seed::TOOL,
        opencode::TOOL,
        claude_code::TOOL,
        codex::TOOL,
        cline::TOOL,
        continue_dev::TOOL,
        aider::TOOL,
        goose::TOOL,
        zed::TOOL,
        cursor::TOOL,
        open_webui::TOOL,
        snippets::TOOL,
        environment::TOOL,
    ];

    /// The tool of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name == name)
    }

    /// The file, ready to be used.
    #[must_use]
    pub fn render(&self, access: &Access) -> String {
        (self.render)(access)
    }
}

/// JSON with indents and a line feed.
fn json(value: &Value) -> String {
    format!("{value:#}\n")
}

/// A text in double quotes, as JSON, YAML and TOML all read it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A text in single quotes, as a shell reads it.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
