//! A request for a provider.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Number;
use sluice_wire::sha256_hex;

use super::{format, messages_out, tools_out};
use crate::chat::{ChatRequest, Drops, Effort, Fields, Json, Object, ReasoningRequest, Unsayable};
use crate::codec::TargetRules;
use crate::codec::openai_models::{has_no_dials, thinks};
use crate::protocol::Protocol;
use crate::provider::{EffortMember, Quirks, StreamUsageAsk};

const HERE: Protocol = Protocol::OpenAiChat;

/// A body being written: what the provider refuses is left out and noted.
pub(in crate::codec) struct Body<'a, 'd> {
    object: Object,
    pub(super) model: &'a str,
    pub(super) quirks: &'static Quirks,
    pub(in crate::codec) drops: &'d mut Drops,
}

impl<'a, 'd> Body<'a, 'd> {
    pub(in crate::codec) fn new(target: &TargetRules<'a>, drops: &'d mut Drops) -> Self {
        Self {
            object: Object::new(),
            model: target.model,
            quirks: target.quirks,
            drops,
        }
    }

    /// Adds a member, or notes that the provider refuses it.
    pub(in crate::codec) fn put<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) {
        if self.quirks.refuses.contains(&name) {
            self.drops.note(Cow::Owned(name.to_owned()));
        } else {
            self.object.put(name, value);
        }
    }

    /// The same for a member that may be absent.
    pub(in crate::codec) fn put_some<T: Serialize>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.put(name, &value);
        }
    }

    pub(in crate::codec) fn finish(self) -> Json {
        self.object.finish()
    }

    /// Whether the provider speaks the protocol as OpenAI does, newer members included.
    pub(super) fn is_openai(&self) -> bool {
        self.quirks.is_openai()
    }
}

/// Writes a request.
pub(super) fn encode(
    request: &ChatRequest,
    target: &TargetRules<'_>,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    if request.previous_response.is_some() {
        return Err(Unsayable::at(
            "previous_response_id",
            "the provider keeps no answers: send the conversation so far as `input`",
        ));
    }
    let mut body = Body::new(target, drops);
    let model = request.model.as_deref().unwrap_or(target.model);
    body.put("model", model);
    let messages = messages_out::encode(request, &mut body)?;
    body.put("messages", &messages);
    tools_out::encode(request, &mut body);
    format::encode(request, &mut body);
    if let Some(reasoning) = &request.reasoning {
        encode_reasoning(reasoning, request, &mut body);
    }
    let max_tokens = body.quirks.max_tokens;
    body.put_some(max_tokens, request.sampling.max_tokens);
    sampling(request, &mut body);
    encode_top_k(request, &mut body);
    // The one is refused without the other.
    let implied = request
        .sampling
        .top_logprobs
        .filter(|_| request.extension.protocol() != HERE);
    body.put_some("logprobs", request.sampling.logprobs.or(implied.map(|_| true)));
    body.put_some("top_logprobs", request.sampling.top_logprobs);
    end_user(request, &mut body);
    service_tier(request, &mut body);
    stored(request, &mut body);
    stream(request, &mut body);
    extension(request, &mut body);
    Ok(body.finish())
}

/// What chat and legacy completions say alike.
///
/// Clients of other protocols do not know what OpenAI refuses: more than four texts to stop at, and dials of models that
/// think and have none.
pub(in crate::codec) fn sampling(request: &ChatRequest, body: &mut Body<'_, '_>) {
    const STOPS_MAX: usize = 4;
    let sampling = &request.sampling;
    let is_kin = matches!(
        request.extension.protocol(),
        Protocol::OpenAiChat | Protocol::OpenAiCompletions
    );
    let is_strict = body.is_openai() && !is_kin;
    let is_one = |number: &Number| number.as_f64() == Some(1.0);
    for (name, value) in [
        ("temperature", &sampling.temperature),
        ("top_p", &sampling.top_p),
        ("frequency_penalty", &sampling.frequency_penalty),
        ("presence_penalty", &sampling.presence_penalty),
    ] {
        if is_strict && has_no_dials(body.model) {
            body.drops
                .note_if(value.as_ref().is_some_and(|value| !is_one(value)), name);
        } else {
            body.put_some(name, value.as_ref());
        }
    }
    let mut stop = sampling.stop.as_slice();
    if is_strict && stop.len() > STOPS_MAX {
        body.drops.note("stop");
        stop = stop.get(..STOPS_MAX).unwrap_or_default();
    }
    if !stop.is_empty() {
        body.put("stop", stop);
    }
    let seed = body.quirks.seed;
    body.put_some(seed, sampling.seed.as_ref());
    body.put_some("n", sampling.choices);
}

/// The end user. OpenAI takes 64 characters; of longer names from other protocols their digest stands for them.
pub(in crate::codec) fn end_user(request: &ChatRequest, body: &mut Body<'_, '_>) {
    const MAX: usize = 64;
    let Some(user) = &request.end_user else { return };
    let is_own = matches!(
        request.extension.protocol(),
        Protocol::OpenAiChat | Protocol::OpenAiCompletions
    );
    if is_own || user.len() <= MAX {
        body.put("user", user);
    } else {
        body.put("user", &sha256_hex(user.as_bytes()));
    }
}

