//! Tools and the choice among them, read.

use serde_json::value::RawValue;

use super::PROTOCOL;
use super::marks;
use crate::chat::{Extension, Fields, Json, Object, Tool, ToolChoice, ToolKind, Unsayable, items};

/// Name of a tool of a namespace where there are no namespaces.
pub(super) fn flat_name(namespace: &str, name: &str) -> String {
    format!("{namespace}__{name}")
}

/// Reads `tools`; those of namespaces become tools of their own.
pub(super) fn read(list: &[&RawValue]) -> Result<Vec<Tool>, Unsayable> {
    let mut tools = Vec::with_capacity(list.len());
    for (index, json) in list.iter().enumerate() {
        let at = |error: Unsayable| error.within(&format!("tools[{index}]"));
        let kind: String = Fields::read(json)
            .and_then(|mut fields| fields.need("type"))
            .map_err(at)?;
        match kind.as_str() {
            "function" | "custom" => tools.push(read_tool(json, None).map_err(at)?),
            "namespace" => read_namespace(json, &mut tools).map_err(at)?,
            _ => tools.push(built_in(json, kind).map_err(at)?),
        }
    }
    Ok(tools)
}

fn built_in(json: &RawValue, kind: String) -> Result<Tool, Unsayable> {
    Ok(Tool {
        kind: ToolKind::BuiltIn { kind },
        cache: None,
        extension: Fields::read(json)?.into_extension(PROTOCOL),
    })
}

/// Every tool keeps the namespace as a whole but for its tools, so that any of them can begin it.
fn read_namespace(json: &RawValue, tools: &mut Vec<Tool>) -> Result<(), Unsayable> {
    let mut fields = Fields::read(json)?;
    let inner = fields.items("tools")?.unwrap_or_default();
    if inner.is_empty() {
        tools.push(built_in(json, "namespace".to_owned())?);
        return Ok(());
    }
    let name: String = serde_json::from_str(fields.peek("name").map_or("null", RawValue::get))
        .map_err(|_| Unsayable::at("name", "`name` is required"))?;
    let members = Object::new()
        .extend(&fields.into_extension(PROTOCOL), PROTOCOL)
        .finish();
    for (index, json) in inner.into_iter().enumerate() {
        let tool = read_tool(json, Some((&name, &members)));
        tools.push(tool.map_err(|error| error.within(&format!("tools[{index}]")))?);
    }
    Ok(())
}

fn read_tool(json: &RawValue, namespace: Option<(&str, &Json)>) -> Result<Tool, Unsayable> {
    let mut fields = Fields::read(json)?;
    let kind: String = fields.need("type")?;
    let name: String = fields.need("name")?;
    let mut extension = Extension::of(PROTOCOL);
    let name = match namespace {
        Some((namespace, members)) => {
            extension.keep(marks::NAMESPACE, members.clone());
            extension.keep(marks::NAME, Json::of(&name));
            flat_name(namespace, &name)
        }
        None => name,
    };
    let description = fields.take("description")?;
    let kind = match kind.as_str() {
        "function" => ToolKind::Function {
            name,
            description,
            parameters: fields.json("parameters"),
            strict: fields.take("strict")?,
        },
        "custom" => ToolKind::Custom {
            name,
            description,
            format: fields.raw("format").map(nested_format).transpose()?,
        },
        _ => {
            return Err(Unsayable::at(
                "type",
                "a namespace holds tools of type function and custom",
            ));
        }
    };
    marks::push_rest(&mut extension, "", fields);
    Ok(Tool {
        kind,
        cache: None,
        extension,
    })
}

/// The form of a custom tool's input as OpenAI chat says it: a grammar stands in an object of its own there.
fn nested_format(json: &RawValue) -> Result<Json, Unsayable> {
    let mut fields = Fields::read(json).map_err(|error| error.within("format"))?;
    let kind: Option<String> = fields.take("type").map_err(|error| error.within("format"))?;
    if kind.as_deref() != Some("grammar") {
        return Ok(Json::from(json));
    }
    let grammar = Object::new().extend(&fields.into_extension(PROTOCOL), PROTOCOL);
    Ok(Object::new()
        .set("type", "grammar")
        .set("grammar", &grammar.finish())
        .finish())
}

/// Reads `tool_choice`; `None` for choices that only this protocol has.
pub(super) fn read_choice(json: &RawValue, tools: &[Tool]) -> Result<Option<ToolChoice>, Unsayable> {
    if let Ok(word) = serde_json::from_str::<String>(json.get()) {
        return match word.as_str() {
            "auto" => Ok(Some(ToolChoice::Auto)),
            "none" => Ok(Some(ToolChoice::None)),
            "required" => Ok(Some(ToolChoice::Required)),
            _ => Err(Unsayable::new("must be auto, none, required or an object")),
        };
    }
    let mut fields = Fields::read(json)?;
    let kind: String = fields.need("type")?;
    match kind.as_str() {
        "function" | "custom" => {
            let name: String = fields.need("name")?;
            Ok(fields.is_empty().then(|| ToolChoice::Tool(known_as(name, tools))))
        }
        "allowed_tools" => {
            let mode: String = fields.need("mode")?;
            let allowed = fields.raw("tools").and_then(items).unwrap_or_default();
            let names: Option<Vec<_>> = allowed
                .into_iter()
                .map(|tool| allowed_name(tool, tools))
                .collect();
            Ok(names
                .filter(|_| fields.is_empty())
                .map(|names| ToolChoice::Allowed {
                    required: mode == "required",
                    names,
                }))
        }
        _ => Ok(None),
    }
}

/// The name of an allowed tool that is no built-in one.
fn allowed_name(json: &RawValue, tools: &[Tool]) -> Option<String> {
    let mut fields = Fields::read(json).ok()?;
    let kind: String = fields.take("type").ok()??;
    let name: String = fields.take("name").ok()??;
    let is_plain = matches!(kind.as_str(), "function" | "custom") && fields.is_empty();
    is_plain.then(|| known_as(name, tools))
}

/// A tool of a namespace may be chosen by the name that it has there.
fn known_as(name: String, tools: &[Tool]) -> String {
    if tools.iter().any(|tool| tool.name() == Some(&name)) {
        return name;
    }
    let is_meant = |tool: &&Tool| {
        let kept = tool.extension.kept(PROTOCOL, marks::NAME);
        kept.and_then(|kept| kept.read::<String>()).as_ref() == Some(&name)
    };
    let found = tools.iter().find(is_meant).and_then(Tool::name);
    found.map_or_else(|| name.clone(), str::to_owned)
}
