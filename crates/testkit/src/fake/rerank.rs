//! Rerank endpoints: Cohere's, and the one that Jina, vLLM and others have.

use serde_json::{Value, json};

use super::cohere::id;
use super::contract::{Ask, Contracted};

pub(super) fn cohere(ask: &Ask<'_>) -> Contracted {
    let results: Vec<_> = ranked(ask.body)
        .into_iter()
        .map(|(index, score)| json!({"index": index, "relevance_score": score}))
        .collect();
    let meta = json!({"api_version": {"version": "2"}, "billed_units": {"search_units": 1}});
    Contracted::json(200, &json!({"id": id(ask), "results": results, "meta": meta}))
}

pub(super) fn jina(request: &Value) -> Contracted {
    let documents = request["return_documents"] != json!(false);
    let results: Vec<_> = ranked(request)
        .into_iter()
        .map(|(index, score)| {
            let mut result = json!({"index": index, "relevance_score": score});
            if documents {
                result["document"] = json!({"text": text(&request["documents"][index])});
            }
            result
        })
        .collect();
    let usage = json!({"total_tokens": request["documents"].to_string().len() / 4});
    Contracted::json(
        200,
        &json!({"model": request["model"], "results": results, "usage": usage}),
    )
}

/// The documents by how many words of the query are in them, most first, no more than asked for.
fn ranked(request: &Value) -> Vec<(usize, f64)> {
    let query = request["query"].as_str().unwrap_or_default().to_lowercase();
    let words: Vec<_> = query.split_whitespace().collect();
    let documents = request["documents"].as_array().map_or(&[][..], Vec::as_slice);
    let score = |document: &Value| {
        let document = text(document).to_lowercase();
        let hits = words.iter().filter(|word| document.contains(**word)).count();
        let hits = u32::try_from(hits).expect("few words");
        f64::from(hits) / f64::from(u32::try_from(words.len().max(1)).expect("few words"))
    };
    let mut ranked: Vec<_> = documents.iter().map(score).enumerate().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    let most = request["top_n"]
        .as_u64()
        .and_then(|most| usize::try_from(most).ok());
    ranked.truncate(most.unwrap_or(usize::MAX));
    ranked
}

/// A document's text, given as such or as member of an object.
fn text(document: &Value) -> &str {
    document
        .as_str()
        .or(document["text"].as_str())
        .unwrap_or_default()
}
