//! Rerank, between Cohere's form and the one that Jina, vLLM and others have (llm-protocols §5).

mod answer;
mod request;

use std::borrow::Cow;

use bytes::Bytes;

use self::request::RerankRequest;
use crate::chat::{Drops, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;
use crate::translate::TranslationFor;

/// The translation of one call for a ranking: the request there, the answer back.
#[derive(Clone)]
pub struct RerankTranslation {
    client: Protocol,
    id: String,
    request: RerankRequest,
    dropped: Vec<Cow<'static, str>>,
}

impl RerankTranslation {
    /// Translates a request. The body is the provider's.
    ///
    /// # Errors
    /// [`Unsayable`] if the client's body is not what its protocol says, or asks for what the provider's cannot give.
    pub fn request(body: &Bytes, to: TranslationFor<'_>) -> Result<(Bytes, Self), Unsayable> {
        let mut request = RerankRequest::decode(body)?;
        let mut drops = Drops::default();
        for name in std::mem::take(&mut request.unknown) {
            drops.note(name);
        }
        let encoded = match to.protocol {
            Protocol::CohereRerank => request.to_cohere(to.model)?,
            _ => request.to_jina(to.model, &mut drops),
        };
        let translation = Self {
            client: to.client.protocol,
            id: to.id.to_owned(),
            request,
            dropped: drops.names().to_vec(),
        };
        Ok((Bytes::copy_from_slice(encoded.text().as_bytes()), translation))
    }

    /// Members of the request that the provider's protocol cannot say and that were left out.
    #[must_use]
    pub fn dropped(&self) -> &[Cow<'static, str>] {
        &self.dropped
    }

    /// Translates an answer that was a success.
    ///
    /// # Errors
    /// [`AnswerError`] if it is not what the provider's protocol says.
    pub fn answer(&self, body: &[u8]) -> Result<Bytes, AnswerError> {
        let ranking = answer::decode(body)?;
        let encoded = match self.client {
            Protocol::CohereRerank => answer::to_cohere(&ranking, &self.id),
            _ => answer::to_jina(&ranking, &self.request)?,
        };
        Ok(Bytes::copy_from_slice(encoded.text().as_bytes()))
    }
}

pub(crate) use self::answer::metered;

impl std::fmt::Debug for RerankTranslation {
    /// Leaves out the client's documents.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RerankTranslation")
            .field("client", &self.client)
            .field("dropped", &self.dropped)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
