//! Tools and which of them may be called, in both directions.

use serde_json::value::RawValue;

use super::super::common::{custom_schema, path};
use super::PROTOCOL;
use super::config_in::keep;
use super::schema::to_json_schema;
use crate::chat::{
    ChatRequest, Drops, Extension, Fields, Json, Object, Tool, ToolChoice, ToolKind, Unsayable, array,
};

/// Reads `tools`.
pub(super) fn decode(offered: &[&RawValue], request: &mut ChatRequest) -> Result<(), Unsayable> {
    for (index, tool) in offered.iter().enumerate() {
        decode_tool(tool, &mut request.tools).map_err(|error| error.within(&format!("tools[{index}]")))?;
    }
    Ok(())
}

fn decode_tool(tool: &RawValue, tools: &mut Vec<Tool>) -> Result<(), Unsayable> {
    let mut fields = Fields::read(tool)?.in_camel_case();
    let declarations = fields.items("functionDeclarations")?.unwrap_or_default();
    for (index, declaration) in declarations.iter().enumerate() {
        let tool =
            function(declaration).map_err(|error| error.within(&format!("functionDeclarations[{index}]")))?;
        tools.push(tool);
    }
    for (kind, value) in fields.into_extension(PROTOCOL).members(PROTOCOL) {
        tools.push(Tool {
            kind: ToolKind::BuiltIn { kind: kind.clone() },
            cache: None,
            extension: Extension::with(PROTOCOL, vec![(kind.clone(), value.clone())]),
        });
    }
    Ok(())
}

fn function(declaration: &RawValue) -> Result<Tool, Unsayable> {
    let mut fields = Fields::read(declaration)?.in_camel_case();
    let name = fields.need("name")?;
    let description = fields.take("description")?;
    // Kept as it is spelled, for Gemini; others get JSON Schema.
    let spelled = fields.json("parameters");
    let parameters = fields
        .json("parametersJsonSchema")
        .or_else(|| spelled.as_ref().map(to_json_schema));
    let mut extension = fields.into_extension(PROTOCOL);
    if let Some(spelled) = spelled {
        extension.keep(OPENAPI, spelled);
    }
    Ok(Tool {
        kind: ToolKind::Function {
            name,
            description,
            parameters,
            strict: None,
        },
        cache: None,
        extension,
    })
}

/// The member for a schema in the form of OpenAPI.
const OPENAPI: &str = "parameters";

/// Reads `toolConfig`.
pub(super) fn decode_config(
    mut config: Fields<'_>,
    request: &mut ChatRequest,
    extension: &mut Extension,
) -> Result<(), Unsayable> {
    const MODE: &str = "toolConfig.functionCallingConfig.mode";
    if let Some(calling) = config.object("functionCallingConfig")? {
        let mut calling = calling.in_camel_case();
        let within = |error: Unsayable| error.within("functionCallingConfig");
        let mode = calling
            .take::<String>("mode")
            .map_err(within)?
            .unwrap_or_default()
            .to_ascii_uppercase();
        let names: Vec<String> = calling
            .take("allowedFunctionNames")
            .map_err(within)?
            .unwrap_or_default();
        request.tool_choice = match (mode.as_str(), names.as_slice()) {
            ("NONE", _) => Some(ToolChoice::None),
            ("ANY", []) => Some(ToolChoice::Required),
            ("ANY", [name]) => Some(ToolChoice::Tool(name.clone())),
            ("ANY", _) => Some(ToolChoice::Allowed {
                required: true,
                names,
            }),
            (_, [_, ..]) => Some(ToolChoice::Allowed {
                required: false,
                names,
            }),
            ("AUTO" | "VALIDATED", []) => Some(ToolChoice::Auto),
            _ => None,
        };
        if !matches!(mode.as_str(), "NONE" | "ANY" | "AUTO" | "") {
            extension.push(MODE, Json::of(&mode));
        }
        keep(calling, "toolConfig.functionCallingConfig.", extension);
    }
    keep(config, "toolConfig.", extension);
    Ok(())
}

