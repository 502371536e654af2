//! Requests of clients, read.

use serde_json::value::RawValue;

use super::blocks_in::{cache_mark, content};
use super::{HERE, NATIVE};
use crate::chat::{
    ChatRequest, Effort, Extension, Fields, Json, Object, OutputFormat, Part, PartKind, Role, Tool,
    ToolChoice, ToolKind, Turn, Unsayable,
};
use crate::codec::Ask;
use crate::codec::call_signatures::rejoin;
use crate::codec::claude::Depth;

pub(super) fn decode(body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = ChatRequest::new(Extension::of(HERE));
    let mut rest = Vec::new();
    request.model = fields.take("model")?.or_else(|| ask.model.map(str::to_owned));
    read_system(&mut fields, &mut request)?;
    read_messages(&mut fields, &mut request)?;
    read_tools(&mut fields, &mut request)?;
    read_tool_choice(&mut fields, &mut request)?;
    read_output(&mut fields, &mut request, &mut rest)?;
    read_thinking(&mut fields, &mut request, &mut rest);
    read_sampling(&mut fields, &mut request)?;
    if let Some(mut metadata) = fields.object("metadata")? {
        request.end_user = metadata
            .take("user_id")
            .map_err(|error| error.within("metadata"))?;
        keep("metadata", metadata, &mut rest);
    }
    request.service_tier = fields.take("service_tier")?;
    request.stream = fields.take("stream")?.or(ask.stream).unwrap_or_default();
    request.extension = fields.into_extension(HERE);
    for (name, value) in rest {
        request.extension.push(name, value);
    }
    Ok(request)
}

/// Keeps what is left of an object under its name.
fn keep(name: &'static str, fields: Fields<'_>, rest: &mut Vec<(&'static str, Json)>) {
    if !fields.is_empty() {
        let left = Object::new().extend(&fields.into_extension(HERE), HERE);
        rest.push((name, left.finish()));
    }
}

fn read_system(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let Some(system) = fields.raw("system") else {
        return Ok(());
    };
    let parts = content(system).map_err(|error| error.within("system"))?;
    if !parts.is_empty() {
        request
            .turns
            .push(Turn::new(Role::System, parts, Extension::of(HERE)));
    }
    Ok(())
}

fn read_messages(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let messages = fields
        .items("messages")?
        .ok_or_else(|| Unsayable::at("messages", "`messages` is required"))?;
    for (index, message) in messages.into_iter().enumerate() {
        read_message(message, &mut request.turns)
            .map_err(|error| error.within(&format!("messages[{index}]")))?;
    }
    Ok(())
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
        "user" => push_user(parts, extension, turns),
        "assistant" => turns.push(Turn::new(Role::Assistant, rejoin(parts, NATIVE), extension)),
        "system" => turns.push(Turn::new(Role::System, parts, extension)),
        _ => {
            return Err(Unsayable::at("role", "must be `user`, `assistant` or `system`"));
        }
    }
    Ok(())
}

