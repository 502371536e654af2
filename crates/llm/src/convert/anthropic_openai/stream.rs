//! The answer as a stream (compat §5.4): OpenAI chunks in, Anthropic events out.

mod events;

use bytes::BytesMut;
use sluice_wire::SseFrame;

use self::events::{BlockStart, Delta, Event};
use super::answer::{ErrorOut, UsageOut, new_message_id, stop_reason};
use super::chat::{Completion, Said, ToolCall, is_text};
use super::tools::ToolNames;

/// How a converted stream came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamOutcome {
    /// The client got a whole message.
    Complete,
    /// The client got an error event in the provider's words.
    Failed,
    /// The stream ended inside the message.
    Truncated,
    /// The stream brought nothing that could be converted; nothing was written.
    Empty,
}

/// Converts one chat stream, frame by frame.
///
/// Text, reasoning and arguments are handed on as the JSON strings that they came as, so that not even half a surrogate
/// pair at the end of a piece is altered. At any time at most one block is open; blocks are numbered in the order in
/// which they open. Arguments that come late, for a call whose block was closed by another call, are written to the
/// block that they belong to.
///
/// ```
/// use bytes::BytesMut;
/// use http::StatusCode;
/// use sluice_llm::{AnthropicToChat, RequestView, StreamOutcome};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let request = RequestView::parse(r#"{"messages":[{"role":"user","content":"Hi"}],"stream":true}"#.into())?;
/// let (_, conversion) = AnthropicToChat::convert(&request)?;
/// let mut stream = conversion.into_stream();
/// let mut out = BytesMut::new();
/// stream.push(b"data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"Hello\"}}]}\n\n", &mut out);
/// assert!(out.starts_with(b"event: message_start\n"));
/// stream.push(b"data: [DONE]\n\n", &mut out);
/// assert!(out.ends_with(b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"));
/// assert_eq!(stream.finish(&mut out), StreamOutcome::Complete);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AnthropicStream {
    names: ToolNames,
    phase: Phase,
    /// The block that is open, by index and kind.
    open: Option<(u64, BlockKind)>,
    next_block: u64,
    calls: Vec<Call>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing was converted.
    Fresh,
    /// `message_start` is out.
    Started,
    /// The finish reason came; `message_delta` waits for usage.
    Finishing {
        stop_reason: &'static str,
        usage: Option<UsageOut>,
    },
    /// `message_stop` is out.
    Stopped,
    /// An error is out.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockKind {
    Thinking,
    Text,
    ToolUse,
}

/// A tool call that was seen.
#[derive(Debug)]
struct Call {
    index: Option<u64>,
    id: String,
    block: u64,
}

impl AnthropicStream {
    pub(super) fn new(names: ToolNames) -> Self {
        Self {
            names,
            phase: Phase::Fresh,
            open: None,
            next_block: 0,
            calls: Vec::new(),
        }
    }

