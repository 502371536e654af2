//! `ai-guard`: rules about content, judged here: what must not pass is refused, masked, or masked and put back into the
//! answer.
//!
//! A plugin of Sluice's own. It sees requests, answers and streams in the client's protocol, whatever the provider
//! speaks.

mod answer;
mod chain;
mod checks;
mod compile;
mod config;
mod ending;
mod json_text;
mod matcher;
mod recognizer;
mod request;
mod scanner;
mod stream;

use std::sync::Arc;

use http::StatusCode;
use regex::bytes::Regex;
use sluice_core::{
    AnswerFilter, Context, Failure, Phase, Phases, Placeholders, Plugin, PluginDef, Progress, Step,
};
use sluice_llm::{ErrorKind, Protocol};
use sluice_record::{GuardHit, Text};
use sluice_resource::{PluginInfo, SchemaCompileError};

use self::answer::GuardFilter;
use self::chain::{Chain, Label, Matchers, Outcome};
use self::config::Action;
use crate::fail_mode::FailMode;

const NAME: &str = "ai-guard";

/// `llm_content_risk_level` of what is refused.
const RISK: &str = "high";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    Ok(PluginDef {
        info: PluginInfo::new(NAME, 1032, config::schema())?.with_check(config::check),
        compile: |conf, _| Ok(Arc::new(AiGuard(Arc::new(Guard::new(conf)?)))),
    })
}

/// Which side of a call a text is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Response => "response",
        }
    }
}

/// The plugin.
struct AiGuard(Arc<Guard>);

/// What the plugin and its filters share.
struct Guard {
    /// Names and actions of the rules.
    rules: Vec<(Text, Action)>,
    labels: Arc<[Label]>,
    /// What looks like a placeholder of a rule.
    placeholder: Regex,
    said: Matchers,
    system: Matchers,
    tool_results: Matchers,
    tool_arguments: Matchers,
    answer: Matchers,
    answer_arguments: Matchers,
    /// Whether placeholders are resolved in what the model says, and in arguments of its tool calls.
    restores: bool,
    restores_arguments: bool,
    match_all_history: bool,
    window: usize,
    deny_code: StatusCode,
    deny_message: Option<String>,
    fail_mode: FailMode,
}

impl Guard {
    /// Whether answers have to be looked at.
    fn guards_answers(&self) -> bool {
        !self.answer.is_empty()
            || !self.answer_arguments.is_empty()
            || self.restores
            || self.restores_arguments
    }

    /// Whether rules change or refuse what the model says.
    fn withholds(&self) -> bool {
        let withholds = |matchers: &Matchers| matchers.block.is_some() || matchers.mask.is_some();
        withholds(&self.answer) || withholds(&self.answer_arguments)
    }

    /// A chain over texts of this answer or request.
    fn chain(&self, matchers: &Matchers, placeholders: &Arc<Placeholders>, restores: bool) -> Chain {
        let (labels, placeholders) = (self.labels.clone(), placeholders.clone());
        Chain::new(matchers, labels, placeholders, self.window, restores)
    }

    /// What a refused side is told.
    fn message(&self, side: Side) -> &str {
        match (&self.deny_message, side) {
            (Some(message), _) => message,
            (None, Side::Request) => "The request contains content that must not be sent.",
            (None, Side::Response) => "The answer contains content that must not be shown.",
        }
    }

    /// Books what was found. The log tells the rule, never the text.
    fn note(&self, progress: &Progress, side: Side, outcome: &Outcome) {
        for &rule in &outcome.hits {
            let Some((name, action)) = self.rules.get(rule) else {
                continue;
            };
            let (action, direction) = (action.name(), side.name());
            if action == Action::Log.name() {
                tracing::info!(
                    plugin = NAME,
                    rule = &**name,
                    direction,
                    "a content rule found something"
                );
            }
            progress.update(|state| {
                let hits = state.guard.get_or_insert_default();
                let known = hits
                    .iter_mut()
                    .find(|hit| hit.rule == *name && hit.action == action && hit.direction == direction);
                match known {
                    Some(hit) => hit.count += 1,
                    None => hits.push(GuardHit {
                        rule: name.clone(),
                        action,
                        direction,
                        count: 1,
                    }),
                }
            });
        }
        if outcome.blocked {
            progress.update(|state| state.risk_level = Some(RISK.into()));
        }
    }
}

/// Whether texts of a protocol can be found, and refusals said in it.
fn is_guarded(protocol: Protocol) -> bool {
    crate::moderation::is_moderated(protocol)
}

/// What a request gets that cannot be judged.
fn unjudged(reason: &str) -> Failure {
    let status = StatusCode::INTERNAL_SERVER_ERROR;
    Failure::new(status, ErrorKind::Internal, "not_guarded", reason.to_owned()).apisix_text(reason.to_owned())
}

impl Plugin for AiGuard {
    fn phases(&self) -> Phases {
        if self.0.guards_answers() {
            Phases::of(&[Phase::Access, Phase::AiEvent, Phase::Settle])
        } else {
            Phases::of(&[Phase::Access])
        }
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::Done(self.0.judge_request(cx))
    }

    fn answer_filter(&self, cx: &mut Context) -> Option<Box<dyn AnswerFilter>> {
        let ai = cx.ai.as_deref()?;
        is_guarded(ai.protocol)
            .then(|| Box::new(GuardFilter::new(self.0.clone(), ai)) as Box<dyn AnswerFilter>)
    }

    /// Logs may show what the model said: masked as the client saw it, placeholders unresolved.
    fn settle(&self, cx: &mut Context) {
        let Some(ai) = cx.ai.as_deref() else { return };
        let guard = &self.0;
        if guard.answer.mask.is_none() && guard.answer.block.is_none() {
            return;
        }
        let Some(text) = ai.progress.read(|state| state.response_text.clone()) else {
            return;
        };
        let placeholders = ai.placeholders.clone().unwrap_or_default();
        let outcome = guard.chain(&guard.answer, &placeholders, false).feed(&text, true);
        let text = if outcome.blocked {
            String::new()
        } else {
            outcome.text()
        };
        ai.progress.update(|state| state.response_text = Some(text));
    }
}

#[cfg(test)]
mod tests;
