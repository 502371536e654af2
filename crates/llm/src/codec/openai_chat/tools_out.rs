//! Tools and their choice for a provider.

use super::request_out::Body;
use crate::chat::{ChatRequest, Extension, Fields, Json, Object, Tool, ToolChoice, ToolKind};
use crate::codec::common::custom_schema;
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

/// Writes `tools`, `tool_choice` and `parallel_tool_calls`; the last two mean nothing without tools and are refused then.
pub(super) fn encode(request: &ChatRequest, body: &mut Body<'_, '_>) {
    let only = match &request.tool_choice {
        // A server that does not know `allowed_tools` gets no others.
        Some(ToolChoice::Allowed { names, .. }) if !body.quirks.custom_tools => Some(names),
        _ => None,
    };
    let is_allowed = |tool: &&Tool| match (only, tool.name()) {
        (Some(names), Some(name)) => names.iter().any(|allowed| allowed == name),
        _ => true,
    };
    let mut tools = Vec::new();
    for tool in request.tools.iter().filter(is_allowed) {
        tools.extend(encode_tool(tool, body));
    }
    if tools.is_empty() {
        return;
    }
    body.put("tools", &tools);
    if let Some(choice) = &request.tool_choice {
        encode_choice(choice, request, body);
    }
    body.put_some("parallel_tool_calls", request.parallel_tool_calls);
}

fn encode_tool(tool: &Tool, body: &mut Body<'_, '_>) -> Option<Json> {
    let is_own = tool.extension.protocol() == HERE;
    let (member, inner) = match &tool.kind {
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => {
            let mended = parameters.as_ref().filter(|_| !is_own).and_then(mended);
            let object = Object::new()
                .set("name", name)
                .set_some("description", description.as_ref())
                .set_some("parameters", mended.as_ref().or(parameters.as_ref()))
                .set_some("strict", *strict);
            ("function", object)
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } if body.quirks.custom_tools => {
            let object = Object::new()
                .set("name", name)
                .set_some("description", description.as_ref())
                .set_some("format", format.as_ref());
            ("custom", object)
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } => {
            body.drops.note_if(format.is_some(), "tools.custom.format");
            let object = Object::new()
                .set("name", name)
                .set_some("description", description.as_ref())
                .set("parameters", &custom_schema());
            ("function", object)
        }
        ToolKind::BuiltIn { .. } if is_own => {
            return Some(Object::new().extend(&tool.extension, HERE).finish());
        }
        ToolKind::BuiltIn { kind } => {
            body.drops.note(format!("tools.{kind}"));
            return None;
        }
    };
    tool.extension.drop_unless(HERE, "tools.", body.drops);
    body.drops.note_if(tool.cache.is_some(), "tools.cache_control");
    Some(wrapped(member, inner, &tool.extension))
}

/// `{"type":member,member:{…}}` with what the client said beside.
fn wrapped(member: &str, mut inner: Object, extension: &Extension) -> Json {
    let rest = extension.get(HERE, member);
    if let Some(rest) = rest.and_then(|rest| Fields::from_slice(rest.text().as_bytes()).ok()) {
        inner = inner.extend(&rest.into_extension(HERE), HERE);
    }
    let mut object = Object::new().set("type", member).set(member, &inner.finish());
    for (name, value) in extension.members(HERE) {
        if name != member {
            object.put(name, value);
        }
    }
    object.finish()
}

/// A schema as OpenAI takes it: one of an object has `properties`, and none names its dialect. `None` if it is so already.
fn mended(schema: &Json) -> Option<Json> {
    let mut fields = Fields::from_slice(schema.text().as_bytes()).ok()?;
    let is_object = fields.peek("type").is_some_and(|kind| kind.get() == "\"object\"");
    let lacks_properties = is_object && fields.peek("properties").is_none();
    let names_dialect = fields.raw("$schema").is_some();
    if !lacks_properties && !names_dialect {
        return None;
    }
    if lacks_properties {
        fields.raw("properties");
    }
    let mut object = Object::new().extend(&fields.into_extension(HERE), HERE);
    if lacks_properties {
        object.put("properties", &Object::new().finish());
    }
    Some(object.finish())
}

fn encode_choice(choice: &ToolChoice, request: &ChatRequest, body: &mut Body<'_, '_>) {
    let choice = match choice {
        ToolChoice::Auto => Json::of("auto"),
        ToolChoice::None => Json::of("none"),
        ToolChoice::Required => return required(body),
        ToolChoice::Tool(name) => named(name, request, body),
        ToolChoice::Allowed { required: true, .. } if !body.quirks.custom_tools => return required(body),
        ToolChoice::Allowed { required: false, .. } if !body.quirks.custom_tools => Json::of("auto"),
        ToolChoice::Allowed { required, names } => {
            let tools: Vec<Json> = names.iter().map(|name| named(name, request, body)).collect();
            let allowed = Object::new()
                .set("mode", if *required { "required" } else { "auto" })
                .set("tools", &tools)
                .finish();
            Object::new()
                .set("type", "allowed_tools")
                .set("allowed_tools", &allowed)
                .finish()
        }
    };
    body.put("tool_choice", &choice);
}

fn required(body: &mut Body<'_, '_>) {
    match body.quirks.required {
        Some(word) => body.put("tool_choice", word),
        None => body.drops.note("tool_choice"),
    }
}

/// A tool by its name, in the form of its kind.
fn named(name: &str, request: &ChatRequest, body: &Body<'_, '_>) -> Json {
    let is_custom = body.quirks.custom_tools
        && request
            .tools
            .iter()
            .any(|tool| matches!(&tool.kind, ToolKind::Custom { name: known, .. } if known == name));
    let kind = if is_custom { "custom" } else { "function" };
    let inner = Object::new().set("name", name).finish();
    Object::new().set("type", kind).set(kind, &inner).finish()
}
