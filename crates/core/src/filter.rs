//! What plugins do with an AI answer on its way to the client: whole, or event by event.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sluice_llm::{Protocol, StreamEvent};
use smallvec::SmallVec;

use crate::context::Context;
use crate::plugin::Phase;

/// A whole AI answer, in the client's protocol.
#[derive(Debug)]
pub struct WholeAnswer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// The client's protocol.
    pub protocol: Protocol,
}

/// What follows a filter's look at events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The stream goes on.
    Continue,
    /// The events at hand are the last; the provider's stream is given up.
    End,
}

/// The result of a filter's hook: most are decided at once, some ask a service.
pub enum FilterStep<'a> {
    /// Decided; costs no allocation.
    Done(Flow),
    /// Decided when the future ends. The stream waits for it, and with it the provider.
    Wait(Pin<Box<dyn Future<Output = Flow> + Send + 'a>>),
}

impl<'a> FilterStep<'a> {
    /// Go on.
    pub const CONTINUE: FilterStep<'static> = FilterStep::Done(Flow::Continue);

    /// A step that waits for `future`.
    pub fn wait(future: impl Future<Output = Flow> + Send + 'a) -> Self {
        Self::Wait(Box::pin(future))
    }

    /// Waits until it is decided.
    pub async fn decided(self) -> Flow {
        match self {
            Self::Done(flow) => flow,
            Self::Wait(future) => future.await,
        }
    }
}

/// A plugin's part in one AI answer: made when the answer arrives, owned by the body that relays it.
///
/// A filter sees what earlier ones left. It may hold events back, change and replace them; what it holds when the
/// stream ends must come out of [`end`](Self::end). When the client leaves, it is dropped.
pub trait AnswerFilter: Send {
    /// A whole answer. What the flow says is of no account.
    fn whole<'a>(&'a mut self, _answer: &'a mut WholeAnswer) -> FilterStep<'a> {
        FilterStep::CONTINUE
    }

    /// Events that arrived together; what is in `events` afterwards goes on. Fragments of frames that are too long to be
    /// put together come as events whose data does not parse.
    fn events<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>) -> FilterStep<'a>;

    /// The stream is over; what is put into `events` goes out last. `broken` says that the provider broke it off, which
    /// the client is going to see. Not called after [`Flow::End`].
    fn end<'a>(&'a mut self, _events: &'a mut Vec<StreamEvent>, _broken: bool) -> FilterStep<'a> {
        FilterStep::CONTINUE
    }
}

/// The filters of one answer, in order.
pub type AnswerFilters = SmallVec<[Box<dyn AnswerFilter>; 2]>;

impl Context {
    /// Whether plugins of the request look at answers: what is answered outside of a conversation would evade them.
    #[must_use]
    pub fn has_answer_rules(&self) -> bool {
        let steps = [&*self.snapshot.global, &*self.pipeline];
        steps.iter().any(|steps| !steps.steps(Phase::AiEvent).is_empty())
    }

    /// The filters that the request's plugins put on the answer that has arrived (see [`Phase::AiEvent`]).
    pub fn answer_filters(&mut self) -> AnswerFilters {
        let mut filters = AnswerFilters::new();
        let (global, pipeline) = (self.snapshot.global.clone(), self.pipeline.clone());
        for (steps, is_global) in [(&global, true), (&pipeline, false)] {
            for entry in steps.steps(Phase::AiEvent) {
                if self.runs(entry, is_global) {
                    filters.extend(entry.plugin.answer_filter(self));
                }
            }
        }
        filters
    }
}
