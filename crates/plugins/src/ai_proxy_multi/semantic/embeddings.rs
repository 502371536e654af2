//! The service that turns texts into vectors.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::json;
use sluice_core::{CompileError, Services};
use sluice_net::Pool;

use super::Vector;
use crate::callout::{Callout, CalloutConfig, CalloutError};

/// Where OpenAI has it.
const OPENAI: &str = "https://api.openai.com";
const OPENAI_PATH: &str = "/v1/embeddings";

/// `semantic_opts.embeddings`.
#[derive(Deserialize)]
pub(super) struct EmbeddingsConfig {
    provider: Provider,
    model: String,
    #[serde(default)]
    auth: Auth,
    endpoint: Option<String>,
    #[serde(default = "three_seconds")]
    timeout: u64,
    #[serde(default = "yes")]
    ssl_verify: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Provider {
    #[serde(rename = "openai")]
    OpenAi,
    #[serde(rename = "azure-openai")]
    AzureOpenAi,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    header: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
}

fn three_seconds() -> u64 {
    3000
}

fn yes() -> bool {
    true
}

/// Why there are no vectors. The texts name no address and no key.
#[derive(Debug, thiserror::Error)]
pub(super) enum EmbeddingsError {
    #[error("the embeddings service {0}")]
    Call(#[from] CalloutError),
    #[error("the embeddings service answered {0}")]
    Status(StatusCode),
    #[error("the embeddings service answered something else than {0} vectors")]
    Answer(usize),
}

/// The compiled service.
pub(super) struct Embeddings {
    callout: Callout,
    headers: HeaderMap,
    /// Azure names the model in the path.
    model: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Vector,
}

impl Embeddings {
    pub(super) fn compile(config: &EmbeddingsConfig, services: &Services) -> Result<Self, CompileError> {
        let mut headers = HeaderMap::new();
        for (name, value) in &config.auth.header {
            let bad = || {
                CompileError(format!(
                    "semantic_opts.embeddings.auth.header.{name} is not a valid header"
                ))
            };
            let header: HeaderName = name.parse().map_err(|_| bad())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let url = config.url();
        let callout = CalloutConfig {
            ssl_verify: config.ssl_verify,
            timeout: config.timeout,
            ..CalloutConfig::new(&url)
        };
        Ok(Self {
            // The address may hold a key: what is wrong with it is not told.
            callout: Callout::compile(callout, services)
                .map_err(|_| CompileError("invalid `semantic_opts.embeddings.endpoint`".to_owned()))?,
            headers,
            model: (config.provider == Provider::OpenAi).then(|| config.model.clone()),
        })
    }

    /// The directions of texts, in one request.
    pub(super) async fn embed(&self, pool: &Pool, texts: &[String]) -> Result<Vec<Vector>, EmbeddingsError> {
        let mut body = json!({ "input": texts });
        if let Some(model) = &self.model {
            body["model"] = json!(model);
        }
        let answer = self.callout.post_json(pool, self.headers.clone(), &body).await?;
        if !answer.status.is_success() {
            return Err(EmbeddingsError::Status(answer.status));
        }
        let other = || EmbeddingsError::Answer(texts.len());
        let mut data = serde_json::from_slice::<Answer>(&answer.body)
            .map_err(|_| other())?
            .data;
        if data.len() != texts.len() || data.iter().any(|one| one.embedding.is_empty()) {
            return Err(other());
        }
        data.sort_by_key(|one| one.index);
        Ok(data.into_iter().map(|one| direction(one.embedding)).collect())
    }
}

impl EmbeddingsConfig {
    fn url(&self) -> String {
        let mut url = self.endpoint.clone().unwrap_or_else(|| OPENAI.to_owned());
        let after_scheme = url.find("://").map_or(0, |at| at + 3);
        let has_path = url[after_scheme..].contains(['/', '?']);
        if !has_path && self.provider == Provider::OpenAi {
            url.push_str(OPENAI_PATH);
        }
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        for (name, value) in &self.auth.query {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str(&format!("{}={}", encoded(name), encoded(value)));
        }
        url
    }
}

/// The vector scaled to length 1, so that cosines are products.
fn direction(mut vector: Vector) -> Vector {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(config: serde_json::Value) -> String {
        EmbeddingsConfig::deserialize(config).unwrap().url()
    }

    #[test]
    fn addresses() {
        assert_eq!(
            url(json!({"provider": "openai", "model": "m", "auth": {}})),
            "https://api.openai.com/v1/embeddings"
        );
        assert_eq!(
            url(json!({"provider": "openai", "model": "m", "endpoint": "http://127.0.0.1:1"})),
            "http://127.0.0.1:1/v1/embeddings"
        );
        assert_eq!(
            url(json!({
                "provider": "azure-openai", "model": "m", "endpoint": "https://a.test/x?api-version=1",
                "auth": {"query": {"k": "a b"}},
            })),
            "https://a.test/x?api-version=1&k=a%20b"
        );
    }

    #[test]
    fn directions_have_length_one() {
        assert_eq!(direction(vec![3.0, 4.0]), [0.6, 0.8]);
        assert_eq!(direction(vec![0.0, 0.0]), [0.0, 0.0]);
    }
}
