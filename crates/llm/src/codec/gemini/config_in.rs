//! `generationConfig` of a client. Members that the canonical model has no word for keep their place as
//! `generationConfig.x` in the request's extension.

use super::PROTOCOL;
use super::schema::to_json_schema;
use crate::chat::{ChatRequest, Effort, Extension, Fields, OutputFormat, ReasoningRequest, Unsayable};

/// The member for a schema in the form of OpenAPI.
pub(super) const OPENAPI: &str = "responseSchema";

/// Reads it.
pub(super) fn generation(
    mut config: Fields<'_>,
    request: &mut ChatRequest,
    extension: &mut Extension,
) -> Result<(), Unsayable> {
    let sampling = &mut request.sampling;
    sampling.max_tokens = config.take("maxOutputTokens")?;
    sampling.temperature = config.take("temperature")?;
    sampling.top_p = config.take("topP")?;
    sampling.top_k = config.take("topK")?;
    sampling.stop = config.take("stopSequences")?.unwrap_or_default();
    sampling.seed = config.take("seed")?;
    sampling.frequency_penalty = config.take("frequencyPenalty")?;
    sampling.presence_penalty = config.take("presencePenalty")?;
    sampling.choices = config.take("candidateCount")?;
    sampling.logprobs = config.take("responseLogprobs")?;
    sampling.top_logprobs = config.take("logprobs")?;
    request.format = format(&mut config, extension)?;
    if let Some(thinking) = config.object("thinkingConfig")? {
        let mut thinking = thinking.in_camel_case();
        request.reasoning = Some(reasoning(&mut thinking).map_err(|error| error.within("thinkingConfig"))?);
        keep(thinking, "generationConfig.thinkingConfig.", extension);
    }
    keep(config, "generationConfig.", extension);
    Ok(())
}

/// Keeps what was not taken under its path.
pub(super) fn keep(fields: Fields<'_>, path: &str, extension: &mut Extension) {
    let rest = fields.into_extension(PROTOCOL);
    for (name, value) in rest
        .members(PROTOCOL)
        .iter()
        .filter(|(name, _)| !name.contains('.'))
    {
        extension.push(format!("{path}{name}"), value.clone());
    }
}

/// Takes the format of the answer, if it is one that others know.
fn format(config: &mut Fields<'_>, extension: &mut Extension) -> Result<Option<OutputFormat>, Unsayable> {
    let media_type = config
        .peek("responseMimeType")
        .and_then(|value| serde_json::from_str::<String>(value.get()).ok());
    match media_type.as_deref() {
        None | Some("application/json") => {
            let spelled = config.json(OPENAPI);
            let schema = config
                .json("responseJsonSchema")
                .or_else(|| spelled.as_ref().map(to_json_schema));
            // Kept as it is spelled, for Gemini; others get JSON Schema.
            if let Some(spelled) = spelled {
                extension.keep(OPENAPI, spelled);
            }
            let Some(schema) = schema else {
                config.take::<String>("responseMimeType")?;
                return Ok(media_type.map(|_| OutputFormat::JsonObject));
            };
            config.take::<String>("responseMimeType")?;
            Ok(Some(OutputFormat::JsonSchema {
                name: None,
                description: None,
                schema,
                strict: None,
            }))
        }
        Some("text/plain") => {
            config.take::<String>("responseMimeType")?;
            Ok(Some(OutputFormat::Text))
        }
        Some(_) => Ok(None),
    }
}

fn reasoning(thinking: &mut Fields<'_>) -> Result<ReasoningRequest, Unsayable> {
    let mut reasoning = ReasoningRequest {
        show: thinking.take("includeThoughts")?,
        ..ReasoningRequest::default()
    };
    if let Some(budget) = thinking.take::<i64>("thinkingBudget")? {
        reasoning.budget = u64::try_from(budget).ok();
        reasoning.adaptive = reasoning.budget.is_none();
    }
    if let Some(level) = thinking.peek("thinkingLevel") {
        let level = serde_json::from_str::<String>(level.get()).ok();
        reasoning.effort = level.and_then(|level| Effort::from_name(&level));
        if reasoning.effort.is_some() {
            thinking.raw("thinkingLevel");
        }
    }
    Ok(reasoning)
}
