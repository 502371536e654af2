//! The answer's side: whole answers, and streams event by event.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::StatusCode;
use sluice_core::{AiCall, AnswerFilter, FilterStep, Flow, Placeholders, Progress, WholeAnswer};
use sluice_llm::{Protocol, StreamEvent, TextKind, TextSpan, answer_texts, event_texts, replace_texts};

use super::chain::{Chain, Matchers, Outcome};
use super::ending::Ending;
use super::json_text::JsonText;
use super::stream::{Closing, Head, Numbers, contains, delta_event, without_logprobs};
use super::{Guard, NAME, Side};
use crate::fail_mode::FailMode;
use crate::moderation::{Refuser, unreadable_answer};

/// What a text of a stream is: its pieces come in events of the same key.
pub(super) type Key = (TextKind, (u32, u32));

/// The guard's part in one answer.
pub(super) struct GuardFilter {
    guard: Arc<Guard>,
    progress: Arc<Progress>,
    placeholders: Arc<Placeholders>,
    refuser: Refuser,
    protocol: Protocol,
    channels: BTreeMap<(u32, u32, u8), Channel>,
    ending: Ending,
    numbers: Numbers,
}

/// A text of a stream.
struct Channel {
    key: Key,
    chain: Chain,
    /// Where the text is JSON.
    json: Option<JsonText>,
    /// The last event with a piece of it.
    event: StreamEvent,
}

impl Channel {
    fn feed(&mut self, piece: &str, end: bool) -> Outcome {
        match &mut self.json {
            Some(json) => json.feed(&mut self.chain, piece, end),
            None => self.chain.feed(piece, end),
        }
    }
}

/// A stream has to end here.
struct Refused;

/// A new text in the place of a span.
struct Edit<'a> {
    span: &'a TextSpan<'a>,
    text: String,
}

impl GuardFilter {
    pub(super) fn new(guard: Arc<Guard>, ai: &AiCall) -> Self {
        Self {
            guard,
            progress: ai.progress.clone(),
            placeholders: ai.placeholders.clone().unwrap_or_default(),
            refuser: Refuser::of(ai),
            protocol: ai.protocol,
            channels: BTreeMap::new(),
            ending: Ending::default(),
            numbers: Numbers::default(),
        }
    }

    /// What is looked for in a text of the answer, and whether placeholders are resolved there. Thoughts keep theirs:
    /// providers sign them, and want them back as they were.
    fn rules(guard: &Guard, kind: TextKind) -> (&Matchers, bool) {
        match kind {
            TextKind::ToolArguments => (&guard.answer_arguments, guard.restores_arguments),
            TextKind::Reasoning => (&guard.answer, false),
            TextKind::Said | TextKind::ToolResult => (&guard.answer, guard.restores),
        }
    }

    fn judge_whole(&self, answer: &mut WholeAnswer) {
        if self.guard.withholds()
            && let Some(reason) = unreadable_answer(answer)
            && self.guard.fail_mode.refuses(NAME, reason)
        {
            return self
                .refuser
                .replace(answer, StatusCode::INTERNAL_SERVER_ERROR, reason);
        }
        let mut edits = Vec::new();
        let mut blocked = false;
        for span in answer_texts(self.protocol, &answer.body) {
            let (matchers, restores) = Self::rules(&self.guard, span.kind);
            let outcome = self.guard.whole(matchers, &span, &self.placeholders, restores);
            self.guard.note(&self.progress, Side::Response, &outcome);
            blocked |= outcome.blocked;
            if outcome.is_changed() {
                edits.push((span.range.clone(), outcome.text()));
            }
        }
        if blocked {
            let message = self.guard.message(Side::Response);
            return self.refuser.replace(answer, self.guard.deny_code, message);
        }
        if !edits.is_empty() {
            let edits = edits.iter().map(|(range, text)| (range.clone(), &**text));
            answer.body = replace_texts(&answer.body, edits);
        }
        if self.guard.withholds()
            && let Some(body) = without_logprobs(&answer.body)
        {
            answer.body = body;
        }
    }

