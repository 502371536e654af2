//! Rankings.

use serde::Deserialize;

use super::request::RerankRequest;
use crate::chat::{Json, Object};
use crate::convert::AnswerError;
use crate::lenient::{Count, Text};
use crate::usage::{ChatUsage, Metered, Tally};

/// A ranking in either form.
#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct Ranking<'a> {
    #[serde(default)]
    model: Text<'a>,
    results: Vec<Ranked>,
    /// Jina's.
    usage: Option<JinaUsage>,
    /// Cohere's.
    meta: Option<Meta>,
}

#[derive(Deserialize)]
struct Ranked {
    index: usize,
    relevance_score: Json,
}

#[derive(Deserialize)]
struct JinaUsage {
    #[serde(default)]
    total_tokens: Count,
}

#[derive(Deserialize)]
struct Meta {
    billed_units: Option<BilledUnits>,
}

#[derive(Deserialize)]
struct BilledUnits {
    search_units: Option<Count>,
}

pub(super) fn decode(body: &[u8]) -> Result<Ranking<'_>, AnswerError> {
    serde_json::from_slice(body).map_err(|_| AnswerError::Unreadable("it holds no ranking"))
}

/// What a ranking reports: tokens, or searches (Cohere).
pub(crate) fn metered(body: &[u8]) -> Option<Metered> {
    let ranking = decode(body).ok()?;
    if let Some(usage) = &ranking.usage {
        return Some(ChatUsage::of_prompt(usage.total_tokens.0).tally().metered());
    }
    let tally = Tally {
        searches: ranking.search_units()?.0,
        ..Tally::default()
    };
    Some(tally.metered())
}

impl Ranking<'_> {
    fn search_units(&self) -> Option<Count> {
        self.meta.as_ref()?.billed_units.as_ref()?.search_units
    }
}

pub(super) fn to_cohere(ranking: &Ranking<'_>, id: &str) -> Json {
    let results = ranking.results.iter().map(|ranked| {
        Object::new()
            .set("index", &ranked.index)
            .set("relevance_score", &ranked.relevance_score)
            .finish()
    });
    let results: Vec<Json> = results.collect();
    let version = Object::new().set("version", "2").finish();
    let billed = ranking
        .search_units()
        .map(|units| Object::new().set("search_units", &units.0).finish());
    let meta = Object::new()
        .set("api_version", &version)
        .set_some("billed_units", billed)
        .finish();
    Object::new()
        .set("id", id)
        .set("results", &results)
        .set("meta", &meta)
        .finish()
}

pub(super) fn to_jina(ranking: &Ranking<'_>, request: &RerankRequest) -> Result<Json, AnswerError> {
    let mut results = Vec::with_capacity(ranking.results.len());
    for ranked in &ranking.results {
        let document = request
            .shown(ranked.index)
            .ok_or(AnswerError::Unreadable("it ranks a document that there is not"))?;
        let result = Object::new()
            .set("index", &ranked.index)
            .set("relevance_score", &ranked.relevance_score)
            .set_some("document", request.return_documents.then_some(document));
        results.push(result.finish());
    }
    let tokens = ranking.usage.as_ref().map_or(0, |usage| usage.total_tokens.0);
    let usage = Object::new().set("total_tokens", &tokens).finish();
    Ok(Object::new()
        .set_some("model", ranking.model.as_str().or(request.model.as_deref()))
        .set("results", &results)
        .set("usage", &usage)
        .finish())
}
