//! Gemini: generated content, whole, as events and as a JSON array.

use bytes::Bytes;
use serde_json::{Value, json};

use super::completion::{Block, Completion, Stop, Usage};
use super::contract::{Ask, Contracted, data};
use super::endpoint::model_in;

/// Members whose own members are the caller's: their names stay as they are.
const OPAQUE: [&str; 5] = [
    "args",
    "response",
    "labels",
    "parametersJsonSchema",
    "responseJsonSchema",
];

/// A request with its members in camel case: as in all protobuf JSON, `mime_type` means `mimeType`, and the SDK for
/// Python writes it that way.
pub(super) fn camel_case(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(camel_case).collect(),
        Value::Object(members) => {
            let members = members.into_iter().map(|(name, value)| {
                let name = camel(&name);
                let value = match (&*name, value) {
                    (opaque, value) if OPAQUE.contains(&opaque) => value,
                    ("properties", Value::Object(properties)) => properties
                        .into_iter()
                        .map(|(name, schema)| (name, camel_case(schema)))
                        .collect(),
                    (_, value) => camel_case(value),
                };
                (name, value)
            });
            Value::Object(members.collect())
        }
        other => other,
    }
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |camel, word| {
        let mut chars = word.chars();
        let initial = chars.next().map(|c| c.to_ascii_uppercase());
        camel + &initial.into_iter().chain(chars).collect::<String>()
    })
}

pub(super) fn generate(ask: &Ask<'_>, completion: &Completion, streams: bool) -> Contracted {
    let blocked = completion.blocks.is_empty() && completion.why() == Stop::Filtered;
    if streams {
        let responses = if blocked {
            vec![refused(ask, completion)]
        } else {
            increments(ask, completion)
        };
        return stream(ask, &responses, completion);
    }
    if blocked {
        return Contracted::json(200, &refused(ask, completion));
    }
    let parts = parts(completion).into_iter().map(|(whole, _)| whole).collect();
    let mut candidate = candidate(parts, Some(completion));
    if wants_logprobs(ask) {
        candidate["logprobsResult"] = logprobs(&completion.logprobs);
    }
    Contracted::json(200, &response(ask, Some(candidate), completion.usage)).with_cut(completion)
}

/// Whether the answer to a streamed request is an array, not events.
pub(super) fn is_array(query: Option<&str>) -> bool {
    !query.is_some_and(|query| query.split('&').any(|pair| pair == "alt=sse"))
}

fn stream(ask: &Ask<'_>, responses: &[Value], completion: &Completion) -> Contracted {
    if !is_array(ask.request.query.as_deref()) {
        return Contracted::events(responses.iter().map(data).collect(), completion.cut_after);
    }
    let mut frames: Vec<Bytes> = Vec::new();
    for (index, response) in responses.iter().enumerate() {
        let opening = if index == 0 { "[" } else { ",\r\n" };
        frames.push(format!("{opening}{response}").into());
    }
    frames.push(Bytes::from_static(b"\r\n]"));
    Contracted::frames("application/json", frames, completion.cut_after)
}

/// Each part, whole and in the pieces of a stream.
fn parts(completion: &Completion) -> Vec<(Value, Vec<Value>)> {
    let mut parts = Vec::new();
    let mut signature = "";
    let calls = completion.calls().next().is_some();
    for block in &completion.blocks {
        match block {
            Block::Thinking {
                pieces,
                signature: given,
            } => {
                let thought = |text: &str| json!({"text": text, "thought": true});
                let pieces_of = pieces.iter().map(|piece| thought(piece)).collect();
                parts.push((thought(&pieces.concat()), pieces_of));
                signature = given;
            }
            // Gemini has only signatures for what cannot be read.
            Block::Redacted(data) => signature = data,
            Block::Text { pieces, .. } => {
                let mut whole = json!({"text": pieces.concat()});
                let mut pieces: Vec<_> = pieces.iter().map(|piece| json!({"text": piece})).collect();
                if !calls {
                    let signature = std::mem::take(&mut signature);
                    sign(&mut whole, signature);
                    if let Some(last) = pieces.last_mut() {
                        sign(last, signature);
                    }
                }
                parts.push((whole, pieces));
            }
            Block::ToolCall(call) => {
                let mut function = json!({"name": call.name, "args": call.object()});
                if !call.id.is_empty() {
                    function["id"] = call.id.clone().into();
                }
                let mut part = json!({"functionCall": function});
                sign(&mut part, signature);
                signature = "";
                parts.push((part.clone(), vec![part]));
            }
        }
    }
    parts
}

/// The signature of thoughts comes with the first call after them, or with the text where nothing is called.
fn sign(part: &mut Value, signature: &str) {
    if !signature.is_empty() {
        part["thoughtSignature"] = signature.into();
    }
}