/// A message of the user's: what tools answered is a turn of its own before the rest.
fn push_user(parts: Vec<Part>, extension: Extension, turns: &mut Vec<Turn>) {
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

fn read_tools(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    for (index, json) in fields.items("tools")?.unwrap_or_default().into_iter().enumerate() {
        let tool = read_tool(json).map_err(|error| error.within(&format!("tools[{index}]")))?;
        request.tools.push(tool);
    }
    Ok(())
}

fn read_tool(json: &RawValue) -> Result<Tool, Unsayable> {
    let mut fields = Fields::read(json)?;
    let cache = cache_mark(&mut fields);
    let kind = match fields.peek("type").map(|kind| kind.get().trim_matches('"')) {
        Some(kind) if kind != "custom" => ToolKind::BuiltIn {
            kind: kind.to_owned(),
        },
        _ => {
            fields.raw("type");
            ToolKind::Function {
                name: fields.need("name")?,
                description: fields.take("description")?,
                parameters: fields.json("input_schema"),
                strict: fields.take("strict")?,
            }
        }
    };
    Ok(Tool {
        kind,
        cache,
        extension: fields.into_extension(HERE),
    })
}

fn read_tool_choice(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let Some(raw) = fields.raw("tool_choice") else {
        return Ok(());
    };
    let read = || {
        let mut choice = Fields::read(raw)?;
        let kind: String = choice.need("type")?;
        let one_at_a_time: Option<bool> = choice.take("disable_parallel_tool_use")?;
        let choice = match kind.as_str() {
            "auto" => ToolChoice::Auto,
            "any" => ToolChoice::Required,
            "none" => ToolChoice::None,
            "tool" => ToolChoice::Tool(choice.need("name")?),
            _ => {
                return Err(Unsayable::at("type", "must be `auto`, `any`, `tool` or `none`"));
            }
        };
        Ok((choice, one_at_a_time))
    };
    let (choice, one_at_a_time) = read().map_err(|error: Unsayable| error.within("tool_choice"))?;
    request.tool_choice = Some(choice);
    request.parallel_tool_calls = one_at_a_time.map(|one| !one);
    Ok(())
}

/// `output_config`, and `output_format` as clients of the beta name its format.
fn read_output(
    fields: &mut Fields<'_>,
    request: &mut ChatRequest,
    rest: &mut Vec<(&'static str, Json)>,
) -> Result<(), Unsayable> {
    if let Some(mut config) = fields.object("output_config")? {
        let effort = config
            .peek("effort")
            .and_then(|effort| Effort::from_name(effort.get().trim_matches('"')));
        if effort.is_some() {
            config.raw("effort");
            request.reasoning.get_or_insert_default().effort = effort;
        }
        request.format = config.peek("format").and_then(format);
        if request.format.is_some() {
            config.raw("format");
        }
        keep("output_config", config, rest);
    }
    if request.format.is_none()
        && let Some(format) = fields.peek("output_format").and_then(format)
    {
        fields.raw("output_format");
        request.format = Some(format);
    }
    Ok(())
}

fn format(json: &RawValue) -> Option<OutputFormat> {
    let mut fields = Fields::read(json).ok()?;
    let kind: String = fields.take("type").ok()??;
    let format = OutputFormat::JsonSchema {
        name: fields.take("name").ok()?,
        description: None,
        schema: fields.json("schema")?,
        strict: None,
    };
    (kind == "json_schema" && fields.is_empty()).then_some(format)
}

/// `thinking`; what is said in words that the model does not have stays as it is.
fn read_thinking(fields: &mut Fields<'_>, request: &mut ChatRequest, rest: &mut Vec<(&'static str, Json)>) {
    let Some((depth, show)) = fields.peek("thinking").and_then(Depth::read) else {
        return;
    };
    fields.raw("thinking");
    let effort = request.reasoning.take().and_then(|reasoning| reasoning.effort);
    if let (Depth::Off, Some(effort)) = (depth, effort) {
        put_effort(effort, rest);
    }
    request.reasoning = Some(depth.wish(show, effort));
}

/// Puts an effort back to what is left of `output_config`: nothing is thought, and it means the rest of the answer.
fn put_effort(effort: Effort, rest: &mut Vec<(&'static str, Json)>) {
    let before = rest.iter().position(|(name, _)| *name == "output_config");
    let before = before.map(|index| rest.remove(index).1);
    let mut config = Object::new().set("effort", effort.name());
    if let Some(left) = before.as_ref().and_then(Json::fields) {
        config = config.extend(&left.into_extension(HERE), HERE);
    }
    rest.push(("output_config", config.finish()));
}

fn read_sampling(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let sampling = &mut request.sampling;
    sampling.max_tokens = fields.take("max_tokens")?;
    sampling.temperature = fields.take("temperature")?;
    sampling.top_p = fields.take("top_p")?;
    sampling.top_k = fields.take("top_k")?;
    sampling.stop = fields.take("stop_sequences")?.unwrap_or_default();
    Ok(())
}
