//! The service that turns texts into vectors.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use sluice_core::{CompileError, Services};
use sluice_net::Pool;

use super::Vector;
use crate::callout::CalloutConfig;
use crate::embeddings::{Embeddings as Service, EmbeddingsError};

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

/// The compiled service.
pub(super) struct Embeddings(Service);

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
        // Azure names the model in the path.
        let model = (config.provider == Provider::OpenAi).then(|| config.model.clone());
        // The address may hold a key: what is wrong with it is not told.
        Service::compile(callout, headers, model, services)
            .map(Self)
            .map_err(|_| CompileError("invalid `semantic_opts.embeddings.endpoint`".to_owned()))
    }

    /// The directions of texts, in one request.
    pub(super) async fn embed(&self, pool: &Pool, texts: &[String]) -> Result<Vec<Vector>, EmbeddingsError> {
        let vectors = self.0.embed(pool, texts).await?;
        Ok(vectors.into_iter().map(direction).collect())
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
    use serde_json::json;

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