/// The responses of a stream: their parts follow one another, their counts are those so far.
fn increments(ask: &Ask<'_>, completion: &Completion) -> Vec<Value> {
    let pieces: Vec<_> = parts(completion)
        .into_iter()
        .flat_map(|(_, pieces)| pieces)
        .collect();
    let texts = completion.text_pieces().len();
    let last = pieces.len().saturating_sub(1);
    let (mut responses, mut text) = (Vec::new(), 0);
    for (index, piece) in pieces.iter().enumerate() {
        let is_text = piece.get("text").is_some() && piece.get("thought").is_none();
        let end = (index == last).then_some(completion);
        let mut candidate = candidate(vec![piece.clone()], end);
        if is_text && wants_logprobs(ask) {
            candidate["logprobsResult"] = logprobs(completion.logprobs_of(text, texts));
        }
        text += usize::from(is_text);
        let usage = if index == last {
            completion.usage
        } else {
            so_far(completion.usage)
        };
        responses.push(response(ask, Some(candidate), usage));
    }
    if responses.is_empty() {
        let candidate = candidate(vec![json!({"text": ""})], Some(completion));
        responses.push(response(ask, Some(candidate), completion.usage));
    }
    responses
}

/// What is known of the usage before the end.
fn so_far(usage: Usage) -> Usage {
    Usage {
        output: usage.output.min(1),
        ..usage
    }
}

/// The candidate, with the reason why it ends where `end` is given.
fn candidate(parts: Vec<Value>, end: Option<&Completion>) -> Value {
    let mut candidate = json!({"content": {"parts": parts, "role": "model"}});
    if let Some(completion) = end {
        candidate["finishReason"] = finish(&completion.why()).into();
        let chunks: Vec<_> = completion
            .citations()
            .map(|source| json!({"web": {"uri": source.url, "title": source.title}}))
            .collect();
        if !chunks.is_empty() {
            candidate["groundingMetadata"] =
                json!({"groundingChunks": chunks, "groundingSupports": supports(completion)});
        }
    }
    candidate["index"] = 0.into();
    candidate
}

/// Which words each source stands for, counted in bytes.
fn supports(completion: &Completion) -> Vec<Value> {
    let text = completion.whole_text();
    let supports = completion.citations().enumerate().map(|(index, source)| {
        let start = text.find(&source.text).unwrap_or(0);
        let segment =
            json!({"startIndex": start, "endIndex": start + source.text.len(), "text": source.text});
        json!({"segment": segment, "groundingChunkIndices": [index]})
    });
    supports.collect()
}

/// An answer to a prompt that the filter has refused.
fn refused(ask: &Ask<'_>, completion: &Completion) -> Value {
    let mut body = response(ask, None, completion.usage);
    body["promptFeedback"] = json!({"blockReason": "PROHIBITED_CONTENT"});
    body
}

fn response(ask: &Ask<'_>, candidate: Option<Value>, usage: Usage) -> Value {
    let mut body = json!({});
    if let Some(candidate) = candidate {
        body["candidates"] = json!([candidate]);
    }
    let prompt = usage.prompt();
    let mut counts = json!({"promptTokenCount": prompt});
    if usage.output > 0 {
        counts["candidatesTokenCount"] = usage.output.into();
    }
    counts["totalTokenCount"] = usage.total().into();
    if usage.cached > 0 {
        counts["cachedContentTokenCount"] = usage.cached.into();
    }
    counts["promptTokensDetails"] = json!([{"modality": "TEXT", "tokenCount": prompt}]);
    if usage.reasoning > 0 {
        counts["thoughtsTokenCount"] = usage.reasoning.into();
    }
    body["usageMetadata"] = counts;
    body["modelVersion"] = model_in(&ask.request.path, "/models/").into();
    body["responseId"] = format!("resp-fake-{}", ask.number).into();
    body
}

/// Calls of tools end as texts do.
fn finish(stop: &Stop) -> &'static str {
    match stop {
        Stop::End | Stop::Sequence(_) | Stop::ToolCalls => "STOP",
        Stop::Length => "MAX_TOKENS",
        Stop::Filtered => "SAFETY",
    }
}

fn wants_logprobs(ask: &Ask<'_>) -> bool {
    ask.body["generationConfig"]["responseLogprobs"] == json!(true)
}

fn logprobs(logprobs: &[(String, f64)]) -> Value {
    let chosen: Vec<_> = logprobs
        .iter()
        .map(|(token, logprob)| json!({"token": token, "logProbability": logprob}))
        .collect();
    json!({"topCandidates": [], "chosenCandidates": chosen})
}
