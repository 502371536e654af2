//! A stream of chunks for a client.

mod chunk;
mod thought;

use std::collections::{HashMap, HashSet};

use bytes::BytesMut;

use self::chunk::ChunkWriter;
pub(in crate::codec) use self::chunk::{put, put_json};
use self::thought::ThoughtOut;
use super::answer_out::{APART, asks_for_functions, extra_content, finish_reason, foreign_image, image};
use super::usage_out::UsageOut;
use super::{citations, custom, details};
use crate::chat::{
    ChatEvent, Extension, Json, Object, PartDelta, PartStart, Reasoning, Signature, SignatureOrigin,
};
use crate::codec::{ReplyFacts, StreamEncoder};
use crate::error::Dialect;
use crate::protocol::Protocol;
use crate::usage::Usage;

const HERE: Protocol = Protocol::OpenAiChat;

/// Writes chunks: the role first, then what comes, why it ends, usage if the client asked for it, and `[DONE]`.
pub(super) struct Encoder {
    facts: ReplyFacts,
    /// The client offers `functions` and reads its call as `function_call`.
    is_legacy: bool,
    /// Custom tools that the client offers.
    custom: HashSet<String>,
    writer: ChunkWriter,
    choices: HashMap<u32, ChoiceOut>,
    open: HashMap<(u32, u32), Open>,
    /// A call whose opening waits for the next event, which may be its signature: clients look for it there.
    opening: Option<Opening>,
    usage: Option<Usage>,
    is_over: bool,
}

/// What was said of one alternative.
#[derive(Default)]
struct ChoiceOut {
    calls: u32,
    thoughts: u32,
    /// The part before was a thought with text.
    after_thought: bool,
    logprobs: Option<Json>,
}

