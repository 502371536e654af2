//! The request's side: what it says is judged and masked before a provider sees it.

use std::ops::Range;
use std::sync::Arc;

use sluice_core::{Context, Placeholders, Verdict};
use sluice_llm::{PromptMessage, Protocol, TextKind, TextSpan, prompt_messages, replace_texts};

use super::chain::{Matchers, Outcome};
use super::json_text::JsonText;
use super::{Guard, NAME, Side, unjudged};
use crate::moderation::{Refuser, is_judged, unreadable};

/// What became of a request's texts.
#[derive(Default)]
struct Judged {
    edits: Vec<(Range<usize>, String)>,
    blocked: bool,
}

impl Guard {
    pub(super) fn judge_request(&self, cx: &mut Context) -> Verdict {
        let framing = sluice_exchange::client_framing(cx);
        let Some(ai) = cx.ai.as_deref_mut() else {
            return self.unjudged("no ai instance picked, ai-guard must be used with an ai-proxy plugin");
        };
        if !is_judged(ai.protocol) {
            let reason = format!("unsupported protocol: {}", ai.protocol);
            return self.unjudged(&reason);
        }
        ai.keeps_raw_usage |= self.withholds();
        ai.progress.update(|state| {
            state.guard.get_or_insert_default();
        });
        let Some(body) = ai.judged_body() else {
            return Verdict::Continue;
        };
        if let Some(reason) = unreadable(ai.protocol, &body) {
            return self.unjudged(reason);
        }
        let placeholders = ai
            .placeholders
            .get_or_insert_with(|| Arc::new(self.placeholders(&body)))
            .clone();
        let ai = &*ai;
        let judged = self.judge_texts(ai.protocol, &body, &placeholders, |outcome| {
            self.note(&ai.progress, Side::Request, outcome);
        });
        if judged.blocked {
            return Refuser::of(ai)
                .reply(framing, cx.profile, self.deny_code, self.message(Side::Request))
                .into();
        }
        if judged.edits.is_empty() {
            return Verdict::Continue;
        }
        // The answer will say what this client wrote: it is none to what others write in much the same words.
        if placeholders.longest() > 0
            && let Some(keep) = cx.cache.as_mut().and_then(|cache| cache.keep.as_mut())
        {
            keep.likeness = None;
        }
        let edits = judged.edits.iter().map(|(range, text)| (range.clone(), &**text));
        match cx.replace_judged_body(replace_texts(&body, edits)) {
            Ok(()) => Verdict::Continue,
            Err(error) => {
                let reason = format!("the masked request cannot be read: {error}");
                unjudged(&reason).into()
            }
        }
    }

    /// Placeholders for a request, none of which stands in it.
    fn placeholders(&self, body: &[u8]) -> Placeholders {
        let found = self.placeholder.find_iter(body);
        let texts = found.filter_map(|found| str::from_utf8(found.as_bytes()).ok());
        Placeholders::new(texts.map(Into::into).collect())
    }

    fn judge_texts(
        &self,
        protocol: Protocol,
        body: &[u8],
        placeholders: &Arc<Placeholders>,
        note: impl Fn(&Outcome),
    ) -> Judged {
        let messages = prompt_messages(protocol, body);
        let from = if self.match_all_history {
            0
        } else {
            last_turn(&messages)
        };
        let mut judged = Judged::default();
        for (position, message) in messages.iter().enumerate() {
            for span in &message.spans {
                let matchers = self.matchers(&message.role, span.kind);
                let is_old = position < from && !is_system(&message.role);
                if is_old || matchers.is_empty() {
                    continue;
                }
                let outcome = self.whole(matchers, span, placeholders, false);
                note(&outcome);
                judged.blocked |= outcome.blocked;
                // Providers sign what the model thought; other words would be refused.
                if outcome.is_changed() && span.kind != TextKind::Reasoning {
                    judged.edits.push((span.range.clone(), outcome.text()));
                }
            }
        }
        judged.edits.sort_by_key(|(range, _)| range.start);
        judged
    }

    fn matchers(&self, role: &str, kind: TextKind) -> &Matchers {
        match (kind, role) {
            (TextKind::ToolArguments, _) => &self.tool_arguments,
            (TextKind::ToolResult, _) | (_, "tool" | "function") => &self.tool_results,
            (_, role) if is_system(role) => &self.system,
            _ => &self.said,
        }
    }

    /// What comes of a text that is there whole.
    pub(super) fn whole(
        &self,
        matchers: &Matchers,
        span: &TextSpan<'_>,
        placeholders: &Arc<Placeholders>,
        restores: bool,
    ) -> Outcome {
        let mut chain = self.chain(matchers, placeholders, restores);
        let is_json = span.kind == TextKind::ToolArguments
            && serde_json::from_str::<serde::de::IgnoredAny>(&span.text).is_ok();
        if is_json {
            JsonText::default().feed(&mut chain, &span.text, true)
        } else {
            chain.feed(&span.text, true)
        }
    }

    fn unjudged(&self, reason: &str) -> Verdict {
        self.fail_mode.verdict(NAME, reason, unjudged)
    }
}

fn is_system(role: &str) -> bool {
    matches!(role, "system" | "developer")
}

/// Where the model's last answer stands, and with it all that is new since.
fn last_turn(messages: &[PromptMessage<'_>]) -> usize {
    let answer = messages.iter().rposition(|message| message.role == "assistant");
    answer.unwrap_or(0)
}
