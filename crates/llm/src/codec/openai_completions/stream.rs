//! Streams, read and written.

use std::collections::{HashMap, HashSet};

use bytes::{BufMut, Bytes, BytesMut};

use super::super::openai_chat::{self, UsageOut, put, put_json};
use super::answer::{decode, reason};
use super::{logprobs, prompt};
use crate::chat::{ChatEvent, Extension, Json, PartDelta, PartStart};
use crate::codec::{ReplyFacts, StreamDecoder, StreamEncoder};
use crate::error::Dialect;
use crate::protocol::Protocol;
use crate::usage::Usage;

const HERE: Protocol = Protocol::OpenAiCompletions;

/// Reads chunks, which are those of chat with the text in another place.
pub(super) struct Decoder {
    chat: openai_chat::Decoder,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self {
            chat: openai_chat::Decoder::new(decode),
        }
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>) {
        let before = out.len();
        self.chat.push(piece, out);
        out.iter_mut().skip(before).for_each(own);
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        let before = out.len();
        self.chat.finish(out);
        out.iter_mut().skip(before).for_each(own);
    }
}

/// Makes an event of chat's one of this protocol.
fn own(event: &mut ChatEvent) {
    match event {
        ChatEvent::Start { extension, .. } if extension.protocol() == Protocol::OpenAiChat => {
            *extension = Extension::with(HERE, extension.members(Protocol::OpenAiChat).to_vec());
        }
        ChatEvent::Logprobs { logprobs, .. } => {
            let lists = logprobs
                .read::<&serde_json::value::RawValue>()
                .and_then(logprobs::to_chat);
            if let Some(lists) = lists {
                *logprobs = lists;
            }
        }
        _ => {}
    }
}

/// Writes chunks.
pub(super) struct Encoder {
    facts: ReplyFacts,
    /// What every chunk begins with, up to `"choices":`.
    head: Vec<u8>,
    /// The prompt, where the client wants it repeated.
    echo: Option<String>,
    /// Parts that are no text.
    silent: HashSet<(u32, u32)>,
    choices: HashMap<u32, ChoiceOut>,
    usage: Option<Usage>,
    is_over: bool,
}

#[derive(Default)]
struct ChoiceOut {
    /// Characters that were sent.
    offset: usize,
    logprobs: Option<Json>,
}

impl Encoder {
    pub(super) fn new(facts: ReplyFacts) -> Self {
        Self {
            facts,
            head: Vec::new(),
            echo: None,
            silent: HashSet::new(),
            choices: HashMap::new(),
            usage: None,
            is_over: false,
        }
    }

    fn start(&mut self, id: Option<String>, model: Option<String>, extension: &Extension) {
        if extension.protocol() != HERE {
            self.echo = prompt::echoed(&self.facts.body);
        }
        let mut head = BytesMut::new();
        head.put_slice(b"data: {\"id\":");
        put(
            &mut head,
            &id.unwrap_or_else(|| format!("cmpl-{}", self.facts.id)),
        );
        head.put_slice(b",\"object\":\"text_completion\",\"created\":");
        put(&mut head, &self.facts.created);
        head.put_slice(b",\"model\":");
        put(&mut head, model.as_ref().unwrap_or(&self.facts.model));
        for (name, value) in extension.members(HERE) {
            head.put_u8(b',');
            put(&mut head, name);
            head.put_u8(b':');
            put_json(&mut head, value);
        }
        head.put_slice(b",\"choices\":");
        self.head = head.to_vec();
    }

    /// Writes the prompt before the first piece of an alternative, if it is to be repeated.
    fn begin(&mut self, choice: u32, out: &mut BytesMut) {
        if self.choices.contains_key(&choice) {
            return;
        }
        let mut state = ChoiceOut::default();
        if let Some(echo) = &self.echo {
            state.offset = echo.chars().count();
            chunk(&self.head, choice, echo, None, None, out);
        }
        self.choices.insert(choice, state);
    }

    fn text(&mut self, choice: u32, text: &str, out: &mut BytesMut) {
        self.begin(choice, out);
        let state = self.choices.entry(choice).or_default();
        let mut offset = state.offset;
        state.offset += text.chars().count();
        let lists = state.logprobs.take();
        let lists = lists.and_then(|lists| logprobs::from_chat(&lists, &mut offset));
        chunk(&self.head, choice, text, lists.as_ref(), None, out);
    }
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut BytesMut) {
        if self.is_over {
            return;
        }
        match event {
            ChatEvent::Start { id, model, extension } => self.start(id, model, &extension),
            ChatEvent::PartStart { choice, part, start } => {
                if !matches!(start, PartStart::Text | PartStart::Refusal) {
                    self.silent.insert((choice, part));
                }
            }
            ChatEvent::Delta {
                choice,
                part,
                delta: PartDelta::Text(text),
            } if !self.silent.contains(&(choice, part)) => self.text(choice, &text, out),
            ChatEvent::Delta { .. } | ChatEvent::PartEnd { .. } => {}
            ChatEvent::Logprobs { choice, logprobs } => {
                self.begin(choice, out);
                self.choices.entry(choice).or_default().logprobs = Some(logprobs);
            }
            ChatEvent::Stop {
                choice, reason: stop, ..
            } => {
                self.begin(choice, out);
                chunk(&self.head, choice, "", None, Some(reason(stop)), out);
            }
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::End => {
                self.is_over = true;
                if let Some(usage) = self.usage.as_ref().filter(|_| self.facts.stream_usage) {
                    out.put_slice(&self.head);
                    out.put_slice(b"[],\"usage\":");
                    put(out, &UsageOut::from(usage));
                    out.put_slice(b"}\n\n");
                }
                out.put_slice(b"data: [DONE]\n\n");
            }
            ChatEvent::Error(error) => {
                self.is_over = true;
                out.put_slice(&error.event(Dialect::OpenAi, None, 0));
            }
        }
    }
}

fn chunk(
    head: &[u8],
    choice: u32,
    text: &str,
    logprobs: Option<&Json>,
    finish: Option<&str>,
    out: &mut BytesMut,
) {
    out.put_slice(head);
    out.put_slice(b"[{\"text\":");
    put(out, text);
    out.put_slice(b",\"index\":");
    put(out, &choice);
    out.put_slice(b",\"logprobs\":");
    put(out, &logprobs);
    out.put_slice(b",\"finish_reason\":");
    put(out, &finish);
    out.put_slice(b"}]}\n\n");
}
