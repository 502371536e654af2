//! An Anthropic Messages client on an OpenAI chat provider (compat §5.4).
//!
//! What the table there does not list is dropped: `top_k`, `cache_control`, thinking in the history, server tools,
//! documents other than base64 ones, `is_error` of tool results.

mod answer;
mod chat;
mod messages;
mod request;
mod schema;
mod stream;
mod tools;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};

pub use self::stream::{AnthropicStream, StreamOutcome};
use self::tools::ToolNames;
use super::{AnswerError, ConversionRefused};
use crate::request::RequestView;

/// One request's conversion: made with the request, kept for its answer, since tool names are changed on the way there
/// and changed back on the way here.
///
/// ```
/// use http::StatusCode;
/// use sluice_llm::{AnthropicToChat, RequestView};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let body = r#"{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}"#;
/// let (chat, conversion) = AnthropicToChat::convert(&RequestView::parse(body.into())?)?;
/// assert_eq!(
///     chat,
///     r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"max_completion_tokens":9}"#
/// );
///
/// let answer = r#"{"id":"c1","model":"m","choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}]}"#;
/// let message = conversion.answer(StatusCode::OK, None, &answer.into())?;
/// assert!(message.starts_with(br#"{"id":"c1","type":"message","role":"assistant""#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct AnthropicToChat {
    names: ToolNames,
}

impl AnthropicToChat {
    /// Converts a client's body.
    ///
    /// # Errors
    ///
    /// [`ConversionRefused`].
    pub fn convert(request: &RequestView) -> Result<(Bytes, Self), ConversionRefused> {
        let mut names = ToolNames::default();
        let body = request::convert(request, &mut names)?;
        Ok((body, Self { names }))
    }

    /// Converts a client's headers: an Anthropic key becomes a bearer token unless there is one, and what only
    /// Anthropic understands is removed.
    pub fn convert_headers(headers: &mut HeaderMap) {
        if let Some(key) = headers.remove("x-api-key")
            && !headers.contains_key(header::AUTHORIZATION)
            && let Ok(mut bearer) = HeaderValue::from_bytes(&[b"Bearer ", key.as_bytes()].concat())
        {
            bearer.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, bearer);
        }
        let foreign: Vec<_> = headers
            .keys()
            .filter(|name| {
                name.as_str().starts_with("anthropic-") || name.as_str().starts_with("x-stainless-")
            })
            .cloned()
            .collect();
        for name in foreign {
            headers.remove(name);
        }
    }

    /// Converts an answer that is not a stream. `model` is the model asked of the provider; without it the answer's
    /// own is shown.
    ///
    /// Answers 429 and 5xx, other errors without an `error` member, and what is not JSON are handed back as they are.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] for a success without choices.
    pub fn answer(
        &self,
        status: StatusCode,
        model: Option<&str>,
        body: &Bytes,
    ) -> Result<Bytes, AnswerError> {
        if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
            return Ok(body.clone());
        }
        answer::convert(&self.names, status, model, body)
    }

    /// The converter for an answer that is a stream.
    #[must_use]
    pub fn into_stream(self) -> AnthropicStream {
        AnthropicStream::new(self.names)
    }
}

#[cfg(test)]
mod tests;
