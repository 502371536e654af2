//! Gemini's other endpoints: token counting, embeddings, models.

use serde_json::{Value, json};

use super::contract::Contracted;
use super::endpoint::Dialect;
use super::fault::Fault;

const MODELS: [&str; 3] = ["gemini-2.5-flash", "gemini-2.5-pro", "gemini-embedding-001"];

/// One token for each four bytes of the request: grows with it, as real counts do.
pub(super) fn count_tokens(request: &Value) -> Contracted {
    let tokens = request.to_string().len() / 4;
    Contracted::json(
        200,
        &json!({"totalTokens": tokens, "promptTokensDetails": [{"modality": "TEXT", "tokenCount": tokens}]}),
    )
}

/// Embeds one content, or each of a batch.
pub(super) fn embed(request: &Value, batch: bool) -> Contracted {
    let embedding = |request: &Value| {
        let dimensions = request["outputDimensionality"].as_u64().unwrap_or(16);
        json!({"values": (0..dimensions).map(|_| 0.25).collect::<Vec<f64>>()})
    };
    let requests = request["requests"].as_array().map_or(&[][..], Vec::as_slice);
    let body = if batch {
        json!({"embeddings": requests.iter().map(embedding).collect::<Vec<_>>()})
    } else {
        json!({"embedding": embedding(request)})
    };
    Contracted::json(200, &body)
}

/// The list, or one model when `id` is not empty.
pub(super) fn models(id: &str) -> Contracted {
    let model = |id: &str| {
        let methods = if id.contains("embedding") {
            json!(["embedContent", "batchEmbedContents"])
        } else {
            json!(["generateContent", "countTokens"])
        };
        json!({
            "name": format!("models/{id}"), "version": "001", "displayName": id,
            "inputTokenLimit": 1_048_576, "outputTokenLimit": 65_536, "supportedGenerationMethods": methods,
        })
    };
    if id.is_empty() {
        return Contracted::json(200, &json!({"models": MODELS.map(model)}));
    }
    if MODELS.contains(&id) {
        Contracted::json(200, &model(id))
    } else {
        Fault::plain(404).answer(Dialect::Gemini, 0)
    }
}
