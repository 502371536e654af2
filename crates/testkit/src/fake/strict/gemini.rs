//! What Gemini takes.

use serde_json::Value;

use super::rules::{Refusal, holds, is_name, is_protobuf_base64, items, same_roles, text};
use super::shape::Shape::{Any, Flag, Integer, List, Map, Number, Object, Text, Union, Word};
use super::shape::{Member, Shape, opt, req};

const BLOB: &[Member] = &[req("mimeType", Text), req("data", Text), opt("displayName", Text)];
const FILE: &[Member] = &[
    opt("mimeType", Text),
    req("fileUri", Text),
    opt("displayName", Text),
];
const CALL: &[Member] = &[opt("id", Text), req("name", Text), opt("args", Map)];
const RESPONSE: &[Member] = &[
    opt("id", Text),
    req("name", Text),
    req("response", Map),
    opt("parts", List(&Map)),
    opt("willContinue", Flag),
    opt("scheduling", Text),
];
const DATA: &[Member] = &[
    opt("text", Text),
    opt("inlineData", Object(BLOB)),
    opt("fileData", Object(FILE)),
    opt("functionCall", Object(CALL)),
    opt("functionResponse", Object(RESPONSE)),
    opt("executableCode", Map),
    opt("codeExecutionResult", Map),
];
const FLAGS: &[Member] = &[
    opt("thought", Flag),
    opt("thoughtSignature", Text),
    opt("videoMetadata", Map),
];
const PART: Shape = Union(DATA, FLAGS);
const CONTENT: &[Member] = &[opt("role", Word(&["user", "model"])), req("parts", List(&PART))];
const SYSTEM: &[Member] = &[opt("role", Text), req("parts", List(&PART))];

/// A schema in Gemini's own subset; its parts refer to it.
static SCHEMA: Shape = Object(&[
    opt(
        "type",
        Word(&[
            "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL",
        ]),
    ),
    opt("format", Text),
    opt("title", Text),
    opt("description", Text),
    opt("nullable", Flag),
    opt("enum", List(&Text)),
    opt("maxItems", Any),
    opt("minItems", Any),
    opt("properties", Map),
    opt("required", List(&Text)),
    opt("minProperties", Any),
    opt("maxProperties", Any),
    opt("minLength", Any),
    opt("maxLength", Any),
    opt("pattern", Text),
    opt("example", Any),
    opt("anyOf", List(&Map)),
    opt("propertyOrdering", List(&Text)),
    opt("default", Any),
    opt("items", Map),
    opt("minimum", Number),
    opt("maximum", Number),
]);

const THINKING: &[Member] = &[
    opt("includeThoughts", Flag),
    opt("thinkingBudget", Integer),
    opt(
        "thinkingLevel",
        Word(&["MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"]),
    ),
];
const GENERATION: &[Member] = &[
    opt("temperature", Number),
    opt("topP", Number),
    opt("topK", Number),
    opt("candidateCount", Integer),
    opt("maxOutputTokens", Integer),
    opt("stopSequences", List(&Text)),
    opt("presencePenalty", Number),
    opt("frequencyPenalty", Number),
    opt("seed", Integer),
    opt("responseMimeType", Text),
    opt("responseSchema", Map),
    opt("responseJsonSchema", Any),
    opt("responseLogprobs", Flag),
    opt("logprobs", Integer),
    opt("responseModalities", List(&Text)),
    opt("thinkingConfig", Object(THINKING)),
    opt("mediaResolution", Text),
    opt("speechConfig", Map),
    opt("imageConfig", Map),
];
const DECLARATION: &[Member] = &[
    req("name", Text),
    opt("description", Text),
    opt("parameters", Map),
    opt("parametersJsonSchema", Any),
    opt("response", Map),
    opt("responseJsonSchema", Any),
    opt("behavior", Text),
];
const TOOL: &[Member] = &[
    opt("functionDeclarations", List(&Object(DECLARATION))),
    opt("googleSearch", Map),
    opt("codeExecution", Map),
    opt("urlContext", Map),
    opt("computerUse", Map),
    opt("fileSearch", Map),
];
const CALLING: &[Member] = &[
    opt("mode", Word(&["AUTO", "ANY", "NONE", "VALIDATED"])),
    opt("allowedFunctionNames", List(&Text)),
    opt("streamFunctionCallArguments", Flag),
];
const TOOL_CONFIG: &[Member] = &[
    opt("functionCallingConfig", Object(CALLING)),
    opt("retrievalConfig", Map),
];
const SAFETY: &[Member] = &[req("category", Text), req("threshold", Text)];

