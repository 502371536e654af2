//! Tools and the choice among them, written for a provider.

use super::PROTOCOL;
use super::items_out::Target;
use super::marks;
use crate::chat::{Json, Object, Tool, ToolChoice, ToolKind, array};

/// Writes `tools`. Tools of one namespace that stand together are put into it again. Built-in tools of other protocols
/// are left out unless this one has the same.
pub(super) fn write(tools: &[Tool], target: &mut Target<'_>) -> Option<Json> {
    let mut written: Vec<Json> = Vec::with_capacity(tools.len());
    let mut open: Option<(&Json, Vec<Json>)> = None;
    for tool in tools {
        target.drops.note_if(tool.cache.is_some(), "cache_control");
        tool_drops(tool, target);
        let Some(json) = write_tool(tool) else {
            continue;
        };
        let namespace = tool.extension.kept(PROTOCOL, marks::NAMESPACE);
        if let (Some((members, inner)), Some(namespace)) = (&mut open, namespace)
            && *members == namespace
        {
            inner.push(json);
            continue;
        }
        written.extend(open.take().map(close));
        match namespace {
            Some(members) => open = Some((members, vec![json])),
            None => written.push(json),
        }
    }
    written.extend(open.map(close));
    (!written.is_empty()).then(|| array(&written))
}

fn close((members, inner): (&Json, Vec<Json>)) -> Json {
    let mut namespace = Object::new();
    marks::put_kept(&mut namespace, members);
    namespace.set("tools", &array(&inner)).finish()
}

fn tool_drops(tool: &Tool, target: &mut Target<'_>) {
    match &tool.kind {
        ToolKind::BuiltIn { kind } if tool.extension.protocol() != PROTOCOL => {
            if !is_web_search(kind) {
                target.drops.note(format!("tools.{kind}"));
            }
        }
        _ => tool.extension.drop_unless(PROTOCOL, "tools.", target.drops),
    }
}

fn write_tool(tool: &Tool) -> Option<Json> {
    let is_own = tool.extension.protocol() == PROTOCOL;
    let object = match &tool.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => {
            // Other protocols enforce schemas only if told to, this one unless told not to.
            let strict = strict.or((!is_own).then_some(false));
            let none = Object::new().set("type", "object").set("properties", &Nothing {});
            let parameters = match parameters {
                None if !is_own => Some(none.finish()),
                parameters => parameters.clone(),
            };
            named("function", tool, name, description.as_ref())
                .set_some("parameters", parameters)
                .set_some("strict", strict)
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } => named("custom", tool, name, description.as_ref())
            .set_some("format", format.as_ref().map(flat_format)),
        ToolKind::BuiltIn { .. } if is_own => Object::new(),
        ToolKind::BuiltIn { kind } if is_web_search(kind) => Object::new().set("type", "web_search"),
        ToolKind::BuiltIn { .. } => return None,
    };
    Some(object.extend(&tool.extension, PROTOCOL).finish())
}

/// `{}`
#[derive(serde::Serialize)]
struct Nothing {}

fn named(kind: &str, tool: &Tool, name: &str, description: Option<&String>) -> Object {
    let object = Object::new().set("type", kind);
    let object = match tool.extension.kept(PROTOCOL, marks::NAME) {
        Some(kept) => object.set("name", kept),
        None => object.set("name", name),
    };
    object.set_some("description", description)
}

/// Anthropic's (`web_search_20250305` and later) and Gemini's web search.
fn is_web_search(kind: &str) -> bool {
    kind.starts_with("web_search") || matches!(kind, "googleSearch" | "google_search")
}

/// A custom tool's form as this protocol says it: a grammar's members stand beside its type.
fn flat_format(format: &Json) -> Json {
    let mut object = Object::new();
    let flat = format.read::<Format>().and_then(|format| format.grammar);
    match flat {
        Some(grammar) => {
            object.put("type", "grammar");
            marks::put_kept(&mut object, &grammar);
            object.finish()
        }
        None => format.clone(),
    }
}

#[derive(serde::Deserialize)]
struct Format {
    grammar: Option<Json>,
}

/// Writes `tool_choice`, given the tools on offer.
pub(super) fn write_choice(choice: &ToolChoice, tools: &[Tool]) -> Json {
    match choice {
        ToolChoice::Auto => Json::of("auto"),
        ToolChoice::None => Json::of("none"),
        ToolChoice::Required => Json::of("required"),
        ToolChoice::Tool(name) => chosen(name, tools),
        ToolChoice::Allowed { required, names } => {
            let allowed: Vec<_> = names.iter().map(|name| chosen(name, tools)).collect();
            Object::new()
                .set("type", "allowed_tools")
                .set("mode", if *required { "required" } else { "auto" })
                .set("tools", &array(&allowed))
                .finish()
        }
    }
}

fn chosen(name: &str, tools: &[Tool]) -> Json {
    let tool = tools.iter().find(|tool| tool.name() == Some(name));
    let is_custom = tool.is_some_and(|tool| matches!(tool.kind, ToolKind::Custom { .. }));
    let object = Object::new().set("type", if is_custom { "custom" } else { "function" });
    let kept = tool.and_then(|tool| tool.extension.kept(PROTOCOL, marks::NAME));
    match kept {
        Some(kept) => object.set("name", kept),
        None => object.set("name", name),
    }
    .finish()
}
