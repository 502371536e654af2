//! Picking a target.

use std::time::Instant;

use http::StatusCode;
use sluice_core::{Context, Failure, ModelRoute, Routing, Step, Verdict};
use sluice_llm::ErrorKind;
use sluice_record::Text;
use sluice_upstream::{PickContext, Tried};

use super::compile::RoutedModel;
use super::config::Strategy;
use super::rules::Features;
use super::{NAME, hash, makers, refusals, score};

impl ModelRoute for RoutedModel {
    fn pick<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if let Err(failure) = self.begin(cx) {
            return Step::Done((*failure).into());
        }
        if self.targets.len() == 1 || cx.pipeline.quota().is_none() {
            let choice = self.choose(cx, &Tried::default(), Instant::now());
            return Step::Done(self.chosen(cx, choice));
        }
        Step::wait(async move {
            let choice = self.choose_with_quota(cx, &Tried::default()).await;
            // Where nobody has any left, the plugin refuses whoever is picked.
            let choice = choice.or_else(|| self.choose(cx, &Tried::default(), Instant::now()));
            self.chosen(cx, choice)
        })
    }

    fn call<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        Step::wait(self.attempts(cx))
    }

    fn settle(&self, cx: &mut Context) {
        self.settled(cx);
    }
}

/// A pick, with what it was made by.
pub(super) struct Choice {
    pub(super) index: usize,
    pub(super) why: String,
}

impl RoutedModel {
    /// Finds out what the picks of a call go by.
    fn begin(&self, cx: &mut Context) -> Result<(), Box<Failure>> {
        if self.targets.iter().all(|target| target.ready.is_none()) {
            return Err(Box::new(refusals::no_target()));
        }
        let now = Instant::now();
        let (rule, hash_key) = self.look_at(cx);
        let makers = self.makers(cx)?;
        let cooling = |index: usize| self.targets[index].state.is_cooling(now);
        let Some(routing) = cx.ai.as_deref_mut().and_then(|ai| ai.routing.as_deref_mut()) else {
            return Err(Box::new(refusals::no_target()));
        };
        // Who can answer at all comes before who should.
        routing.rule = rule.filter(|_| makers.only.is_none());
        routing.hash_key = hash_key;
        routing.ignores_cool_down = self.usable().all(cooling);
        routing.ignores_cool_down |= makers.only.is_some();
        routing.only = makers.only;
        routing.preferred = makers.preferred;
        routing.keeps_signatures = self.targets.len() > 1;
        Ok(())
    }

    /// What comes of the first pick.
    fn chosen(&self, cx: &mut Context, choice: Option<Choice>) -> Verdict {
        match choice {
            Some(choice) => {
                self.take(cx, choice);
                Verdict::Continue
            }
            None => {
                let routing = cx.ai.as_deref().and_then(|ai| ai.routing.as_deref());
                nobody_up(self, routing.and_then(|routing| routing.rule)).into()
            }
        }
    }

    /// The same as [`choose`](Self::choose), passing over targets whose quota is used up where a plugin keeps one for
    /// each.
    pub(super) async fn choose_with_quota(&self, cx: &mut Context, tried: &Tried) -> Option<Choice> {
        let mut passed = tried.clone();
        loop {
            let choice = self.choose(cx, &passed, Instant::now())?;
            let Some(entry) = cx.pipeline.quota().cloned() else {
                return Some(choice);
            };
            let Some(quota) = entry.plugin.instance_quota() else {
                return Some(choice);
            };
            if quota.has_quota(cx, &self.targets[choice.index].name).await {
                return Some(choice);
            }
            passed.insert(choice.index);
        }
    }

    /// The rule that applies and the key to hash.
    fn look_at(&self, cx: &Context) -> (Option<usize>, Option<String>) {
        let Some(ai) = cx.ai.as_deref() else {
            return (None, None);
        };
        let rule = match self.rules.is_empty() {
            true => None,
            false => self.rules.find(cx, &Features::of(ai)),
        };
        let hash_key = (self.strategy == Strategy::ConsistentHash).then(|| hash::key(&self.hash, cx, ai));
        (rule, hash_key)
    }

    pub(super) fn usable(&self) -> impl Iterator<Item = usize> {
        (0..self.targets.len()).filter(|index| self.targets[*index].ready.is_some())
    }

