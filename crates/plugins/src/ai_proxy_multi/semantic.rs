//! Picking by meaning: the instance whose examples are closest to what the user says (compat §4.3, "Semantic
//! algorithm").

mod embeddings;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared};
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use sluice_core::{CompileEnv, CompileError, Context};
use sluice_exchange::Prepared;
use sluice_llm::prompt_messages;
use sluice_net::Pool;

use self::embeddings::{Embeddings, EmbeddingsConfig};

/// Most bytes of the user's text that are looked at.
const TEXT_MAX: usize = 16_384;

/// How long the examples' vectors are kept.
const KEPT: Duration = Duration::from_secs(3600);

const SCORES: HeaderName = HeaderName::from_static("x-ai-semantic-scores");
const PICKED: HeaderName = HeaderName::from_static("x-ai-semantic-picked-instance");

#[derive(Deserialize)]
struct Options {
    embeddings: EmbeddingsConfig,
    #[serde(default)]
    threshold: f32,
    fallback: Option<String>,
    #[serde(default)]
    debugging: bool,
}

#[derive(Deserialize)]
struct InstanceOptions {
    name: String,
    #[serde(default)]
    examples: Vec<String>,
    threshold: Option<f32>,
}

/// Picks by meaning.
pub(super) struct Semantic {
    embeddings: Arc<Embeddings>,
    instances: Vec<Instance>,
    fallback: usize,
    debugging: bool,
    references: Mutex<Option<References>>,
}

struct Instance {
    name: String,
    examples: Vec<String>,
    threshold: f32,
}

/// A text's direction: a vector of length 1, or of length 0 when it has none.
type Vector = Vec<f32>;

/// The vectors of all examples, in order; `None` when they could not be had.
type Fetching = Shared<BoxFuture<'static, Option<Arc<Vec<Vector>>>>>;

/// One fetch serves all requests, those that come while it is under way included.
struct References {
    fetching: Fetching,
    until: Instant,
}

impl Semantic {
    /// `None` unless the balancer's algorithm is `semantic` and there is something to choose from.
    pub(super) fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Option<Self>, CompileError> {
        if conf.pointer("/balancer/algorithm").and_then(Value::as_str) != Some("semantic") {
            return Ok(None);
        }
        let instances = Vec::<InstanceOptions>::deserialize(conf.get("instances").unwrap_or(&Value::Null))?;
        if instances.len() < 2 {
            return Ok(None);
        }
        let options = Options::deserialize(conf.get("semantic_opts").unwrap_or(&Value::Null))?;
        let named = |name: &String| instances.iter().position(|instance| instance.name == *name);
        Ok(Some(Self {
            fallback: options.fallback.as_ref().and_then(named).unwrap_or(0),
            embeddings: Arc::new(Embeddings::compile(&options.embeddings, env.services)?),
            debugging: options.debugging,
            instances: instances
                .into_iter()
                .map(|instance| Instance {
                    name: instance.name,
                    examples: instance.examples,
                    threshold: instance.threshold.unwrap_or(options.threshold),
                })
                .collect(),
            references: Mutex::default(),
        }))
    }

    /// The instance for a request; the fallback when nothing is close enough or nothing is known.
    pub(super) async fn pick(&self, cx: &mut Context, prepared: &Prepared) -> usize {
        let scores = self.scores(&cx.worker.pool, prepared).await;
        let picked = scores.as_deref().and_then(|scores| self.best(scores));
        if self.debugging {
            self.explain(cx, scores.as_deref(), picked);
        }
        picked.unwrap_or(self.fallback)
    }

    /// Instances with their scores, best first. `None` when there are none.
    async fn scores(&self, pool: &Pool, prepared: &Prepared) -> Option<Vec<(usize, f32)>> {
        let text = user_text(prepared)?;
        let references = self.references(pool).await?;
        let asked = match self.embeddings.embed(pool, &[text]).await {
            Ok(mut vectors) => vectors.pop()?,
            Err(error) => {
                tracing::warn!(%error, "the user's text could not be embedded, the fallback instance is called");
                return None;
            }
        };
        if references.iter().any(|reference| reference.len() != asked.len()) {
            tracing::warn!(
                "embeddings of examples and text differ in length, the fallback instance is called"
            );
            return None;
        }
        let mut rest = references.iter();
        let mut scores: Vec<(usize, f32)> = self
            .instances
            .iter()
            .map(|instance| {
                let own = rest.by_ref().take(instance.examples.len());
                own.map(|reference| dot(reference, &asked)).fold(-1.0, f32::max)
            })
            .enumerate()
            .collect();
        scores.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        Some(scores)
    }

    fn best(&self, scores: &[(usize, f32)]) -> Option<usize> {
        let close = |(index, score): &&(usize, f32)| *score >= self.instances[*index].threshold;
        scores.iter().find(close).map(|(index, _)| *index)
    }

    /// The vectors of the examples: those that are kept, else those of a new batch.
    async fn references(&self, pool: &Pool) -> Option<Arc<Vec<Vector>>> {
        let fetching = self.fetching(pool);
        let fetched = fetching.clone().await;
        if fetched.is_none() {
            let mut references = self.references.lock().unwrap_or_else(PoisonError::into_inner);
            // The next request tries again, unless another has begun to.
            references.take_if(|kept| kept.fetching.ptr_eq(&fetching));
        }
        fetched
    }

    fn fetching(&self, pool: &Pool) -> Fetching {
        let mut references = self.references.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = references.as_ref().filter(|kept| kept.until > Instant::now()) {
            return kept.fetching.clone();
        }
        let texts: Vec<String> = self
            .instances
            .iter()
            .flat_map(|instance| instance.examples.iter().cloned())
            .collect();
        let (embeddings, pool) = (self.embeddings.clone(), pool.clone());
        let fetching = async move {
            let fetched = embeddings.embed(&pool, &texts).await;
            fetched
                .inspect_err(|error| tracing::warn!(%error, "examples could not be embedded"))
                .ok()
                .map(Arc::new)
        }
        .boxed()
        .shared();
        *references = Some(References {
            fetching: fetching.clone(),
            until: Instant::now() + KEPT,
        });
        fetching
    }

    fn explain(&self, cx: &mut Context, scores: Option<&[(usize, f32)]>, picked: Option<usize>) {
        let name = picked.map_or("fallback", |index| &self.instances[index].name);
        let shown = scores.map(|scores| {
            let shown = scores
                .iter()
                .map(|(index, score)| format!("{}:{score:.4}", self.instances[*index].name));
            shown.collect::<Vec<_>>().join(",")
        });
        for (header, text) in [(SCORES, shown.as_deref()), (PICKED, Some(name))] {
            if let Some(value) = text.and_then(|text| HeaderValue::from_str(text).ok()) {
                cx.response_headers.insert(header, value);
            }
        }
    }
}

/// What the user said last.
fn user_text(prepared: &Prepared) -> Option<String> {
    let messages = prompt_messages(prepared.protocol(), prepared.body()?);
    let last = messages.iter().rfind(|message| message.role == "user")?;
    let mut text = last.said();
    text.truncate(text.floor_char_boundary(TEXT_MAX));
    (!text.is_empty()).then_some(text)
}

/// Of vectors of length 1, the cosine of the angle between them.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
