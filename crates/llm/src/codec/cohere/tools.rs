//! Tools, calls of them and which may be called, in both directions.

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
    let mut extension = fields.into_extension(PROTOCOL);
    for (name, value) in function.into_extension(PROTOCOL).members(PROTOCOL) {
        extension.push(format!("{FUNCTION}{name}"), value.clone());
    }
    Ok(Tool {
        kind,
        cache: None,
        extension,
    })
}

/// Reads `tool_choice`.
pub(super) fn decode_choice(choice: &str) -> Result<ToolChoice, Unsayable> {
    match choice {
        "REQUIRED" => Ok(ToolChoice::Required),
        "NONE" => Ok(ToolChoice::None),
        _ => Err(Unsayable::at("tool_choice", "must be `REQUIRED` or `NONE`")),
    }
}

/// Writes `tools`, `tool_choice` and `strict_tools`. A tool that must be called is the only one on offer.
pub(super) fn encode(request: &ChatRequest, mut body: Object, drops: &mut Drops) -> Object {
    let mut tools = Vec::new();
    let mut strict = Vec::new();
    for tool in offered(request) {
        if let Some(written) = encode_tool(tool, drops) {
            tools.push(written);
            strict.push(matches!(
                tool.kind,
                ToolKind::Function {
                    strict: Some(true),
                    ..
                }
            ));
        }
    }
    if tools.is_empty() {
        return body;
    }
    body.put("tools", &tools);
    match &request.tool_choice {
        None | Some(ToolChoice::Auto | ToolChoice::Allowed { required: false, .. }) => {}
        Some(ToolChoice::None) => body.put("tool_choice", "NONE"),
        Some(ToolChoice::Required | ToolChoice::Tool(_) | ToolChoice::Allowed { .. }) => {
            body.put("tool_choice", "REQUIRED");
        }
    }
    if strict.iter().all(|is_strict| *is_strict) {
        body.put("strict_tools", &true);
    } else {
        drops.note_if(strict.contains(&true), "tools[].strict");
    }
    body
}

fn encode_tool(tool: &Tool, drops: &mut Drops) -> Option<Json> {
    let is_native = tool.extension.protocol() == PROTOCOL;
    let nothing = || Json::of(&serde_json::json!({ "type": "object", "properties": {} }));
    let (name, description, parameters) = match &tool.kind {
        ToolKind::BuiltIn { kind } => {
            drops.note(format!("tools.{kind}"));
            return None;
        }
        ToolKind::Function {
            name,
            description,
            parameters,
            ..
        } => {
            let parameters = parameters.clone().or_else(|| (!is_native).then(nothing));
            (name, description, parameters)
        }
        ToolKind::Custom {
            name,
            description,
            format,
        } => {
            drops.note_if(format.is_some(), "tools[].custom.format");
            (name, description, Some(custom_schema()))
        }
    };
    tool.extension.drop_unless(PROTOCOL, "tools[].", drops);
    let mut function = Object::new()
        .set("name", name)
        .set_some("description", description.as_ref())
        .set_some("parameters", parameters);
    for (name, value) in path(&tool.extension, PROTOCOL, FUNCTION) {
        function.put(name, value);
    }
    let mut written = Object::new()
        .set("type", "function")
        .set("function", &function.finish());
    for (name, value) in tool.extension.members(PROTOCOL) {
        if !name.starts_with(FUNCTION) {
            written.put(name, value);
        }
    }
    Some(written.finish())
}

/// Reads a call. `make_id` is for one without an id.
pub(super) fn decode_call(
    raw: &RawValue,
    make_id: impl FnOnce(&str, &str) -> String,
) -> Result<Part, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let mut function = fields
        .object("function")?
        .ok_or_else(|| Unsayable::at("function", "`function` is required"))?;
    fields.raw("type");
    let name: String = function.need("name").map_err(|error| error.within("function"))?;
    let arguments = function
        .take::<String>("arguments")
        .map_err(|error| error.within("function"))?;
    let arguments = arguments.unwrap_or_default();
    let id = fields.take::<String>("id")?.filter(|id| !id.is_empty());
    let call = ToolCall {
        id: id.unwrap_or_else(|| make_id(&name, &arguments)),
        name,
        arguments,
        is_custom: false,
        signature: None,
    };
    Ok(Part::new(
        PartKind::ToolCall(call),
        fields.into_extension(PROTOCOL),
    ))
}

/// Writes a call.
pub(super) fn encode_call(call: &ToolCall, extension: &Extension) -> Json {
    let function = Object::new()
        .set("name", &call.name)
        .set("arguments", &arguments(call));
    Object::new()
        .set("id", &call.id)
        .set("type", "function")
        .set("function", &function.finish())
        .extend(extension, PROTOCOL)
        .finish()
}

/// The arguments as text of an object; as the model wrote them where that is one.
fn arguments(call: &ToolCall) -> String {
    let is_object =
        !call.is_custom && Json::parse(call.arguments.trim()).is_some_and(|json| json.is_object());
    if is_object {
        call.arguments.clone()
    } else {
        call.object().text().to_owned()
    }
}
