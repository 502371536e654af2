//! Strategies that compare targets by what is known of them.

use std::time::Instant;

use sluice_core::{AiCall, Context};
use sluice_llm::{Price, RequestView, Usage};

use super::compile::{RoutedModel, RoutedTarget};
use super::pick::Choice;

/// A target's weight is moved at most by these factors, whatever is observed: a slow or dear one keeps a share, so that
/// it is seen when it gets better, and a fast or cheap one is not flooded.
const LATENCY: (f64, f64) = (0.25, 4.0);
const COST: (f64, f64) = (0.5, 2.0);
const ERRORS: (f64, f64) = (0.05, 1.0);

/// What prices are compared by where the request does not matter.
const TYPICAL: Usage = Usage {
    input: 4000,
    output: 1000,
    cache_read: 0,
    cache_write: 0,
    cache_write_1h: 0,
    audio_input: 0,
    image_input: 0,
    reasoning: 0,
    audio_output: 0,
    image_output: 0,
    searches: 0,
    audio_ms: 0,
    at_batch_rates: false,
};

/// Tokens that an answer is taken to have where the request sets no limit.
const OUTPUT: u64 = 500;

fn streams(cx: &Context) -> bool {
    cx.ai.as_deref().is_some_and(|ai| ai.stream)
}

/// The one that begins to answer first. One that has not been seen comes first: else it never would be.
pub(super) fn least_latency(
    model: &RoutedModel,
    cx: &Context,
    members: &[usize],
    now: Instant,
) -> Option<Choice> {
    let stream = streams(cx);
    let latency = |index: &usize| model.targets[*index].state.view(stream, now).latency;
    let known: Vec<_> = members.iter().map(|index| (*index, latency(index))).collect();
    let (index, _) = known
        .iter()
        .min_by(|(_, a), (_, b)| a.unwrap_or(0.0).total_cmp(&b.unwrap_or(0.0)))?;
    let shown = known.iter().map(|(index, latency)| {
        let name = &model.targets[*index].name;
        match latency {
            Some(seconds) => format!("{name}:{:.0}ms", seconds * 1000.0),
            None => format!("{name}:-"),
        }
    });
    Some(Choice {
        index: *index,
        why: format!("strategy=least_latency latency={}", joined(shown)),
    })
}

/// The lowest (under way + 1) / weight; equals take turns.
pub(super) fn least_busy(model: &RoutedModel, members: &[usize], now: Instant) -> Option<Choice> {
    let load = |index: usize| {
        let target = &model.targets[index];
        let active = f64::from(target.state.view(false, now).active);
        (active + 1.0) / f64::from(target.weight.max(1))
    };
    let least = members.iter().map(|index| load(*index)).min_by(f64::total_cmp)?;
    let equals: Vec<(usize, f64)> = members
        .iter()
        .filter(|index| load(**index) <= least)
        .map(|index| (*index, 1.0))
        .collect();
    let index = model.turns.next(&equals)?;
    let shown = members.iter().map(|index| {
        let target = &model.targets[*index];
        format!("{}:{}", target.name, target.state.view(false, now).active)
    });
    Some(Choice {
        index,
        why: format!("strategy=least_busy active={}", joined(shown)),
    })
}

/// The cheapest for this request. Whoever has no price comes last.
pub(super) fn least_cost(model: &RoutedModel, cx: &Context, members: &[usize]) -> Option<Choice> {
    let ai = cx.ai.as_deref()?;
    let usage = expected(ai);
    let costs: Vec<(usize, Option<i64>)> = members
        .iter()
        .map(|index| (*index, cost(&model.targets[*index], cx, ai, &usage)))
        .collect();
    let (index, _) = costs.iter().min_by_key(|(_, cost)| cost.unwrap_or(i64::MAX))?;
    let shown = costs.iter().map(|(index, cost)| {
        let name = &model.targets[*index].name;
        match cost {
            Some(micros) => format!("{name}:{micros}"),
            None => format!("{name}:-"),
        }
    });
    Some(Choice {
        index: *index,
        why: format!("strategy=least_cost micro_usd={}", joined(shown)),
    })
}

