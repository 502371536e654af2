//! `generationConfig` for a provider.

use super::super::common::path;
use super::PROTOCOL;
use super::config_in::OPENAPI;
use super::model::{Generation, bare, generation};
use crate::chat::{ChatRequest, Drops, Effort, Json, Object, OutputFormat, ReasoningRequest};

/// Most stop sequences that Gemini takes.
const STOPS_MAX: usize = 5;

/// Writes it; `None` if there is nothing to say.
pub(super) fn encode(request: &ChatRequest, model: &str, drops: &mut Drops) -> Option<Json> {
    let sampling = &request.sampling;
    let mut config = Object::new()
        .set_some("temperature", sampling.temperature.as_ref())
        .set_some("topP", sampling.top_p.as_ref())
        .set_some("topK", sampling.top_k.as_ref())
        .set_some("candidateCount", sampling.choices)
        .set_some("maxOutputTokens", sampling.max_tokens);
    let mut stops: Vec<_> = sampling.stop.iter().filter(|stop| !stop.is_empty()).collect();
    if stops.len() > STOPS_MAX && !is_native(request) {
        stops.truncate(STOPS_MAX);
        drops.note("stop");
    }
    if !stops.is_empty() {
        config.put("stopSequences", &stops);
    }
    config = config
        .set_some("presencePenalty", sampling.presence_penalty.as_ref())
        .set_some("frequencyPenalty", sampling.frequency_penalty.as_ref())
        .set_some("seed", sampling.seed.as_ref())
        .set_some("responseLogprobs", sampling.logprobs)
        .set_some("logprobs", sampling.top_logprobs);
    match &request.format {
        None => {}
        Some(OutputFormat::Text) if !is_native(request) => {}
        Some(OutputFormat::Text) => config.put("responseMimeType", "text/plain"),
        Some(OutputFormat::JsonObject) => config.put("responseMimeType", "application/json"),
        Some(OutputFormat::JsonSchema { schema, .. }) => {
            config.put("responseMimeType", "application/json");
            match request.extension.kept(PROTOCOL, OPENAPI) {
                Some(spelled) => config.put(OPENAPI, spelled),
                None => config.put("responseJsonSchema", schema),
            }
        }
    }
    let thinking = thinking(request, model, drops);
    if let Some(thinking) = thinking {
        config.put("thinkingConfig", &thinking);
    }
    for (name, value) in path(&request.extension, PROTOCOL, "generationConfig.") {
        if !name.starts_with("thinkingConfig.") {
            config.put(name, value);
        }
    }
    (!config.is_empty()).then(|| config.finish())
}

fn is_native(request: &ChatRequest) -> bool {
    request.extension.protocol() == PROTOCOL
}

fn thinking(request: &ChatRequest, model: &str, drops: &mut Drops) -> Option<Json> {
    let reasoning = request.reasoning.as_ref()?;
    let is_native = is_native(request);
    if !is_native && never_thinks(model) {
        let is_wanted = reasoning.adaptive || reasoning.as_budget().is_some_and(|budget| budget > 0);
        drops.note_if(is_wanted, "reasoning_effort");
        return None;
    }
    let wants_summary = reasoning.summary.as_deref().map(|summary| summary != "none");
    let mut config = Object::new().set_some("includeThoughts", reasoning.show.or(wants_summary));
    match depth(reasoning, model, is_native) {
        Some(Depth::Level(level)) => config.put("thinkingLevel", level),
        Some(Depth::Budget(budget)) => config.put("thinkingBudget", &budget),
        None => {}
    }
    for (name, value) in path(&request.extension, PROTOCOL, "generationConfig.thinkingConfig.") {
        config.put(name, value);
    }
    (is_native || !config.is_empty()).then(|| config.finish())
}

/// Models that refuse `thinkingConfig`.
fn never_thinks(model: &str) -> bool {
    let name = bare(model);
    ["gemini-1.", "gemini-2.0", "gemma"]
        .iter()
        .any(|start| name.starts_with(start))
}

