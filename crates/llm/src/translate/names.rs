//! Names of tools and ids of calls, as the provider takes them and as the client knows them.

use std::collections::HashMap;

use sluice_wire::sha256_hex;

use crate::chat::{ChatAnswer, ChatEvent, ChatRequest, PartKind, PartStart, ToolChoice, ToolKind};
use crate::protocol::Protocol;
use crate::provider::{CallIds, Quirks};

/// Names that had to be changed for the provider, with those that the client knows. Ids need not be changed back: what
/// the provider makes fits.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    back: HashMap<String, String>,
}

/// Longest name of a tool that every protocol takes (OpenAI, Anthropic, Gemini, Bedrock).
const NAME_MAX: usize = 64;
/// Longest id of a call that is taken for granted.
const ID_MAX: usize = 64;

impl Names {
    /// Makes the names of tools and ids of calls in a request fit for a provider.
    pub(super) fn fit(request: &mut ChatRequest, target: Protocol, quirks: &Quirks) -> Self {
        let mut names = Self::default();
        let ids = match target {
            Protocol::AnthropicMessages | Protocol::BedrockConverse => CallIds::Word,
            _ => quirks.call_ids,
        };
        for tool in &mut request.tools {
            if let ToolKind::Function { name, .. } | ToolKind::Custom { name, .. } = &mut tool.kind {
                names.fit_name(name, target);
            }
        }
        match &mut request.tool_choice {
            Some(ToolChoice::Tool(name)) => names.fit_name(name, target),
            Some(ToolChoice::Allowed { names: allowed, .. }) => {
                allowed.iter_mut().for_each(|name| names.fit_name(name, target));
            }
            _ => {}
        }
        for part in request.turns.iter_mut().flat_map(|turn| &mut turn.parts) {
            match &mut part.kind {
                PartKind::ToolCall(call) => {
                    names.fit_name(&mut call.name, target);
                    fit_id(&mut call.id, ids);
                }
                PartKind::ToolResult(result) => {
                    if let Some(name) = &mut result.name {
                        names.fit_name(name, target);
                    }
                    fit_id(&mut result.call_id, ids);
                }
                _ => {}
            }
        }
        names
    }

    /// Gives the tools that an answer calls the names that the client knows.
    pub(super) fn restore_answer(&self, answer: &mut ChatAnswer) {
        if self.back.is_empty() {
            return;
        }
        for part in answer.choices.iter_mut().flat_map(|choice| &mut choice.parts) {
            if let PartKind::ToolCall(call) = &mut part.kind {
                self.restore(&mut call.name);
            }
        }
    }

    /// The same for an event.
    pub(super) fn restore_event(&self, event: &mut ChatEvent) {
        if self.back.is_empty() {
            return;
        }
        if let ChatEvent::PartStart {
            start: PartStart::ToolCall { name, .. },
            ..
        } = event
        {
            self.restore(name);
        }
    }

    fn restore(&self, name: &mut String) {
        if let Some(known) = self.back.get(name) {
            name.clone_from(known);
        }
    }

    fn fit_name(&mut self, name: &mut String, target: Protocol) {
        if fits(name, target) {
            return;
        }
        let mut fitted: String = name
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '_' || c == '-' {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        if starts_badly(&fitted, target) {
            fitted.insert(0, '_');
        }
        // Two names must not become one.
        let digest = sha256_hex(name.as_bytes());
        fitted.truncate(NAME_MAX - 9);
        fitted.push('_');
        fitted.push_str(digest.get(..8).unwrap_or_default());
        let known = std::mem::replace(name, fitted.clone());
        self.back.insert(fitted, known);
    }
}

fn fits(name: &str, target: Protocol) -> bool {
    let allowed = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || byte == b'_'
            || byte == b'-'
            || (target == Protocol::GeminiGenerate && matches!(byte, b'.' | b':'))
    };
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(allowed) && !starts_badly(name, target)
}

/// Gemini's names begin with a letter or an underscore.
fn starts_badly(name: &str, target: Protocol) -> bool {
    target == Protocol::GeminiGenerate
        && !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
}

/// Gives a call an id that the provider takes, the same for the same id.
fn fit_id(id: &mut String, ids: CallIds) {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let (fits, length) = match ids {
        CallIds::Any => (true, 0),
        CallIds::Word => (!id.is_empty() && id.len() <= ID_MAX && id.bytes().all(word), 32),
        CallIds::Nine => (
            id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            9,
        ),
    };
    if !fits {
        let digest = sha256_hex(id.as_bytes());
        *id = digest.get(..length).unwrap_or(&digest).to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Extension, Tool};

    fn tool(name: &str) -> Tool {
        Tool {
            kind: ToolKind::Function {
                name: name.to_owned(),
                description: None,
                parameters: None,
                strict: None,
            },
            cache: None,
            extension: Extension::of(Protocol::OpenAiChat),
        }
    }

    #[test]
    fn odd_names_go_and_come_back() {
        let mut request = ChatRequest::new(Extension::of(Protocol::OpenAiChat));
        let long = "x".repeat(100);
        request.tools = ["plain", "mcp.server/tool", "mcp_server_tool", &long, "9lives"]
            .map(tool)
            .to_vec();
        request.tool_choice = Some(ToolChoice::Tool("mcp.server/tool".to_owned()));
        let names = Names::fit(&mut request, Protocol::GeminiGenerate, &Quirks::NONE);
        let sent: Vec<_> = request.tools.iter().filter_map(|tool| tool.name()).collect();
        assert_eq!(sent[0], "plain");
        assert!(sent[1].starts_with("mcp_server_tool_") && sent[1] != sent[2]);
        assert!(sent[3].len() <= NAME_MAX);
        assert!(sent[4].starts_with("_9lives"));
        assert_eq!(request.tool_choice, Some(ToolChoice::Tool(sent[1].to_owned())));
        let mut name = sent[1].to_owned();
        names.restore(&mut name);
        assert_eq!(name, "mcp.server/tool");
    }

    #[test]
    fn ids_that_do_not_fit_are_replaced_alike_everywhere() {
        let fitted = |id: &str, ids| {
            let mut id = id.to_owned();
            fit_id(&mut id, ids);
            id
        };
        assert_eq!(fitted("call_1", CallIds::Word), "call_1");
        assert_eq!(fitted("a.b:c", CallIds::Word), fitted("a.b:c", CallIds::Word));
        assert_ne!(fitted("a.b:c", CallIds::Word), fitted("a.b:d", CallIds::Word));
        assert_eq!(fitted("call_1", CallIds::Nine).len(), 9);
        assert_eq!(fitted("a b", CallIds::Any), "a b");
    }
}
