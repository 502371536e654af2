//! A request for a provider.

use serde_json::Number;

use super::super::common::note_left_out;
use super::{PROTOCOL, messages_out, tools};
use crate::chat::{ChatRequest, Drops, Effort, Json, Object, OutputFormat, Unsayable};

/// Most stop sequences that Cohere takes.
const STOPS_MAX: usize = 5;
/// Largest `p` that Cohere takes.
const TOP_P_MAX: f64 = 0.99;

/// Writes a request.
pub(super) fn encode(request: &ChatRequest, model: &str, drops: &mut Drops) -> Result<Json, Unsayable> {
    note_left_out(request, PROTOCOL, drops)?;
    let sampling = &request.sampling;
    drops.note_if(request.parallel_tool_calls == Some(false), "parallel_tool_calls");
    drops.note_if(request.service_tier.is_some(), "service_tier");
    drops.note_if(request.store == Some(true), "store");
    drops.note_if(sampling.choices.is_some_and(|choices| choices > 1), "n");
    drops.note_if(
        sampling.top_logprobs.is_some_and(|count| count > 0),
        "top_logprobs",
    );
    let mut messages = Vec::new();
    for turn in &request.turns {
        messages_out::encode(turn, &mut messages)?;
    }
    let mut body = Object::new().set("model", model).set("messages", &messages);
    body = tools::encode(request, body, drops);
    body = body
        .set_some("response_format", format(request))
        .set_some("thinking", thinking(request, model, drops));
    body = dials(request, body, drops);
    body.put("stream", &request.stream);
    Ok(body.extend(&request.extension, PROTOCOL).finish())
}

fn is_native(request: &ChatRequest) -> bool {
    request.extension.protocol() == PROTOCOL
}

/// The dials of generation, within the limits that Cohere sets.
fn dials(request: &ChatRequest, mut body: Object, drops: &mut Drops) -> Object {
    let sampling = &request.sampling;
    let mut stops: Vec<_> = sampling.stop.iter().filter(|stop| !stop.is_empty()).collect();
    if stops.len() > STOPS_MAX && !is_native(request) {
        stops.truncate(STOPS_MAX);
        drops.note("stop");
    }
    if !stops.is_empty() {
        body.put("stop_sequences", &stops);
    }
    let top_p = sampling.top_p.clone().map(|top_p| match top_p.as_f64() {
        Some(value) if value > TOP_P_MAX && !is_native(request) => {
            Number::from_f64(TOP_P_MAX).unwrap_or(top_p)
        }
        _ => top_p,
    });
    let mut penalty = |penalty: &Option<Number>, name| {
        let is_refused =
            |penalty: &Number| !penalty.as_f64().is_some_and(|value| (0.0..=1.0).contains(&value));
        let is_refused = !is_native(request) && penalty.as_ref().is_some_and(is_refused);
        drops.note_if(is_refused, name);
        penalty.clone().filter(|_| !is_refused)
    };
    let frequency = penalty(&sampling.frequency_penalty, "frequency_penalty");
    let presence = penalty(&sampling.presence_penalty, "presence_penalty");
    body.set_some("max_tokens", sampling.max_tokens)
        .set_some("temperature", sampling.temperature.as_ref())
        .set_some("p", top_p)
        .set_some("k", sampling.top_k.as_ref())
        .set_some("seed", sampling.seed.as_ref())
        .set_some("frequency_penalty", frequency)
        .set_some("presence_penalty", presence)
        .set_some("logprobs", sampling.logprobs)
}

fn format(request: &ChatRequest) -> Option<Json> {
    let format = match request.format.as_ref()? {
        OutputFormat::Text if !is_native(request) => return None,
        OutputFormat::Text => Object::new().set("type", "text"),
        OutputFormat::JsonObject => Object::new().set("type", "json_object"),
        OutputFormat::JsonSchema { schema, .. } => Object::new()
            .set("type", "json_object")
            .set("json_schema", schema),
    };
    Some(format.finish())
}

/// Whether to think and how much. Only models that are named so reason; others would refuse the member.
fn thinking(request: &ChatRequest, model: &str, drops: &mut Drops) -> Option<Json> {
    let reasoning = request.reasoning.as_ref()?;
    let is_off = reasoning.effort == Some(Effort::None) || reasoning.budget == Some(0);
    let budget = reasoning.as_budget();
    if !is_off && budget.is_none() && !reasoning.adaptive {
        return None;
    }
    if !is_native(request) && !model.contains("reasoning") {
        drops.note_if(!is_off, "reasoning_effort");
        return None;
    }
    let thinking = if is_off {
        Object::new().set("type", "disabled")
    } else {
        Object::new()
            .set("type", "enabled")
            .set_some("token_budget", budget)
    };
    Some(thinking.finish())
}
