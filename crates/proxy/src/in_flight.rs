//! The guard that ends every request: it settles, logs and records exactly once, on every exit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};

use bytes::Bytes;
use http::Method;
use http_body::{Body as _, Frame, SizeHint};
use sluice_core::{Context, Phase};
use sluice_net::{Body, BodyError};
use sluice_observe::RequestGuard;
use sluice_record::Ended;

use crate::finish;

/// Status of a request whose client left before there was an answer, as nginx writes it.
const CLIENT_GONE: u16 = 499;

/// A request being served. Dropping it ends the request.
pub(crate) struct InFlight {
    pub(crate) cx: Box<Context>,
    settled: bool,
    finished: bool,
    _gauge: RequestGuard,
}

impl InFlight {
    pub(crate) fn new(cx: Context) -> Self {
        let gauge = cx.services.metrics.server().request();
        Self {
            cx: Box::new(cx),
            settled: false,
            finished: false,
            _gauge: gauge,
        }
    }

    /// Charges local limits. Called before the last byte is released; later calls do nothing.
    fn settle(&mut self) {
        if !std::mem::replace(&mut self.settled, true) {
            self.for_each_step(Phase::Settle, |plugin, cx| plugin.settle(cx));
        }
    }

    /// Ends the request.
    fn finish(&mut self, ended: Ended) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        if self.cx.answer.status == 0 {
            self.cx.answer.status = CLIENT_GONE;
        }
        if self.cx.answer.ended == Ended::Complete {
            self.cx.answer.ended = self.relayed().unwrap_or(ended);
        }
        self.settle();
        let record = Arc::new(finish::record(&self.cx));
        self.for_each_step(Phase::Log, |plugin, cx| plugin.log(cx, &record));
        self.cx.services.records.push(record);
    }

    /// How the relay saw the upstream's answer end, if it was not whole: the body that it made of it may well be.
    fn relayed(&self) -> Option<Ended> {
        let ended = self.cx.ai.as_ref()?.progress.read(|state| state.ended);
        (ended != Ended::Complete).then_some(ended)
    }

    /// Runs a hook of every plugin that takes part in `phase`. A plugin that panics does not stop the others.
    fn for_each_step(&mut self, phase: Phase, mut hook: impl FnMut(&dyn sluice_core::Plugin, &mut Context)) {
        let global = self.cx.snapshot.global.clone();
        let own = self.cx.pipeline.clone();
        for (pipeline, is_global) in [(global, true), (own, false)] {
            for entry in pipeline.steps(phase) {
                if !self.cx.runs(entry, is_global) {
                    continue;
                }
                let cx = &mut *self.cx;
                if catch_unwind(AssertUnwindSafe(|| hook(&*entry.plugin, cx))).is_err() {
                    tracing::error!(plugin = entry.name, ?phase, "plugin panicked");
                }
            }
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.finish(Ended::ClientGone);
    }
}

/// The answer's body on its way to the client. Knows when the request is over.
pub(crate) struct TrackedBody {
    inner: Body,
    request: InFlight,
}

impl TrackedBody {
    pub(crate) fn new(inner: Body, request: InFlight) -> Self {
        Self { inner, request }
    }

    fn end(&mut self, ended: Ended) {
        // What relays the upstream's answer sums up when it is dropped: before the request is settled.
        self.inner = Body::empty();
        self.request.finish(ended);
    }
}

impl http_body::Body for TrackedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = ready!(Pin::new(&mut this.inner).poll_frame(task));
        match polled {
            None => this.end(Ended::Complete),
            Some(Err(ref error)) => {
                tracing::warn!(id = format_args!("{:032x}", this.request.cx.id.0), %error, "answer broke off");
                this.request.cx.answer.error.get_or_insert("upstream_cut");
                this.end(Ended::UpstreamCut);
            }
            Some(Ok(ref frame)) => {
                let cx = &mut *this.request.cx;
                if let Some(data) = frame.data_ref() {
                    cx.answer.body_bytes += data.len() as u64;
                }
                if let (Some(holds), Some(ai)) = (&mut cx.holds, &cx.ai) {
                    holds.raise(ai.progress.passed());
                }
                if this.inner.is_end_stream() {
                    this.end(Ended::Complete);
                } else if this
                    .request
                    .cx
                    .ai
                    .as_ref()
                    .is_some_and(|ai| ai.progress.is_finished())
                {
                    this.request.settle();
                }
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        // The answer to a HEAD is whole without its body.
        let complete = self.inner.is_end_stream() || self.request.cx.request.method == Method::HEAD;
        self.end(if complete {
            Ended::Complete
        } else {
            Ended::ClientGone
        });
    }
}
