//! Tools on offer.

use super::{CacheMark, Extension, Json};

/// A tool that the model may call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tool {
    /// What it is.
    pub(crate) kind: ToolKind,
    /// Whether the prompt up to here is to be cached.
    pub(crate) cache: Option<CacheMark>,
    /// What only the client's protocol says.
    pub(crate) extension: Extension,
}

/// The kinds of tools.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ToolKind {
    /// One whose arguments are JSON.
    Function {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// JSON Schema of its arguments; it has none without.
        parameters: Option<Json>,
        /// Whether the provider is to enforce the schema.
        strict: Option<bool>,
    },
    /// One whose input is text (OpenAI).
    Custom {
        /// Its name.
        name: String,
        /// What it is for.
        description: Option<String>,
        /// The form of its input as OpenAI chat says it; any text without one.
        format: Option<Json>,
    },
    /// One that the provider runs, or knows by itself: the extension has it as a whole.
    BuiltIn {
        /// Its type, for messages.
        kind: String,
    },
}

impl Tool {
    /// Its name; built-in ones have none of their own.
    pub(crate) fn name(&self) -> Option<&str> {
        match &self.kind {
            ToolKind::Function { name, .. } | ToolKind::Custom { name, .. } => Some(name),
            ToolKind::BuiltIn { .. } => None,
        }
    }
}

/// Which tools may or must be called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    /// The model decides.
    Auto,
    /// None.
    None,
    /// At least one.
    Required,
    /// This one.
    Tool(String),
    /// Only these may be called.
    Allowed {
        /// Whether one of them must be.
        required: bool,
        /// Their names.
        names: Vec<String>,
    },
}
