//! Calling targets until one answers.

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::Value;
use sluice_core::{Context, Failure, Retry, Trial, Verdict};
use sluice_exchange::{Attempt, perform};
use sluice_llm::{ErrorClass, ErrorKind, RequestView};
use sluice_record::{Ended, Text};
use sluice_upstream::Tried;
use sluice_wire::Splice;

use super::compile::{Ready, RoutedModel, RoutedTarget};
use super::outcome::{self, Outcome};
use super::{makers, pick, refusals};

impl RoutedModel {
    /// Calls the picked target, and others after it, by the fallback policy.
    pub(super) async fn attempts(&self, cx: &mut Context) -> Verdict {
        let Some((mut index, meant)) = cx.ai.as_deref().map(|ai| (ai.picked.index, ai.model.clone())) else {
            return refusals::no_target().into();
        };
        let ends = self.fallback.deadline.map(|limit| cx.started + limit);
        let mut tried = Tried::default();
        loop {
            tried.insert(index);
            let target = &self.targets[index];
            let Some(ready) = &target.ready else {
                return refusals::no_target().into();
            };
            if let Err(failure) = name_model(cx, target, &meant) {
                return failure.into();
            }
            let outcome = self.attempt(cx, target, ready, ends).await;
            let Some(class) = outcome.class else {
                return verdict(outcome.attempt);
            };
            note_failure(cx, target, class);
            let may_go_on = self.fallback.wants(class)
                && tried.len() < self.fallback.max_attempts
                && ends.is_none_or(|ends| Instant::now() < ends);
            let next = match may_go_on {
                true => self.choose_with_quota(cx, &tried).await,
                false => None,
            };
            let Some(next) = next else {
                return verdict(outcome.attempt);
            };
            tracing::debug!(target = %target.name, class = class.name(), "another target is tried");
            index = next.index;
            self.take(cx, next);
        }
    }

    /// One attempt, within its time, and what the target's state learns of it.
    async fn attempt(
        &self,
        cx: &mut Context,
        target: &RoutedTarget,
        ready: &Ready,
        ends: Option<Instant>,
    ) -> Outcome {
        if let Some(routing) = cx.ai.as_deref_mut().and_then(|ai| ai.routing.as_deref_mut()) {
            routing.active = Some(target.state.begin());
        }
        let started = Instant::now();
        let left = ends.map(|ends| ends.saturating_duration_since(started));
        let limit = [self.fallback.attempt_timeout, left].into_iter().flatten().min();
        let attempt = match limit {
            None => perform(cx, &ready.target, &ready.call).await,
            Some(limit) => {
                let trials = cx.attempts.len();
                match tokio::time::timeout(limit, perform(cx, &ready.target, &ready.call)).await {
                    Ok(attempt) => attempt,
                    Err(_) => given_up(cx, ready, trials, started),
                }
            }
        };
        let filters = cx
            .ai
            .as_deref()
            .filter(|ai| !ai.stream && self.fallback.wants(ErrorClass::ContentFilter))
            .map(|ai| ai.protocol);
        let outcome = outcome::look_at(attempt, filters).await;
        let now = Instant::now();
        let stream = cx.ai.as_deref().is_some_and(|ai| ai.stream);
        match outcome.class {
            Some(class) => self.learn_failure(target, class, outcome.retry_after, now),
            None if outcome.attempt.status().is_success() => {
                target
                    .state
                    .answered(stream, now.saturating_duration_since(started), now);
            }
            None => {}
        }
        outcome
    }

    /// What a failure says of the target: nothing, where it is the request that does not fit.
    fn learn_failure(
        &self,
        target: &RoutedTarget,
        class: ErrorClass,
        retry_after: Option<Duration>,
        now: Instant,
    ) {
        let at_once = match class {
            ErrorClass::NotFound | ErrorClass::ContextOverflow | ErrorClass::ContentFilter => return,
            ErrorClass::RateLimit | ErrorClass::Overloaded | ErrorClass::Auth => true,
            ErrorClass::Timeout | ErrorClass::Connection | ErrorClass::ServerError => false,
        };
        let in_row = target.state.failed(now);
        if !self.cool_down.enabled {
            return;
        }
        let most = Duration::from_secs(self.cool_down.max_seconds);
        let usual = Duration::from_secs(self.cool_down.seconds);
        if at_once || retry_after.is_some() || in_row >= self.cool_down.failures {
            target
                .state
                .cool_down(now + retry_after.unwrap_or(usual).min(most));
        }
    }

