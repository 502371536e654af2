//! The body of a relayed stream.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use http_body::{Body as _, Frame};
use sluice_core::Progress;
use sluice_llm::{
    AnthropicStream, ChatStream, Dialect, ErrorKind, FrameKind, Framing, Provenance, PublicError, StreamEnd,
    StreamOutcome, StreamTap,
};
use sluice_net::{Body, BodyError};
use sluice_record::Ended;
use sluice_wire::{SsePart, SseSplitter};
use tokio::time::Sleep;

use super::tail::Tail;
use crate::estimate;

/// What happens to events on their way.
pub(super) enum Manner {
    /// Bytes pass as they come.
    Verbatim,
    /// The same, and nothing in them is looked at.
    Unread,
    /// Frames pass one by one, without the usage that the client did not ask for.
    WithoutUsage(SseSplitter),
    /// Events become those of another protocol, as APISIX converts them.
    Convert(SseSplitter, Box<AnthropicStream>),
    /// Events become those of another protocol.
    Translate(Box<ChatStream>),
}

impl Manner {
    pub(super) fn without_usage() -> Self {
        Self::WithoutUsage(SseSplitter::new())
    }

    pub(super) fn convert(stream: Box<AnthropicStream>) -> Self {
        Self::Convert(SseSplitter::new(), stream)
    }

    /// Whether pieces of the provider's stream may come to nothing for the client.
    fn withholds(&self) -> bool {
        matches!(self, Self::Convert(..) | Self::Translate(_))
    }
}

/// Tells a waiting client that the connection lives.
pub(super) struct KeepAlive {
    frame: Bytes,
    interval: Duration,
    timer: Pin<Box<Sleep>>,
}

impl KeepAlive {
    pub(super) fn new(interval: Duration, frame: Bytes) -> Self {
        Self {
            frame,
            interval,
            timer: Box::pin(tokio::time::sleep(interval)),
        }
    }

    fn poll(&mut self, task: &mut Task<'_>) -> Poll<Bytes> {
        std::task::ready!(self.timer.as_mut().poll(task));
        self.timer
            .as_mut()
            .reset(tokio::time::Instant::now() + self.interval);
        Poll::Ready(self.frame.clone())
    }
}

/// What a relayed stream is made of.
pub(super) struct StreamParts {
    pub(super) upstream: Body,
    pub(super) tap: StreamTap,
    pub(super) manner: Manner,
    pub(super) progress: Arc<Progress>,
    pub(super) max_bytes: Option<u64>,
    pub(super) ends: Option<Instant>,
    /// Until the first content.
    pub(super) keep_alive: Option<KeepAlive>,
    /// The dialect in which a broken stream is reported; without one the connection is cut.
    pub(super) breaks_in_band: Option<Dialect>,
    /// How the client tells events apart.
    pub(super) framing: Framing,
    /// Whether a whole stream in this protocol has an event that ends it.
    pub(super) has_end: bool,
    pub(super) input: estimate::Input,
}

/// What came of the first data of a stream.
pub(super) enum Begun {
    /// There is something for the client.
    Output,
    /// The stream ended, and nothing could be made of it.
    Nothing,
    /// The provider failed before it said anything.
    Failed(PublicError),
    /// A limit was hit before.
    Stopped(Limit),
}

/// The limits of a stream (compat §4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// `max_response_bytes`
    Bytes,
    /// `max_stream_duration_ms`
    Duration,
}

impl Limit {
    /// What the client reads of it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Bytes => "max_response_bytes exceeded",
            Self::Duration => "max_stream_duration_ms exceeded",
        }
    }
}

/// Pieces that are gathered at most before they go out.
const GATHER_MAX: usize = 64;

/// A stream being relayed. Dropping it books what has passed.
pub(super) struct StreamBody {
    parts: StreamParts,
    ready: VecDeque<Bytes>,
    /// Whether what is ready goes out at the next poll.
    sending: bool,
    /// Why the stream broke, until the client has learnt of it.
    failed: Option<BodyError>,
    deadline: Option<Pin<Box<Sleep>>>,
    received: u64,
    /// How what passed as it came ends.
    tail: Tail,
    /// The limit that ended the stream.
    limit: Option<Limit>,
    /// Whether the client's head still waits, so that a failure can have a status.
    beginning: bool,
    open: bool,
    booked: bool,
}

impl StreamBody {
    pub(super) fn new(parts: StreamParts) -> Self {
        let deadline = parts.ends.map(|at| Box::pin(tokio::time::sleep_until(at.into())));
        Self {
            parts,
            ready: VecDeque::new(),
            sending: false,
            failed: None,
            deadline,
            received: 0,
            tail: Tail::default(),
            limit: None,
            beginning: false,
            open: true,
            booked: false,
        }
    }

