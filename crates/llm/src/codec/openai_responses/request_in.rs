//! Requests of clients, read.

use serde_json::value::RawValue;

use super::PROTOCOL;
use super::items_in;
use super::marks;
use super::tools_in;
use crate::chat::{
    ChatRequest, Effort, Extension, Fields, Json, OutputFormat, Part, PartKind, ReasoningRequest, Role,
    Sampling, Turn, Unsayable, items,
};
use crate::codec::Ask;

/// What asks for the signatures of thoughts.
pub(super) const ENCRYPTED: &str = "reasoning.encrypted_content";
/// What asks for probabilities of tokens.
pub(super) const LOGPROBS: &str = "message.output_text.logprobs";

/// Reads a request.
///
/// # Errors
/// [`Unsayable`], also for `conversation` and `prompt`, without whose content the question cannot be understood.
pub(super) fn read(body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = ChatRequest::new(Extension::of(PROTOCOL));
    refuse_stored(&fields)?;
    request.model = match ask.model {
        Some(model) => Some(model.to_owned()),
        None => fields.take("model")?,
    };
    let is_stream: Option<bool> = fields.take("stream")?;
    request.stream = ask.stream.or(is_stream).unwrap_or(false);
    if fields
        .peek("input")
        .is_some_and(|input| items(input).is_some_and(|list| list.is_empty()))
    {
        marks::keep_flag(&mut request.extension, marks::INPUT);
    }
    request.turns = read_turns(&mut fields)?;
    request.tools = match fields.items("tools")? {
        Some(list) => tools_in::read(&list)?,
        None => Vec::new(),
    };
    read_tool_choice(&mut fields, &mut request)?;
    request.parallel_tool_calls = fields.take("parallel_tool_calls")?;
    read_text(&mut fields, &mut request)?;
    request.reasoning = read_reasoning(&mut fields, &mut request.extension)?;
    request.sampling = read_sampling(&mut fields, &mut request.extension)?;
    read_end_user(&mut fields, &mut request)?;
    request.service_tier = fields.take("service_tier")?;
    request.metadata = fields.json("metadata");
    request.previous_response = fields.take("previous_response_id")?;
    request.store = fields.take("store")?;
    marks::push_rest(&mut request.extension, "", fields);
    Ok(request)
}

fn refuse_stored(fields: &Fields<'_>) -> Result<(), Unsayable> {
    for name in ["conversation", "prompt"] {
        if fields.peek(name).is_some() {
            let message = format!(
                "`{name}` is stored with OpenAI, and another provider answers; send the content itself"
            );
            return Err(Unsayable::at(name, message));
        }
    }
    Ok(())
}

fn read_turns(fields: &mut Fields<'_>) -> Result<Vec<Turn>, Unsayable> {
    let mut turns = Vec::new();
    if let Some(instructions) = fields.take::<String>("instructions")? {
        let mut turn = text_turn(Role::System, instructions);
        marks::keep_flag(&mut turn.extension, marks::INSTRUCTIONS);
        turns.push(turn);
    }
    match fields.raw("input") {
        None => {}
        Some(input) if input.get().starts_with('"') => {
            let text = serde_json::from_str(input.get())
                .map_err(|_| Unsayable::at("input", "must be a string or an array of items"))?;
            let mut turn = text_turn(Role::User, text);
            marks::keep_flag(&mut turn.extension, marks::INPUT);
            turns.push(turn);
        }
        Some(input) => {
            let list = items(input)
                .ok_or_else(|| Unsayable::at("input", "must be a string or an array of items"))?;
            turns.extend(items_in::turns(&list)?);
        }
    }
    Ok(turns)
}

fn text_turn(role: Role, text: String) -> Turn {
    let mut extension = Extension::of(PROTOCOL);
    marks::keep_flag(&mut extension, marks::STRING);
    let part = Part::new(PartKind::Text(text), extension);
    Turn::new(role, vec![part], Extension::of(PROTOCOL))
}

