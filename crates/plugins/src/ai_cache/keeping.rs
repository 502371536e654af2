//! Keeping answers: copied while they pass, judged and written when they are over, off the request's path.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, ready};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::{Frame, SizeHint};
use sluice_cache::{Answer, AnswerFormat};
use sluice_core::{Context, KeepAnswer, Progress, ResponseHead, Services};
use sluice_llm::{Protocol, StreamEnd, StreamTap, TapOptions};
use sluice_net::{Body, BodyError};
use sluice_record::{Ended, ResponseSource};

use super::Cache;

/// What the body of an answer is, if it may be kept: a provider's whole success, in a form that can be shown again.
pub(super) fn format_of(cx: &Context, head: &ResponseHead) -> Option<AnswerFormat> {
    let encoded = head.headers.contains_key(header::CONTENT_ENCODING);
    if head.status != StatusCode::OK || cx.answer.source != ResponseSource::Upstream || encoded {
        return None;
    }
    let content_type = content_type(&head.headers);
    match content_type.split(';').next().unwrap_or_default().trim() {
        "text/event-stream" => Some(AnswerFormat::Sse),
        "application/json" => Some(AnswerFormat::Json),
        _ => None,
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    String::from_utf8_lossy(value.unwrap_or_default()).to_ascii_lowercase()
}

/// What is needed to keep an answer once it is over.
pub(super) struct Keeping {
    cache: Arc<Cache>,
    services: Arc<Services>,
    progress: Arc<Progress>,
    protocol: Protocol,
    keep: Box<KeepAnswer>,
    format: AnswerFormat,
}

impl Keeping {
    /// `None` when the answer is not to be kept: for what its head says, or since another instance has given it.
    pub(super) fn of(cache: &Arc<Cache>, cx: &mut Context) -> Option<Self> {
        let keep = cx.cache.as_mut()?.keep.take()?;
        let ai = cx.ai.as_deref()?;
        let format = keep.format.filter(|_| ai.picked.index == keep.instance)?;
        Some(Self {
            cache: cache.clone(),
            services: cx.services.clone(),
            progress: ai.progress.clone(),
            protocol: ai.protocol,
            keep,
            format,
        })
    }

    /// The answer as it passes; what comes of it is kept.
    pub(super) fn watch(self, body: Body) -> Body {
        Body::boxed(KeptBody {
            inner: body,
            copy: Vec::new(),
            keeping: Some(self),
        })
    }

    /// The answer has been sent to its end.
    fn finish(self, body: Vec<u8>) {
        // The relay may have made a whole body of an answer that broke off.
        if self.progress.read(|state| state.ended) != Ended::Complete {
            return;
        }
        let background = self.services.background.clone();
        let Some(room) = self.services.answer_backlog.enter(body.len()) else {
            tracing::debug!(
                plugin = super::NAME,
                "too many answers wait to be kept, one is not"
            );
            return;
        };
        background.spawn(async move {
            if let Some(answer) = self.answer(body) {
                self.cache.keep(&self.keep, &answer).await;
            }
            drop(room);
        });
    }

    /// The answer, if it is whole by its own account and text.
    fn answer(&self, body: Vec<u8>) -> Option<Answer> {
        let body = Bytes::from(String::from_utf8(body).ok()?);
        if self.format == AnswerFormat::Sse {
            let mut tap = StreamTap::new(self.protocol, TapOptions::default());
            tap.feed(&body);
            tap.finish();
            if tap.end() != Some(StreamEnd::Complete) {
                return None;
            }
        }
        Some(Answer {
            body,
            created_at: unix_now(),
            format: self.format,
        })
    }
}

/// Seconds since the Unix epoch.
pub(super) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// A body that is copied; in everything else the one inside.
struct KeptBody {
    inner: Body,
    copy: Vec<u8>,
    /// Until the answer is over, or has become too large.
    keeping: Option<Keeping>,
}

impl KeptBody {
    fn take(&mut self, data: &[u8]) {
        let Some(keeping) = &self.keeping else { return };
        if self.copy.len() + data.len() > keeping.cache.max_body {
            self.keeping = None;
            self.copy = Vec::new();
            return;
        }
        self.copy.extend_from_slice(data);
    }

    fn end(&mut self) {
        if let Some(keeping) = self.keeping.take() {
            keeping.finish(std::mem::take(&mut self.copy));
        }
    }
}

impl http_body::Body for KeptBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        task: &mut Task<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let polled = ready!(Pin::new(&mut this.inner).poll_frame(task));
        match &polled {
            None => this.end(),
            Some(Err(_)) => this.keeping = None,
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.take(data);
                }
                if this.inner.is_end_stream() {
                    this.end();
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
