//! The events of a stream as frames, numbered.

use std::fmt::Write as _;

use bytes::{BufMut, BytesMut};
use serde::Serialize;
use sluice_wire::write_frame;

use crate::chat::{Fields, Json, Object};
use crate::codec::openai_responses::output::Content;
use crate::error::{Dialect, PublicError};

/// Writes events, each with the next number.
#[derive(Default)]
pub(super) struct Frames {
    sent: u64,
}

/// What an event is about.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    item_id: &'a str,
    output_index: usize,
    /// Name and number of the part of the item.
    part: Option<(&'static str, usize)>,
}

impl<'a> At<'a> {
    /// An item.
    pub(super) fn item(item_id: &'a str, output_index: usize) -> Self {
        Self {
            item_id,
            output_index,
            part: None,
        }
    }

    /// A content part of an item.
    pub(super) fn content(item_id: &'a str, output_index: usize, index: usize) -> Self {
        Self {
            part: Some(("content_index", index)),
            ..Self::item(item_id, output_index)
        }
    }
}

/// The events of a thought's text.
pub(super) struct ThoughtEvents {
    pub(super) part_added: &'static str,
    pub(super) delta: &'static str,
    pub(super) done: &'static str,
    pub(super) part_done: &'static str,
    index: &'static str,
}

impl ThoughtEvents {
    /// Those of a summary, or of the thought itself.
    pub(super) fn of(is_summary: bool) -> Self {
        if is_summary {
            Self {
                part_added: "response.reasoning_summary_part.added",
                delta: "response.reasoning_summary_text.delta",
                done: "response.reasoning_summary_text.done",
                part_done: "response.reasoning_summary_part.done",
                index: "summary_index",
            }
        } else {
            Self {
                part_added: "response.content_part.added",
                delta: "response.reasoning_text.delta",
                done: "response.reasoning_text.done",
                part_done: "response.content_part.done",
                index: "content_index",
            }
        }
    }

    /// Its one part.
    pub(super) fn at<'a>(&self, item_id: &'a str, output_index: usize) -> At<'a> {
        At {
            part: Some((self.index, 0)),
            ..At::item(item_id, output_index)
        }
    }
}

/// The event of a piece of a call's arguments.
pub(super) fn call_delta(is_custom: bool) -> &'static str {
    match is_custom {
        true => "response.custom_tool_call_input.delta",
        false => "response.function_call_arguments.delta",
    }
}

/// The event of a call's whole arguments, and its member for them.
pub(super) fn call_done(is_custom: bool) -> (&'static str, &'static str) {
    match is_custom {
        true => ("response.custom_tool_call_input.done", "input"),
        false => ("response.function_call_arguments.done", "arguments"),
    }
}

impl Frames {
    /// An event with the response.
    pub(super) fn response(&mut self, name: &str, response: &Json, out: &mut BytesMut) {
        self.begin(name, out);
        member(out, "response", response);
        end(out);
    }

    /// An event with an item.
    pub(super) fn item(&mut self, name: &str, index: usize, item: &Json, out: &mut BytesMut) {
        self.begin(name, out);
        member(out, "output_index", &index);
        member(out, "item", item);
        end(out);
    }

    /// An event with a part of an item.
    pub(super) fn part(&mut self, name: &str, at: At<'_>, part: &Json, out: &mut BytesMut) {
        self.begin_at(name, at, out);
        member(out, "part", part);
        end(out);
    }

    /// An event with a piece of text; text of messages has probabilities, if only none.
    pub(super) fn delta(
        &mut self,
        name: &str,
        at: At<'_>,
        delta: &str,
        logprobs: Option<&[Json]>,
        out: &mut BytesMut,
    ) {
        self.begin_at(name, at, out);
        member(out, "delta", delta);
        if let Some(logprobs) = logprobs {
            member(out, "logprobs", logprobs);
        }
        end(out);
    }

    /// An event with a whole text.
    pub(super) fn whole(&mut self, name: &str, at: At<'_>, (label, text): (&str, &str), out: &mut BytesMut) {
        self.begin_at(name, at, out);
        member(out, label, text);
        end(out);
    }

    /// The event with the whole text of a content part.
    pub(super) fn content_done(&mut self, at: At<'_>, part: &Content, out: &mut BytesMut) {
        if part.is_refusal {
            self.whole("response.refusal.done", at, ("refusal", &part.text), out);
            return;
        }
        self.begin_at("response.output_text.done", at, out);
        member(out, "text", &part.text);
        member(out, "logprobs", &part.logprobs);
        end(out);
    }

    /// The event of an annotation.
    pub(super) fn annotation(&mut self, at: At<'_>, index: usize, annotation: &Json, out: &mut BytesMut) {
        self.begin_at("response.output_text.annotation.added", at, out);
        member(out, "annotation_index", &index);
        member(out, "annotation", annotation);
        end(out);
    }

    /// An error: its members beside the type, as the API's types say, and in an object, by which SDKs know it.
    pub(super) fn error(&mut self, error: &PublicError, out: &mut BytesMut) {
        let body = error.body(Dialect::OpenAiResponses, None);
        let mut body = Fields::from_slice(&body).unwrap_or_default();
        let inner = body.raw("error");
        let members = inner
            .and_then(|inner| Fields::read(inner).ok())
            .unwrap_or_default();
        let event = Object::new()
            .set("type", "error")
            .set("sequence_number", &self.sent)
            .set("code", &members.peek("code"))
            .set("message", error.message())
            .set("param", &members.peek("param"))
            .set("error", &inner)
            .finish();
        self.sent += 1;
        write_frame(out, Some("error"), event.text().as_bytes());
    }

    fn begin(&mut self, name: &str, out: &mut BytesMut) {
        let number = self.sent;
        self.sent += 1;
        // Writing to memory cannot fail.
        let _ = write!(
            out,
            "event: {name}\ndata: {{\"type\":\"{name}\",\"sequence_number\":{number}"
        );
    }

    fn begin_at(&mut self, name: &str, at: At<'_>, out: &mut BytesMut) {
        self.begin(name, out);
        member(out, "item_id", at.item_id);
        let _ = write!(out, ",\"output_index\":{}", at.output_index);
        if let Some((index, number)) = at.part {
            let _ = write!(out, ",\"{index}\":{number}");
        }
    }
}

/// Writes a member whose name needs no escapes.
fn member<T: Serialize + ?Sized>(out: &mut BytesMut, name: &str, value: &T) {
    let _ = write!(out, ",\"{name}\":");
    let before = out.len();
    if serde_json::to_writer(out.writer(), value).is_err() {
        out.truncate(before);
        out.put_slice(b"null");
    }
    // Documents that are handed on may be laid out over lines, which would end the frame's. Within strings there are
    // no bare line ends.
    for byte in out
        .iter_mut()
        .skip(before)
        .filter(|byte| matches!(byte, b'\n' | b'\r'))
    {
        *byte = b' ';
    }
}

fn end(out: &mut BytesMut) {
    out.put_slice(b"}\n\n");
}