/// How much is to be thought.
#[derive(Debug, PartialEq, Eq)]
enum Depth {
    Level(&'static str),
    /// In tokens; −1 leaves it to the model.
    Budget(i64),
}

/// The depth as the model's generation takes it. What a Gemini client says is left as it is where the model takes it.
fn depth(reasoning: &ReasoningRequest, model: &str, is_native: bool) -> Option<Depth> {
    let budget = |budget: u64| Depth::Budget(i64::try_from(budget).unwrap_or(i64::MAX));
    match generation(model) {
        Generation::Level if is_native && reasoning.effort.is_none() => match reasoning.budget {
            Some(tokens) => Some(budget(tokens)),
            None => reasoning.adaptive.then_some(Depth::Budget(-1)),
        },
        Generation::Level => reasoning
            .as_effort()
            .map(|effort| Depth::Level(level(effort, model, is_native))),
        Generation::Budget => match (reasoning.as_budget(), reasoning.budget) {
            (_, Some(tokens)) if is_native => Some(budget(tokens)),
            (Some(tokens), _) => Some(budget(within_limits(tokens, model))),
            (None, _) => reasoning.adaptive.then_some(Depth::Budget(-1)),
        },
    }
}

/// The level for an effort. No model of that generation can be kept from thinking; the Pro ones think at least a
/// little, and the first of them knows no `MEDIUM`.
fn level(effort: Effort, model: &str, is_native: bool) -> &'static str {
    let name = bare(model);
    match effort {
        Effort::None | Effort::Minimal if name.contains("-pro") && !is_native => "LOW",
        Effort::None | Effort::Minimal => "MINIMAL",
        Effort::Low => "LOW",
        Effort::Medium if name.starts_with("gemini-3-pro") && !is_native => "HIGH",
        Effort::Medium => "MEDIUM",
        Effort::XHigh if is_native => "XHIGH",
        Effort::High | Effort::XHigh | Effort::Max => "HIGH",
    }
}

/// A budget that the model takes: Pro models cannot be kept from thinking, Lite ones start at 512.
fn within_limits(tokens: u64, model: &str) -> u64 {
    let name = bare(model);
    if name.contains("-pro") {
        tokens.clamp(128, 32_768)
    } else if tokens == 0 {
        0
    } else if name.contains("-flash-lite") {
        tokens.clamp(512, 24_576)
    } else {
        tokens.min(24_576)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(effort: Option<Effort>, budget: Option<u64>, adaptive: bool) -> ReasoningRequest {
        ReasoningRequest {
            effort,
            budget,
            adaptive,
            ..ReasoningRequest::default()
        }
    }

    #[test]
    fn depth_is_told_as_the_model_takes_it() {
        let cases = [
            (
                "gemini-2.5-flash",
                asked(Some(Effort::Low), None, false),
                Some(Depth::Budget(1024)),
            ),
            (
                "gemini-2.5-flash",
                asked(Some(Effort::None), None, false),
                Some(Depth::Budget(0)),
            ),
            (
                "gemini-2.5-pro",
                asked(Some(Effort::None), None, false),
                Some(Depth::Budget(128)),
            ),
            (
                "gemini-2.5-flash",
                asked(None, Some(60_000), false),
                Some(Depth::Budget(24_576)),
            ),
            (
                "gemini-2.5-flash",
                asked(None, None, true),
                Some(Depth::Budget(-1)),
            ),
            ("gemini-2.5-flash", asked(None, None, false), None),
            (
                "gemini-3-flash",
                asked(Some(Effort::None), None, false),
                Some(Depth::Level("MINIMAL")),
            ),
            (
                "gemini-3-pro-preview",
                asked(Some(Effort::Minimal), None, false),
                Some(Depth::Level("LOW")),
            ),
            (
                "gemini-3-pro-preview",
                asked(Some(Effort::Medium), None, false),
                Some(Depth::Level("HIGH")),
            ),
            (
                "gemini-3.1-pro",
                asked(Some(Effort::Medium), None, false),
                Some(Depth::Level("MEDIUM")),
            ),
            (
                "gemini-3.1-pro",
                asked(None, Some(20_000), false),
                Some(Depth::Level("HIGH")),
            ),
            ("gemini-3.1-pro", asked(None, None, true), None),
        ];
        for (model, reasoning, expected) in cases {
            assert_eq!(depth(&reasoning, model, false), expected, "{model} {reasoning:?}");
        }
        let budget = asked(None, Some(100_000), false);
        for model in ["gemini-2.5-flash", "gemini-3-pro"] {
            assert_eq!(
                depth(&budget, model, true),
                Some(Depth::Budget(100_000)),
                "{model}"
            );
        }
    }
}