/// Writes `tools`: the functions together, each of Gemini's own tools by itself.
pub(super) fn encode(request: &ChatRequest, drops: &mut Drops) -> Option<Json> {
    let only = match &request.tool_choice {
        // Only `ANY` takes names along; a choice that may be turned down is made by offering less.
        Some(ToolChoice::Allowed {
            required: false,
            names,
        }) if !keeps_mode(request) => Some(names),
        _ => None,
    };
    let mut functions = Vec::new();
    let mut own = Vec::new();
    for tool in &request.tools {
        let is_offered =
            only.is_none_or(|names| tool.name().is_some_and(|name| names.iter().any(|it| it == name)));
        match &tool.kind {
            ToolKind::BuiltIn { .. } if tool.extension.protocol() == PROTOCOL => {
                own.push(Object::new().extend(&tool.extension, PROTOCOL).finish());
            }
            ToolKind::BuiltIn { kind } => drops.note(format!("tools.{kind}")),
            _ if !is_offered => {}
            ToolKind::Function {
                name,
                description,
                parameters,
                strict,
            } => {
                drops.note_if(*strict == Some(true), "tools[].strict");
                tool.extension.drop_unless(PROTOCOL, "tools[].", drops);
                let spelled = tool.extension.kept(PROTOCOL, OPENAPI);
                let object = Object::new()
                    .set("name", name)
                    .set_some("description", description.as_ref())
                    .set_some(OPENAPI, spelled)
                    .set_some(
                        "parametersJsonSchema",
                        parameters.as_ref().filter(|_| spelled.is_none()),
                    );
                functions.push(object.extend(&tool.extension, PROTOCOL).finish());
            }
            ToolKind::Custom {
                name,
                description,
                format,
            } => {
                drops.note_if(format.is_some(), "tools[].custom.format");
                functions.push(custom(name, description.as_deref()));
            }
        }
    }
    let mut tools = Vec::new();
    if !functions.is_empty() {
        tools.push(Object::new().set("functionDeclarations", &functions).finish());
    }
    tools.extend(own);
    (!tools.is_empty()).then(|| array(&tools))
}

/// A tool whose input is text, as a function of one argument.
fn custom(name: &str, description: Option<&str>) -> Json {
    Object::new()
        .set("name", name)
        .set_some("description", description)
        .set("parametersJsonSchema", &custom_schema())
        .finish()
}

/// Whether the client asked for a mode that only Gemini has.
fn keeps_mode(request: &ChatRequest) -> bool {
    request
        .extension
        .get(PROTOCOL, "toolConfig.functionCallingConfig.mode")
        .is_some()
}

/// Writes `toolConfig`. `has_functions` is whether any can be called: without, a mode would be refused.
pub(super) fn encode_config(request: &ChatRequest, has_functions: bool, drops: &mut Drops) -> Option<Json> {
    const CALLING: &str = "functionCallingConfig.";
    let choice = request.tool_choice.as_ref().filter(|_| has_functions);
    let (mode, names): (Option<&str>, &[String]) = match choice {
        None => (None, &[]),
        Some(ToolChoice::Auto) => (Some("AUTO"), &[]),
        Some(ToolChoice::None) => (Some("NONE"), &[]),
        Some(ToolChoice::Required) => (Some("ANY"), &[]),
        Some(ToolChoice::Tool(name)) => (Some("ANY"), std::slice::from_ref(name)),
        Some(ToolChoice::Allowed {
            required: true,
            names,
        }) => (Some("ANY"), names),
        Some(ToolChoice::Allowed {
            required: false,
            names,
        }) => (Some("AUTO"), if keeps_mode(request) { names } else { &[] }),
    };
    let mut calling = Object::new();
    if let (Some(mode), false) = (mode, keeps_mode(request)) {
        calling.put("mode", mode);
    }
    let mut config = Object::new();
    for (name, value) in path(&request.extension, PROTOCOL, "toolConfig.") {
        match name.strip_prefix(CALLING) {
            // The gateway reads whole calls.
            Some("streamFunctionCallArguments") => {
                drops.note("toolConfig.functionCallingConfig.streamFunctionCallArguments")
            }
            Some(name) => calling.put(name, value),
            None => config.put(name, value),
        }
    }
    if !names.is_empty() {
        calling.put("allowedFunctionNames", names);
    }
    if !calling.is_empty() {
        config.put("functionCallingConfig", &calling.finish());
    }
    (!config.is_empty()).then(|| config.finish())
}