    /// An untried target: those of the rule first, then, unless it is strict, the others.
    pub(super) fn choose(&self, cx: &Context, tried: &Tried, now: Instant) -> Option<Choice> {
        let routing = cx.ai.as_deref()?.routing.as_deref()?;
        if let Some(preferred) = &routing.preferred
            && let Some(choice) = self.among(cx, routing, tried, &|index| preferred.contains(&index), now)
        {
            let why = "affinity=signature".to_owned();
            return Some(Choice { why, ..choice });
        }
        let Some(rule) = routing.rule.and_then(|rule| self.rules.get(rule)) else {
            let choice = self.among(cx, routing, tried, &|_| true, now)?;
            let why = match &routing.only {
                Some(_) if makers::previous_response(cx).is_none() => "affinity=reasoning".to_owned(),
                Some(_) => "affinity=previous_response".to_owned(),
                None => choice.why,
            };
            return Some(Choice { why, ..choice });
        };
        let first = self.among(cx, routing, tried, &|index| rule.targets.contains(&index), now);
        let first = first.map(|choice| Choice {
            why: format!("rule={} {}", rule.name, choice.why),
            ..choice
        });
        match first {
            None if !rule.strict => self.among(cx, routing, tried, &|_| true, now),
            first => first,
        }
    }

    /// By the strategy, among those that are in question.
    fn among(
        &self,
        cx: &Context,
        routing: &Routing,
        tried: &Tried,
        in_scope: &dyn Fn(usize) -> bool,
        now: Instant,
    ) -> Option<Choice> {
        let can_answer = |index: &usize| routing.only.as_ref().is_none_or(|only| only.contains(index));
        let is_up = |index: usize| routing.ignores_cool_down || !self.targets[index].state.is_cooling(now);
        let eligible =
            |index: &usize| can_answer(index) && in_scope(*index) && !tried.contains(*index) && is_up(*index);
        let all: Vec<usize> = self.usable().filter(eligible).collect();
        let level = all.iter().map(|index| self.targets[*index].priority).max()?;
        let mut members: Vec<usize> = all
            .into_iter()
            .filter(|index| self.targets[*index].priority == level)
            .collect();
        // Who has no weight takes over only where nobody else is left.
        let has_weight = |index: &usize| self.targets[*index].weight > 0;
        if members.iter().any(has_weight) {
            members.retain(has_weight);
        }
        let why = || format!("strategy={}", self.strategy.name());
        match self.strategy {
            Strategy::Priority => members.first().map(|index| Choice {
                index: *index,
                why: why(),
            }),
            Strategy::Weighted | Strategy::ConsistentHash => self
                .balanced(routing, &members)
                .or_else(|| members.first().copied())
                .map(|index| Choice { index, why: why() }),
            Strategy::LeastLatency => score::least_latency(self, cx, &members, now),
            Strategy::LeastBusy => score::least_busy(self, &members, now),
            Strategy::LeastCost => score::least_cost(self, cx, &members),
            Strategy::Adaptive => score::adaptive(self, cx, &members, now),
        }
    }

    /// What the balancer says of these.
    fn balanced(&self, routing: &Routing, members: &[usize]) -> Option<usize> {
        let mut others = Tried::default();
        (0..self.targets.len())
            .filter(|index| !members.contains(index))
            .for_each(|index| others.insert(index));
        self.balancer.as_ref()?.pick(&PickContext {
            hash_key: routing.hash_key.as_deref(),
            tried: &others,
        })
    }

    /// Notes a pick.
    pub(super) fn take(&self, cx: &mut Context, choice: Choice) {
        let target = &self.targets[choice.index];
        let (Some(ready), Some(ai)) = (&target.ready, cx.ai.as_deref_mut()) else {
            return;
        };
        let mut picked = ready.target.picked(choice.index, NAME);
        picked.price.clone_from(&target.price);
        ai.picked = picked;
        if let Some(routing) = ai.routing.as_deref_mut() {
            // What comes later is no reason of its own: the failures before it are.
            if routing.why.is_empty() {
                routing.why = choice.why;
            }
        }
    }
}

/// Who is known to the table of makers.
pub(super) fn owner(cx: &Context) -> Text {
    cx.consumer_name().cloned().unwrap_or_else(|| Text::from(""))
}

fn nobody_up(model: &RoutedModel, rule: Option<usize>) -> Failure {
    let rule = rule.and_then(|rule| model.rules.get(rule));
    let message = match rule {
        Some(rule) => format!("no target of the rule \"{}\" can be called at present", rule.name),
        None => "no target of the model can be called at present".to_owned(),
    };
    refusals::failure(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Overloaded,
        "no_target",
        message,
    )
}
