//! A provider's stream of chunks.

mod call;
mod choice;

use std::collections::BTreeMap;

use bytes::Bytes;

use self::choice::ChoiceIn;
use super::reader::{Message, MessageReader, unreadable};
use super::wire::{Chunk, tally};
use crate::chat::{ChatAnswer, ChatEvent, Extension, Fields, Json, replay};
use crate::codec::StreamDecoder;
use crate::codec::broken::cut;
use crate::convert::AnswerError;
use crate::error::{PublicError, error_in, says_something};
use crate::lenient::Text;
use crate::protocol::Protocol;
use crate::usage::Tally;

/// More alternatives than any provider gives.
const CHOICES_MAX: u64 = 1024;

/// Reads chunks. Why an alternative ends is told only when the stream does: some servers repeat it, say it too early, or
/// send text behind it.
///
/// The chunks of legacy completions differ in where the text is, and are read as well.
pub(in crate::codec) struct Decoder {
    reader: MessageReader,
    state: State,
}

/// Reads a whole answer that comes in place of a stream.
type AnswerDecoder = fn(&[u8]) -> Result<ChatAnswer, AnswerError>;

struct State {
    whole: AnswerDecoder,
    is_started: bool,
    is_over: bool,
    id: Option<String>,
    model: Option<String>,
    /// What stands beside the choices in the chunks before the answer begins and in the one in which it does.
    beside: Vec<(String, Json)>,
    choices: BTreeMap<u32, ChoiceIn>,
    tally: Tally,
}

impl Decoder {
    pub(in crate::codec) fn new(whole: AnswerDecoder) -> Self {
        let state = State {
            whole,
            is_started: false,
            is_over: false,
            id: None,
            model: None,
            beside: Vec::new(),
            choices: BTreeMap::new(),
            tally: Tally::default(),
        };
        Self {
            reader: MessageReader::new(),
            state,
        }
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>) {
        let state = &mut self.state;
        self.reader.push(piece, |message| state.take(message, out));
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        let state = &mut self.state;
        self.reader.finish(|message| state.take(message, out));
        state.end_of_stream(out);
    }
}

impl State {
    fn take(&mut self, message: Message<'_>, out: &mut Vec<ChatEvent>) {
        if self.is_over {
            return;
        }
        match message {
            Message::Chunk(data) => self.chunk(data, out),
            Message::Done => self.done(out),
            Message::Failed(error) => self.fail(error, out),
            Message::Answer(body) => match (self.whole)(body) {
                Ok(answer) => {
                    self.is_over = true;
                    out.extend(replay(answer));
                }
                Err(_) => self.fail(unreadable("the provider's answer cannot be read"), out),
            },
        }
    }

    fn chunk(&mut self, data: &[u8], out: &mut Vec<ChatEvent>) {
        let chunk: Chunk<'_> = match serde_json::from_slice(data) {
            Ok(chunk) => chunk,
            Err(_) => return self.fail(unreadable("an event of the provider's cannot be read"), out),
        };
        if let Some(error) = failure(&chunk, data) {
            return self.fail(error, out);
        }
        let choices = chunk.choices.as_deref().unwrap_or_default();
        if !self.is_started {
            self.begin(&chunk, data, !choices.is_empty(), out);
        }
        for piece in choices.iter().filter(|piece| piece.index.0 < CHOICES_MAX) {
            let index = u32::try_from(piece.index.0).unwrap_or_default();
            let choice = self
                .choices
                .entry(index)
                .or_insert_with(|| ChoiceIn::new(index, self.id.clone()));
            choice.read(piece, out);
        }
        let usage = chunk.usage.or_else(|| chunk.x_groq.as_ref()?.usage);
        if let Some(usage) = usage.and_then(tally) {
            let before = self.tally;
            self.tally.merge(&usage);
            if self.is_started && self.tally != before {
                out.push(ChatEvent::Usage(self.tally.usage()));
            }
        }
    }

    /// Begins the answer with the first chunk that has choices: Azure sends one without, and without id and model,
    /// before it.
    fn begin(&mut self, chunk: &Chunk<'_>, data: &[u8], has_choices: bool, out: &mut Vec<ChatEvent>) {
        let given = |text: &Text<'_>| text.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        self.id = given(&chunk.id).or(self.id.take());
        self.model = given(&chunk.model).or(self.model.take());
        if let Ok(mut fields) = Fields::from_slice(data) {
            for known in [
                "id",
                "model",
                "object",
                "created",
                "choices",
                "usage",
                "error",
                "obfuscation",
            ] {
                fields.raw(known);
            }
            let extension = fields.into_extension(Protocol::OpenAiChat);
            for (name, value) in extension.members(Protocol::OpenAiChat) {
                if !value.is_null() && !self.beside.iter().any(|(known, _)| known == name) {
                    self.beside.push((name.clone(), value.clone()));
                }
            }
        }
        if has_choices {
            self.start(out);
        }
    }

    fn start(&mut self, out: &mut Vec<ChatEvent>) {
        self.is_started = true;
        out.push(ChatEvent::Start {
            id: self.id.clone(),
            model: self.model.take(),
            extension: Extension::with(Protocol::OpenAiChat, std::mem::take(&mut self.beside)),
        });
        if self.tally != Tally::default() {
            out.push(ChatEvent::Usage(self.tally.usage()));
        }
    }

    /// The provider says that all was said. A choice whose end it forgot to tell is complete all the same.
    fn done(&mut self, out: &mut Vec<ChatEvent>) {
        if !self.is_started {
            return self.fail(unreadable("the provider's answer is empty"), out);
        }
        for choice in self.choices.values_mut() {
            choice.end(out);
        }
        self.is_over = true;
        out.push(ChatEvent::End);
    }

    /// The stream is over. Without the provider's word for it, it is whole if every choice had come to its end.
    fn end_of_stream(&mut self, out: &mut Vec<ChatEvent>) {
        if self.is_over {
            return;
        }
        if !self.choices.is_empty() && self.choices.values().all(ChoiceIn::has_ended) {
            self.done(out);
        } else {
            self.fail(cut(), out);
        }
    }

    fn fail(&mut self, error: PublicError, out: &mut Vec<ChatEvent>) {
        self.is_over = true;
        for choice in self.choices.values_mut() {
            choice.close(out);
        }
        out.push(ChatEvent::Error(error));
    }
}

/// The error that a chunk is or brings: OpenRouter's beside the choices, Groq's in `x_groq`, vLLM's flat one.
fn failure(chunk: &Chunk<'_>, data: &[u8]) -> Option<PublicError> {
    if chunk.error.is_some_and(says_something) || chunk.object.as_str() == Some("error") {
        return error_in(data);
    }
    let error = chunk
        .x_groq
        .as_ref()?
        .error
        .filter(|error| says_something(error))?;
    error_in(format!("{{\"error\":{}}}", error.get()).as_bytes())
}
