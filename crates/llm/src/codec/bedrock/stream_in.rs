//! Streams of providers, read.

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;
use sluice_wire::{EventMessage, EventStreamSplitter};

use super::signatures::{NATIVE, from_blob};
use super::{HERE, answer, stop};
use crate::chat::{ChatEvent, Extension, Json, PartDelta, PartStart, Signature, StopReason, replay};
use crate::codec::StreamDecoder;
use crate::codec::broken::{cut, unreadable};
use crate::codec::pieces::Pieces;
use crate::error::PublicError;
use crate::lenient::Text;
use crate::usage::BedrockUsage;

/// Longest answer that is read where JSON comes instead of events.
const MAX_WHOLE: usize = 16 * 1024 * 1024;

/// Most blocks that are open at once.
const MAX_OPEN: usize = 256;

/// Reads a stream.
#[derive(Default)]
pub(super) struct Decoder {
    splitter: EventStreamSplitter,
    form: Form,
    started: bool,
    parts: u32,
    open: Vec<Open>,
    calls_tools: bool,
    /// The message stopped; usage may follow.
    stopped: bool,
    ended: bool,
}

/// What comes.
#[derive(Default)]
enum Form {
    #[default]
    Unknown,
    Events,
    /// A whole answer.
    Json(BytesMut),
}

/// A block that has begun.
struct Open {
    index: u64,
    part: u32,
    pieces: Pieces,
    /// The signature or the hidden thought so far.
    signature: String,
    is_redacted: bool,
}

/// The kinds of blocks that begin with their first delta.
#[derive(Clone, Copy)]
enum Begun {
    Text,
    Thought,
    Hidden,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Event<'a> {
    #[serde(default)]
    content_block_index: u64,
    start: Option<Start<'a>>,
    delta: Option<Delta<'a>>,
    #[serde(default)]
    stop_reason: Text<'a>,
    usage: Option<BedrockUsage<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Start<'a> {
    tool_use: Option<ToolStart<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct ToolStart<'a> {
    #[serde(default)]
    tool_use_id: Text<'a>,
    #[serde(default)]
    name: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct Delta<'a> {
    text: Option<&'a RawValue>,
    tool_use: Option<ToolDelta<'a>>,
    reasoning_content: Option<ThoughtDelta<'a>>,
    citation: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct ToolDelta<'a> {
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct ThoughtDelta<'a> {
    text: Option<&'a RawValue>,
    #[serde(default)]
    signature: Text<'a>,
    #[serde(default)]
    redacted_content: Text<'a>,
}

impl StreamDecoder for Decoder {
    fn push(&mut self, piece: &Bytes, out: &mut Vec<ChatEvent>) {
        if self.ended {
            return;
        }
        if matches!(self.form, Form::Unknown) {
            // The first byte of a message is the highest of its length.
            self.form = match piece.first() {
                None => return,
                Some(b'{') => Form::Json(BytesMut::new()),
                Some(_) => Form::Events,
            };
        }
        if let Form::Json(whole) = &mut self.form {
            if whole.len() + piece.len() <= MAX_WHOLE {
                whole.extend_from_slice(piece);
            }
            return;
        }
        self.splitter.push(piece);
        while let Some(message) = self.splitter.next_message() {
            if !self.ended {
                self.message(&message, out);
            }
        }
        if self.splitter.is_lost() {
            self.fail(unreadable(), out);
        }
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        if self.ended {
            return;
        }
        if let Form::Json(whole) = &mut self.form {
            let whole = std::mem::take(whole).freeze();
            self.ended = true;
            match answer::decode(&whole) {
                Ok(answer) => out.extend(replay(answer)),
                Err(_) => out.push(ChatEvent::Error(failure("", &whole))),
            }
        } else if self.stopped {
            self.ended = true;
            out.push(ChatEvent::End);
        } else {
            self.fail(cut(), out);
        }
    }
}

