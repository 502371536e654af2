//! Whether requests are as the real providers want them: shapes first, then the rules that shapes cannot say.

mod anthropic;
mod bedrock;
mod cohere;
mod gemini;
mod ollama;
mod openai;
mod others;
mod responses;
mod rules;
mod shape;

use self::rules::Refusal;
use self::shape::{Member, Misfit, Problem, Shape};
use super::contract::Ask;
use super::endpoint::{Dialect, Endpoint, model_in};
use super::fault::Fault;

/// Checks a request; the error is what the provider says of it.
pub(super) fn check(ask: &Ask<'_>) -> Result<(), Fault> {
    headers(ask)?;
    let refuse = |message| Fault::new(400, message);
    match ask.endpoint {
        Endpoint::Messages => members(ask, anthropic::MESSAGES).map_err(refuse)?,
        Endpoint::RawPredict { .. } => members(ask, anthropic::VERTEX_MESSAGES).map_err(refuse)?,
        Endpoint::Invoke { .. } => members(ask, anthropic::BEDROCK_MESSAGES).map_err(refuse)?,
        Endpoint::CountMessageTokens if ask.request.path.contains("/publishers/") => {
            members(ask, anthropic::VERTEX_COUNT).map_err(refuse)?;
        }
        Endpoint::CountMessageTokens => members(ask, anthropic::COUNT).map_err(refuse)?,
        endpoint => {
            if let Some(shape) = shape_of(endpoint)
                && let Err(misfit) = shape.check(ask.body, ask.accepted)
            {
                return Err(refuse(reason(ask.dialect(), &misfit)));
            }
        }
    }
    rules(ask).map_err(refuse)
}

fn shape_of(endpoint: &Endpoint) -> Option<&'static Shape> {
    Some(match endpoint {
        Endpoint::Chat => &openai::CHAT,
        Endpoint::Completions => &openai::COMPLETIONS,
        Endpoint::Responses => &responses::RESPONSES,
        Endpoint::Embeddings => &others::EMBEDDINGS,
        Endpoint::Moderations => &others::MODERATIONS,
        Endpoint::Images => &others::IMAGES,
        Endpoint::Speech => &others::SPEECH,
        Endpoint::Rerank => &others::RERANK,
        Endpoint::Converse { .. } => &bedrock::CONVERSE,
        Endpoint::Generate { .. } => &gemini::GENERATE,
        Endpoint::CountTokens => &gemini::COUNT,
        Endpoint::EmbedContent { batch: false } => &gemini::EMBED,
        Endpoint::EmbedContent { batch: true } => &gemini::BATCH_EMBED,
        Endpoint::CohereChat => &cohere::CHAT,
        Endpoint::CohereEmbed => &cohere::EMBED,
        Endpoint::CohereRerank => &cohere::RERANK,
        Endpoint::OllamaChat => &ollama::CHAT,
        Endpoint::OllamaGenerate => &ollama::GENERATE,
        Endpoint::OllamaEmbed => &ollama::EMBED,
        _ => return None,
    })
}

fn rules(ask: &Ask<'_>) -> Refusal {
    let body = ask.body;
    match ask.endpoint {
        Endpoint::Chat => openai::chat(body),
        Endpoint::Responses => responses::responses(body),
        Endpoint::Messages
        | Endpoint::RawPredict { .. }
        | Endpoint::Invoke { .. }
        | Endpoint::CountMessageTokens => anthropic::messages(body),
        Endpoint::Converse { .. } => bedrock::converse(body),
        Endpoint::Generate { .. } => gemini::generate(body, model_in(&ask.request.path, "/models/")),
        Endpoint::CohereChat => cohere::chat(body),
        Endpoint::CohereEmbed => cohere::embed(body),
        Endpoint::OllamaChat => ollama::chat(body),
        _ => Ok(()),
    }
}

/// What providers ask for beside the body.
fn headers(ask: &Ask<'_>) -> Result<(), Fault> {
    let given = |name: &str| ask.request.headers.contains_key(name);
    if matches!(ask.endpoint, Endpoint::Messages) && !given("anthropic-version") {
        return Err(Fault::new(400, "anthropic-version: header is required"));
    }
    let query = ask.request.query.as_deref().unwrap_or_default();
    if ask.request.path.contains("/openai/deployments/")
        && !query.split('&').any(|pair| pair.starts_with("api-version="))
    {
        return Err(Fault::new(404, "Resource not found"));
    }
    Ok(())
}

/// Checks a body that may have the members of all these lists.
fn members(ask: &Ask<'_>, lists: &[&'static [Member]]) -> Refusal {
    let checked = shape::check_members(lists, ask.body, ask.accepted);
    checked.map_err(|misfit| reason(ask.dialect(), &misfit))
}

/// A misfit in the words of a provider.
fn reason(dialect: Dialect, misfit: &Misfit) -> String {
    let (dotted, path) = (misfit.dotted(), misfit.bracketed());
    match (dialect, misfit.problem) {
        (Dialect::OpenAi | Dialect::Responses, Problem::Unknown) => format!("Unknown parameter: '{path}'."),
        (Dialect::OpenAi | Dialect::Responses, Problem::Missing) => {
            format!("Missing required parameter: '{path}'.")
        }
        (Dialect::OpenAi | Dialect::Responses, Problem::Wrong(expected)) => {
            format!("Invalid type for '{path}': expected {expected}.")
        }
        (Dialect::Anthropic, Problem::Unknown) => format!("{dotted}: Extra inputs are not permitted"),
        (Dialect::Anthropic, Problem::Missing) => format!("{dotted}: Field required"),
        (Dialect::Anthropic, Problem::Wrong(expected)) => format!("{dotted}: Input should be {expected}"),
        (Dialect::Bedrock, Problem::Unknown) => {
            format!(
                "Malformed input request: extraneous key [{path}] is not permitted, please reformat your input and try again."
            )
        }
        (Dialect::Bedrock, Problem::Missing) => format!(
            "1 validation error detected: Value at '{path}' failed to satisfy constraint: Member must not be null"
        ),
        (Dialect::Bedrock, Problem::Wrong(expected)) => {
            format!("1 validation error detected: Value at '{path}' must be {expected}")
        }
        (Dialect::Gemini, _) => gemini_reason(misfit, ""),
        (Dialect::Cohere, Problem::Unknown) => {
            format!("unknown field: parameter '{path}' is not a valid field")
        }
        (Dialect::Cohere, Problem::Missing) => format!("invalid request: '{path}' is required"),
        (Dialect::Cohere | Dialect::Ollama, Problem::Wrong(expected)) => {
            format!("invalid type: parameter '{path}' must be {expected}")
        }
        (Dialect::Ollama, Problem::Unknown) => format!("json: unknown field \"{path}\""),
        (Dialect::Ollama, Problem::Missing) => format!("{path} is required"),
    }
}

/// A misfit below `place` in the words of Gemini.
fn gemini_reason(misfit: &Misfit, place: &str) -> String {
    let dot = if place.is_empty() { "" } else { "." };
    match misfit.problem {
        Problem::Unknown => format!(
            "Invalid JSON payload received. Unknown name \"{}\" at '{place}{dot}{}': Cannot find field.",
            misfit.name(),
            misfit.parent()
        ),
        Problem::Missing => format!("{place}{dot}{}: missing field.", misfit.bracketed()),
        Problem::Wrong(expected) => {
            format!(
                "Invalid value at '{place}{dot}{}': expected {expected}.",
                misfit.bracketed()
            )
        }
    }
}