/// A part that goes on.
enum Open {
    /// Text or a refusal, by the member of `delta` in which it stands.
    Said(&'static str),
    Thought(ThoughtOut),
    Call {
        index: u32,
        is_custom: bool,
        has_arguments: bool,
    },
    /// The function that stands for a custom tool: its text is in the arguments, once they are whole.
    Wrapped {
        index: u32,
        arguments: String,
    },
    /// Nothing more is written of it.
    Silent,
}

struct Opening {
    choice: u32,
    part: u32,
    index: u32,
    id: String,
    name: String,
    is_custom: bool,
}

impl Encoder {
    pub(super) fn new(facts: ReplyFacts) -> Self {
        Self {
            is_legacy: asks_for_functions(&facts.body),
            custom: custom::offered(&facts.body),
            writer: ChunkWriter::default(),
            facts,
            choices: HashMap::new(),
            open: HashMap::new(),
            opening: None,
            usage: None,
            is_over: false,
        }
    }
}

impl StreamEncoder for Encoder {
    fn push(&mut self, event: ChatEvent, out: &mut BytesMut) {
        if self.is_over {
            return;
        }
        let event = match self.opening.take() {
            Some(opening) => match self.open_call(opening, event, out) {
                Some(event) => event,
                None => return,
            },
            None => event,
        };
        match event {
            ChatEvent::Start { id, model, extension } => self.start(id, model, &extension, out),
            ChatEvent::PartStart { choice, part, start } => self.part_start(choice, part, start, out),
            ChatEvent::Delta { choice, part, delta } => self.delta(choice, part, delta, out),
            ChatEvent::PartEnd { choice, part } => self.part_end(choice, part, out),
            ChatEvent::Logprobs { choice, logprobs } => self.logprobs(choice, logprobs, out),
            ChatEvent::Stop { choice, reason, .. } => {
                self.choice(choice, out);
                self.flush_logprobs(choice, out);
                let reason = finish_reason(reason, self.is_legacy);
                self.writer.finish(choice, reason, out);
            }
            ChatEvent::Usage(usage) => self.usage = Some(usage),
            ChatEvent::End => {
                self.is_over = true;
                if let Some(usage) = self.usage.as_ref().filter(|_| self.facts.stream_usage) {
                    self.writer.usage(&UsageOut::from(usage), out);
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            ChatEvent::Error(error) => {
                self.is_over = true;
                out.extend_from_slice(&error.event(Dialect::OpenAi, None, 0));
            }
        }
    }
}

impl Encoder {
    fn start(&mut self, id: Option<String>, model: Option<String>, beside: &Extension, out: &mut BytesMut) {
        let id = id.unwrap_or_else(|| format!("chatcmpl-{}", self.facts.id));
        let model = model.unwrap_or_else(|| self.facts.model.clone());
        self.writer = ChunkWriter::new(&id, self.facts.created, &model, beside.members(HERE));
        self.choice(0, out);
    }

    /// An alternative, whose first chunk says the role.
    fn choice(&mut self, choice: u32, out: &mut BytesMut) -> &mut ChoiceOut {
        let writer = &mut self.writer;
        self.choices.entry(choice).or_insert_with(|| {
            writer.role(choice, out);
            ChoiceOut::default()
        })
    }

    fn part_start(&mut self, choice: u32, part: u32, start: PartStart, out: &mut BytesMut) {
        let is_legacy = self.is_legacy;
        let state = self.choice(choice, out);
        let after_thought = std::mem::take(&mut state.after_thought);
        let open = match start {
            PartStart::Text => Open::Said("content"),
            PartStart::Refusal => Open::Said("refusal"),
            PartStart::Reasoning {
                is_summary,
                is_redacted,
                id,
            } => {
                let number = state.thoughts;
                state.thoughts += 1;
                let thought = Reasoning {
                    is_summary,
                    is_redacted,
                    id,
                    ..Reasoning::default()
                };
                Open::Thought(ThoughtOut::new(number, after_thought, thought))
            }
            PartStart::ToolCall { .. } if is_legacy && state.calls > 0 => Open::Silent,
            PartStart::ToolCall { id, name, is_custom } => {
                let index = state.calls;
                state.calls += 1;
                let is_wrapped = !is_custom && self.custom.contains(&name);
                let is_custom = is_custom || is_wrapped;
                self.opening = Some(Opening {
                    choice,
                    part,
                    index,
                    id,
                    name,
                    is_custom,
                });
                if is_wrapped {
                    Open::Wrapped {
                        index,
                        arguments: String::new(),
                    }
                } else {
                    Open::Call {
                        index,
                        is_custom,
                        has_arguments: false,
                    }
                }
            }
            PartStart::Foreign(extension) => {
                self.foreign(choice, &extension, out);
                Open::Silent
            }
        };
        self.open.insert((choice, part), open);
    }

    /// Opens a call. An event that is its signature goes with it; any other is given back.
    fn open_call(&mut self, opening: Opening, event: ChatEvent, out: &mut BytesMut) -> Option<ChatEvent> {
        let (event, signature) = match event {
            ChatEvent::Delta {
                choice,
                part,
                delta: PartDelta::Signature(signature),
            } if (choice, part) == (opening.choice, opening.part) => (None, Some(signature)),
            other => (Some(other), None),
        };
        if self.is_legacy {
            self.writer.open_function(opening.choice, &opening.name, out);
            return event;
        }
        let extra = signature.map(|signature| extra_content(&signature.pack(SignatureOrigin::Gemini)));
        let Opening {
            choice,
            index,
            id,
            name,
            is_custom,
            ..
        } = opening;
        self.writer
            .open_call(choice, (index, is_custom), &id, &name, extra.as_ref(), out);
        event
    }

    fn delta(&mut self, choice: u32, part: u32, delta: PartDelta, out: &mut BytesMut) {
        let Some(open) = self.open.get_mut(&(choice, part)) else {
            return;
        };
        let state = self.choices.entry(choice).or_default();
        match (open, delta) {
            (Open::Said(member), PartDelta::Text(text)) => {
                let logprobs = state.logprobs.take();
                self.writer.text(choice, member, &text, logprobs.as_ref(), out);
            }
            (Open::Thought(thought), PartDelta::Text(text)) => {
                if thought.add(&text) {
                    self.writer.text(choice, "reasoning_content", APART, None, out);
                }
                self.writer.text(choice, "reasoning_content", &text, None, out);
            }
            (Open::Thought(thought), PartDelta::Signature(signature)) => thought.sign(signature),
            (
                Open::Call {
                    index,
                    is_custom,
                    has_arguments,
                },
                PartDelta::Arguments(text),
            ) => {
                *has_arguments |= !text.is_empty();
                if self.is_legacy {
                    self.writer.function_arguments(choice, &text, out);
                } else if !text.is_empty() {
                    self.writer.arguments(choice, (*index, *is_custom), &text, out);
                }
            }
            (Open::Wrapped { arguments, .. }, PartDelta::Arguments(text)) => arguments.push_str(&text),
            (Open::Call { index, .. } | Open::Wrapped { index, .. }, PartDelta::Signature(signature))
                if !self.is_legacy =>
            {
                let index = *index;
                self.late_signature(choice, index, &signature, out);
            }
            (Open::Said(_), PartDelta::Annotation(annotation)) => {
                let items = citations::streamed(&annotation);
                if !items.is_empty() {
                    self.writer.member(choice, "annotations", &Json::of(&items), out);
                }
            }
            _ => {}
        }
    }

    fn late_signature(&mut self, choice: u32, index: u32, signature: &Signature, out: &mut BytesMut) {
        let extra = extra_content(&signature.pack(SignatureOrigin::Gemini));
        let call = Object::new()
            .set("index", &index)
            .set("extra_content", &extra)
            .finish();
        self.writer.member(choice, "tool_calls", &Json::of(&[call]), out);
    }

    fn part_end(&mut self, choice: u32, part: u32, out: &mut BytesMut) {
        match self.open.remove(&(choice, part)) {
            Some(Open::Thought(thought)) => {
                if let Some(state) = self.choices.get_mut(&choice) {
                    state.after_thought = thought.has_text();
                }
                if let Some(details) = thought.details() {
                    self.writer.member(choice, "reasoning_details", &details, out);
                }
            }
            Some(Open::Wrapped { index, arguments }) => {
                let input = custom::input(&arguments);
                self.writer.arguments(choice, (index, true), &input, out);
            }
            // Arguments are JSON even if there are none.
            Some(Open::Call {
                index,
                is_custom: false,
                has_arguments: false,
            }) => {
                if self.is_legacy {
                    self.writer.function_arguments(choice, "{}", out);
                } else {
                    self.writer.arguments(choice, (index, false), "{}", out);
                }
            }
            _ => {}
        }
    }

    /// A part that came whole: what this protocol says itself, or an image of Gemini's.
    fn foreign(&mut self, choice: u32, extension: &Extension, out: &mut BytesMut) {
        if let Some(media) = foreign_image(extension) {
            if let Some(image) = image(&media, 0) {
                self.writer.member(choice, "images", &Json::of(&[image]), out);
            }
        } else if details::is_detail(extension) {
            if let Some(state) = self.choices.get_mut(&choice) {
                state.thoughts += 1;
            }
            let detail = Object::new().extend(extension, HERE).finish();
            self.writer
                .member(choice, "reasoning_details", &Json::of(&[detail]), out);
        } else if extension.get(HERE, "type").is_none() {
            for (name, value) in extension.members(HERE) {
                self.writer.member(choice, name, value, out);
            }
        }
    }

    /// Probabilities go with the next piece of text.
    fn logprobs(&mut self, choice: u32, logprobs: Json, out: &mut BytesMut) {
        self.choice(choice, out);
        self.flush_logprobs(choice, out);
        self.choice(choice, out).logprobs = Some(logprobs);
    }

    fn flush_logprobs(&mut self, choice: u32, out: &mut BytesMut) {
        if let Some(logprobs) = self
            .choices
            .get_mut(&choice)
            .and_then(|state| state.logprobs.take())
        {
            self.writer.logprobs(choice, &logprobs, out);
        }
    }
}
