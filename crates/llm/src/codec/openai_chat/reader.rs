//! The frames of a provider's stream, whatever it sends in place of them.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use sluice_wire::{SseFrame, SsePart, SseSplitter};

use crate::error::{ErrorKind, ProviderMessage, PublicError};
use crate::lenient::{Count, Text};

/// Largest event that is read. Images come in one.
const MAX_EVENT: usize = 32 * 1024 * 1024;

/// What comes out of a stream.
pub(in crate::codec) enum Message<'a> {
    /// The data of an event.
    Chunk(&'a [u8]),
    /// The end, as the protocol says it.
    Done,
    /// The stream cannot be read, or the provider says that it failed.
    Failed(PublicError),
    /// A whole answer that came instead of a stream.
    Answer(&'a [u8]),
}

/// Cuts a stream into its messages.
#[derive(Debug)]
pub(in crate::codec) struct MessageReader {
    splitter: SseSplitter,
    /// The body so far, where it is JSON and no stream of events.
    json: BytesMut,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Unknown,
    Events,
    Json,
}

impl MessageReader {
    pub(in crate::codec) fn new() -> Self {
        Self {
            splitter: SseSplitter::with_limit(MAX_EVENT),
            json: BytesMut::new(),
            form: Form::Unknown,
        }
    }

    /// Takes a piece and hands out the messages that it completes.
    pub(in crate::codec) fn push(&mut self, piece: &Bytes, mut each: impl FnMut(Message<'_>)) {
        if self.form == Form::Unknown {
            let first = piece.iter().find(|byte| !byte.is_ascii_whitespace());
            self.form = match first {
                Some(b'{' | b'[') => Form::Json,
                Some(_) => Form::Events,
                None => Form::Unknown,
            };
        }
        if self.form == Form::Json {
            if self.json.len().saturating_add(piece.len()) > MAX_EVENT {
                each(Message::Failed(unreadable("the provider's answer is too large")));
            } else {
                self.json.extend_from_slice(piece);
            }
            return;
        }
        self.splitter.push(piece.clone());
        while let Some(part) = self.splitter.next_part() {
            match part {
                SsePart::Frame(frame) => read_frame(&frame, &mut each),
                SsePart::Fragment(_) => {
                    each(Message::Failed(unreadable(
                        "an event of the provider's is too large",
                    )));
                }
            }
        }
    }

    /// The stream ended. Its last event may lack the empty line that ends it.
    pub(in crate::codec) fn finish(&mut self, mut each: impl FnMut(Message<'_>)) {
        if self.form == Form::Json {
            let json = self.json.split();
            each(match error_in(&json) {
                Some(error) => Message::Failed(error),
                None => Message::Answer(&json),
            });
            return;
        }
        if let Some(rest) = self.splitter.finish() {
            let rest = rest.into_bytes();
            let data = SseFrame::parse(&rest).data;
            let is_whole = data.is_some_and(|data| {
                data.starts_with(b"[DONE]") || serde_json::from_slice::<IgnoredAny>(&data).is_ok()
            });
            if is_whole {
                read_frame(&rest, &mut each);
            }
        }
    }
}

fn read_frame(frame: &[u8], each: &mut impl FnMut(Message<'_>)) {
    let frame = SseFrame::parse(frame);
    let Some(data) = frame.data else { return };
    let data = data.trim_ascii();
    if data.starts_with(b"[DONE]") {
        return each(Message::Done);
    }
    if frame.event == Some("error") || data.starts_with(b"[") {
        let error = error_in(data).unwrap_or_else(|| unreadable("the provider broke the answer off"));
        return each(Message::Failed(error));
    }
    // What is no JSON at all is a server's chatter.
    if data.starts_with(b"{") {
        each(Message::Chunk(data));
    }
}

/// The error that ends a stream which cannot be read.
pub(in crate::codec) fn unreadable(message: &'static str) -> PublicError {
    PublicError::new(ErrorKind::Upstream, message).with_code("upstream_unreadable")
}

/// The error that a body or an event is, if it is one: `{"error":…}`, the same in an array, or flat with
/// `"object":"error"` (vLLM). Its status is told by a numeric code where there is one.
pub(in crate::codec) fn error_in(body: &[u8]) -> Option<PublicError> {
    #[derive(Default, Deserialize)]
    #[serde(default, bound(deserialize = "'de: 'a"))]
    struct Probe<'a> {
        error: Option<&'a RawValue>,
        object: Text<'a>,
        code: Count,
        choices: Option<IgnoredAny>,
    }
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Numbers {
        code: Count,
        status: Count,
        status_code: Count,
    }
    let body = body.trim_ascii();
    if body.starts_with(b"[") {
        let first: Vec<&RawValue> = serde_json::from_slice(body).ok()?;
        return error_in(
            first
                .first()
                .filter(|first| first.get().starts_with('{'))?
                .get()
                .as_bytes(),
        );
    }
    let probe: Probe<'_> = serde_json::from_slice(body).ok()?;
    let code = match probe.error.filter(|error| says_something(error)) {
        Some(error) => {
            let numbers: Numbers = serde_json::from_str(error.get()).unwrap_or_default();
            [
                numbers.code.0,
                numbers.status.0,
                numbers.status_code.0,
                probe.code.0,
            ]
            .into_iter()
            .find(|code| *code > 0)
            .unwrap_or_default()
        }
        None if probe.object.as_str() == Some("error") && probe.choices.is_none() => probe.code.0,
        None => return None,
    };
    Some(public(code, body))
}

/// Whether an `error` is one: some servers send empty ones in every chunk.
pub(in crate::codec) fn says_something(error: &RawValue) -> bool {
    !matches!(error.get(), "null" | "false" | "\"\"" | "{}" | "[]" | "0")
}

/// The error in the provider's words, unless they are about the gateway's own credentials.
fn public(code: u64, body: &[u8]) -> PublicError {
    let status = u16::try_from(code)
        .ok()
        .filter(|code| (400..600).contains(code))
        .and_then(|code| StatusCode::from_u16(code).ok());
    let said = ProviderMessage::read(body);
    let words = said
        .as_ref()
        .map(|said| [said.kind.as_deref(), said.code.as_deref()])
        .unwrap_or_default();
    let says = |part: &str| words.iter().flatten().any(|word| word.contains(part));
    let status = status.unwrap_or(
        if says("authentication") || says("api_key") || says("permission") {
            StatusCode::UNAUTHORIZED
        } else if says("rate_limit") || says("quota") {
            StatusCode::TOO_MANY_REQUESTS
        } else if says("overloaded") {
            StatusCode::SERVICE_UNAVAILABLE
        } else if says("invalid_request") || says("context_length") {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::BAD_GATEWAY
        },
    );
    if said.is_none() && status == StatusCode::BAD_GATEWAY {
        return unreadable("the provider broke the answer off with an error");
    }
    PublicError::from_upstream(status, body)
}