/// OpenAI refuses `top_k`, most compatible servers take it.
fn encode_top_k(request: &ChatRequest, body: &mut Body<'_, '_>) {
    if body.is_openai() && request.extension.protocol() != HERE {
        body.drops.note_if(request.sampling.top_k.is_some(), "top_k");
    } else {
        body.put_some("top_k", request.sampling.top_k.as_ref());
    }
}

/// The depth of thinking. Compatible servers know three words; models of OpenAI's that do not think refuse any.
fn encode_reasoning(reasoning: &ReasoningRequest, request: &ChatRequest, body: &mut Body<'_, '_>) {
    let is_own = request.extension.protocol() == HERE;
    match body.quirks.effort {
        EffortMember::Nowhere => body.drops.note("reasoning_effort"),
        EffortMember::Reasoning => {
            let mut object = Object::new();
            match (reasoning.budget, reasoning.effort) {
                (Some(budget), _) => object.put("max_tokens", &budget),
                (None, Some(effort)) => object.put("effort", effort.name()),
                (None, None) if reasoning.adaptive => object.put("enabled", &true),
                (None, None) => {}
            }
            object = object
                .set_some("exclude", reasoning.show.map(|show| !show))
                .set_some("summary", reasoning.summary.as_ref());
            if !object.is_empty() {
                body.put("reasoning", &object.finish());
            }
        }
        EffortMember::ReasoningEffort => {
            let Some(effort) = reasoning.as_effort() else {
                let is_asked = reasoning.adaptive || reasoning.show == Some(true);
                body.drops.note_if(is_asked && !is_own, "reasoning_effort");
                return;
            };
            if is_own {
                body.put("reasoning_effort", effort.name());
            } else if effort == Effort::None || (body.is_openai() && !thinks(body.model)) {
                body.drops.note("reasoning_effort");
            } else {
                let most = if body.is_openai() {
                    Effort::Max
                } else {
                    Effort::High
                };
                let least = if body.is_openai() {
                    Effort::Minimal
                } else {
                    Effort::Low
                };
                body.put("reasoning_effort", effort.clamp(least, most).name());
            }
        }
    }
}

/// The client's class of service, if the provider has one of that name.
fn service_tier(request: &ChatRequest, body: &mut Body<'_, '_>) {
    const KNOWN: [&str; 5] = ["auto", "default", "flex", "scale", "priority"];
    let Some(tier) = &request.service_tier else { return };
    let is_own = request.extension.protocol() == HERE;
    if is_own || (body.is_openai() && KNOWN.contains(&tier.as_str())) {
        body.put("service_tier", tier);
    } else {
        body.drops.note("service_tier");
    }
}

/// `metadata` and `store`. What other protocols call so is kept by the gateway or means nothing here: OpenAI takes
/// metadata of stored answers only.
fn stored(request: &ChatRequest, body: &mut Body<'_, '_>) {
    if request.extension.protocol() == HERE {
        body.put_some("metadata", request.metadata.as_ref());
        body.put_some("store", request.store);
    } else {
        body.drops.note_if(request.metadata.is_some(), "metadata");
    }
}

/// A stream is asked for with its usage, which the gateway needs even if the client does not.
pub(in crate::codec) fn stream(request: &ChatRequest, body: &mut Body<'_, '_>) {
    if !request.stream {
        return;
    }
    body.put("stream", &true);
    let asks = body.quirks.stream_usage == StreamUsageAsk::Options;
    let mut options = Object::new();
    if asks {
        options.put("include_usage", &true);
    }
    let more = request
        .extension
        .get(request.extension.protocol(), "stream_options");
    if asks && let Some(mut more) = more.and_then(|more| Fields::from_slice(more.text().as_bytes()).ok()) {
        more.raw("include_usage");
        options = options.extend(&more.into_extension(HERE), HERE);
    }
    if !options.is_empty() {
        body.put("stream_options", &options.finish());
    }
}

/// Members that other protocols of OpenAI's share with chat.
const SHARED: [&str; 7] = [
    "logit_bias",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "moderation",
    "stream_options",
];

fn extension(request: &ChatRequest, body: &mut Body<'_, '_>) {
    let extension = &request.extension;
    let protocol = extension.protocol();
    let is_kin =
        matches!(protocol, Protocol::OpenAiResponses | Protocol::OpenAiCompletions) && body.is_openai();
    for (name, value) in extension.members(protocol) {
        let is_shared = is_kin && SHARED.contains(&name.as_str());
        match name.as_str() {
            "stream_options" => {}
            "text.verbosity" if is_kin => body.put("verbosity", value),
            name if protocol == HERE || is_shared => body.put(name, value),
            name => body.drops.note(name.to_owned()),
        }
    }
}
