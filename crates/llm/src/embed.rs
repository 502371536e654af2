//! Embeddings, carried between two protocols through one small canonical form.

mod answer;
mod cohere;
mod gemini;
mod ollama;
mod openai;
mod request;
mod vertex;

use std::borrow::Cow;

use bytes::Bytes;

use self::answer::{EmbedAnswer, EmbedFacts};
use self::request::EmbedRequest;
use crate::chat::{Drops, Json, Unsayable};
use crate::convert::AnswerError;
use crate::protocol::Protocol;
use crate::translate::TranslationFor;
use crate::usage::{ChatUsage, Metered};

/// The translation of one call for embeddings: the request there, the answer back.
#[derive(Clone, Debug)]
pub struct EmbedTranslation {
    client: Protocol,
    provider: Protocol,
    facts: EmbedFacts,
    dropped: Vec<Cow<'static, str>>,
}

impl EmbedTranslation {
    /// Translates a request. The body is the provider's.
    ///
    /// # Errors
    /// [`Unsayable`] if the client's body is not what its protocol says, or asks for what the provider's cannot give.
    pub fn request(body: &Bytes, to: TranslationFor<'_>) -> Result<(Bytes, Self), Unsayable> {
        let client = to.client.protocol;
        let mut request = decode_request(client, body)?;
        if request.inputs.is_empty() {
            return Err(Unsayable::new("there is no text to embed"));
        }
        if request.model.is_none() {
            request.model = to.client.model.as_deref().map(str::to_owned);
        }
        let mut drops = Drops::default();
        for name in std::mem::take(&mut request.unknown) {
            drops.note(name);
        }
        let encoded = encode_request(to.protocol, &request, to.model, &mut drops)?;
        let translation = Self {
            client,
            provider: to.protocol,
            facts: EmbedFacts::of(&request, to.id),
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
        let answer = decode_answer(self.provider, body)?;
        if answer.vectors.len() != self.facts.count {
            return Err(AnswerError::Unreadable(
                "there are not as many vectors as there were texts",
            ));
        }
        let encoded = encode_answer(self.client, &answer, &self.facts)?;
        Ok(Bytes::copy_from_slice(encoded.text().as_bytes()))
    }
}

/// Tokens that an answer with embeddings reports, if it does.
pub(crate) fn metered(protocol: Protocol, body: &[u8]) -> Option<Metered> {
    let tokens = decode_answer(protocol, body).ok()?.tokens?;
    Some(ChatUsage::of_prompt(tokens).tally().metered())
}

fn decode_request(protocol: Protocol, body: &[u8]) -> Result<EmbedRequest, Unsayable> {
    match protocol {
        Protocol::CohereEmbed => cohere::decode_request(body),
        Protocol::GeminiBatchEmbed => gemini::decode_batch(body),
        Protocol::GeminiEmbed => gemini::decode_request(body),
        Protocol::OllamaEmbed => ollama::decode_request(body),
        Protocol::OllamaEmbeddings => ollama::decode_older_request(body),
        Protocol::OpenAiEmbeddings => openai::decode_request(body),
        other => Err(no_embeddings(other)),
    }
}

fn encode_request(
    protocol: Protocol,
    request: &EmbedRequest,
    model: &str,
    drops: &mut Drops,
) -> Result<Json, Unsayable> {
    match protocol {
        Protocol::CohereEmbed => cohere::encode_request(request, model, drops),
        Protocol::GeminiBatchEmbed => gemini::encode_batch(request, model, drops),
        Protocol::OllamaEmbed => ollama::encode_request(request, model, drops),
        Protocol::OpenAiEmbeddings => Ok(openai::encode_request(request, model, drops)),
        Protocol::VertexPredict => vertex::encode_request(request, drops),
        other => Err(no_embeddings(other)),
    }
}

fn decode_answer(protocol: Protocol, body: &[u8]) -> Result<EmbedAnswer, AnswerError> {
    match protocol {
        Protocol::CohereEmbed => cohere::decode_answer(body),
        Protocol::GeminiBatchEmbed | Protocol::GeminiEmbed => gemini::decode_answer(body),
        Protocol::OllamaEmbed | Protocol::OllamaEmbeddings => ollama::decode_answer(body),
        Protocol::OpenAiEmbeddings => openai::decode_answer(body),
        Protocol::VertexPredict => vertex::decode_answer(body),
        _ => Err(AnswerError::Unreadable("no embeddings were asked for")),
    }
}

fn encode_answer(protocol: Protocol, answer: &EmbedAnswer, facts: &EmbedFacts) -> Result<Json, AnswerError> {
    match protocol {
        Protocol::CohereEmbed => cohere::encode_answer(answer, facts),
        Protocol::GeminiBatchEmbed => Ok(gemini::encode_batch_answer(answer)),
        Protocol::GeminiEmbed => gemini::encode_answer(answer),
        Protocol::OllamaEmbed => Ok(ollama::encode_answer(answer, facts)),
        Protocol::OllamaEmbeddings => ollama::encode_older_answer(answer),
        Protocol::OpenAiEmbeddings => openai::encode_answer(answer, facts),
        _ => Err(AnswerError::Unreadable("no embeddings were asked for")),
    }
}

fn no_embeddings(protocol: Protocol) -> Unsayable {
    Unsayable::new(format!("{protocol} makes no embeddings"))
}

#[cfg(test)]
mod tests;