/// Weights moved by latency, errors and price, in bounds.
pub(super) fn adaptive(model: &RoutedModel, cx: &Context, members: &[usize], now: Instant) -> Option<Choice> {
    let ai = cx.ai.as_deref()?;
    let stream = streams(cx);
    let seen: Vec<Seen> = members
        .iter()
        .map(|index| {
            let target = &model.targets[*index];
            let view = target.state.view(stream, now);
            Seen {
                weight: f64::from(target.weight.max(1)),
                latency: view.latency.filter(|latency| *latency > 0.0),
                error_rate: view.error_rate,
                #[expect(clippy::cast_precision_loss, reason = "prices are compared, not charged")]
                cost: cost(target, cx, ai, &TYPICAL).map(|micros| micros as f64),
            }
        })
        .collect();
    let weights: Vec<(usize, f64)> = members.iter().copied().zip(moved(&seen)).collect();
    let index = model.turns.next(&weights)?;
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let shown = weights
        .iter()
        .map(|(index, weight)| format!("{}:{:.2}", model.targets[*index].name, weight / total));
    Some(Choice {
        index,
        why: format!("strategy=adaptive shares={}", joined(shown)),
    })
}

/// What `adaptive` knows of a target.
struct Seen {
    weight: f64,
    latency: Option<f64>,
    error_rate: f64,
    cost: Option<f64>,
}

/// The weights as they stand after what was seen.
fn moved(seen: &[Seen]) -> Vec<f64> {
    let latency = mean(seen.iter().filter_map(|one| one.latency));
    let cost = mean(seen.iter().filter_map(|one| one.cost));
    // Better than the mean counts for more, unknown as the mean.
    let factor = |mean: Option<f64>, own: Option<f64>, (least, most): (f64, f64)| match (mean, own) {
        (Some(mean), Some(own)) if own > 0.0 => (mean / own).clamp(least, most),
        _ => 1.0,
    };
    seen.iter()
        .map(|one| {
            let sound = (1.0 - one.error_rate).powi(2).clamp(ERRORS.0, ERRORS.1);
            one.weight * factor(latency, one.latency, LATENCY) * factor(cost, one.cost, COST) * sound
        })
        .collect()
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// What a call would cost at a target: as configured, else by the shipped table.
fn cost(target: &RoutedTarget, cx: &Context, ai: &AiCall, usage: &Usage) -> Option<i64> {
    let configured: Option<&Price> = target.price.as_deref().or(target.listed.as_ref());
    let price = configured.or_else(|| {
        let provider = target.ready.as_ref()?.target.provider.name();
        cx.services.prices.find(provider, &ai.model)
    })?;
    Some(price.cost(usage))
}

/// The tokens that a request is taken to cost: an estimate from its size and its limit.
fn expected(ai: &AiCall) -> Usage {
    let request = ai.request.as_ref();
    let bytes = request.map_or(0, |request| request.bytes().len() as u64);
    let limit = |name: &str| {
        let object = request.and_then(RequestView::object)?;
        std::str::from_utf8(object.get(name)?.raw()).ok()?.parse().ok()
    };
    let most: Option<u64> = ["max_completion_tokens", "max_tokens", "max_output_tokens"]
        .into_iter()
        .find_map(limit);
    Usage {
        input: bytes / 4,
        output: most.map_or(OUTPUT, |most| most.min(OUTPUT)),
        ..Usage::default()
    }
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(weight: f64) -> Seen {
        Seen {
            weight,
            latency: None,
            error_rate: 0.0,
            cost: None,
        }
    }

    #[test]
    fn nothing_seen_moves_nothing() {
        assert_eq!(moved(&[seen(3.0), seen(1.0)]), [3.0, 1.0]);
    }

    #[test]
    fn what_is_seen_moves_weights_within_bounds() {
        let slow = Seen {
            latency: Some(1000.0),
            ..seen(1.0)
        };
        let fast = Seen {
            latency: Some(0.001),
            ..seen(1.0)
        };
        let weights = moved(&[slow, fast]);
        assert!((0.25..1.0).contains(&weights[0]), "{weights:?}");
        assert_eq!(weights[1], 4.0);

        let broken = Seen {
            error_rate: 1.0,
            ..seen(1.0)
        };
        assert_eq!(moved(&[broken, seen(1.0)]), [0.05, 1.0]);

        let dear = Seen {
            cost: Some(1e9),
            ..seen(1.0)
        };
        let cheap = Seen {
            cost: Some(1.0),
            ..seen(1.0)
        };
        let weights = moved(&[dear, cheap]);
        assert!((0.5..=1.0).contains(&weights[0]), "{weights:?}");
        assert_eq!(weights[1], 2.0);
    }
}