fn read_tool_choice(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    if let Some(json) = fields.raw("tool_choice") {
        request.tool_choice =
            tools_in::read_choice(json, &request.tools).map_err(|error| error.within("tool_choice"))?;
        if request.tool_choice.is_none() {
            request.extension.push("tool_choice", Json::from(json));
        }
    }
    Ok(())
}

fn read_text(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let Some(mut text) = fields.object("text")? else {
        return Ok(());
    };
    if let Some(json) = text.raw("format") {
        request.format =
            read_format(json, &mut request.extension).map_err(|error| error.within("text.format"))?;
    }
    marks::push_rest(&mut request.extension, "text.", text);
    Ok(())
}

fn read_format(json: &RawValue, extension: &mut Extension) -> Result<Option<OutputFormat>, Unsayable> {
    let mut fields = Fields::read(json)?;
    let kind: String = fields.need("type")?;
    let format = match kind.as_str() {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::JsonObject,
        "json_schema" => OutputFormat::JsonSchema {
            name: fields.take("name")?,
            description: fields.take("description")?,
            schema: fields
                .json("schema")
                .ok_or_else(|| Unsayable::at("schema", "`schema` is required"))?,
            strict: fields.take("strict")?,
        },
        _ => {
            extension.push("text.format", Json::from(json));
            return Ok(None);
        }
    };
    marks::push_rest(extension, "text.format.", fields);
    Ok(Some(format))
}

fn read_reasoning(
    fields: &mut Fields<'_>,
    extension: &mut Extension,
) -> Result<Option<ReasoningRequest>, Unsayable> {
    let Some(mut reasoning) = fields.object("reasoning")? else {
        return Ok(None);
    };
    let within = |error: Unsayable| error.within("reasoning");
    let told: Option<String> = reasoning.take("effort").map_err(within)?;
    let effort = told.as_deref().and_then(Effort::from_name);
    if let (Some(told), None) = (&told, effort) {
        extension.push("reasoning.effort", Json::of(told));
    }
    let summary: Option<String> = reasoning.take("summary").map_err(within)?;
    marks::push_rest(extension, "reasoning.", reasoning);
    Ok(Some(ReasoningRequest {
        effort,
        show: summary.is_some().then_some(true),
        summary,
        ..ReasoningRequest::default()
    }))
}

fn read_sampling(fields: &mut Fields<'_>, extension: &mut Extension) -> Result<Sampling, Unsayable> {
    let top_logprobs: Option<u64> = fields.take("top_logprobs")?;
    let include = fields.raw("include");
    let included: Vec<String> = include
        .and_then(|list| serde_json::from_str(list.get()).ok())
        .unwrap_or_default();
    if let Some(include) = include {
        extension.keep(marks::INCLUDE, Json::from(include));
    }
    let wants = |name: &str| included.iter().any(|known| known == name);
    let others: Vec<_> = included
        .iter()
        .filter(|name| *name != ENCRYPTED && *name != LOGPROBS)
        .collect();
    if !others.is_empty() {
        extension.push(marks::INCLUDE, Json::of(&others));
    }
    Ok(Sampling {
        max_tokens: fields.take("max_output_tokens")?,
        temperature: fields.take("temperature")?,
        top_p: fields.take("top_p")?,
        logprobs: (wants(LOGPROBS) || top_logprobs.is_some_and(|count| count > 0)).then_some(true),
        top_logprobs,
        ..Sampling::default()
    })
}

/// `safety_identifier` names the end user as `user` does, which it replaces.
fn read_end_user(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let name = if fields.peek("user").is_some() {
        "user"
    } else {
        "safety_identifier"
    };
    request.end_user = fields.take(name)?;
    if request.end_user.is_some() {
        request.extension.keep(marks::END_USER, Json::of(name));
    }
    Ok(())
}
