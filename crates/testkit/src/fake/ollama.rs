//! Ollama: chat, generate, embeddings, tags.

use bytes::Bytes;
use serde_json::{Value, json};

use super::completion::{Block, Completion, Stop};
use super::contract::{Ask, Contracted};
use super::openai::logprob_items;

const CREATED: &str = "2026-11-01T00:00:00.000000Z";
const MODELS: [&str; 2] = ["llama3.2:latest", "qwen3:8b"];

pub(super) fn chat(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    let message = |thinking: &str, text: &str, calls: Vec<Value>| {
        let mut message = json!({"role": "assistant", "content": text});
        if !thinking.is_empty() {
            message["thinking"] = thinking.into();
        }
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
        }
        json!({"message": message})
    };
    let calls = |blocks: &[Block]| -> Vec<Value> { blocks.iter().filter_map(tool_call).collect() };
    let whole = message(
        &completion.thoughts().unwrap_or_default(),
        &completion.whole_text(),
        calls(&completion.blocks),
    );
    let mut pieces = Vec::new();
    for block in &completion.blocks {
        match block {
            Block::Thinking { pieces: of_block, .. } => {
                pieces.extend(of_block.iter().map(|piece| message(piece, "", Vec::new())));
            }
            Block::Text { pieces: of_block, .. } => {
                pieces.extend(of_block.iter().map(|piece| message("", piece, Vec::new())));
            }
            Block::Redacted(_) => {}
            Block::ToolCall(_) => pieces.push(message("", "", calls(std::slice::from_ref(block)))),
        }
    }
    deliver(ask, completion, whole, pieces, message("", "", Vec::new()))
}

pub(super) fn generate(ask: &Ask<'_>, completion: &Completion) -> Contracted {
    let part = |thinking: &str, text: &str| {
        let mut part = json!({"response": text});
        if !thinking.is_empty() {
            part["thinking"] = thinking.into();
        }
        part
    };
    let whole = part(
        &completion.thoughts().unwrap_or_default(),
        &completion.whole_text(),
    );
    let thoughts = completion
        .thought_pieces()
        .into_iter()
        .map(|piece| part(piece, ""));
    let texts = completion.text_pieces().into_iter().map(|piece| part("", piece));
    let pieces = thoughts.chain(texts).collect();
    let mut last = part("", "");
    last["context"] = json!([1, 2, 3]);
    deliver(ask, completion, whole, pieces, last)
}

/// One object, or a line for each piece: what happens unless a request says otherwise.
fn deliver(
    ask: &Ask<'_>,
    completion: &Completion,
    mut whole: Value,
    mut pieces: Vec<Value>,
    last: Value,
) -> Contracted {
    if ask.body["logprobs"] == json!(true) {
        whole["logprobs"] = logprob_items(&completion.logprobs).into();
        let is_said = |piece: &&mut Value| {
            let said = [&piece["response"], &piece["message"]["content"]];
            said.into_iter()
                .any(|text| text.as_str().is_some_and(|text| !text.is_empty()))
        };
        let count = completion.text_pieces().len();
        for (index, piece) in pieces.iter_mut().filter(is_said).enumerate() {
            piece["logprobs"] = logprob_items(completion.logprobs_of(index, count)).into();
        }
    }
    if ask.body["stream"] == json!(false) {
        return Contracted::json(200, &line(ask, whole, Some(completion))).with_cut(completion);
    }
    let mut lines: Vec<_> = pieces.into_iter().map(|piece| line(ask, piece, None)).collect();
    lines.push(line(ask, last, Some(completion)));
    let frames = lines
        .iter()
        .map(|line| Bytes::from(format!("{line}\n")))
        .collect();
    Contracted::frames("application/x-ndjson", frames, completion.cut_after)
}

/// An object with what the answer holds; the last one says why it ends and what it took.
fn line(ask: &Ask<'_>, content: Value, end: Option<&Completion>) -> Value {
    let mut line = json!({"model": ask.body["model"], "created_at": CREATED});
    if let (Value::Object(line), Value::Object(content)) = (&mut line, content) {
        line.extend(content);
    }
    line["done"] = end.is_some().into();
    if let Some(completion) = end {
        line["done_reason"] = if completion.why() == Stop::Length {
            "length"
        } else {
            "stop"
        }
        .into();
        line["total_duration"] = 9_000_000.into();
        line["load_duration"] = 1_000_000.into();
        line["prompt_eval_count"] = completion.usage.prompt().into();
        line["prompt_eval_duration"] = 2_000_000.into();
        line["eval_count"] = completion.usage.completion().into();
        line["eval_duration"] = 3_000_000.into();
    }
    line
}

/// A call, without an id and with its arguments as an object.
fn tool_call(block: &Block) -> Option<Value> {
    match block {
        Block::ToolCall(call) => Some(json!({"function": {"name": call.name, "arguments": call.object()}})),
        _ => None,
    }
}

pub(super) fn embed(request: &Value) -> Contracted {
    let count = request["input"].as_array().map_or(1, Vec::len);
    let dimensions = request["dimensions"].as_u64().unwrap_or(4);
    let vector: Vec<_> = (0..dimensions).map(|_| 0.25).collect();
    Contracted::json(
        200,
        &json!({
            "model": request["model"], "embeddings": vec![vector; count],
            "total_duration": 9_000_000, "load_duration": 1_000_000, "prompt_eval_count": 4 * count,
        }),
    )
}

pub(super) fn tags() -> Contracted {
    let models = MODELS.map(|name| {
        let details = json!({"format": "gguf", "family": "llama", "parameter_size": "3B", "quantization_level": "Q4_K_M"});
        json!({
            "name": name, "model": name, "modified_at": CREATED, "size": 2_000_000_000_u64, "digest": "0".repeat(64),
            "details": details,
        })
    });
    Contracted::json(200, &json!({"models": models}))
}