impl Decoder {
    fn message(&mut self, message: &EventMessage, out: &mut Vec<ChatEvent>) {
        let payload = message.payload();
        match message.header(":message-type") {
            Some("exception") => {
                let name = message.header(":exception-type").unwrap_or_default();
                return self.fail(failure(name, payload), out);
            }
            Some("error") => {
                let name = message.header(":error-code").unwrap_or_default();
                return self.fail(failure(name, payload), out);
            }
            _ => {}
        }
        let Some(name) = message.header(":event-type") else {
            return;
        };
        match serde_json::from_slice::<Event<'_>>(payload) {
            Ok(event) => self.event(name, event, out),
            Err(_) => self.fail(unreadable(), out),
        }
    }

    fn event(&mut self, name: &str, event: Event<'_>, out: &mut Vec<ChatEvent>) {
        let index = event.content_block_index;
        match name {
            "messageStart" => self.start(out),
            "contentBlockStart" => {
                if let Some(tool) = event.start.and_then(|start| start.tool_use) {
                    let start = PartStart::ToolCall {
                        id: tool
                            .tool_use_id
                            .as_str()
                            .filter(|id| !id.is_empty())
                            .map_or_else(|| format!("tooluse_{index}"), str::to_owned),
                        name: tool.name.as_str().unwrap_or_default().to_owned(),
                        is_custom: false,
                    };
                    self.calls_tools = true;
                    self.begin(index, start, out);
                }
            }
            "contentBlockDelta" => {
                if let Some(delta) = event.delta {
                    self.go_on(index, delta, out);
                }
            }
            "contentBlockStop" => self.close(Some(index), out),
            "messageStop" => {
                self.start(out);
                self.close(None, out);
                if !std::mem::replace(&mut self.stopped, true) {
                    let said = event
                        .stop_reason
                        .as_str()
                        .map_or(StopReason::Stop, stop::from_name);
                    out.push(ChatEvent::Stop {
                        choice: 0,
                        reason: said.with_tools(self.calls_tools),
                        stop_sequence: None,
                    });
                }
            }
            "metadata" => {
                self.start(out);
                out.extend(event.usage.map(|usage| ChatEvent::Usage(usage.tally().usage())));
                if self.stopped {
                    self.ended = true;
                    out.push(ChatEvent::End);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, out: &mut Vec<ChatEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            out.push(ChatEvent::Start {
                id: None,
                model: None,
                extension: Extension::of(HERE),
            });
        }
    }

    fn begin(&mut self, index: u64, start: PartStart, out: &mut Vec<ChatEvent>) {
        self.start(out);
        if self.stopped {
            return;
        }
        // A block of the same number that was not closed is.
        let is_crowded = self.open.len() >= MAX_OPEN;
        self.close((!is_crowded).then_some(index), out);
        let part = self.parts;
        self.parts += 1;
        self.open.push(Open {
            index,
            part,
            pieces: Pieces::default(),
            signature: String::new(),
            is_redacted: matches!(
                start,
                PartStart::Reasoning {
                    is_redacted: true,
                    ..
                }
            ),
        });
        out.push(ChatEvent::PartStart {
            choice: 0,
            part,
            start,
        });
    }

    fn go_on(&mut self, index: u64, delta: Delta<'_>, out: &mut Vec<ChatEvent>) {
        if !self.open.iter().any(|open| open.index == index)
            && let Some(begun) = begun(&delta)
        {
            let start = match begun {
                Begun::Text => PartStart::Text,
                Begun::Thought | Begun::Hidden => PartStart::Reasoning {
                    is_summary: false,
                    is_redacted: matches!(begun, Begun::Hidden),
                    id: None,
                },
            };
            self.begin(index, start, out);
        }
        let Some(open) = self.open.iter_mut().find(|open| open.index == index) else {
            return;
        };
        let part = open.part;
        let thought = delta.reasoning_content;
        if let Some(text) = delta.text.or(thought.as_ref().and_then(|thought| thought.text)) {
            let text = open.pieces.read(text);
            if !text.is_empty() {
                out.push(said(part, PartDelta::Text(text)));
            }
        }
        if let Some(input) = delta.tool_use.and_then(|tool| tool.input) {
            let input = open.pieces.read(input);
            if !input.is_empty() {
                out.push(said(part, PartDelta::Arguments(input)));
            }
        }
        if let Some(thought) = thought {
            let more = thought.signature.as_str().or(thought.redacted_content.as_str());
            let more = more.filter(|more| open.signature.len() + more.len() <= MAX_WHOLE);
            open.signature.push_str(more.unwrap_or_default());
        }
        if let Some(citation) = delta.citation {
            let members = vec![("citation".to_owned(), Json::from(citation))];
            out.push(said(part, PartDelta::Annotation(Extension::with(HERE, members))));
        }
    }

    /// Closes the block of that index, or all that are open.
    fn close(&mut self, index: Option<u64>, out: &mut Vec<ChatEvent>) {
        let closes = |open: &Open| index.is_none_or(|index| open.index == index);
        let (closed, open) = std::mem::take(&mut self.open).into_iter().partition(closes);
        self.open = open;
        for Open {
            part,
            signature,
            is_redacted,
            ..
        } in closed
        {
            if !signature.is_empty() {
                let signature = if is_redacted {
                    from_blob(&signature)
                } else {
                    Signature::unpack(&signature, NATIVE)
                };
                out.push(said(part, PartDelta::Signature(signature)));
            }
            out.push(ChatEvent::PartEnd { choice: 0, part });
        }
    }

    fn fail(&mut self, error: PublicError, out: &mut Vec<ChatEvent>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.close(None, out);
        out.push(ChatEvent::Error(error));
    }
}

/// What a block is whose first delta this is; only calls are announced.
fn begun(delta: &Delta<'_>) -> Option<Begun> {
    match &delta.reasoning_content {
        Some(thought) if thought.redacted_content.as_str().is_some() => Some(Begun::Hidden),
        Some(_) => Some(Begun::Thought),
        None => (delta.text.is_some() || delta.citation.is_some()).then_some(Begun::Text),
    }
}

fn said(part: u32, delta: PartDelta) -> ChatEvent {
    ChatEvent::Delta {
        choice: 0,
        part,
        delta,
    }
}

/// What a client is told of an exception (llm-protocols §8).
fn failure(name: &str, payload: &[u8]) -> PublicError {
    let status = match name {
        "validationException" => StatusCode::BAD_REQUEST,
        "accessDeniedException" => StatusCode::FORBIDDEN,
        "resourceNotFoundException" => StatusCode::NOT_FOUND,
        "modelTimeoutException" => StatusCode::GATEWAY_TIMEOUT,
        "throttlingException" => StatusCode::TOO_MANY_REQUESTS,
        "serviceUnavailableException" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    PublicError::from_upstream(status, payload)
}
