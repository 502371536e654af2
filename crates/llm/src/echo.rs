//! The built-in provider `echo`: answers with what the user said last, in the client's own wire format.
//!
//! Pure functions from a request body to a full answer or to the frames of a stream. No tool is ever called, no
//! choice beyond the first is made; `max_tokens` and its kin are obeyed by cutting between words. Wire formats:
//! llm-protocols §3–§6.

mod chat;
mod embeddings;
mod messages;
mod prompt;
mod responses;

use bytes::Bytes;
use serde_json::{Value, json};
use thiserror::Error;

use crate::Protocol;

/// What an answer needs besides the request.
#[derive(Clone, Copy, Debug)]
pub struct EchoStamp<'a> {
    /// Unique part of the answer's ids, such as the hex form of a UUID.
    pub id: &'a str,
    /// Time of the answer, in seconds since the Unix epoch.
    pub created: i64,
}

/// An answer, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EchoReply {
    /// A JSON body.
    Json(Bytes),
    /// The frames of a `text/event-stream` body, one event each.
    Stream(Vec<Bytes>),
}

/// A request that cannot be echoed; the client's fault in each case.
#[derive(Debug, Error)]
pub enum EchoError {
    /// The body is not the JSON of a request in its protocol.
    #[error("the request does not parse: {0}")]
    Body(#[from] serde_json::Error),
    /// Nothing to echo in this protocol.
    #[error("the echo provider does not speak {0}")]
    Protocol(Protocol),
    /// `dimensions` or the number of inputs is out of bounds.
    #[error("{0}")]
    Bounds(&'static str),
}

/// Answers a request. `count` gives the number of tokens of a text; usage is the sum over the texts of the request,
/// and the count of the answer's.
///
/// ```
/// use sluice_llm::{EchoReply, EchoStamp, Protocol, echo};
///
/// let body = br#"{"model": "echo", "messages": [{"role": "user", "content": "Hello there"}]}"#;
/// let stamp = EchoStamp { id: "1", created: 1_700_000_000 };
/// let words = |text: &str| text.split_whitespace().count() as u64;
///
/// let EchoReply::Json(answer) = echo(Protocol::OpenAiChat, body, stamp, &words)? else { unreachable!() };
/// let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
/// assert_eq!(answer["choices"][0]["message"]["content"], "Hello there");
/// assert_eq!(answer["usage"]["total_tokens"], 4);
/// # Ok::<(), sluice_llm::EchoError>(())
/// ```
///
/// # Errors
/// [`EchoError`], to be shown to the client.
pub fn echo(
    protocol: Protocol,
    body: &[u8],
    stamp: EchoStamp<'_>,
    count: &dyn Fn(&str) -> u64,
) -> Result<EchoReply, EchoError> {
    match protocol {
        Protocol::OpenAiChat => chat::answer(body, stamp, count),
        Protocol::OpenAiResponses => responses::answer(body, stamp, count),
        Protocol::OpenAiEmbeddings => embeddings::answer(body, count),
        Protocol::AnthropicMessages => messages::answer(body, stamp, count),
        _ => Err(EchoError::Protocol(protocol)),
    }
}

/// The list of the provider's models, in OpenAI's form.
#[must_use]
pub fn echo_models() -> Bytes {
    let model = |id| json!({"id": id, "object": "model", "created": 0, "owned_by": "sluice"});
    json_bytes(&json!({"object": "list", "data": [model("echo"), model("echo-embedding")]}))
}

fn json_bytes(value: &Value) -> Bytes {
    value.to_string().into()
}

/// An event with only a `data` line.
fn data_frame(data: &Value) -> Bytes {
    format!("data: {data}\n\n").into()
}

/// An event whose name is the `type` of its data.
fn typed_frame(data: &Value) -> Bytes {
    let name = data["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n").into()
}

#[cfg(test)]
mod tests;
