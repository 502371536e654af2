//! A moderator's part in one answer.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde_json::Value;
use sluice_core::{AiCall, AnswerFilter, FilterStep, Flow, Progress, WholeAnswer, Worker};
use sluice_llm::{Protocol, StreamEvent, TextKind, answer_texts, event_texts};
use sluice_wire::{ObjectView, Splice};

use super::{Classifier, Direction, Opinion, Refuser, Shared, StreamMode, Unjudged, unreadable_answer};

/// Most text of a stream that is gathered to be judged at once, in bytes. What is longer is judged before its end.
const TEXT_MAX: usize = 8 << 20;

/// What a client is told whose stream could not be judged.
const UNJUDGED: &str = "The content could not be moderated.";

pub(super) struct ModerationFilter<C> {
    /// Of the plugin.
    name: &'static str,
    shared: Arc<Shared<C>>,
    worker: Arc<Worker>,
    refuser: Refuser,
    progress: Arc<Progress>,
    /// Said so far and, in real time, not yet judged.
    text: String,
    judged_at: Instant,
    /// The level that every further event carries.
    level: Option<String>,
    was_judged: bool,
    ended: bool,
}

impl<C: Classifier> ModerationFilter<C> {
    pub(super) fn new(name: &'static str, shared: Arc<Shared<C>>, worker: Arc<Worker>, ai: &AiCall) -> Self {
        Self {
            name,
            shared,
            worker,
            refuser: Refuser::of(ai),
            progress: ai.progress.clone(),
            text: String::new(),
            judged_at: Instant::now(),
            level: None,
            was_judged: false,
            ended: false,
        }
    }

    async fn judge(&self, text: &str) -> Result<Opinion, String> {
        let judging = self
            .shared
            .classifier
            .judge(&self.worker.pool, Direction::Response, text);
        let opinion = judging
            .await
            .inspect_err(|error| tracing::error!(%error, "answer could not be judged"))?;
        let level = (&*opinion.risk_level).into();
        self.progress.update(|state| state.risk_level = Some(level));
        Ok(opinion)
    }

    async fn judge_whole(&self, answer: &mut WholeAnswer) {
        if let Some(reason) = unreadable_answer(answer)
            && self.shared.settings.fail_mode.refuses(self.name, reason)
        {
            return self
                .refuser
                .replace(answer, StatusCode::INTERNAL_SERVER_ERROR, reason);
        }
        let said = answer_texts(self.refuser.protocol(), &answer.body);
        let said: Vec<_> = said.iter().filter(|span| span.kind == TextKind::Said).collect();
        let text = said.iter().map(|span| &*span.text).collect::<Vec<_>>().join(" ");
        if text.is_empty() {
            return;
        }
        match self.judge(&text).await {
            Ok(Opinion { denied: None, .. }) => {}
            Ok(Opinion {
                denied: Some(reason), ..
            }) => {
                let text = self.shared.message(&reason);
                self.refuser.replace(answer, self.shared.deny_code, text);
            }
            Err(_) if self.shared.unjudged == Unjudged::Pass => {}
            Err(error) => {
                answer.status = StatusCode::INTERNAL_SERVER_ERROR;
                answer.body = error.into();
                let text = HeaderValue::from_static("text/plain; charset=utf-8");
                answer.headers.insert(header::CONTENT_TYPE, text);
            }
        }
    }

    /// Takes note of what events say. Says whether the answer is complete.
    fn listen(&mut self, events: &[StreamEvent]) -> bool {
        let mut complete = false;
        for event in events {
            let Some(data) = event.data() else { continue };
            for span in event_texts(self.refuser.protocol(), &data) {
                if span.kind == TextKind::Said && !span.repeats {
                    self.text.push_str(&span.text);
                }
            }
            self.ended |= event.end(self.refuser.protocol()).is_some();
            complete |= self.ended || has_usage(&data);
        }
        complete
    }