pub(super) const GENERATE: Shape = Object(&[
    req("contents", List(&Object(CONTENT))),
    opt("systemInstruction", Object(SYSTEM)),
    opt("generationConfig", Object(GENERATION)),
    opt("tools", List(&Object(TOOL))),
    opt("toolConfig", Object(TOOL_CONFIG)),
    opt("safetySettings", List(&Object(SAFETY))),
    opt("cachedContent", Text),
    opt("labels", Map),
    opt("serviceTier", Text),
    opt("store", Flag),
    opt("model", Text),
]);
pub(super) const COUNT: Shape = Object(&[
    opt("contents", List(&Object(CONTENT))),
    opt("generateContentRequest", GENERATE),
    opt("systemInstruction", Object(SYSTEM)),
    opt("tools", List(&Object(TOOL))),
    opt("generationConfig", Object(GENERATION)),
]);
const EMBED_MEMBERS: &[Member] = &[
    opt("model", Text),
    req("content", Object(CONTENT)),
    opt("taskType", Text),
    opt("title", Text),
    opt("outputDimensionality", Integer),
];
pub(super) const EMBED: Shape = Object(EMBED_MEMBERS);
pub(super) const BATCH_EMBED: Shape = Object(&[req("requests", List(&Object(EMBED_MEMBERS)))]);

/// What a shape cannot say about a request for content. `model` is that of the path.
pub(super) fn generate(body: &Value, model: &str) -> Refusal {
    let contents = items(&body["contents"]);
    if contents.is_empty() {
        return refuse("* GenerateContentRequest.contents: contents is not specified");
    }
    let config = &body["generationConfig"];
    if items(&config["stopSequences"]).len() > 5 {
        return refuse("The number of stop sequences must be at most 5.");
    }
    let has_schema = !config["responseSchema"].is_null() || !config["responseJsonSchema"].is_null();
    if has_schema
        && !matches!(
            text(&config["responseMimeType"]),
            "application/json" | "text/x.enum"
        )
    {
        return refuse("Response schema requires response_mime_type to be application/json.");
    }
    schema("generation_config.response_schema", &config["responseSchema"])?;
    if !config["logprobs"].is_null() && config["responseLogprobs"] != Value::Bool(true) {
        return refuse("Logprobs is set but response_logprobs is not enabled.");
    }
    if !holds(&body["contents"], "inlineData", "data", is_protobuf_base64) {
        return refuse(
            "Invalid value at 'contents.parts.inline_data.data' (TYPE_BYTES), Base64 decoding failed.",
        );
    }
    tools(body)?;
    turns(contents, model)
}

fn tools(body: &Value) -> Refusal {
    let declarations = items(&body["tools"])
        .iter()
        .flat_map(|tool| items(&tool["functionDeclarations"]));
    let mut names = Vec::new();
    for (index, declaration) in declarations.enumerate() {
        let name = text(&declaration["name"]);
        let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        if !starts || !is_name(name, 64, "_.:-") {
            return refuse(format!(
                "* GenerateContentRequest.tools[0].function_declarations[{index}].name: Invalid function name. Must start with a letter or an underscore."
            ));
        }
        if !declaration["parameters"].is_null() && !declaration["parametersJsonSchema"].is_null() {
            return refuse("parameters and parameters_json_schema are mutually exclusive.");
        }
        let place = format!("tools[0].function_declarations[{index}].parameters");
        schema(&place, &declaration["parameters"])?;
        if names.contains(&name) {
            return refuse(format!("Duplicate function declaration found: {name}"));
        }
        names.push(name);
    }
    let calling = &body["toolConfig"]["functionCallingConfig"];
    let allowed = items(&calling["allowedFunctionNames"]);
    if !allowed.is_empty() && !matches!(text(&calling["mode"]), "ANY" | "VALIDATED") {
        return refuse("Please set allowed_function_names only when function calling mode is ANY.");
    }
    if calling["mode"] == "ANY" && names.is_empty() {
        return refuse("Function calling config is set without function_declarations.");
    }
    match allowed.iter().map(text).find(|name| !names.contains(name)) {
        Some(name) => refuse(format!(
            "allowed_function_names contains an unknown function: {name}"
        )),
        None => Ok(()),
    }
}

