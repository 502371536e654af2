//! Tools and calls of them, in both directions.

use serde_json::value::RawValue;

use super::super::common::{custom_schema, offered, path};
use super::PROTOCOL;
use crate::chat::{
    ChatRequest, Drops, Extension, Fields, Json, Object, Part, PartKind, Tool, ToolCall, ToolChoice,
    ToolKind, Unsayable,
};

/// What members of `function` are kept under.
const FUNCTION: &str = "function.";

/// Reads a tool.
pub(super) fn decode(raw: &RawValue) -> Result<Tool, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let mut function = fields
        .object("function")?
        .ok_or_else(|| Unsayable::at("function", "`function` is required"))?;
    fields.raw("type");
    let within = |error: Unsayable| error.within("function");
    let kind = ToolKind::Function {
        name: function.need("name").map_err(within)?,
        description: function.take("description").map_err(within)?,
        parameters: function.json("parameters"),
        strict: None,
    };
    Ok(Tool {
        kind,
        cache: None,
        extension: kept(fields, function),
    })
}

/// What was not taken of an object and of its `function`.
fn kept(fields: Fields<'_>, function: Fields<'_>) -> Extension {
    let mut extension = fields.into_extension(PROTOCOL);
    for (name, value) in function.into_extension(PROTOCOL).members(PROTOCOL) {
        extension.push(format!("{FUNCTION}{name}"), value.clone());
    }
    extension
}

/// Writes the tools; `None` if there are none, or none may be called: Ollama cannot be told which to call.
pub(super) fn encode(request: &ChatRequest, drops: &mut Drops) -> Option<Json> {
    match &request.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => return None,
        Some(ToolChoice::Allowed { required: false, .. }) => {}
        Some(ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Allowed { .. }) => {
            drops.note("tool_choice");
        }
    }
    let tools: Vec<Json> = offered(request)
        .filter_map(|tool| encode_tool(tool, drops))
        .collect();
    (!tools.is_empty()).then(|| Json::of(&tools))
}

fn encode_tool(tool: &Tool, drops: &mut Drops) -> Option<Json> {
    let mut function = match &tool.kind {
        ToolKind::BuiltIn { kind } => {
            drops.note(format!("tools.{kind}"));
            return None;
        }
        ToolKind::Function {
            name,
            description,
            parameters,
            strict,
        } => {
            drops.note_if(*strict == Some(true), "tools[].strict");
            Object::new()
                .set("name", name)
                .set_some("description", description.as_ref())
                .set_some("parameters", parameters.as_ref())
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } => {
            drops.note_if(format.is_some(), "tools[].custom.format");
            Object::new()
                .set("name", name)
                .set_some("description", description.as_ref())
                .set("parameters", &custom_schema())
        }
    };
    tool.extension.drop_unless(PROTOCOL, "tools[].", drops);
    for (name, value) in path(&tool.extension, PROTOCOL, FUNCTION) {
        function.put(name, value);
    }
    let written = Object::new()
        .set("type", "function")
        .set("function", &function.finish());
    Some(with_others(written, &tool.extension))
}

fn with_others(mut written: Object, extension: &Extension) -> Json {
    for (name, value) in extension.members(PROTOCOL) {
        if !name.starts_with(FUNCTION) {
            written.put(name, value);
        }
    }
    written.finish()
}

/// Reads a call. `make_id` gets the id, if there is one, the name and the arguments.
pub(super) fn decode_call(
    raw: &RawValue,
    make_id: impl FnOnce(Option<String>, &str, &str) -> String,
) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let mut function = fields
        .object("function")?
        .ok_or_else(|| Unsayable::at("function", "`function` is required"))?;
    let name: String = function.need("name").map_err(|error| error.within("function"))?;
    let arguments = match function.raw("arguments") {
        None => String::new(),
        // Some clients send the text that other protocols have.
        Some(text) if text.get().starts_with('"') => serde_json::from_str(text.get()).unwrap_or_default(),
        Some(object) => object.get().to_owned(),
    };
    let (id, kind, index) = (fields.json("id"), fields.json("type"), function.json("index"));
    let call = ToolCall {
        id: make_id(id.as_ref().and_then(Json::read), &name, &arguments),
        name,
        arguments,
        is_custom: false,
        signature: None,
    };
    let mut extension = kept(fields, function);
    for (name, value) in [("id", id), ("type", kind), ("index", index)] {
        if let Some(value) = value {
            extension.keep(name, value);
        }
    }
    Ok(Part::new(PartKind::ToolCall(call), extension))
}

/// Writes a call. Where the conversation came from Ollama, it has an id if it had one.
pub(super) fn encode_call(call: &ToolCall, extension: &Extension) -> Json {
    let kept = |name: &str| extension.kept(PROTOCOL, name);
    let mut function = Object::new()
        .set_some("index", kept("index"))
        .set("name", &call.name)
        .set("arguments", &call.object());
    for (name, value) in path(extension, PROTOCOL, FUNCTION) {
        function.put(name, value);
    }
    let is_native = extension.protocol() == PROTOCOL;
    let written = Object::new()
        .set_some("id", kept("id"))
        .set_some("id", (!is_native).then_some(&call.id))
        .set_some("type", kept("type"))
        .set("function", &function.finish());
    with_others(written, extension)
}
