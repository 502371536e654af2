//! Conversions between the protocols of client and provider.

mod anthropic_openai;
mod embeddings_predict;

use bytes::Bytes;
use http::StatusCode;
use thiserror::Error;

pub use self::anthropic_openai::{AnthropicStream, AnthropicToChat, StreamOutcome};
pub use self::embeddings_predict::EmbeddingsToPredict;
pub(crate) use self::embeddings_predict::Prediction;
use crate::embed::EmbedTranslation;
use crate::provider::Carriage;
use crate::request::RequestView;
use crate::rerank::RerankTranslation;
use crate::translate::{ChatStream, ChatTranslation};

/// Why a request is not converted. Shown to the client as `error_msg` with status 400. Indexes count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConversionRefused {
    /// The body is not an object.
    #[error("request body must be a table")]
    NotAnObject,
    /// `messages` is not an array.
    #[error("missing messages")]
    NoMessages,
    /// A message is not an object with a role.
    #[error("invalid message at index {0}")]
    Message(usize),
    /// A message's content is neither a string nor an array of blocks.
    #[error("invalid message content at index {0}")]
    Content(usize),
    /// `input` of an embeddings request is of another type.
    #[error("`input` must be string or array")]
    Input,
    /// An item of `input` is neither a string nor an array of strings or numbers.
    #[error("unsupported input type at index {0}")]
    InputItem(usize),
}

/// Why a provider's answer cannot be shown to the client. Shown as text with status 500. Indexes count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AnswerError {
    /// A chat answer has no choices.
    #[error("no choices in response")]
    NoChoices,
    /// A predict answer has no predictions.
    #[error("vertex response missing predictions")]
    NoPredictions,
    /// A prediction holds no vector.
    #[error("invalid embedding at index {0}")]
    Embedding(usize),
    /// A chat answer is not what its protocol says.
    #[error("the provider's answer cannot be read: {0}")]
    Unreadable(&'static str),
}

/// The conversion of one request and its answer.
#[derive(Clone, Debug)]
pub enum Conversion {
    /// An Anthropic Messages client on an OpenAI chat provider.
    AnthropicToChat(AnthropicToChat),
    /// An OpenAI embeddings client on Vertex predict.
    EmbeddingsToPredict(EmbeddingsToPredict),
    /// A conversation, through the canonical model.
    Chat(Box<ChatTranslation>),
    /// Embeddings, through their canonical form.
    Embed(Box<EmbedTranslation>),
    /// A ranking.
    Rerank(Box<RerankTranslation>),
}

/// The conversion of an answer that is a stream.
#[derive(Debug)]
pub enum StreamConversion {
    /// To Anthropic's events, as APISIX writes them.
    Anthropic(Box<AnthropicStream>),
    /// Through the canonical model.
    Chat(Box<ChatStream>),
}

impl Conversion {
    /// Converts a client's body for a provider; `None` where the provider takes it as it is.
    ///
    /// # Errors
    ///
    /// [`ConversionRefused`].
    pub fn of(carriage: Carriage, request: &RequestView) -> Result<Option<(Bytes, Self)>, ConversionRefused> {
        Ok(match carriage {
            Carriage::Same(_) | Carriage::Translated(_) | Carriage::Counted | Carriage::Passthrough => None,
            Carriage::AnthropicToChat(_) => {
                let (body, conversion) = AnthropicToChat::convert(request)?;
                Some((body, Self::AnthropicToChat(conversion)))
            }
            Carriage::EmbeddingsToPredict(_) => {
                let (body, conversion) = EmbeddingsToPredict::convert(request)?;
                Some((body, Self::EmbeddingsToPredict(conversion)))
            }
        })
    }

    /// Converts an answer that is not a stream. `model` is the model asked of the provider.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] for a success that is not what the provider's protocol says.
    pub fn answer(
        &self,
        status: StatusCode,
        model: Option<&str>,
        body: &Bytes,
    ) -> Result<Bytes, AnswerError> {
        match self {
            Self::AnthropicToChat(conversion) => conversion.answer(status, model, body),
            Self::EmbeddingsToPredict(conversion) => conversion.answer(status, body),
            Self::Chat(translation) => translation.answer(body),
            Self::Embed(translation) => translation.answer(body),
            Self::Rerank(translation) => translation.answer(body),
        }
    }

    /// The converter for an answer that is a stream; `None` where answers never are.
    #[must_use]
    pub fn into_stream(self) -> Option<StreamConversion> {
        match self {
            Self::AnthropicToChat(conversion) => {
                Some(StreamConversion::Anthropic(Box::new(conversion.into_stream())))
            }
            Self::EmbeddingsToPredict(_) | Self::Embed(_) | Self::Rerank(_) => None,
            Self::Chat(translation) => Some(StreamConversion::Chat(Box::new(translation.into_stream()))),
        }
    }

    /// Media type of a converted stream.
    #[must_use]
    pub fn stream_media_type(&self) -> &'static str {
        match self {
            Self::Chat(translation) => translation.stream_media_type(),
            _ => "text/event-stream",
        }
    }

    /// Members of the request that were left out because the provider's protocol cannot say them.
    #[must_use]
    pub fn dropped(&self) -> &[std::borrow::Cow<'static, str>] {
        match self {
            Self::Chat(translation) => translation.dropped(),
            Self::Embed(translation) => translation.dropped(),
            Self::Rerank(translation) => translation.dropped(),
            Self::AnthropicToChat(_) | Self::EmbeddingsToPredict(_) => &[],
        }
    }
}
