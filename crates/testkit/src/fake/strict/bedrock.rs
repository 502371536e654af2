//! What Bedrock's Converse takes.

use serde_json::Value;

use super::rules::{Refusal, holds_base64, is_name, items, same_roles, text};
use super::shape::Shape::{Any, Flag, Integer, List, Map, Number, Object, Text, Union, Word};
use super::shape::{Member, Shape, opt, req};

const S3: &[Member] = &[req("uri", Text), opt("bucketOwner", Text)];
const SOURCE: Shape = Union(
    &[
        opt("bytes", Text),
        opt("s3Location", Object(S3)),
        opt("text", Text),
        opt("content", List(&Map)),
    ],
    &[],
);
const IMAGE: &[Member] = &[
    req("format", Word(&["png", "jpeg", "gif", "webp"])),
    req("source", SOURCE),
];
const DOCUMENT_KINDS: &[&str] = &["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];
const DOCUMENT: &[Member] = &[
    opt("format", Word(DOCUMENT_KINDS)),
    req("name", Text),
    req("source", SOURCE),
    opt("context", Text),
    opt("citations", Map),
];
const MEDIA: &[Member] = &[req("format", Text), req("source", SOURCE)];
const CACHE_POINT: &[Member] = &[req("type", Word(&["default"])), opt("ttl", Word(&["5m", "1h"]))];
const TOOL_USE: &[Member] = &[req("toolUseId", Text), req("name", Text), req("input", Map)];
const RESULT_CONTENT: Shape = Union(
    &[
        opt("json", Any),
        opt("text", Text),
        opt("image", Object(IMAGE)),
        opt("document", Object(DOCUMENT)),
        opt("video", Object(MEDIA)),
        opt("searchResult", Map),
    ],
    &[],
);
const TOOL_RESULT: &[Member] = &[
    req("toolUseId", Text),
    req("content", List(&RESULT_CONTENT)),
    opt("status", Word(&["success", "error"])),
];
const REASONING_TEXT: &[Member] = &[req("text", Text), opt("signature", Text)];
const REASONING: Shape = Union(
    &[
        opt("reasoningText", Object(REASONING_TEXT)),
        opt("redactedContent", Text),
    ],
    &[],
);
const BLOCK: Shape = Union(
    &[
        opt("text", Text),
        opt("image", Object(IMAGE)),
        opt("document", Object(DOCUMENT)),
        opt("video", Object(MEDIA)),
        opt("audio", Object(MEDIA)),
        opt("toolUse", Object(TOOL_USE)),
        opt("toolResult", Object(TOOL_RESULT)),
        opt("guardContent", Map),
        opt("cachePoint", Object(CACHE_POINT)),
        opt("reasoningContent", REASONING),
        opt("citationsContent", Map),
        opt("searchResult", Map),
    ],
    &[],
);
const MESSAGE: &[Member] = &[
    req("role", Word(&["user", "assistant", "system"])),
    req("content", List(&BLOCK)),
];
const SYSTEM: Shape = Union(
    &[
        opt("text", Text),
        opt("cachePoint", Object(CACHE_POINT)),
        opt("guardContent", Map),
    ],
    &[],
);
const INFERENCE: &[Member] = &[
    opt("maxTokens", Integer),
    opt("temperature", Number),
    opt("topP", Number),
    opt("stopSequences", List(&Text)),
];
const SPEC: &[Member] = &[
    req("name", Text),
    opt("description", Text),
    req("inputSchema", Object(&[req("json", Map)])),
    opt("strict", Flag),
];
const TOOL: Shape = Union(
    &[
        opt("toolSpec", Object(SPEC)),
        opt("cachePoint", Object(CACHE_POINT)),
        opt("systemTool", Map),
    ],
    &[],
);
const CHOICE: Shape = Union(
    &[
        opt("auto", Map),
        opt("any", Map),
        opt("tool", Object(&[req("name", Text)])),
    ],
    &[],
);
const TOOL_CONFIG: &[Member] = &[req("tools", List(&TOOL)), opt("toolChoice", CHOICE)];
const JSON_SCHEMA: &[Member] = &[req("schema", Text), opt("name", Text), opt("description", Text)];
const TEXT_FORMAT: &[Member] = &[
    req("type", Word(&["json_schema"])),
    req("structure", Object(&[req("jsonSchema", Object(JSON_SCHEMA))])),
];
const OUTPUT: &[Member] = &[opt("textFormat", Object(TEXT_FORMAT)), opt("effort", Text)];

pub(super) const CONVERSE: Shape = Object(&[
    opt("messages", List(&Object(MESSAGE))),
    opt("system", List(&SYSTEM)),
    opt("inferenceConfig", Object(INFERENCE)),
    opt("toolConfig", Object(TOOL_CONFIG)),
    opt("guardrailConfig", Map),
    opt("additionalModelRequestFields", Map),
    opt("additionalModelResponseFieldPaths", List(&Text)),
    opt("requestMetadata", Map),
    opt("performanceConfig", Map),
    opt("serviceTier", Map),
    opt("outputConfig", Object(OUTPUT)),
    opt("promptVariables", Map),
]);

/// What a shape cannot say about a conversation.
pub(super) fn converse(body: &Value) -> Refusal {
    let messages = items(&body["messages"]);
    if messages.is_empty() {
        return refuse("The messages field is required. Add at least one message and try again.");
    }
    let config = &body["inferenceConfig"];
    if config["maxTokens"].as_i64().is_some_and(|most| most < 1) {
        return refuse(
            "Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1",
        );
    }
    if config["temperature"]
        .as_f64()
        .is_some_and(|t| !(0.0..=1.0).contains(&t))
    {
        return refuse(
            "Value at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less than or equal to 1",
        );
    }
    for (index, block) in items(&body["system"]).iter().enumerate() {
        blank(block, &format!("system.{index}"))?;
    }
    if !holds_base64(&body["messages"], "source", "bytes") {
        return refuse("Unable to deserialize a blob: its base64 is malformed.");
    }
    tools(body)?;
    turns(messages)
}

fn tools(body: &Value) -> Refusal {
    let config = &body["toolConfig"];
    let tools = items(&config["tools"]);
    let blocks = items(&body["messages"])
        .iter()
        .flat_map(|message| items(&message["content"]));
    let mut used = blocks.filter(|block| block.get("toolUse").is_some() || block.get("toolResult").is_some());
    if config.is_null() {
        return match used.next() {
            Some(_) => refuse(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
            ),
            None => Ok(()),
        };
    }
    if tools.is_empty() {
        return refuse(
            "Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1",
        );
    }
    for (index, tool) in tools.iter().enumerate() {
        let Some(spec) = tool.get("toolSpec") else {
            continue;
        };
        if !is_name(text(&spec["name"]), 64, "_-") {
            return refuse(format!(
                "Value at 'toolConfig.tools.{}.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+",
                index + 1
            ));
        }
        if spec["inputSchema"]["json"]["type"] != "object" {
            return refuse(format!(
                "The value at toolConfig.tools.{index}.toolSpec.inputSchema.json.type must be one of the following: object."
            ));
        }
        if spec["description"].as_str().is_some_and(str::is_empty) {
            return refuse(format!(
                "Value at 'toolConfig.tools.{}.member.toolSpec.description' failed to satisfy constraint: Member must have length greater than or equal to 1",
                index + 1
            ));
        }
    }
    Ok(())
}

fn turns(messages: &[Value]) -> Refusal {
    if messages[0]["role"] == "assistant" {
        return refuse(
            "A conversation must start with a user message. Try again with a conversation that starts with a user message.",
        );
    }
    if same_roles(messages).is_some() {
        return refuse(
            "A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.",
        );
    }
    let mut open: Vec<&str> = Vec::new();
    for (index, message) in messages.iter().enumerate() {
        let content = items(&message["content"]);
        if content.is_empty() {
            return refuse(format!(
                "The content field in the Message object at messages.{index} is empty. Add a ContentBlock object to the content field and try again."
            ));
        }
        for (at, block) in content.iter().enumerate() {
            blank(block, &format!("messages.{index}.content.{at}"))?;
            document(block)?;
        }
        results(index, content, &open)?;
        open = ids(content, "toolUse");
    }
    if open.is_empty() {
        Ok(())
    } else {
        unanswered(messages.len(), &open)
    }
}

fn results(index: usize, content: &[Value], open: &[&str]) -> Refusal {
    let results = ids(content, "toolResult");
    let missing: Vec<_> = open.iter().filter(|id| !results.contains(id)).copied().collect();
    if !missing.is_empty() {
        return unanswered(index, &missing);
    }
    if results.len() > open.len() || results.iter().any(|id| !open.contains(id)) {
        return refuse(format!(
            "The number of toolResult blocks at messages.{index}.content exceeds the number of toolUse blocks of previous turn."
        ));
    }
    Ok(())
}

fn unanswered(index: usize, ids: &[&str]) -> Refusal {
    refuse(format!(
        "Expected toolResult blocks at messages.{index}.content for the following Ids: {}",
        ids.join(", ")
    ))
}

fn ids<'a>(content: &'a [Value], kind: &str) -> Vec<&'a str> {
    let blocks = content.iter().filter_map(|block| block.get(kind));
    blocks.map(|block| text(&block["toolUseId"])).collect()
}

fn blank(block: &Value, place: &str) -> Refusal {
    let blank = block
        .get("text")
        .is_some_and(|given| text(given).trim().is_empty());
    if blank {
        return refuse(format!(
            "The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again."
        ));
    }
    Ok(())
}

/// The names of documents have letters, digits, single spaces, hyphens, parentheses and brackets.
fn document(block: &Value) -> Refusal {
    let Some(document) = block.get("document") else {
        return Ok(());
    };
    let name = text(&document["name"]);
    if is_name(name, 200, " -()[]") && !name.contains("  ") {
        return Ok(());
    }
    refuse(
        "The file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets.",
    )
}

fn refuse(reason: impl Into<String>) -> Refusal {
    Err(reason.into())
}
