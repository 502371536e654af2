//! Tools and their names (compat §5.4).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sluice_wire::sha256_hex;

use crate::lenient::Text;

/// Longest tool name that OpenAI accepts.
const MAX_NAME: usize = 64;

/// What is kept of a name that has to change, before `_` and eight digits of its hash.
const KEPT: usize = 55;

/// Types of Anthropic's own tools, which no other provider runs.
const BUILT_IN: [&str; 5] = [
    "computer_",
    "bash_",
    "text_editor_",
    "web_search",
    "code_execution_",
];

/// The names that had to change on the way to the provider.
#[derive(Clone, Debug, Default)]
pub(super) struct ToolNames {
    /// Name sent, name given by the client.
    changed: Vec<(String, String)>,
}

impl ToolNames {
    /// The name to send for a client's name. Characters are counted and replaced as bytes, as APISIX does.
    pub(super) fn send<'a>(&mut self, original: Cow<'a, str>) -> Cow<'a, str> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if original.len() <= MAX_NAME && original.bytes().all(allowed) {
            return original;
        }
        let replaced = original
            .bytes()
            .map(|byte| if allowed(byte) { char::from(byte) } else { '_' });
        let mut sent: String = replaced.take(KEPT).collect();
        sent.push('_');
        sent.push_str(&sha256_hex(original.as_bytes())[..8]);
        if !self.changed.iter().any(|(known, _)| *known == sent) {
            self.changed.push((sent.clone(), original.into_owned()));
        }
        Cow::Owned(sent)
    }

    /// The client's name for a name that the provider used.
    pub(super) fn restore<'a>(&'a self, sent: &'a str) -> &'a str {
        self.changed
            .iter()
            .find(|(known, _)| known == sent)
            .map_or(sent, |(_, original)| original)
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Tool<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
    #[serde(default)]
    name: Text<'a>,
    description: Option<&'a RawValue>,
    input_schema: Option<&'a RawValue>,
}

/// A tool as OpenAI takes it.
#[derive(Serialize)]
pub(super) struct ChatTool<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<&'a RawValue>,
}

/// Converts `tools`; tools without a name and Anthropic's own are dropped.
pub(super) fn convert_tools<'a>(tools: Option<&'a RawValue>, names: &mut ToolNames) -> Vec<ChatTool<'a>> {
    let tools: Vec<&'a RawValue> = tools
        .and_then(|tools| serde_json::from_str(tools.get()).ok())
        .unwrap_or_default();
    let tools = tools
        .into_iter()
        .filter_map(|tool| serde_json::from_str::<Tool<'a>>(tool.get()).ok());
    tools.filter_map(|tool| convert_tool(tool, names)).collect()
}

fn convert_tool<'a>(tool: Tool<'a>, names: &mut ToolNames) -> Option<ChatTool<'a>> {
    let kind = tool.kind.as_str().unwrap_or_default();
    if BUILT_IN.iter().any(|prefix| kind.starts_with(prefix)) {
        return None;
    }
    let name = tool.name.0.filter(|name| !name.is_empty())?;
    let function = Function {
        name: names.send(name),
        description: tool.description,
        parameters: tool.input_schema,
    };
    Some(ChatTool {
        kind: "function",
        function,
    })
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ToolChoice<'a> {
    #[serde(default, rename = "type")]
    kind: Text<'a>,
    #[serde(default)]
    name: Text<'a>,
    disable_parallel_tool_use: Option<&'a RawValue>,
}

/// `tool_choice` as OpenAI takes it.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum ChatToolChoice<'a> {
    Mode(&'static str),
    Named {
        #[serde(rename = "type")]
        kind: &'static str,
        function: NamedFunction<'a>,
    },
}

#[derive(Serialize)]
pub(super) struct NamedFunction<'a> {
    name: Cow<'a, str>,
}

/// Converts `tool_choice`, and says whether calls may only come one at a time.
pub(super) fn convert_tool_choice<'a>(
    choice: Option<&'a RawValue>,
    names: &mut ToolNames,
) -> (Option<ChatToolChoice<'a>>, bool) {
    let Some(choice) = choice.and_then(|choice| serde_json::from_str::<ToolChoice<'a>>(choice.get()).ok())
    else {
        return (None, false);
    };
    let one_at_a_time = choice
        .disable_parallel_tool_use
        .is_some_and(|disable| disable.get() == "true");
    let converted = match (choice.kind.as_str(), choice.name.0) {
        (Some("auto"), _) => Some(ChatToolChoice::Mode("auto")),
        (Some("any"), _) => Some(ChatToolChoice::Mode("required")),
        (Some("none"), _) => Some(ChatToolChoice::Mode("none")),
        (Some("tool"), Some(name)) => Some(ChatToolChoice::Named {
            kind: "function",
            function: NamedFunction {
                name: names.send(name),
            },
        }),
        _ => None,
    };
    (converted, one_at_a_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_fit_are_left_alone() {
        let mut names = ToolNames::default();
        for name in ["get_weather", "a-b", &"x".repeat(64)] {
            assert_eq!(names.send(name.into()), name);
            assert_eq!(names.restore(name), name);
        }
    }

    #[test]
    fn names_that_do_not_fit_are_hashed_and_restored() {
        let mut names = ToolNames::default();
        let long = "mcp__server__".to_owned() + &"tool".repeat(20);
        for name in ["mcp.read file", "naïve", &long] {
            let sent = names.send(name.into()).into_owned();
            assert!(sent.len() <= MAX_NAME);
            assert!(sent.ends_with(&sha256_hex(name.as_bytes())[..8]), "{sent}");
            assert_eq!(names.restore(&sent), name);
            assert_eq!(names.send(name.into()), sent);
        }
        assert!(names.send("naïve".into()).starts_with("na__ve_"));
        assert_eq!(names.send(long.as_str().into()).len(), MAX_NAME);
    }
}
