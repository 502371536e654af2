//! The service that turns texts into vectors, in OpenAI's form: what semantic plugins ask.

use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::json;
use sluice_core::{CompileError, Services};
use sluice_net::Pool;

use crate::callout::{Callout, CalloutConfig, CalloutError};

/// Why there are no vectors. The texts name no address and no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmbeddingsError {
    #[error("the embeddings service {0}")]
    Call(#[from] CalloutError),
    #[error("the embeddings service answered {0}")]
    Status(StatusCode),
    #[error("the embeddings service answered something else than {0} vectors")]
    Answer(usize),
}

/// The service with what is sent along.
pub(crate) struct Embeddings {
    callout: Callout,
    headers: HeaderMap,
    model: Option<String>,
    dimensions: Option<u64>,
}

#[derive(Deserialize)]
struct Answer {
    data: Vec<Embedding>,
}

#[derive(Deserialize)]
struct Embedding {
    index: Option<usize>,
    embedding: Vec<f32>,
}

impl Embeddings {
    /// A service that wants these headers, and a model in the body unless its path names one.
    pub(crate) fn compile(
        service: CalloutConfig<'_>,
        headers: HeaderMap,
        model: Option<String>,
        services: &Services,
    ) -> Result<Self, CompileError> {
        Ok(Self {
            callout: Callout::compile(service, services)?,
            headers,
            model,
            dimensions: None,
        })
    }

    /// Asks for vectors of so many components.
    pub(crate) fn with_dimensions(self, dimensions: Option<u64>) -> Self {
        Self { dimensions, ..self }
    }

    /// The vectors of texts, in one request.
    pub(crate) async fn embed(
        &self,
        pool: &Pool,
        texts: &[String],
    ) -> Result<Vec<Vec<f32>>, EmbeddingsError> {
        let mut body = json!({ "input": texts });
        if let Some(model) = &self.model {
            body["model"] = json!(model);
        }
        if let Some(dimensions) = self.dimensions {
            body["dimensions"] = json!(dimensions);
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
        Ok(data.into_iter().map(|one| one.embedding).collect())
    }
}