    /// Takes the first data. A stream that is converted is read on until something comes of it.
    pub(super) async fn begin(&mut self, data: Bytes) -> Result<Begun, BodyError> {
        self.parts
            .progress
            .update(|state| state.first_token = Some(Instant::now()));
        self.beginning = true;
        self.take(data);
        if self.ready.is_empty() && self.parts.manner.withholds() {
            match std::future::poll_fn(|task| Pin::new(&mut *self).poll_frame(task)).await {
                None => return Ok(self.limit.map_or(Begun::Nothing, Begun::Stopped)),
                Some(frame) => self.ready.extend(frame?.into_data().ok()),
            }
        }
        self.beginning = false;
        if let Manner::Translate(stream) = &self.parts.manner
            && let Some(error) = stream.error().filter(|_| !stream.has_content())
        {
            return Ok(Begun::Failed(error.clone()));
        }
        Ok(match self.limit {
            Some(limit) if self.ready.is_empty() => Begun::Stopped(limit),
            _ => Begun::Output,
        })
    }

    fn take(&mut self, data: Bytes) {
        self.received += data.len() as u64;
        if self.parts.max_bytes.is_some_and(|limit| self.received > limit) {
            return self.stop(Limit::Bytes);
        }
        let (tap, ready) = (&mut self.parts.tap, &mut self.ready);
        match &mut self.parts.manner {
            Manner::Verbatim => {
                tap.feed(&data);
                self.tail.note(&data);
                ready.push_back(data);
            }
            Manner::Unread => ready.push_back(data),
            Manner::WithoutUsage(splitter) => {
                splitter.push(data);
                while let Some(part) = splitter.next_part() {
                    if !matches!(&part, SsePart::Frame(frame) if tap.observe(frame) == FrameKind::UsageOnly) {
                        let part = part.into_bytes();
                        self.tail.note(&part);
                        ready.push_back(part);
                    }
                }
            }
            Manner::Convert(splitter, converter) => {
                splitter.push(data);
                let mut out = BytesMut::new();
                while let Some(SsePart::Frame(frame)) = splitter.next_part() {
                    tap.observe(&frame);
                    converter.push(&frame, &mut out);
                }
                if !out.is_empty() {
                    ready.push_back(out.freeze());
                }
            }
            Manner::Translate(stream) => {
                tap.feed(&data);
                let mut out = BytesMut::new();
                stream.push(&data, &mut out);
                if !out.is_empty() {
                    ready.push_back(out.freeze());
                }
                self.open = stream.error().is_none();
            }
        }
        self.parts.progress.pass(tap.content_frames());
        if self.parts.keep_alive.is_some() && tap.has_content() {
            self.parts.keep_alive = None;
        }
        if tap.end().is_some() || !self.open {
            self.book();
        }
    }

    /// What is ready, as one piece.
    fn gathered(&mut self) -> Option<Bytes> {
        if self.ready.len() < 2 {
            return self.ready.pop_front();
        }
        let mut whole = BytesMut::with_capacity(self.ready.iter().map(Bytes::len).sum());
        self.ready
            .drain(..)
            .for_each(|data| whole.extend_from_slice(&data));
        Some(whole.freeze())
    }

    fn passed_deadline(&mut self, task: &mut Task<'_>) -> bool {
        let passed = |deadline: &mut Pin<Box<Sleep>>| deadline.as_mut().poll(task).is_ready();
        self.deadline.as_mut().is_some_and(passed)
    }

    /// The upstream broke off. Without a word for it in the client's dialect, the client loses its connection, after
    /// everything that came before.
    fn broke(&mut self, error: BodyError) {
        self.parts
            .progress
            .update(|state| state.ended = Ended::UpstreamCut);
        self.book();
        self.open = false;
        if !self.can_report() {
            self.failed = Some(error);
            return;
        }
        tracing::warn!(%error, "provider broke off its stream");
        self.report("the provider broke off its stream", "upstream_cut");
    }

    /// The upstream has nothing more to say.
    fn end(&mut self) {
        let mut converted_nothing = false;
        let mut is_told = false;
        match &mut self.parts.manner {
            Manner::Verbatim | Manner::Unread => self.parts.tap.finish(),
            Manner::Translate(stream) => {
                self.parts.tap.finish();
                let mut out = BytesMut::new();
                stream.finish(&mut out);
                is_told = true;
                if !stream.is_whole() {
                    self.parts
                        .progress
                        .update(|state| state.ended = Ended::UpstreamCut);
                }
                if !out.is_empty() {
                    self.ready.push_back(out.freeze());
                }
            }
            Manner::WithoutUsage(splitter) => {
                if let Some(part) = splitter.finish() {
                    let part = part.into_bytes();
                    self.parts.tap.observe(&part);
                    self.tail.note(&part);
                    self.ready.push_back(part);
                }
            }
            Manner::Convert(_, converter) => {
                let mut out = BytesMut::new();
                converted_nothing = converter.finish(&mut out) == StreamOutcome::Empty;
                if !out.is_empty() {
                    self.ready.push_back(out.freeze());
                }
            }
        }
        let whole = !self.parts.has_end || self.parts.tap.end() == Some(StreamEnd::Complete);
        if !whole && !is_told && !converted_nothing && self.parts.tap.end().is_none() {
            self.parts
                .progress
                .update(|state| state.ended = Ended::UpstreamCut);
            self.report("the provider broke off its stream", "upstream_cut");
        }
        self.open = false;
        self.book();
    }

