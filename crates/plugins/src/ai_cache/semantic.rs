//! The semantic layer: answers to prompts that mean the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde_json::Value;
use sluice_cache::{Answer, Direction};
use sluice_core::{AiCall, CompileError, Likeness, Services};
use sluice_llm::{Protocol, prompt_messages};
use sluice_net::Pool;
use sluice_redis::{Client, RedisError};
use sluice_wire::sha256_hex;

use super::question::Question;
use super::schema::{MatchConfig, SemanticConfig, ServiceConfig};
use super::vectors::Vectors;
use crate::callout::CalloutConfig;
use crate::embeddings::{Embeddings, EmbeddingsError};

/// Hex digits of the digest that tells models apart.
const MODEL_DIGITS: usize = 16;

/// How long nothing is asked of services after one of them failed: a service that hangs must not cost every request
/// its whole timeout.
const REST: Duration = Duration::from_secs(1);

/// Why there is no telling what is alike.
#[derive(Debug, thiserror::Error)]
pub(super) enum SemanticError {
    #[error(transparent)]
    Embeddings(#[from] EmbeddingsError),
    #[error("the vector search failed: {0}")]
    Search(#[from] RedisError),
}

/// The layer.
pub(super) struct Semantic {
    threshold: f32,
    ttl: Duration,
    matching: MatchConfig,
    embeddings: Embeddings,
    place: Place,
    rest: Rest,
}

/// Where answers are kept.
enum Place {
    Redis(Vectors),
    /// In process, under partitions that begin with the digest of the model.
    Local(Arc<Services>, String),
}

/// A prompt of which the meaning counts, and the question around it.
pub(super) struct Prompt {
    text: String,
    partition: String,
}

impl Semantic {
    /// `client` is where answers are kept; without one it is this process.
    pub(super) fn compile(
        config: &SemanticConfig,
        client: Option<Arc<Client>>,
        services: &Arc<Services>,
    ) -> Result<Self, CompileError> {
        let embedding = &config.embedding;
        let (service, is_azure) = match (&embedding.openai, &embedding.azure_openai) {
            (Some(service), _) => (service, false),
            (None, Some(service)) => (service, true),
            (None, None) => return Err(CompileError("no embedding service is named".to_owned())),
        };
        let model = model_digest(service);
        let place = match (client, &config.vector_search) {
            (Some(client), Some(search)) => {
                Place::Redis(Vectors::new(client, &search.redis.index, &model, config.top_k))
            }
            _ => Place::Local(services.clone(), model),
        };
        Ok(Self {
            threshold: config.similarity_threshold,
            ttl: Duration::from_secs(config.ttl),
            matching: config.matching,
            embeddings: embeddings(service, is_azure, services)?,
            place,
            rest: Rest::default(),
        })
    }

    /// What of a call is compared by its meaning. `None` where meaning is not enough to go by: for other protocols
    /// than chat, and with images, tool calls and the like.
    pub(super) fn prompt(&self, scope: &str, question: &Question, ai: &AiCall) -> Option<Prompt> {
        if ai.protocol != Protocol::OpenAiChat {
            return None;
        }
        let turns = question.messages.as_array()?;
        let messages = prompt_messages(ai.protocol, ai.request.as_ref()?.bytes());
        if messages.len() != turns.len() || messages.iter().any(|message| message.has_others) {
            return None;
        }
        let compared = messages
            .iter()
            .enumerate()
            .filter(|(_, message)| !self.matching.ignores(&message.role));
        let mut compared: Vec<_> = compared.rev().take(self.matching.message_countback).collect();
        compared.reverse();
        let said: Vec<_> = compared.iter().map(|(_, message)| message.said()).collect();
        let text = said.join("\n");
        if text.trim().is_empty() {
            return None;
        }
        // Everything else must be the same, letter by letter.
        let mut rest = turns.clone();
        for (position, _) in compared {
            if let Some(turn) = rest.get_mut(position).and_then(Value::as_object_mut) {
                turn.shift_remove("content");
            }
        }
        Some(Prompt {
            text,
            partition: question.partition(scope, &rest),
        })
    }

    /// Whether a service has just failed.
    pub(super) fn rests(&self) -> bool {
        self.rest.is_on()
    }

    /// Finds out what a prompt means.
    pub(super) async fn likeness(&self, pool: &Pool, prompt: Prompt) -> Option<Likeness> {
        let embedded = self.embeddings.embed(pool, &[prompt.text]).await;
        let vector = self.settled(embedded.map_err(SemanticError::from))?.pop()?;
        Some(Likeness {
            partition: prompt.partition,
            direction: Direction::of(vector)?,
        })
    }

    /// The answer to a prompt that means the same, with its similarity.
    pub(super) async fn find(&self, likeness: &Likeness) -> Option<(f32, Answer)> {
        let found = match &self.place {
            Place::Redis(vectors) => vectors.nearest(likeness).await,
            Place::Local(services, model) => {
                let partition = local_partition(model, likeness);
                Ok(services
                    .answers
                    .nearest(&partition, &likeness.direction, Instant::now()))
            }
        };
        let found = self.settled(found.map_err(SemanticError::from))?;
        found.filter(|(similarity, _)| *similarity >= self.threshold)
    }

    /// Keeps an answer.
    pub(super) async fn put(&self, likeness: &Likeness, answer: &Answer) -> Result<(), RedisError> {
        match &self.place {
            Place::Redis(vectors) => vectors.put(likeness, answer, self.ttl).await,
            Place::Local(services, model) => {
                services.answers.put_near(
                    &local_partition(model, likeness),
                    &likeness.direction,
                    answer.clone(),
                    self.ttl,
                    Instant::now(),
                );
                Ok(())
            }
        }
    }

    /// What came of a step; failures are logged, and begin a rest.
    fn settled<T>(&self, outcome: Result<T, SemanticError>) -> Option<T> {
        match outcome {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::warn!(plugin = super::NAME, %error, "prompts are not compared by meaning for a while");
                self.rest.begin();
                None
            }
        }
    }
}

impl MatchConfig {
    fn ignores(&self, role: &str) -> bool {
        match role {
            "system" | "developer" => self.ignore_system_prompts,
            "assistant" => self.ignore_assistant_prompts,
            "tool" | "function" => self.ignore_tool_prompts,
            _ => false,
        }
    }
}

fn local_partition(model: &str, likeness: &Likeness) -> String {
    format!("{model}:{}", likeness.partition)
}

/// Vectors of different models cannot be compared.
fn model_digest(service: &ServiceConfig) -> String {
    let model = service.model.as_deref().unwrap_or_default();
    let mut digest = sha256_hex(format!("{}\n{model}", service.endpoint).as_bytes());
    digest.truncate(MODEL_DIGITS);
    digest
}

fn embeddings(
    service: &ServiceConfig,
    is_azure: bool,
    services: &Services,
) -> Result<Embeddings, CompileError> {
    let key = &service.api_key;
    let (name, key) = match is_azure {
        true => (HeaderName::from_static("api-key"), key.clone()),
        false => (header::AUTHORIZATION, format!("Bearer {key}")),
    };
    let mut key = HeaderValue::from_str(&key)
        .map_err(|_| CompileError("api_key cannot be sent in a header".to_owned()))?;
    key.set_sensitive(true);
    let callout = CalloutConfig {
        ssl_verify: service.ssl_verify,
        timeout: service.timeout,
        ..CalloutConfig::new(&service.endpoint)
    };
    // Azure names the model in the path.
    let model = service.model.clone().filter(|_| !is_azure);
    let headers = HeaderMap::from_iter([(name, key)]);
    Ok(Embeddings::compile(callout, headers, model, services)?.with_dimensions(service.dimensions))
}

/// A pause in which nothing is asked.
struct Rest {
    origin: Instant,
    /// Milliseconds after `origin`.
    until: AtomicU64,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            origin: Instant::now(),
            until: AtomicU64::new(0),
        }
    }
}

impl Rest {
    fn begin(&self) {
        self.until
            .store(millis(self.origin.elapsed() + REST), Ordering::Relaxed);
    }

    fn is_on(&self) -> bool {
        millis(self.origin.elapsed()) < self.until.load(Ordering::Relaxed)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
