//! Reserving: before a request is known, and once its model and size are.

use std::sync::Arc;

use sluice_core::{AiCall, Context, Failure, Growth, Hold, Holds, Measure, Place, Services, Subject};
use sluice_limit::{CounterKey, ReserveError};
use sluice_llm::{Operation, Price, Usage};
use sluice_record::Text;

use super::limit::Limit;
use super::party::{Party, parties};
use super::{AiLimits, NAME, headers, output_cap, refusal};

/// Tokens that an answer is thought to have where nothing is known of it, and the request asks for no length.
const UNSEEN_OUTPUT: u64 = 1024;

/// Most of what a request asks for that is held where nothing is known of such answers.
const UNSEEN_OUTPUT_MAX: u64 = 4096;

const MILLION: u64 = 1_000_000;

type Reserved<T> = Result<T, Box<Failure>>;

/// Limits that need no knowledge of the request: requests of any model, and those under way. Each scope once, however
/// often it is called.
pub(super) fn early(cx: &mut Context, parties: &[Party]) -> Reserved<()> {
    let services = cx.services.clone();
    let mut holds = cx.holds.take().unwrap_or_default();
    for party in parties {
        let subject = party.subject();
        let Some(own) = party.limits().filter(|_| !holds.met.contains(&subject.scope())) else {
            continue;
        };
        holds.met.push(subject.scope());
        own.take_place(&services, subject, &mut holds)?;
        for limit in own.limits.of_all_requests() {
            hold(&services, subject, limit, 1, Growth::default(), &mut holds)?;
        }
    }
    headers::set(&mut cx.response_headers, &holds);
    cx.holds = Some(holds);
    Ok(())
}

/// All others, and the caps of one request.
pub(super) fn late(cx: &mut Context) -> Reserved<()> {
    let parties = parties(cx);
    early(cx, &parties)?;
    cap_output(cx, &parties);
    let services = cx.services.clone();
    let mut holds = cx.holds.take().unwrap_or_default();
    if let Some(ai) = cx.ai.as_deref() {
        for party in &parties {
            if let Some(own) = party.limits() {
                own.hold_call(&services, party.subject(), ai, &mut holds)?;
            }
        }
    }
    holds.counts = true;
    headers::set(&mut cx.response_headers, &holds);
    cx.holds = Some(holds);
    Ok(())
}

/// Lowers how long an answer the request asks for to what all allow.
fn cap_output(cx: &mut Context, parties: &[Party]) {
    let caps = parties
        .iter()
        .filter_map(|party| party.limits()?.max_output_tokens);
    let (Some(most), Some(ai)) = (caps.min(), cx.ai.as_deref()) else {
        return;
    };
    let capped = ai
        .request
        .as_ref()
        .and_then(|request| output_cap::capped(request, ai.protocol, ai.picked.provider, most));
    // It was made of a body that can be read.
    if let Some(Err(error)) = capped.map(|body| cx.replace_ai_body(body)) {
        tracing::error!(%error, "the length of an answer could not be limited");
    }
}

fn hold(
    services: &Services,
    subject: Subject<'_>,
    limit: &Limit,
    amount: u64,
    growth: Growth,
    holds: &mut Holds,
) -> Reserved<()> {
    let budgets = &services.limits;
    match budgets.budgets.reserve(&limit.budget(subject), amount) {
        Ok(guard) => {
            let measure = limit.measure;
            holds.reserved.push(Hold {
                guard,
                measure,
                growth,
            });
            Ok(())
        }
        Err(ReserveError::Exhausted(standing)) => {
            budgets.refusals.count(subject.scope(), limit.name);
            Err(refusal::exhausted(subject, limit, standing))
        }
        Err(ReserveError::Full) => Err(refusal::full()),
    }
}

/// Micro-dollars of so many tokens.
fn money(price: &Price, input: u64, output: u64) -> u64 {
    let usage = Usage {
        input,
        output,
        ..Usage::default()
    };
    u64::try_from(price.cost(&usage)).unwrap_or_default()
}

/// What is known of a call before it is made.
struct Expected<'a> {
    ai: &'a AiCall,
    model: &'a Text,
    price: Option<&'a Price>,
}

