//! Single chunks, written straight into the buffer.

use bytes::{BufMut, BytesMut};
use serde::Serialize;

use super::super::usage_out::UsageOut;
use crate::chat::Json;

/// Writes the chunks of one answer.
#[derive(Default)]
pub(super) struct ChunkWriter {
    /// What every chunk begins with, up to `"choices":`.
    head: Vec<u8>,
    /// What the first chunk says beside that.
    first: Vec<u8>,
}

/// Members of the provider's that every chunk repeats; others stand in the first.
const IN_EVERY_CHUNK: [&str; 3] = ["system_fingerprint", "service_tier", "provider"];

impl ChunkWriter {
    pub(super) fn new(id: &str, created: u64, model: &str, beside: &[(String, Json)]) -> Self {
        let mut head = BytesMut::with_capacity(128);
        head.put_slice(b"data: {\"id\":");
        put(&mut head, id);
        head.put_slice(b",\"object\":\"chat.completion.chunk\",\"created\":");
        put(&mut head, &created);
        head.put_slice(b",\"model\":");
        put(&mut head, model);
        let mut first = BytesMut::new();
        for (name, value) in beside {
            let place = if IN_EVERY_CHUNK.contains(&name.as_str()) {
                &mut head
            } else {
                &mut first
            };
            place.put_u8(b',');
            put(place, name);
            place.put_u8(b':');
            put_json(place, value);
        }
        head.put_slice(b",\"choices\":");
        Self {
            head: head.to_vec(),
            first: first.to_vec(),
        }
    }

    /// The first chunk of an alternative.
    pub(super) fn role(&mut self, choice: u32, out: &mut BytesMut) {
        self.begin(choice, out);
        out.put_slice(b"\"role\":\"assistant\",\"content\":\"\",\"refusal\":null");
        out.put_slice(b"},\"logprobs\":null,\"finish_reason\":null}]");
        out.put_slice(&std::mem::take(&mut self.first));
        out.put_slice(b"}\n\n");
    }

    /// A piece of text under that name.
    pub(super) fn text(
        &self,
        choice: u32,
        name: &str,
        text: &str,
        logprobs: Option<&Json>,
        out: &mut BytesMut,
    ) {
        self.begin(choice, out);
        out.put_u8(b'"');
        out.put_slice(name.as_bytes());
        out.put_slice(b"\":");
        put(out, text);
        match logprobs {
            Some(logprobs) => {
                out.put_slice(b"},\"logprobs\":");
                put_json(out, logprobs);
                out.put_slice(b",\"finish_reason\":null}]}\n\n");
            }
            None => end(out),
        }
    }

    /// A member of `delta` that comes whole.
    pub(super) fn member(&self, choice: u32, name: &str, value: &Json, out: &mut BytesMut) {
        self.begin(choice, out);
        put(out, name);
        out.put_u8(b':');
        put_json(out, value);
        end(out);
    }

    /// The opening of a call, which is numbered and custom or not.
    pub(super) fn open_call(
        &self,
        choice: u32,
        (index, is_custom): (u32, bool),
        id: &str,
        name: &str,
        extra: Option<&Json>,
        out: &mut BytesMut,
    ) {
        let (kind, input) = names(is_custom);
        self.begin(choice, out);
        out.put_slice(b"\"tool_calls\":[{\"index\":");
        put(out, &index);
        out.put_slice(b",\"id\":");
        put(out, id);
        out.put_slice(b",\"type\":\"");
        out.put_slice(kind);
        out.put_slice(b"\",\"");
        out.put_slice(kind);
        out.put_slice(b"\":{\"name\":");
        put(out, name);
        out.put_slice(b",\"");
        out.put_slice(input);
        out.put_slice(b"\":\"\"}");
        if let Some(extra) = extra {
            out.put_slice(b",\"extra_content\":");
            put_json(out, extra);
        }
        out.put_slice(b"}]");
        end(out);
    }

    /// A piece of a call's arguments.
    pub(super) fn arguments(
        &self,
        choice: u32,
        (index, is_custom): (u32, bool),
        text: &str,
        out: &mut BytesMut,
    ) {
        let (kind, input) = names(is_custom);
        self.begin(choice, out);
        out.put_slice(b"\"tool_calls\":[{\"index\":");
        put(out, &index);
        out.put_slice(b",\"");
        out.put_slice(kind);
        out.put_slice(b"\":{\"");
        out.put_slice(input);
        out.put_slice(b"\":");
        put(out, text);
        out.put_slice(b"}}]");
        end(out);
    }

    /// The opening of a legacy call.
    pub(super) fn open_function(&self, choice: u32, name: &str, out: &mut BytesMut) {
        self.begin(choice, out);
        out.put_slice(b"\"function_call\":{\"name\":");
        put(out, name);
        out.put_slice(b",\"arguments\":\"\"}");
        end(out);
    }

    /// A piece of a legacy call's arguments.
    pub(super) fn function_arguments(&self, choice: u32, text: &str, out: &mut BytesMut) {
        self.begin(choice, out);
        out.put_slice(b"\"function_call\":{\"arguments\":");
        put(out, text);
        out.put_u8(b'}');
        end(out);
    }

    /// Probabilities that no text came with.
    pub(super) fn logprobs(&self, choice: u32, logprobs: &Json, out: &mut BytesMut) {
        self.begin(choice, out);
        out.put_slice(b"},\"logprobs\":");
        put_json(out, logprobs);
        out.put_slice(b",\"finish_reason\":null}]}\n\n");
    }

    /// Why an alternative ends.
    pub(super) fn finish(&self, choice: u32, reason: &str, out: &mut BytesMut) {
        self.begin(choice, out);
        out.put_slice(b"},\"logprobs\":null,\"finish_reason\":\"");
        out.put_slice(reason.as_bytes());
        out.put_slice(b"\"}]}\n\n");
    }

    /// The chunk with the usage, which has no choices.
    pub(super) fn usage(&self, usage: &UsageOut, out: &mut BytesMut) {
        out.put_slice(&self.head);
        out.put_slice(b"[],\"usage\":");
        put(out, usage);
        out.put_slice(b"}\n\n");
    }

    fn begin(&self, choice: u32, out: &mut BytesMut) {
        out.put_slice(&self.head);
        out.put_slice(b"[{\"index\":");
        put(out, &choice);
        out.put_slice(b",\"delta\":{");
    }
}

fn end(out: &mut BytesMut) {
    out.put_slice(b"},\"logprobs\":null,\"finish_reason\":null}]}\n\n");
}

/// The members in which functions and custom tools are called.
fn names(is_custom: bool) -> (&'static [u8], &'static [u8]) {
    if is_custom {
        (b"custom", b"input")
    } else {
        (b"function", b"arguments")
    }
}

/// Appends a value as JSON. Nothing that is written here can fail.
pub(in crate::codec) fn put<T: Serialize + ?Sized>(out: &mut BytesMut, value: &T) {
    let _ = serde_json::to_writer(out.writer(), value);
}

/// Appends a document that may have been written over several lines: those would end the line of the event.
pub(in crate::codec) fn put_json(out: &mut BytesMut, json: &Json) {
    let text = json.text().as_bytes();
    if memchr::memchr2(b'\n', b'\r', text).is_none() {
        return out.put_slice(text);
    }
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    out.extend(text.iter().map(|byte| if is_break(byte) { b' ' } else { *byte }));
}