/// Checks a schema down to its last part.
fn schema(place: &str, value: &Value) -> Refusal {
    if value.is_null() {
        return Ok(());
    }
    if let Err(misfit) = SCHEMA.check(value, &[]) {
        return refuse(super::gemini_reason(&misfit, place));
    }
    let properties = value["properties"].as_object();
    if value["type"] == "ARRAY" && value["items"].is_null() {
        return refuse(format!("{place}.items: missing field."));
    }
    for (name, property) in properties.into_iter().flatten() {
        schema(&format!("{place}.properties[{name}]"), property)?;
    }
    for required in items(&value["required"]) {
        if !properties.is_some_and(|properties| properties.contains_key(text(required))) {
            return refuse(format!(
                "{place}.required: property is not defined: {}",
                text(required)
            ));
        }
    }
    for part in items(&value["anyOf"]) {
        schema(&format!("{place}.any_of"), part)?;
    }
    schema(&format!("{place}.items"), &value["items"])
}

fn turns(contents: &[Value], model: &str) -> Refusal {
    if contents.len() > 1 && contents.iter().any(|content| content["role"].is_null()) {
        return refuse("Please use a valid role: user, model.");
    }
    if contents[0]["role"] == "model" {
        return refuse("Please ensure that multiturn requests start with a user turn.");
    }
    if same_roles(contents).is_some() {
        return refuse("Please ensure that multiturn requests alternate between user and model.");
    }
    let asks = |content: &Value| {
        content["role"] != "model" && names(items(&content["parts"]), "functionResponse").is_empty()
    };
    let current = contents.iter().rposition(asks).unwrap_or(0);
    let mut called: Vec<&str> = Vec::new();
    for (index, content) in contents.iter().enumerate() {
        let parts = items(&content["parts"]);
        if parts.is_empty() {
            return refuse(format!(
                "* GenerateContentRequest.contents[{index}].parts: contents.parts must not be empty."
            ));
        }
        answers(parts, &called)?;
        called = names(parts, "functionCall");
        if !called.is_empty() && content["role"] != "model" {
            return refuse("Function call parts are only allowed in turns of the model.");
        }
        for part in parts {
            signature(part)?;
        }
        if index > current {
            signed(parts, model)?;
        }
    }
    Ok(())
}

/// Responses stand in the turn after the calls, as many as there were, with their names.
fn answers(parts: &[Value], called: &[&str]) -> Refusal {
    let answered = names(parts, "functionResponse");
    if called.is_empty() && !answered.is_empty() {
        return refuse(
            "Please ensure that function response turn comes immediately after a function call turn.",
        );
    }
    if called.len() != answered.len() {
        return refuse(
            "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.",
        );
    }
    let (mut called, mut answered) = (called.to_vec(), answered);
    called.sort_unstable();
    answered.sort_unstable();
    if called != answered {
        return refuse("Please ensure that function response names match the function call names.");
    }
    Ok(())
}

/// A signature is base64; whose it is nobody checks here.
fn signature(part: &Value) -> Refusal {
    let signature = text(&part["thoughtSignature"]);
    if signature != "skip_thought_signature_validator" && !is_protobuf_base64(signature) {
        return refuse(
            "Invalid value at 'contents.parts.thought_signature' (TYPE_BYTES), Base64 decoding failed.",
        );
    }
    Ok(())
}

/// Models of the third generation want the first call of each of their messages since the last question back with its
/// signature.
fn signed(parts: &[Value], model: &str) -> Refusal {
    let first = parts.iter().find(|part| part.get("functionCall").is_some());
    match first {
        Some(part) if model.starts_with("gemini-3") && part["thoughtSignature"].is_null() => refuse(format!(
            "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly. Function call `{}`",
            text(&part["functionCall"]["name"])
        )),
        _ => Ok(()),
    }
}

fn names<'a>(parts: &'a [Value], kind: &str) -> Vec<&'a str> {
    let parts = parts.iter().filter_map(|part| part.get(kind));
    parts.map(|part| text(&part["name"])).collect()
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Err(reason.into())
}
