//! Tools, written for a provider.

use super::HERE;
use super::blocks_out::Writer;
use super::model::Model;
use crate::chat::{ChatRequest, Json, Object, PartKind, Tool, ToolChoice, ToolKind, array};
use crate::codec::claude::{Claude, closed_schema};
use crate::codec::common::custom_schema;

/// Schema of a tool that has none.
const ANY_INPUT: &str = r#"{"type":"object","properties":{}}"#;

/// `toolConfig`; `None` if there are no tools.
pub(super) fn config(request: &ChatRequest, model: Model<'_>, writer: &mut Writer<'_, '_>) -> Option<Object> {
    let called = called(request);
    let is_forbidden = request.tool_choice == Some(ToolChoice::None);
    if is_forbidden && called.is_empty() {
        return None;
    }
    let mut tools = Vec::new();
    for tool in allowed(request) {
        if let Some(json) = write(tool, model, writer) {
            tools.push(json);
            tools.extend(writer.mark(tool.cache));
        }
    }
    if tools.is_empty() {
        // Converse refuses a conversation with calls unless there are tools.
        tools.extend(
            called
                .into_iter()
                .map(|name| spec(Object::new().set("name", name), None)),
        );
    }
    if tools.is_empty() {
        return None;
    }
    writer.drops.note_if(is_forbidden, "tool_choice");
    writer
        .drops
        .note_if(request.parallel_tool_calls == Some(false), "parallel_tool_calls");
    let config = Object::new().set("tools", &array(&tools));
    Some(config.set_some("toolChoice", choice(request)))
}

/// The tools that may be called.
fn allowed(request: &ChatRequest) -> impl Iterator<Item = &Tool> {
    let names = match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => Some(names),
        _ => None,
    };
    request.tools.iter().filter(move |tool| {
        let is_named = |name: &str| names.is_none_or(|names| names.iter().any(|allowed| allowed == name));
        tool.name().is_none_or(is_named)
    })
}

/// The names of the tools that were called, each once.
fn called(request: &ChatRequest) -> Vec<&str> {
    let mut names: Vec<&str> = request
        .turns
        .iter()
        .flat_map(|turn| &turn.parts)
        .filter_map(|part| match &part.kind {
            PartKind::ToolCall(call) => Some(call.name.as_str()),
            _ => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn write(tool: &Tool, model: Model<'_>, writer: &mut Writer<'_, '_>) -> Option<Json> {
    tool.extension.drop_unless(HERE, "tools[].", writer.drops);
    Some(match &tool.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => {
            let is_native = writer.is_native();
            let is_enforced = model.claude.is_some_and(Claude::enforces_schemas);
            let is_dropped = *strict == Some(true) && !is_native && !is_enforced;
            writer.drops.note_if(is_dropped, "tools[].strict");
            let strict = strict.filter(|strict| is_native || (*strict && is_enforced));
            let schema = parameters.as_ref().map(|schema| {
                if strict == Some(true) && !is_native {
                    closed_schema(schema)
                } else {
                    schema.clone()
                }
            });
            let object = Object::new().set("name", name).set_some(
                "description",
                description.as_ref().filter(|text| !text.is_empty()),
            );
            let object = object.set_some("strict", strict).extend(&tool.extension, HERE);
            spec(object, schema)
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } => {
            writer.drops.note_if(format.is_some(), "tools[].custom.format");
            let object = Object::new().set("name", name).set_some(
                "description",
                description.as_ref().filter(|text| !text.is_empty()),
            );
            spec(object, Some(custom_schema()))
        }
        ToolKind::BuiltIn { kind } if tool.extension.protocol() != HERE => {
            writer.drops.note(format!("tools.{kind}"));
            return None;
        }
        ToolKind::BuiltIn { .. } => Object::new().extend(&tool.extension, HERE).finish(),
    })
}

fn spec(object: Object, schema: Option<Json>) -> Json {
    let schema = schema.or_else(|| Json::parse(ANY_INPUT));
    let schema = Object::new().set_some("json", schema).finish();
    let spec = object.set("inputSchema", &schema).finish();
    Object::new().set("toolSpec", &spec).finish()
}

/// `toolChoice`. Converse has no word for none.
fn choice(request: &ChatRequest) -> Option<Json> {
    let nothing = Object::new().finish();
    let choice = match request.tool_choice.as_ref()? {
        ToolChoice::None => return None,
        ToolChoice::Auto | ToolChoice::Allowed { required: false, .. } => Object::new().set("auto", &nothing),
        ToolChoice::Required | ToolChoice::Allowed { required: true, .. } => {
            Object::new().set("any", &nothing)
        }
        ToolChoice::Tool(name) => Object::new().set("tool", &Object::new().set("name", name).finish()),
    };
    Some(choice.finish())
}
