//! Tools that a client offers, and what it says of their choice.

use serde_json::value::RawValue;

use super::message_in::cache_mark;
use crate::chat::{
    ChatRequest, Extension, Fields, Json, Object, Tool, ToolChoice, ToolKind, Unsayable, items,
};
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

/// Reads `tools` and `tool_choice`, or `functions` and `function_call`, of which one call comes at a time.
pub(super) fn decode(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    for (index, raw) in fields.items("tools")?.unwrap_or_default().into_iter().enumerate() {
        let tool = tool(raw).map_err(|error| error.within(&format!("tools[{index}]")))?;
        request.tools.push(tool);
    }
    if let Some(choice) = fields.peek("tool_choice")
        && let Some(choice) = tool_choice(choice)?
    {
        fields.raw("tool_choice");
        request.tool_choice = Some(choice);
    }
    if request.tools.is_empty()
        && let Some(functions) = fields.items("functions")?
    {
        for (index, raw) in functions.into_iter().enumerate() {
            let within = |error: Unsayable| error.within(&format!("functions[{index}]"));
            let tool = function(Fields::read(raw).map_err(within)?).map_err(within)?;
            request.tools.push(tool);
        }
        request.tool_choice = fields.raw("function_call").map(function_choice).transpose()?;
        request.parallel_tool_calls = Some(false);
    }
    Ok(())
}

fn tool(raw: &RawValue) -> Result<Tool, Unsayable> {
    let mut fields = Fields::read(raw)?;
    let kind: String = fields.need("type")?;
    match kind.as_str() {
        "function" => {
            let Some(inner) = fields.object("function")? else {
                // As Responses writes it, which some clients do here.
                return function(fields);
            };
            let mut tool = function(inner).map_err(|error| error.within("function"))?;
            let rest = Object::new().extend(&tool.extension, HERE);
            tool.cache = cache_mark(&mut fields).or(tool.cache);
            tool.extension = fields.into_extension(HERE);
            if !rest.is_empty() {
                tool.extension.push("function", rest.finish());
            }
            Ok(tool)
        }
        "custom" => {
            let inner = fields.object("custom")?;
            let mut inner = inner.ok_or_else(|| Unsayable::at("custom", "`custom` is required"))?;
            let within = |error: Unsayable| error.within("custom");
            let kind = ToolKind::Custom {
                name: inner.need("name").map_err(within)?,
                description: inner.take("description").map_err(within)?,
                format: inner.json("format"),
            };
            let cache = cache_mark(&mut fields);
            let mut extension = fields.into_extension(HERE);
            let rest = Object::new().extend(&inner.into_extension(HERE), HERE);
            if !rest.is_empty() {
                extension.push("custom", rest.finish());
            }
            Ok(Tool {
                kind,
                cache,
                extension,
            })
        }
        _ => {
            let mut extension = Extension::of(HERE);
            extension.push("type", Json::of(&kind));
            for (name, value) in fields.into_extension(HERE).members(HERE) {
                extension.push(name.clone(), value.clone());
            }
            let kind = ToolKind::BuiltIn { kind };
            Ok(Tool {
                kind,
                cache: None,
                extension,
            })
        }
    }
}

fn function(mut fields: Fields<'_>) -> Result<Tool, Unsayable> {
    let kind = ToolKind::Function {
        name: fields.need("name")?,
        description: fields.take("description")?,
        parameters: fields.json("parameters"),
        strict: fields.take("strict")?,
    };
    let cache = cache_mark(&mut fields);
    Ok(Tool {
        kind,
        cache,
        extension: fields.into_extension(HERE),
    })
}

/// Reads a choice; `None` for one that is not known.
fn tool_choice(raw: &RawValue) -> Result<Option<ToolChoice>, Unsayable> {
    if let Ok(word) = serde_json::from_str::<String>(raw.get()) {
        return match word.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" | "any" => Ok(Some(ToolChoice::Required)),
            _ => Err(Unsayable::at(
                "tool_choice",
                "must be \"none\", \"auto\", \"required\" or an object",
            )),
        };
    }
    let within = |error: Unsayable| error.within("tool_choice");
    let mut fields = Fields::read(raw).map_err(within)?;
    let kind: Option<String> = fields.take("type").map_err(within)?;
    match kind.as_deref() {
        Some(kind @ ("function" | "custom")) => {
            let name = named(&mut fields, kind).ok_or_else(|| {
                Unsayable::at(
                    format!("tool_choice.{kind}.name"),
                    "the name of a tool is required",
                )
            })?;
            Ok(Some(ToolChoice::Tool(name)))
        }
        Some("allowed_tools") => Ok(allowed(fields)),
        _ => Ok(None),
    }
}

/// The name in `{"function":{"name":…}}`, or beside the type, as Responses has it.
fn named(fields: &mut Fields<'_>, kind: &str) -> Option<String> {
    match fields.object(kind).ok()? {
        Some(mut inner) => inner.take("name").ok()?,
        None => fields.take("name").ok()?,
    }
}

fn allowed(mut fields: Fields<'_>) -> Option<ToolChoice> {
    let mut inner = fields.object("allowed_tools").ok()??;
    let required = inner.take::<String>("mode").ok()?.as_deref() == Some("required");
    let mut names = Vec::new();
    for raw in items(inner.raw("tools")?)? {
        let mut tool = Fields::read(raw).ok()?;
        let kind: String = tool.take("type").ok()??;
        names.push(named(&mut tool, &kind)?);
    }
    Some(ToolChoice::Allowed { required, names })
}

fn function_choice(raw: &RawValue) -> Result<ToolChoice, Unsayable> {
    match raw.get() {
        "\"auto\"" => return Ok(ToolChoice::Auto),
        "\"none\"" => return Ok(ToolChoice::None),
        _ => {}
    }
    let within = |error: Unsayable| error.within("function_call");
    let mut fields = Fields::read(raw).map_err(within)?;
    Ok(ToolChoice::Tool(fields.need("name").map_err(within)?))
}