    /// Converts a frame and appends what comes of it to `out`. What is no chunk is skipped.
    pub fn push(&mut self, frame: &[u8], out: &mut BytesMut) {
        if matches!(self.phase, Phase::Stopped | Phase::Failed) {
            return;
        }
        let Some(data) = SseFrame::parse(frame).data else {
            return;
        };
        if data.starts_with(b"[DONE]") {
            self.done(out);
        } else if let Ok(chunk) = serde_json::from_slice::<Completion<'_>>(&data) {
            self.chunk(&chunk, out);
        }
    }

    /// Ends the conversion where the stream ended, and says how it came out. A message that only waited for its usage
    /// is completed; one that was broken off is left as it is.
    pub fn finish(&mut self, out: &mut BytesMut) -> StreamOutcome {
        if let Phase::Finishing { .. } = self.phase {
            self.done(out);
        }
        match self.phase {
            Phase::Fresh => StreamOutcome::Empty,
            Phase::Started | Phase::Finishing { .. } => StreamOutcome::Truncated,
            Phase::Stopped => StreamOutcome::Complete,
            Phase::Failed => StreamOutcome::Failed,
        }
    }

    fn chunk(&mut self, chunk: &Completion<'_>, out: &mut BytesMut) {
        if let Some(error) = chunk.error {
            Event::Error(ErrorOut::new(error)).write(out);
            self.phase = Phase::Failed;
            return;
        }
        let usage = chunk.usage.as_ref().map(UsageOut::new);
        if let Phase::Finishing { usage: waiting, .. } = &mut self.phase {
            // Only usage is still of interest. Chunks without it, as Azure's filter results, do not end the wait.
            if usage.is_some() {
                *waiting = usage;
                self.done(out);
            }
            return;
        }
        let Some(choices) = &chunk.choices else {
            return;
        };
        if self.phase == Phase::Fresh {
            self.start(chunk, out);
        }
        let Some(choice) = choices.first() else {
            return;
        };
        if let Some(delta) = &choice.delta {
            self.delta(delta, out);
        }
        let finish_reason = choice.finish_reason.as_str().map(str::trim).unwrap_or_default();
        if !matches!(finish_reason, "" | "null") {
            self.close(out);
            self.phase = Phase::Finishing {
                stop_reason: stop_reason(finish_reason),
                usage,
            };
        }
    }

    fn start(&mut self, chunk: &Completion<'_>, out: &mut BytesMut) {
        let new_id;
        let id = match chunk.id.as_str() {
            Some(id) => id,
            None => {
                new_id = new_message_id();
                &new_id
            }
        };
        Event::message_start(id, chunk.model.as_str().unwrap_or_default()).write(out);
        self.phase = Phase::Started;
    }

    fn delta(&mut self, delta: &Said<'_>, out: &mut BytesMut) {
        if let Some(thinking) = delta.thinking() {
            let index = self.ensure_open(BlockKind::Thinking, out);
            Event::ContentBlockDelta {
                index,
                delta: Delta::Thinking { thinking },
            }
            .write(out);
        }
        if let Some(text) = delta.text() {
            let index = self.ensure_open(BlockKind::Text, out);
            Event::ContentBlockDelta {
                index,
                delta: Delta::Text { text },
            }
            .write(out);
        }
        for call in delta.tool_calls() {
            self.call(call, out);
        }
    }

    fn call(&mut self, delta: &ToolCall<'_>, out: &mut BytesMut) {
        let index = match self.known_call(delta) {
            Some(call) => call.block,
            None => {
                let id = delta.id.as_str().unwrap_or_default();
                self.close(out);
                let block = self.open_block(BlockKind::ToolUse);
                let content_block = BlockStart::tool_use(id, self.names.restore(delta.name()));
                Event::ContentBlockStart {
                    index: block,
                    content_block,
                }
                .write(out);
                let index = delta.index.map(|index| index.0);
                self.calls.push(Call {
                    index,
                    id: id.to_owned(),
                    block,
                });
                block
            }
        };
        let Some(arguments) = delta.arguments() else {
            return;
        };
        if is_text(arguments) {
            Event::ContentBlockDelta {
                index,
                delta: Delta::InputJson {
                    partial_json: arguments,
                },
            }
            .write(out);
        } else if arguments.get().starts_with('{') {
            let whole = arguments.get();
            Event::ContentBlockDelta {
                index,
                delta: Delta::WholeInput { partial_json: whole },
            }
            .write(out);
        }
    }

    /// The call that a piece continues; `None` if it begins one. Providers repeat ids, leave out indexes, and number
    /// all calls of an answer 0: an id that was not seen under its index means another call.
    fn known_call(&self, delta: &ToolCall<'_>) -> Option<&Call> {
        let id = delta.id.as_str().filter(|id| !id.is_empty());
        let mut latest_first = self.calls.iter().rev();
        match (delta.index, id) {
            (Some(index), id) => latest_first
                .find(|call| call.index == Some(index.0))
                .filter(|call| id.is_none_or(|id| call.id.is_empty() || call.id == id)),
            (None, Some(id)) => latest_first.find(|call| call.id == id),
            (None, None) => latest_first.next(),
        }
    }

    /// The index of the open block, after opening one if that of another kind or none is open.
    fn ensure_open(&mut self, kind: BlockKind, out: &mut BytesMut) -> u64 {
        if let Some((index, open)) = self.open
            && open == kind
        {
            return index;
        }
        self.close(out);
        let index = self.open_block(kind);
        let content_block = if kind == BlockKind::Thinking {
            BlockStart::THINKING
        } else {
            BlockStart::TEXT
        };
        Event::ContentBlockStart { index, content_block }.write(out);
        index
    }

    fn open_block(&mut self, kind: BlockKind) -> u64 {
        let index = self.next_block;
        self.next_block += 1;
        self.open = Some((index, kind));
        index
    }

    fn close(&mut self, out: &mut BytesMut) {
        if let Some((index, _)) = self.open.take() {
            Event::ContentBlockStop { index }.write(out);
        }
    }

    /// Ends the message, at the provider's word or for want of more.
    fn done(&mut self, out: &mut BytesMut) {
        let (stop_reason, usage) = match self.phase {
            Phase::Started => ("end_turn", Some(UsageOut::default())),
            Phase::Finishing { stop_reason, usage } => (stop_reason, usage),
            Phase::Fresh | Phase::Stopped | Phase::Failed => return,
        };
        self.close(out);
        Event::message_delta(stop_reason, usage).write(out);
        Event::MessageStop {}.write(out);
        self.phase = Phase::Stopped;
    }
}