    /// Whether the client can be told within the stream that it is not whole. In what passes as it came, nobody knows
    /// where an element of an array ends, and a binary message cannot follow half of another.
    fn can_report(&self) -> bool {
        let passes = !matches!(self.parts.manner, Manner::Translate(_));
        self.parts.breaks_in_band.is_some()
            && !(passes && self.parts.framing == Framing::JsonArray)
            && !(passes && self.parts.framing == Framing::EventStream && !self.parts.tap.is_at_boundary())
    }

    /// Tells the client in its dialect why the stream is not whole. Where that cannot be said, it loses its connection.
    fn report(&mut self, message: &'static str, code: &'static str) {
        let Some(dialect) = self.parts.breaks_in_band else {
            return;
        };
        if !self.can_report() {
            self.failed.get_or_insert_with(|| BodyError::other(message));
            return;
        }
        let error = PublicError::new(ErrorKind::Upstream, message).with_code(code);
        if let Manner::Translate(stream) = &mut self.parts.manner {
            let mut out = BytesMut::new();
            stream.fail(error, &mut out);
            self.ready.push_back(out.freeze());
            return;
        }
        self.ready.push_back(self.tail.gap(dialect));
        self.ready
            .push_back(error.event(dialect, None, self.parts.tap.next_number()));
    }

    /// Ends the stream for a limit: without its terminator, or with an error where the dialect has one.
    fn stop(&mut self, limit: Limit) {
        self.parts.progress.update(|state| state.ended = Ended::LimitHit);
        if !self.beginning {
            self.report(limit.text(), "response_limit");
        }
        self.limit = Some(limit);
        self.open = false;
        self.book();
    }

    /// Books what has passed, once.
    fn book(&mut self) {
        if std::mem::replace(&mut self.booked, true) {
            return;
        }
        let signatures = self.parts.tap.take_signatures();
        let tap = &self.parts.tap;
        let estimated = if tap.usage().is_none() {
            self.parts.input.with_output(tap.content_frames())
        } else {
            None
        };
        self.parts.progress.update(|state| {
            state.has_tool_calls = tap.has_tool_calls();
            state.signatures = signatures;
            state.model_answered = tap.model().map(Into::into);
            state.raw_usage = tap.raw_usage().map(String::into_boxed_str);
            // As in APISIX, the text of a stream is known only with its usage (compat §4.1.6).
            state.response_text = tap.text().filter(|_| tap.usage().is_some()).map(str::to_owned);
            if let Some(usage) = tap.usage() {
                state.counts = usage.counts;
                state.usage = usage.usage;
                state.provenance = Provenance::Reported;
                state.reported = true;
            } else if let Some(usage) = estimated {
                state.usage = usage;
                state.provenance = Provenance::Estimated;
            }
        });
        self.parts.progress.finish();
    }
}

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        loop {
            if this.sending || !this.open || this.ready.len() >= GATHER_MAX {
                this.sending = false;
                if let Some(data) = this.gathered() {
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                if !this.open {
                    return Poll::Ready(this.failed.take().map(Err));
                }
            }
            if this.passed_deadline(task) {
                this.stop(Limit::Duration);
                continue;
            }
            match Pin::new(&mut this.parts.upstream).poll_frame(task) {
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        this.take(data);
                    }
                }
                Poll::Ready(Some(Err(error))) => this.broke(error),
                Poll::Ready(None) => this.end(),
                Poll::Pending if this.ready.is_empty() => {
                    let Some(keep_alive) = &mut this.parts.keep_alive else {
                        return Poll::Pending;
                    };
                    return keep_alive.poll(task).map(|frame| Some(Ok(Frame::data(frame))));
                }
                Poll::Pending => {
                    // The connection hands over one event at a time. A turn of the scheduler lets it hand over what
                    // the same read brought, so that those events share a write; nothing is waited for.
                    this.sending = true;
                    task.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.open && self.ready.is_empty() && self.failed.is_none()
    }
}

impl Drop for StreamBody {
    fn drop(&mut self) {
        self.book();
    }
}
