//! Which texts of a request are judged (compat §4.10, "Role extraction").

use sluice_llm::{PromptMessage, Protocol, TextKind, prompt_messages};

use super::CheckMode;

/// The roles whose texts are judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Roles {
    system: bool,
    user: bool,
    assistant: bool,
    tool: bool,
}

impl Roles {
    pub(crate) fn new(names: &[String]) -> Self {
        let has = |name: &str| names.iter().any(|known| known == name);
        Self {
            system: has("system"),
            user: has("user"),
            assistant: has("assistant"),
            tool: has("tool"),
        }
    }

    pub(crate) fn has(self, role: &str) -> bool {
        match role {
            "system" | "developer" => self.system,
            "user" => self.user,
            "assistant" => self.assistant,
            "tool" | "function" => self.tool,
            _ => false,
        }
    }
}

/// A stretch of one role.
struct Turn {
    role: String,
    text: String,
}

/// The texts of the roles, joined by a blank. System texts are always taken; of the others, with `last`, only those of
/// the trailing block of messages of the roles.
pub(super) fn text(protocol: Protocol, body: &[u8], roles: Roles, mode: CheckMode) -> String {
    let messages = prompt_messages(protocol, body);
    let is_system = |role: &str| matches!(role, "system" | "developer");
    let (system, turns): (Vec<_>, Vec<_>) = messages
        .iter()
        .flat_map(turns)
        .partition(|turn| is_system(&turn.role));
    let from = match mode {
        CheckMode::All => 0,
        CheckMode::Last => turns
            .iter()
            .rposition(|turn| !roles.has(&turn.role))
            .map_or(0, |last| last + 1),
    };
    let chosen = system.iter().chain(&turns[from..]);
    let texts: Vec<_> = chosen
        .filter(|turn| roles.has(&turn.role) && !turn.text.is_empty())
        .map(|turn| &*turn.text)
        .collect();
    texts.join(" ")
}

/// Results of tools inside a user's message are the tool's.
fn turns(message: &PromptMessage<'_>) -> Vec<Turn> {
    let of = |kind: TextKind| {
        let spans = message.spans.iter().filter(|span| span.kind == kind);
        spans.map(|span| &*span.text).collect::<Vec<_>>().join(" ")
    };
    let results = of(TextKind::ToolResult);
    let said = message.said();
    let mut turns = Vec::with_capacity(2);
    if !results.is_empty() {
        turns.push(Turn {
            role: "tool".to_owned(),
            text: results,
        });
    }
    if !said.is_empty() || turns.is_empty() {
        turns.push(Turn {
            role: message.role.to_string(),
            text: said,
        });
    }
    turns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(roles: &[&str], mode: CheckMode) -> String {
        let roles = Roles::new(&roles.iter().map(|role| (*role).to_owned()).collect::<Vec<_>>());
        let body = br#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},
            {"role":"assistant","content":"b"},{"role":"tool","content":"t"},{"role":"user","content":"c"}]}"#;
        text(Protocol::OpenAiChat, body, roles, mode)
    }

    #[test]
    fn roles_and_modes() {
        assert_eq!(judged(&["user"], CheckMode::All), "a c");
        assert_eq!(judged(&["user"], CheckMode::Last), "c");
        assert_eq!(judged(&["user", "tool"], CheckMode::Last), "t c");
        assert_eq!(judged(&["user", "system"], CheckMode::Last), "s c");
        assert_eq!(judged(&["assistant"], CheckMode::Last), "");
        assert_eq!(
            judged(&["user", "tool", "system", "assistant"], CheckMode::All),
            "s a b t c"
        );
    }

    #[test]
    fn results_within_a_users_message_are_the_tools() {
        let body = br#"{"messages":[{"role":"user","content":[{"type":"tool_result","content":"r"},
            {"type":"text","text":"q"}]}]}"#;
        let roles = |name: &str| Roles::new(&[name.to_owned()]);
        let of = |role| text(Protocol::AnthropicMessages, body, roles(role), CheckMode::All);
        assert_eq!(of("tool"), "r");
        assert_eq!(of("user"), "q");
    }
}
