//! `response_format`.

use super::request_out::Body;
use crate::chat::{ChatRequest, Fields, Json, Object, OutputFormat, Unsayable};
use crate::protocol::Protocol;

/// Reads the format. One of a type that only some servers know stays where it is.
pub(super) fn decode(fields: &mut Fields<'_>) -> Result<Option<OutputFormat>, Unsayable> {
    let Some(raw) = fields.peek("response_format") else {
        return Ok(None);
    };
    let within = |error: Unsayable| error.within("response_format");
    let mut inner = Fields::read(raw).map_err(within)?;
    let kind: String = inner.need("type").map_err(within)?;
    let format = match kind.as_str() {
        "text" => OutputFormat::Text,
        "json_object" => OutputFormat::JsonObject,
        "json_schema" => {
            let schema = inner.object("json_schema").map_err(within)?;
            let Some(mut schema) = schema else { return Ok(None) };
            let inside = |error: Unsayable| error.within("json_schema").within("response_format");
            let name = schema.take("name").map_err(inside)?;
            let description = schema.take("description").map_err(inside)?;
            let strict = schema.take("strict").map_err(inside)?;
            let Some(document) = schema.json("schema") else {
                return Ok(None);
            };
            if !schema.is_empty() {
                return Ok(None);
            }
            OutputFormat::JsonSchema {
                name,
                description,
                schema: document,
                strict,
            }
        }
        _ => return Ok(None),
    };
    if !inner.is_empty() {
        return Ok(None);
    }
    fields.raw("response_format");
    Ok(Some(format))
}

/// Writes the format. Where a schema cannot be said, JSON is asked for, and the schema in [`instruction`].
pub(super) fn encode(request: &ChatRequest, body: &mut Body<'_, '_>) {
    let quirks = body.quirks;
    let plain = |kind: &str| Object::new().set("type", kind).finish();
    let format = match &request.format {
        None => return,
        // The default goes without saying, and not every server knows it.
        Some(OutputFormat::Text) if request.extension.protocol() != Protocol::OpenAiChat => return,
        Some(OutputFormat::Text) => plain("text"),
        Some(OutputFormat::JsonObject) if quirks.json_object => plain("json_object"),
        Some(OutputFormat::JsonObject) if quirks.json_schema => {
            let any = Object::new().set("type", "object").finish();
            schema(None, None, &any, None)
        }
        Some(OutputFormat::JsonSchema {
            name,
            description,
            schema: document,
            strict,
        }) if quirks.json_schema => schema(name.as_deref(), description.as_deref(), document, *strict),
        Some(OutputFormat::JsonSchema { .. }) if quirks.json_object => plain("json_object"),
        Some(_) => return body.drops.note("response_format"),
    };
    body.put("response_format", &format);
}

fn schema(name: Option<&str>, description: Option<&str>, schema: &Json, strict: Option<bool>) -> Json {
    let inner = Object::new()
        .set("name", name.unwrap_or("answer"))
        .set_some("description", description)
        .set("schema", schema)
        .set_some("strict", strict);
    Object::new()
        .set("type", "json_schema")
        .set("json_schema", &inner.finish())
        .finish()
}

/// What is said to the model where its provider takes no schema.
pub(super) fn instruction(request: &ChatRequest, takes_schema: bool) -> Option<String> {
    match &request.format {
        Some(OutputFormat::JsonSchema { schema, .. }) if !takes_schema => Some(format!(
            "Answer with nothing but one JSON value that is valid by this JSON Schema:\n{}",
            schema.text()
        )),
        _ => None,
    }
}
