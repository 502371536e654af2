//! Requests of clients, read.

use serde_json::value::RawValue;

use super::HERE;
use super::blocks_in::{cache_point, content};
use super::signatures::NATIVE;
use crate::chat::{
    ChatRequest, Effort, Extension, Fields, Json, Object, OutputFormat, PartKind, ReasoningRequest, Role,
    Tool, ToolChoice, ToolKind, Turn, Unsayable,
};
use crate::codec::Ask;
use crate::codec::call_signatures::rejoin;
use crate::codec::claude::{Claude, Depth};

/// What is left of objects that are partly known, by their names.
type Rest = Vec<(&'static str, Json)>;

pub(super) fn decode(body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = ChatRequest::new(Extension::of(HERE));
    let mut rest = Rest::new();
    // Both stand in the path; clients of the gateway may say them in the body.
    let (model, stream) = (fields.take("model")?, fields.take("stream")?);
    request.model = ask.model.map(str::to_owned).or(model);
    request.stream = ask.stream.or(stream).unwrap_or_default();
    if let Some(system) = fields.raw("system") {
        let parts = content(system).map_err(|error| error.within("system"))?;
        if !parts.is_empty() {
            request
                .turns
                .push(Turn::new(Role::System, parts, Extension::of(HERE)));
        }
    }
    let messages = fields.items("messages")?.unwrap_or_default();
    for (index, message) in messages.into_iter().enumerate() {
        read_message(message, &mut request.turns)
            .map_err(|error| error.within(&format!("messages[{index}]")))?;
    }
    read_inference(&mut fields, &mut request, &mut rest)?;
    if let Some(mut config) = fields.object("toolConfig")? {
        read_tools(&mut config, &mut request).map_err(|error| error.within("toolConfig"))?;
        keep("toolConfig", config, &mut rest);
    }
    read_output(&mut fields, &mut request, &mut rest)?;
    if request.model.as_deref().and_then(Claude::of).is_some() {
        read_claude(&mut fields, &mut request, &mut rest)?;
    }
    request.metadata = fields.json("requestMetadata");
    request.service_tier = service_tier(&mut fields);
    request.extension = fields.into_extension(HERE);
    for (name, value) in rest {
        request.extension.push(name, value);
    }
    Ok(request)
}

/// Keeps what is left of an object under its name.
fn keep(name: &'static str, fields: Fields<'_>, rest: &mut Rest) {
    if !fields.is_empty() {
        let left = Object::new().extend(&fields.into_extension(HERE), HERE);
        rest.push((name, left.finish()));
    }
}

fn read_message(message: &RawValue, turns: &mut Vec<Turn>) -> Result<(), Unsayable> {
    let mut fields = Fields::read(message)?;
    let role: String = fields.need("role")?;
    let parts = match fields.raw("content") {
        Some(json) => content(json).map_err(|error| error.within("content"))?,
        None => return Err(Unsayable::at("content", "`content` is required")),
    };
    let extension = fields.into_extension(HERE);
    match role.as_str() {
        "assistant" => turns.push(Turn::new(Role::Assistant, rejoin(parts, NATIVE), extension)),
        "system" => turns.push(Turn::new(Role::System, parts, extension)),
        "user" => {
            // What tools answered is a turn of its own before the rest.
            let (results, rest): (Vec<_>, Vec<_>) = parts
                .into_iter()
                .partition(|part| matches!(part.kind, PartKind::ToolResult(_)));
            if results.is_empty() {
                turns.push(Turn::new(Role::User, rest, extension));
            } else if rest.is_empty() {
                turns.push(Turn::new(Role::Tool, results, extension));
            } else {
                turns.push(Turn::new(Role::Tool, results, Extension::of(HERE)));
                turns.push(Turn::new(Role::User, rest, extension));
            }
        }
        _ => return Err(Unsayable::at("role", "must be `user`, `assistant` or `system`")),
    }
    Ok(())
}

fn read_inference(
    fields: &mut Fields<'_>,
    request: &mut ChatRequest,
    rest: &mut Rest,
) -> Result<(), Unsayable> {
    let Some(mut config) = fields.object("inferenceConfig")? else {
        return Ok(());
    };
    let within = |error: Unsayable| error.within("inferenceConfig");
    let sampling = &mut request.sampling;
    sampling.max_tokens = config.take("maxTokens").map_err(within)?;
    sampling.temperature = config.take("temperature").map_err(within)?;
    sampling.top_p = config.take("topP").map_err(within)?;
    sampling.stop = config.take("stopSequences").map_err(within)?.unwrap_or_default();
    keep("inferenceConfig", config, rest);
    Ok(())
}

fn read_tools(config: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    for (index, json) in config.items("tools")?.unwrap_or_default().into_iter().enumerate() {
        if let Some(mark) = cache_point(json)
            && let Some(before) = request.tools.last_mut().filter(|tool| tool.cache.is_none())
        {
            before.cache = Some(mark);
            continue;
        }
        let tool = read_tool(json).map_err(|error| error.within(&format!("tools[{index}]")))?;
        request.tools.push(tool);
    }
    let Some(mut choice) = config.object("toolChoice")? else {
        return Ok(());
    };
    request.tool_choice = Some(if let Some(mut tool) = choice.object("tool")? {
        ToolChoice::Tool(
            tool.need("name")
                .map_err(|error| error.within("toolChoice.tool"))?,
        )
    } else if choice.raw("any").is_some() {
        ToolChoice::Required
    } else if choice.raw("auto").is_some() {
        ToolChoice::Auto
    } else {
        return Err(Unsayable::at("toolChoice", "must hold `auto`, `any` or `tool`"));
    });
    Ok(())
}

fn read_tool(json: &RawValue) -> Result<Tool, Unsayable> {
    let mut fields = Fields::read(json)?;
    let Some(mut spec) = fields.object("toolSpec")? else {
        let extension = fields.into_extension(HERE);
        let kind = extension.members(HERE).first().map(|(name, _)| name.clone());
        return Ok(Tool {
            kind: ToolKind::BuiltIn {
                kind: kind.unwrap_or_default(),
            },
            cache: None,
            extension,
        });
    };
    let within = |error: Unsayable| error.within("toolSpec");
    let schema = spec.object("inputSchema").map_err(within)?;
    Ok(Tool {
        kind: ToolKind::Function {
            name: spec.need("name").map_err(within)?,
            description: spec.take("description").map_err(within)?,
            parameters: schema.and_then(|mut schema| schema.json("json")),
            strict: spec.take("strict").map_err(within)?,
        },
        cache: None,
        extension: spec.into_extension(HERE),
    })
}

fn read_output(fields: &mut Fields<'_>, request: &mut ChatRequest, rest: &mut Rest) -> Result<(), Unsayable> {
    let Some(mut config) = fields.object("outputConfig")? else {
        return Ok(());
    };
    let effort = config
        .peek("effort")
        .and_then(|effort| Effort::from_name(effort.get().trim_matches('"')));
    if effort.is_some() {
        config.raw("effort");
        request.reasoning = Some(ReasoningRequest {
            effort,
            ..ReasoningRequest::default()
        });
    }
    request.format = config.peek("textFormat").and_then(text_format);
    if request.format.is_some() {
        config.raw("textFormat");
    }
    keep("outputConfig", config, rest);
    Ok(())
}

/// A schema, which Converse takes as text.
fn text_format(json: &RawValue) -> Option<OutputFormat> {
    let mut format = Fields::read(json).ok()?;
    let kind: String = format.take("type").ok()??;
    let mut structure = format.object("structure").ok()??;
    let mut schema = structure.object("jsonSchema").ok()??;
    let text: String = schema.take("schema").ok()??;
    let said = OutputFormat::JsonSchema {
        name: schema.take("name").ok()?,
        description: schema.take("description").ok()?,
        schema: Json::parse(&text)?,
        strict: None,
    };
    let is_whole = format.is_empty() && structure.is_empty() && schema.is_empty();
    (kind == "json_schema" && is_whole).then_some(said)
}

/// What Claude models take beside what all take.
fn read_claude(fields: &mut Fields<'_>, request: &mut ChatRequest, rest: &mut Rest) -> Result<(), Unsayable> {
    let Some(raw) = fields.raw("additionalModelRequestFields") else {
        return Ok(());
    };
    let within = |error: Unsayable| error.within("additionalModelRequestFields");
    let mut more = Fields::read(raw).map_err(within)?;
    request.sampling.top_k = more.take("top_k").map_err(within)?;
    if let Some((depth, show)) = more.peek("thinking").and_then(Depth::read) {
        let effort = request.reasoning.as_ref().and_then(|reasoning| reasoning.effort);
        if (depth, effort.is_some()) != (Depth::Off, true) {
            more.raw("thinking");
            request.reasoning = Some(depth.wish(show, effort));
        }
    }
    keep("additionalModelRequestFields", more, rest);
    Ok(())
}

fn service_tier(fields: &mut Fields<'_>) -> Option<String> {
    let mut tier = Fields::read(fields.peek("serviceTier")?).ok()?;
    let kind = tier.take("type").ok()??;
    if !tier.is_empty() {
        return None;
    }
    fields.raw("serviceTier");
    Some(kind)
}
