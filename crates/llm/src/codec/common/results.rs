//! Tools in protocols that know only functions, and results that are only text.

use crate::chat::{ChatRequest, Json, Tool, ToolChoice, ToolResult};

/// What a tool said, marked where it failed and does not say so itself: there is no member for it.
pub(in crate::codec) fn result_text(result: &ToolResult) -> String {
    const MARK: &str = "ERROR: ";
    let text = result.text();
    let says_so = text
        .trim_start()
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("error"));
    if result.is_error == Some(true) && !says_so {
        format!("{MARK}{text}")
    } else {
        text
    }
}

/// The schema of a tool whose input is text, as a function of one argument.
pub(in crate::codec) fn custom_schema() -> Json {
    Json::of(&serde_json::json!({
        "type": "object", "properties": { "input": { "type": "string" } }, "required": ["input"],
    }))
}

/// The tools that the client's choice leaves, for protocols that cannot name the ones that may be called.
pub(in crate::codec) fn offered(request: &ChatRequest) -> impl Iterator<Item = &Tool> {
    let names = match &request.tool_choice {
        Some(ToolChoice::Tool(name)) => Some(std::slice::from_ref(name)),
        Some(ToolChoice::Allowed { names, .. }) => Some(names.as_slice()),
        _ => None,
    };
    request.tools.iter().filter(move |tool| {
        names.is_none_or(|names| tool.name().is_some_and(|name| names.iter().any(|it| it == name)))
    })
}