    /// Passes one event on, changed where it has to be.
    fn pass(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) -> Result<(), Refused> {
        let Some(data) = event.data() else {
            out.push(event);
            return Ok(());
        };
        if &*data == b"[DONE]" {
            self.close(&Closing::All, &mut Vec::new(), out)?;
            out.push(event);
            return Ok(());
        }
        let Some(head) = Head::read(&event, &data) else {
            return self.pass_unread(event.clone(), out);
        };
        self.ending.see(self.protocol, &head, &event);
        let spans = event_texts(self.protocol, &data);
        let mut edits = Vec::with_capacity(spans.len());
        for span in &spans {
            let text = match twin(&edits, span) {
                Some(twin) => twin.text.clone(),
                None => {
                    self.leave_others(span, out)?;
                    self.judge_span(span, &event, &data)?
                }
            };
            edits.push(Edit { span, text });
        }
        self.close(&head.closing(self.protocol), &mut edits, out)?;
        let changed = edits.iter().any(|edit| edit.text != edit.span.text);
        let mut next = if changed {
            let edits = edits.iter().map(|edit| (edit.span.range.clone(), &*edit.text));
            event.with_data(&replace_texts(&data, edits))
        } else {
            event.clone()
        };
        if self.guard.withholds()
            && let Some(data) = without_logprobs(&data_of(&next))
        {
            next = next.with_data(&data);
        }
        out.push(self.numbers.passed(next, head.sequence_number));
        Ok(())
    }

    /// An event that is no JSON, or part of one too long to be looked at whole.
    fn pass_unread(&mut self, event: StreamEvent, out: &mut Vec<StreamEvent>) -> Result<(), Refused> {
        match self.guard.fail_mode {
            _ if !self.guard.withholds() => {}
            FailMode::Error => {
                tracing::warn!(
                    plugin = NAME,
                    "an event of the stream cannot be judged: the stream ends"
                );
                return Err(Refused);
            }
            FailMode::Warn => tracing::warn!(plugin = NAME, "an event of the stream passes unjudged"),
            FailMode::Skip => {}
        }
        out.push(event);
        Ok(())
    }

    /// What goes out in the place of a span.
    fn judge_span(
        &mut self,
        span: &TextSpan<'_>,
        event: &StreamEvent,
        data: &[u8],
    ) -> Result<String, Refused> {
        let (matchers, restores) = Self::rules(&self.guard, span.kind);
        if matchers.is_empty() && !restores {
            return Ok(span.text.to_string());
        }
        if span.repeats {
            let outcome = self.guard.whole(matchers, span, &self.placeholders, restores);
            // What comes again was booked when it came for the first time.
            if outcome.blocked || self.protocol != Protocol::OpenAiResponses {
                self.guard.note(&self.progress, Side::Response, &outcome);
            }
            if outcome.blocked {
                return Err(Refused);
            }
            return Ok(outcome.text());
        }
        let key = (span.kind, span.channel);
        let channel = self.channels.entry(order(key)).or_insert_with(|| Channel {
            key,
            chain: self.guard.chain(matchers, &self.placeholders, restores),
            json: is_json(span.kind, data).then(JsonText::default),
            event: event.clone(),
        });
        channel.event = event.clone();
        let outcome = channel.feed(&span.text, false);
        self.booked(outcome)
    }

    fn booked(&self, outcome: Outcome) -> Result<String, Refused> {
        self.guard.note(&self.progress, Side::Response, &outcome);
        if outcome.blocked {
            return Err(Refused);
        }
        Ok(outcome.text())
    }

    /// Speech ends thoughts and the other way round: what is kept back of the one goes out before the other.
    fn leave_others(&mut self, span: &TextSpan<'_>, out: &mut Vec<StreamEvent>) -> Result<(), Refused> {
        if span.repeats {
            return Ok(());
        }
        let is_left = |kind| kind != span.kind && kind != TextKind::ToolArguments;
        let left = self.channels.values().map(|channel| channel.key);
        let left = left.filter(|(kind, (item, _))| is_left(*kind) && *item == span.channel.0);
        for key in left.collect::<Vec<_>>() {
            self.finish(key, &mut Vec::new(), out)?;
        }
        Ok(())
    }