impl AiLimits {
    fn take_place(&self, services: &Services, subject: Subject<'_>, holds: &mut Holds) -> Reserved<()> {
        let Some(most) = self.concurrency else {
            return Ok(());
        };
        let budgets = &services.limits;
        let key = concurrency_key(subject);
        match budgets.concurrency.enter(key, most) {
            Ok(Some(_)) => {
                let place = Place::new(Arc::clone(&budgets.concurrency), key);
                holds.places.push(place);
                Ok(())
            }
            Ok(None) => {
                budgets.refusals.count(subject.scope(), "concurrency");
                Err(refusal::busy(subject, most))
            }
            Err(_) => Err(refusal::full()),
        }
    }

    /// Limits on a call whose model and size are known.
    fn hold_call(
        &self,
        services: &Services,
        subject: Subject<'_>,
        ai: &AiCall,
        holds: &mut Holds,
    ) -> Reserved<()> {
        let model = ai.picked.model.as_ref().unwrap_or(&ai.model);
        if self.max_input_tokens.is_none() && self.limits.of_call(model).next().is_none() {
            return Ok(());
        }
        let own = ai.picked.price.as_deref();
        let expected = Expected {
            ai,
            model,
            price: own.or_else(|| services.prices.find(ai.picked.provider, model)),
        };
        let input = ai.request.as_ref().map_or(0, sluice_exchange::input_tokens);
        if let Some(most) = self.max_input_tokens.filter(|most| input > *most) {
            services
                .limits
                .refusals
                .count(subject.scope(), "max_input_tokens");
            return Err(refusal::too_long(input, most));
        }
        // Counting and looking things up costs no tokens.
        let costs = matches!(
            ai.protocol.operation(),
            Operation::Chat | Operation::Embed | Operation::Unknown
        ) || !model.is_empty() && ai.protocol.operation() == Operation::Relay;
        let mut output = None;
        for limit in self.limits.of_call(model) {
            let mut output =
                || *output.get_or_insert_with(|| self.output(services, subject, &expected, holds));
            let tokens = |base| Growth {
                base,
                per_million: MILLION,
            };
            let (amount, growth) = match limit.measure {
                Measure::Requests => (1, Growth::default()),
                _ if !costs => continue,
                Measure::Input => (input, Growth::default()),
                Measure::Output => (output(), tokens(0)),
                Measure::Tokens => (input.saturating_add(output()), tokens(input)),
                Measure::Money => {
                    let Some(price) = expected.price else {
                        services.limits.refusals.count(subject.scope(), limit.name);
                        return Err(refusal::unpriced(model));
                    };
                    let cost = |input, output| money(price, input, output);
                    let growth = Growth {
                        base: cost(input, 0),
                        per_million: cost(0, MILLION),
                    };
                    (cost(input, output()), growth)
                }
            };
            hold(services, subject, limit, amount.max(1), growth, holds)?;
        }
        Ok(())
    }

    /// How long the answer is thought to be: as answers to this caller and of this model were lately, and at most what
    /// is asked for.
    fn output(
        &self,
        services: &Services,
        subject: Subject<'_>,
        expected: &Expected<'_>,
        holds: &mut Holds,
    ) -> u64 {
        let Expected { ai, model, .. } = expected;
        if !ai.protocol.is_chat() {
            return 0;
        }
        let key = CounterKey::new(&["size", subject.scope(), subject.name(), model]);
        if !holds.sizes.contains(&key) {
            holds.sizes.push(key);
        }
        let asked = ai
            .request
            .as_ref()
            .and_then(|request| output_cap::asked(request, ai.protocol, ai.picked.provider));
        let unseen = asked.map_or(UNSEEN_OUTPUT, |asked| asked.min(UNSEEN_OUTPUT_MAX));
        services.limits.estimates.estimate(key, unseen, asked)
    }
}

/// Where requests under way are counted.
pub(super) fn concurrency_key(subject: Subject<'_>) -> CounterKey {
    CounterKey::new(&[NAME, subject.scope(), subject.name(), "concurrency"])
}
