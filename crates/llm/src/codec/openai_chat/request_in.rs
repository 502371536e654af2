//! A client's request.

use serde_json::value::RawValue;

use super::{format, messages_in, tools_in};
use crate::chat::{ChatRequest, Effort, Extension, Fields, Object, ReasoningRequest, Unsayable};
use crate::codec::Ask;
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiChat;

/// Reads a request.
pub(super) fn decode(body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = ChatRequest::new(Extension::of(HERE));
    let model: Option<String> = fields.take("model")?;
    request.model = ask.model.map(str::to_owned).or(model);
    let messages = fields.items("messages")?;
    let messages = messages.ok_or_else(|| Unsayable::at("messages", "`messages` is required"))?;
    request.turns = messages_in::decode(&messages)?;
    tools_in::decode(&mut fields, &mut request)?;
    request.parallel_tool_calls = fields
        .take("parallel_tool_calls")?
        .or(request.parallel_tool_calls);
    request.format = format::decode(&mut fields)?;
    request.reasoning = reasoning(&mut fields)?;
    sampling(&mut fields, &mut request)?;
    let stream: Option<bool> = fields.take("stream")?;
    request.stream = ask.stream.or(stream).unwrap_or_default();
    request.end_user = fields.take("user")?;
    if request.end_user.is_none() {
        request.end_user = fields.take("safety_identifier")?;
    }
    request.service_tier = fields.take("service_tier")?;
    request.metadata = fields.json("metadata");
    request.store = fields.take("store")?;
    let options = stream_options(&mut fields, &mut request)?;
    request.extension = fields.into_extension(HERE);
    if let Some(options) = options {
        request.extension.push("stream_options", options);
    }
    Ok(request)
}

fn sampling(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let sampling = &mut request.sampling;
    let old: Option<u64> = fields.take("max_tokens")?;
    sampling.max_tokens = fields.take("max_completion_tokens")?.or(old);
    sampling.temperature = fields.take("temperature")?;
    sampling.top_p = fields.take("top_p")?;
    sampling.top_k = fields.take("top_k")?;
    sampling.stop = stop(fields)?;
    sampling.seed = fields.take("seed")?;
    sampling.frequency_penalty = fields.take("frequency_penalty")?;
    sampling.presence_penalty = fields.take("presence_penalty")?;
    sampling.choices = fields.take("n")?;
    sampling.logprobs = fields.take("logprobs")?;
    sampling.top_logprobs = fields.take("top_logprobs")?;
    Ok(())
}

/// `stop`: a text or several.
pub(in crate::codec) fn stop(fields: &mut Fields<'_>) -> Result<Vec<String>, Unsayable> {
    match fields.peek("stop") {
        Some(text) if text.get().starts_with('"') => Ok(fields.take("stop")?.into_iter().collect()),
        _ => Ok(fields.take("stop")?.unwrap_or_default()),
    }
}

/// `stream_options`: whether usage is wanted, and what else it says.
pub(in crate::codec) fn stream_options(
    fields: &mut Fields<'_>,
    request: &mut ChatRequest,
) -> Result<Option<crate::chat::Json>, Unsayable> {
    let Some(mut options) = fields.object("stream_options")? else {
        return Ok(None);
    };
    let usage = options.take("include_usage");
    request.stream_usage = usage
        .map_err(|error| error.within("stream_options"))?
        .unwrap_or_default();
    let rest = Object::new().extend(&options.into_extension(HERE), HERE);
    Ok((!rest.is_empty()).then(|| rest.finish()))
}

/// `reasoning_effort`, or OpenRouter's `reasoning`. What is not understood stays where it is.
fn reasoning(fields: &mut Fields<'_>) -> Result<Option<ReasoningRequest>, Unsayable> {
    let effort = fields
        .peek("reasoning_effort")
        .and_then(word)
        .and_then(|word| Effort::from_name(&word));
    if effort.is_some() {
        fields.raw("reasoning_effort");
    }
    let object = fields.peek("reasoning").and_then(open_router);
    if object.is_some() {
        fields.raw("reasoning");
    }
    let Some(mut reasoning) = object else {
        return Ok(effort.map(|effort| ReasoningRequest {
            effort: Some(effort),
            ..ReasoningRequest::default()
        }));
    };
    reasoning.effort = effort.or(reasoning.effort);
    Ok(Some(reasoning))
}

fn word(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

fn open_router(raw: &RawValue) -> Option<ReasoningRequest> {
    let mut fields = Fields::read(raw).ok()?;
    let mut reasoning = ReasoningRequest::default();
    if let Some(effort) = fields.raw("effort") {
        reasoning.effort = Some(Effort::from_name(&word(effort)?)?);
    }
    reasoning.budget = fields.take("max_tokens").ok()?;
    reasoning.summary = fields.take("summary").ok()?;
    reasoning.show = fields.take::<bool>("exclude").ok()?.map(|exclude| !exclude);
    match fields.take::<bool>("enabled").ok()? {
        Some(true) => reasoning.adaptive = reasoning.effort.is_none() && reasoning.budget.is_none(),
        Some(false) => reasoning.effort = Some(Effort::None),
        None => {}
    }
    fields.is_empty().then_some(reasoning)
}
