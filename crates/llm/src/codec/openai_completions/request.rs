//! Requests, read and written.

use super::super::openai_chat::{Body, end_user, sampling, stop, stream, stream_options};
use super::prompt;
use crate::chat::{ChatRequest, Drops, Extension, Fields, Json, Part, PartKind, Role, Turn, Unsayable};
use crate::codec::{Ask, TargetRules};
use crate::protocol::Protocol;

const HERE: Protocol = Protocol::OpenAiCompletions;

/// Reads a request.
pub(super) fn decode(body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = ChatRequest::new(Extension::of(HERE));
    let model: Option<String> = fields.take("model")?;
    request.model = ask.model.map(str::to_owned).or(model);
    let prompt = fields.raw("prompt");
    let prompt = prompt.ok_or_else(|| Unsayable::at("prompt", "`prompt` is required"))?;
    let text = Part::new(PartKind::Text(prompt::decode(prompt)?), Extension::of(HERE));
    request
        .turns
        .push(Turn::new(Role::User, vec![text], Extension::of(HERE)));
    let dials = &mut request.sampling;
    dials.max_tokens = fields.take("max_tokens")?;
    dials.temperature = fields.take("temperature")?;
    dials.top_p = fields.take("top_p")?;
    dials.top_k = fields.take("top_k")?;
    dials.stop = stop(&mut fields)?;
    dials.seed = fields.take("seed")?;
    dials.frequency_penalty = fields.take("frequency_penalty")?;
    dials.presence_penalty = fields.take("presence_penalty")?;
    dials.choices = fields.take("n")?;
    dials.top_logprobs = fields.take("logprobs")?;
    dials.logprobs = dials.top_logprobs.map(|_| true);
    let stream: Option<bool> = fields.take("stream")?;
    request.stream = ask.stream.or(stream).unwrap_or_default();
    request.end_user = fields.take("user")?;
    let options = stream_options(&mut fields, &mut request)?;
    request.extension = fields.into_extension(HERE);
    if let Some(options) = options {
        request.extension.push("stream_options", options);
    }
    Ok(request)
}

/// Writes a request. Tools, formats and thoughts cannot be said.
pub(super) fn encode(
    request: &ChatRequest,
    target: &TargetRules<'_>,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    let prompt = prompt::encode(request)?;
    let mut body = Body::new(target, drops);
    body.put("model", request.model.as_deref().unwrap_or(target.model));
    body.put("prompt", &prompt);
    body.put_some("max_tokens", request.sampling.max_tokens);
    sampling(request, &mut body);
    if request.extension.protocol() == HERE {
        body.put_some("top_k", request.sampling.top_k.as_ref());
    } else {
        body.drops.note_if(request.sampling.top_k.is_some(), "top_k");
    }
    if request.sampling.logprobs == Some(true) {
        body.put("logprobs", &request.sampling.top_logprobs.unwrap_or_default());
    }
    end_user(request, &mut body);
    stream(request, &mut body);
    for (is_there, name) in [
        (!request.tools.is_empty(), "tools"),
        (request.tool_choice.is_some(), "tool_choice"),
        (request.parallel_tool_calls.is_some(), "parallel_tool_calls"),
        (request.format.is_some(), "response_format"),
        (request.reasoning.is_some(), "reasoning_effort"),
        (request.service_tier.is_some(), "service_tier"),
        (request.metadata.is_some(), "metadata"),
        (request.store.is_some(), "store"),
    ] {
        body.drops.note_if(is_there, name);
    }
    let protocol = request.extension.protocol();
    for (name, value) in request.extension.members(protocol) {
        match name.as_str() {
            "stream_options" => {}
            "logit_bias" => body.put(name, value),
            name if protocol == HERE => body.put(name, value),
            name => body.drops.note(name.to_owned()),
        }
    }
    Ok(body.finish())
}