    /// What is known at the end: a stream that broke, and the id of an answer that can be gone on with.
    pub(super) fn settled(&self, cx: &mut Context) {
        let Some(ai) = cx.ai.as_deref() else { return };
        let Some(target) = self.targets.get(ai.picked.index) else {
            return;
        };
        let (ended, id, signatures) = ai
            .progress
            .read(|state| (state.ended, state.response_id.clone(), state.signatures.clone()));
        if ended == Ended::UpstreamCut {
            self.learn_failure(target, ErrorClass::Connection, None, Instant::now());
        }
        if id.is_some() || !signatures.is_empty() {
            let (owner, made_by, now) = (pick::owner(cx), self.maker_key(ai.picked.index), Instant::now());
            let marks = signatures.iter().map(|mark| makers::signature_id(mark));
            for id in id.as_deref().map(str::to_owned).into_iter().chain(marks) {
                cx.services.affinities.note(&owner, &id, &made_by, now);
            }
        }
        if let Some(routing) = cx.ai.as_deref_mut().and_then(|ai| ai.routing.as_deref_mut()) {
            routing.active = None;
        }
    }
}

fn note_failure(cx: &mut Context, target: &RoutedTarget, class: ErrorClass) {
    if let Some(routing) = cx.ai.as_deref_mut().and_then(|ai| ai.routing.as_deref_mut()) {
        routing.failed.push((target.name.clone(), class.name()));
    }
}

/// Names the model for a target whose name for it depends on the request. A target with a name of its own sets it
/// itself, and the one before may have left its own behind.
fn name_model(cx: &mut Context, target: &RoutedTarget, meant: &Text) -> Result<(), Box<Failure>> {
    let Some(ai) = cx.ai.as_deref() else {
        return Ok(());
    };
    let named = match &target.model {
        Some(pattern) if pattern.contains('*') => {
            let routing = ai.routing.as_deref();
            let captured = routing.and_then(|routing| routing.model.captured(meant));
            Text::from(pattern.replace('*', captured.unwrap_or(meant)))
        }
        Some(_) => return Ok(()),
        None => meant.clone(),
    };
    if ai.model == named {
        return Ok(());
    }
    let view = ai.request.as_ref().and_then(RequestView::object);
    let body = view.filter(|object| object.get("model").is_some()).map(|object| {
        let mut splice = Splice::new(object);
        splice.set("model", Value::from(&*named).to_string().into());
        splice.finish()
    });
    if let Some(body) = body {
        cx.replace_ai_body(body).map_err(|error| {
            let message = format!("could not parse JSON request body: {error}");
            Box::new(refusals::failure(
                StatusCode::BAD_REQUEST,
                ErrorKind::InvalidRequest,
                "invalid_json",
                message,
            ))
        })?;
    }
    if let Some(ai) = cx.ai.as_deref_mut() {
        ai.model = named;
    }
    Ok(())
}

/// An attempt that took too long.
fn given_up(cx: &mut Context, ready: &Ready, trials: usize, started: Instant) -> Attempt {
    let ended = Some(Instant::now());
    if let Some(trial) = cx.attempts.get_mut(trials) {
        trial.ended = ended;
    } else if let Some((host, port)) = ready.target.endpoint() {
        cx.attempts.push(Trial {
            addr: Text::from(format!("{host}:{port}")),
            status: 504,
            started,
            ended,
        });
    }
    let failure = Failure::new(
        StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Timeout,
        "provider_timeout",
        "the provider did not answer in time",
    );
    failure.upstream(Retry::NextTarget).into()
}

fn verdict(attempt: Attempt) -> Verdict {
    match attempt {
        Attempt::Answered(reply) => Verdict::Reply(reply),
        Attempt::Failed(failure) => Verdict::Fail(failure),
    }
}
