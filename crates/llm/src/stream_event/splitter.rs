//! Cuts a stream into events.

use bytes::Bytes;
use sluice_wire::{ArraySplitter, EventStreamSplitter, LineSplitter, SsePart, SseSplitter};

use super::{Form, Framing, StreamEvent};

/// Cuts a stream into events by its framing: push a chunk, take events until there are none, push the next.
///
/// The frames of the events together are the stream, byte for byte, but for what stands around the elements of an array,
/// which is left out. What cannot be cut comes as
/// [fragments](StreamEvent::is_fragment).
///
/// ```
/// use sluice_llm::{EventSplitter, Framing};
///
/// let mut splitter = EventSplitter::new(Framing::Lines);
/// splitter.push("{\"a\":1}\n{".into());
/// let event = splitter.next_event();
/// assert_eq!(event.as_ref().and_then(|event| event.data()).as_deref(), Some(b"{\"a\":1}".as_slice()));
/// assert!(splitter.next_event().is_none());
/// ```
#[derive(Debug)]
pub struct EventSplitter(Splitter);

#[derive(Debug)]
enum Splitter {
    Sse(SseSplitter),
    EventStream {
        messages: EventStreamSplitter,
        /// Pushed after the messages could no longer be cut.
        beyond: Bytes,
    },
    Lines(LineSplitter),
    Array(ArraySplitter),
}

impl EventSplitter {
    /// A splitter at the beginning of a stream.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Sse => Splitter::Sse(SseSplitter::new()),
            Framing::EventStream => Splitter::EventStream {
                messages: EventStreamSplitter::new(),
                beyond: Bytes::new(),
            },
            Framing::Lines => Splitter::Lines(LineSplitter::new()),
            Framing::JsonArray => Splitter::Array(ArraySplitter::new()),
        })
    }

    /// Adds the next bytes of the stream. Events must have been taken until there were none.
    pub fn push(&mut self, chunk: Bytes) {
        match &mut self.0 {
            Splitter::Sse(splitter) => splitter.push(chunk),
            Splitter::EventStream { messages, beyond } if messages.is_lost() => *beyond = chunk,
            Splitter::EventStream { messages, .. } => messages.push(&chunk),
            Splitter::Lines(splitter) => splitter.push(chunk),
            Splitter::Array(splitter) => splitter.push(&chunk),
        }
    }

    /// The next event, if there is one.
    pub fn next_event(&mut self) -> Option<StreamEvent> {
        match &mut self.0 {
            Splitter::Sse(splitter) => splitter.next_part().map(|part| event(part, Form::Sse)),
            Splitter::EventStream { messages, beyond } => {
                if let Some(message) = messages.next_message() {
                    return Some(StreamEvent(Form::Message(message)));
                }
                if !messages.is_lost() {
                    return None;
                }
                fragment(messages.take_rest()).or_else(|| fragment(std::mem::take(beyond)))
            }
            Splitter::Lines(splitter) => splitter.next_part().map(|part| event(part, Form::Line)),
            Splitter::Array(splitter) => splitter.next_part().map(|part| event(part, Form::Element)),
        }
    }

    /// What is left when the stream is over. Events must have been taken until there were none.
    pub fn finish(&mut self) -> Option<StreamEvent> {
        match &mut self.0 {
            Splitter::Sse(splitter) => splitter.finish().map(|part| event(part, Form::Sse)),
            Splitter::EventStream { messages, .. } => fragment(messages.take_rest()),
            Splitter::Lines(splitter) => splitter.finish().map(|part| event(part, Form::Line)),
            Splitter::Array(splitter) => fragment(splitter.take_rest()),
        }
    }
}

fn event(part: SsePart, form: impl FnOnce(Bytes) -> Form) -> StreamEvent {
    StreamEvent(match part {
        SsePart::Frame(frame) => form(frame),
        SsePart::Fragment(bytes) => Form::Fragment(bytes),
    })
}

fn fragment(bytes: Bytes) -> Option<StreamEvent> {
    (!bytes.is_empty()).then_some(StreamEvent(Form::Fragment(bytes)))
}
