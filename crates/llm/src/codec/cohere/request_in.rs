//! A client's request.

use super::super::common::Calls;
use super::{Ask, PROTOCOL, messages_in, tools};
use crate::chat::{ChatRequest, Effort, Extension, Fields, OutputFormat, ReasoningRequest, Unsayable};

/// Reads a request.
pub(super) fn decode(body: &[u8], ask: &Ask<'_>) -> Result<ChatRequest, Unsayable> {
    let mut fields = Fields::from_slice(body)?;
    let mut request = ChatRequest::new(Extension::of(PROTOCOL));
    request.model = match ask.model {
        Some(model) => Some(model.to_owned()),
        None => fields.take("model")?,
    };
    request.stream = fields.take("stream")?.or(ask.stream).unwrap_or(false);
    let Some(messages) = fields.items("messages")? else {
        return Err(Unsayable::at("messages", "`messages` is required"));
    };
    let mut calls = Calls::default();
    for (index, message) in messages.iter().enumerate() {
        let turn = messages_in::decode(message, &mut calls)
            .map_err(|error| error.within(&format!("messages[{index}]")))?;
        request.turns.push(turn);
    }
    for (index, tool) in fields.items("tools")?.unwrap_or_default().iter().enumerate() {
        let tool = tools::decode(tool).map_err(|error| error.within(&format!("tools[{index}]")))?;
        request.tools.push(tool);
    }
    let choice = fields.take::<String>("tool_choice")?;
    request.tool_choice = choice.as_deref().map(tools::decode_choice).transpose()?;
    if let Some(format) = fields.object("response_format")? {
        request.format = Some(self::format(format).map_err(|error| error.within("response_format"))?);
    }
    if let Some(thinking) = fields.object("thinking")? {
        request.reasoning = Some(reasoning(thinking).map_err(|error| error.within("thinking"))?);
    }
    sampling(&mut fields, &mut request)?;
    request.extension = fields.into_extension(PROTOCOL);
    Ok(request)
}

fn sampling(fields: &mut Fields<'_>, request: &mut ChatRequest) -> Result<(), Unsayable> {
    let sampling = &mut request.sampling;
    sampling.max_tokens = fields.take("max_tokens")?;
    sampling.temperature = fields.take("temperature")?;
    sampling.top_p = fields.take("p")?;
    sampling.top_k = fields.take("k")?;
    sampling.seed = fields.take("seed")?;
    sampling.stop = fields.take("stop_sequences")?.unwrap_or_default();
    sampling.frequency_penalty = fields.take("frequency_penalty")?;
    sampling.presence_penalty = fields.take("presence_penalty")?;
    sampling.logprobs = fields.take("logprobs")?;
    Ok(())
}

fn format(mut format: Fields<'_>) -> Result<OutputFormat, Unsayable> {
    let kind = format.need::<String>("type")?;
    match kind.as_str() {
        "text" => Ok(OutputFormat::Text),
        "json_object" => {
            let schema = format.json("json_schema").or_else(|| format.json("schema"));
            Ok(
                schema.map_or(OutputFormat::JsonObject, |schema| OutputFormat::JsonSchema {
                    name: None,
                    description: None,
                    schema,
                    strict: None,
                }),
            )
        }
        other => Err(Unsayable::at(
            "type",
            format!("`{other}` is neither `text` nor `json_object`"),
        )),
    }
}

fn reasoning(mut thinking: Fields<'_>) -> Result<ReasoningRequest, Unsayable> {
    if thinking.take::<String>("type")?.as_deref() == Some("disabled") {
        return Ok(ReasoningRequest {
            effort: Some(Effort::None),
            ..ReasoningRequest::default()
        });
    }
    let budget = thinking.take("token_budget")?;
    Ok(ReasoningRequest {
        budget,
        adaptive: budget.is_none(),
        show: Some(true),
        ..ReasoningRequest::default()
    })
}