    async fn note(&mut self, events: &mut [StreamEvent]) {
        let due = self.listen(events) || self.text.len() > TEXT_MAX;
        if self.was_judged {
            self.text.clear();
        } else if due && !self.text.is_empty() {
            self.was_judged = true;
            let text = std::mem::take(&mut self.text);
            self.level = self
                .judge(&text)
                .await
                .ok()
                .map(|opinion| opinion.risk_level.into_owned());
        }
        let Some(level) = &self.level else { return };
        for event in events.iter_mut() {
            if let Some(noted) = with_level(event, level) {
                *event = noted;
            }
        }
    }

    async fn watch(&mut self, events: &mut Vec<StreamEvent>) -> Flow {
        if self.shared.unjudged == Unjudged::Refuse && events.iter().any(StreamEvent::is_fragment) {
            tracing::error!("answer could not be judged: an event of the stream cannot be read");
            return self.refuse(events, UNJUDGED);
        }
        let due = self.listen(events)
            || self.text.len() >= self.shared.settings.stream_check_cache_size.min(TEXT_MAX)
            || self.judged_at.elapsed() >= self.shared.interval;
        if due {
            self.judge_pending(events).await
        } else {
            Flow::Continue
        }
    }

    /// Judges what was not judged yet. A refusal takes the place of `events`, and of all that would follow.
    async fn judge_pending(&mut self, events: &mut Vec<StreamEvent>) -> Flow {
        if self.text.is_empty() {
            return Flow::Continue;
        }
        self.judged_at = Instant::now();
        let text = std::mem::take(&mut self.text);
        let reason = match self.judge(&text).await {
            Ok(opinion) => opinion.denied,
            Err(_) => (self.shared.unjudged == Unjudged::Refuse).then(|| UNJUDGED.to_owned()),
        };
        let Some(reason) = reason else {
            return Flow::Continue;
        };
        self.refuse(events, &reason)
    }

    /// Ends the stream: a refusal takes the place of the events at hand.
    fn refuse(&mut self, events: &mut Vec<StreamEvent>, reason: &str) -> Flow {
        events.clear();
        events.extend(self.refuser.events(self.shared.message(reason)));
        self.ended = true;
        Flow::End
    }
}

impl<C: Classifier> AnswerFilter for ModerationFilter<C> {
    fn whole<'a>(&'a mut self, answer: &'a mut WholeAnswer) -> FilterStep<'a> {
        if answer.status.as_u16() >= 400 {
            return FilterStep::CONTINUE;
        }
        FilterStep::wait(async move {
            self.judge_whole(answer).await;
            Flow::Continue
        })
    }

    fn events<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>) -> FilterStep<'a> {
        FilterStep::wait(async move {
            match self.shared.settings.stream_check_mode {
                StreamMode::Realtime => self.watch(events).await,
                StreamMode::FinalPacket => {
                    self.note(events).await;
                    Flow::Continue
                }
            }
        })
    }

    fn end<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>, broken: bool) -> FilterStep<'a> {
        FilterStep::wait(async move {
            if self.shared.settings.stream_check_mode == StreamMode::Realtime {
                return self.judge_pending(events).await;
            }
            if !self.ended && !broken && self.refuser.protocol() == Protocol::OpenAiChat {
                events.push(StreamEvent::new(Bytes::from_static(b"data: [DONE]\n\n")));
            }
            Flow::Continue
        })
    }
}

/// Whether an event brings the usage, after which no text comes.
fn has_usage(data: &[u8]) -> bool {
    let Ok(event) = ObjectView::parse(Bytes::copy_from_slice(data)) else {
        return false;
    };
    ["usage", "usageMetadata"].iter().any(|name| {
        let usage = event.get(name);
        usage.is_some_and(|usage| usage.kind() == sluice_wire::Kind::Object)
    })
}

/// An event with its `risk_level`, if its data is an object.
fn with_level(event: &StreamEvent, level: &str) -> Option<StreamEvent> {
    let data = event.data()?;
    let object = ObjectView::parse(Bytes::copy_from_slice(&data)).ok()?;
    let mut splice = Splice::new(&object);
    splice.set("risk_level", Value::from(level).to_string().into());
    Some(event.with_data(&splice.finish()))
}