    /// Lets go of what is kept back of texts that end with the event at hand.
    fn close(
        &mut self,
        closing: &Closing,
        edits: &mut Vec<Edit<'_>>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Refused> {
        let ended = self.channels.values().map(|channel| channel.key);
        let ended = ended.filter(|(_, (item, _))| closing.ends(*item));
        for key in ended.collect::<Vec<_>>() {
            self.finish(key, edits, out)?;
        }
        Ok(())
    }

    /// Ends one text: the rest goes into the event at hand if that has a piece of it, else into one of its own.
    fn finish(
        &mut self,
        key: Key,
        edits: &mut Vec<Edit<'_>>,
        out: &mut Vec<StreamEvent>,
    ) -> Result<(), Refused> {
        let Some(mut channel) = self.channels.remove(&order(key)) else {
            return Ok(());
        };
        let outcome = channel.feed("", true);
        let rest = self.booked(outcome)?;
        if rest.is_empty() {
            return Ok(());
        }
        let here = edits
            .iter_mut()
            .find(|edit| !edit.span.repeats && (edit.span.kind, edit.span.channel) == key);
        if let Some(edit) = here {
            edit.text.push_str(&rest);
        } else if let Some(event) = delta_event(self.protocol, &channel.event, key, &rest) {
            out.push(self.numbers.added(event));
        }
        Ok(())
    }

    /// The end of a refused stream, in the client's protocol.
    fn refuse(&mut self, out: &mut Vec<StreamEvent>) -> Flow {
        self.channels.clear();
        let message = self.guard.message(Side::Response);
        let events = self
            .ending
            .events(self.protocol, message, &self.refuser, self.numbers.next());
        out.extend(events);
        Flow::End
    }
}

/// The same thought under another name: some providers send each piece twice in one event.
fn twin<'e, 'a>(edits: &'e [Edit<'a>], span: &TextSpan<'_>) -> Option<&'e Edit<'a>> {
    edits.iter().find(|edit| {
        let known = edit.span;
        span.kind == TextKind::Reasoning
            && (known.kind, known.channel, known.repeats) == (span.kind, span.channel, span.repeats)
            && known.text == span.text
    })
}

/// Ordered as texts are told: thoughts, then speech, then calls.
fn order((kind, (item, part)): Key) -> (u32, u32, u8) {
    let rank = match kind {
        TextKind::Reasoning => 0,
        TextKind::Said => 1,
        TextKind::ToolArguments => 2,
        TextKind::ToolResult => 3,
    };
    (item, part, rank)
}

fn data_of(event: &StreamEvent) -> Vec<u8> {
    event.data().map(std::borrow::Cow::into_owned).unwrap_or_default()
}

/// Whether pieces of a text are JSON: arguments are, but for tools that take plain text.
fn is_json(kind: TextKind, data: &[u8]) -> bool {
    kind == TextKind::ToolArguments && !contains(data, b"custom_tool_call_input")
}

impl AnswerFilter for GuardFilter {
    fn whole<'a>(&'a mut self, answer: &'a mut WholeAnswer) -> FilterStep<'a> {
        if answer.status.as_u16() < 400 {
            self.judge_whole(answer);
        }
        FilterStep::CONTINUE
    }

    fn events<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>) -> FilterStep<'a> {
        let mut out = Vec::with_capacity(events.len());
        let mut flow = Flow::Continue;
        for event in events.drain(..) {
            if self.pass(event, &mut out).is_err() {
                flow = self.refuse(&mut out);
                break;
            }
        }
        *events = out;
        FilterStep::Done(flow)
    }

    fn end<'a>(&'a mut self, events: &'a mut Vec<StreamEvent>, _broken: bool) -> FilterStep<'a> {
        let mut out = Vec::new();
        let flow = match self.close(&Closing::All, &mut Vec::new(), &mut out) {
            Ok(()) => Flow::Continue,
            Err(Refused) => self.refuse(&mut out),
        };
        events.append(&mut out);
        FilterStep::Done(flow)
    }
}
