//! What caches of answers do, and what they hold.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};
use sluice_ledger::{CacheTotals, Dimension, Filter, GroupBy, Period, UsageRow};
use sluice_resource::Kind;

use super::{HOUR_US, filter, ledger, overview, usage};
use crate::api::Api;
use crate::v1::call::ok;
use crate::v1::{ApiError, Call, Route, audit, route};

/// The plugin that caches answers.
const PLUGIN: &str = "ai-cache";

/// Entries that are listed.
const ENTRIES: usize = 100;

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/cache", Viewer, "What caches of answers do and hold", get),
        route!(DELETE "/cache", Admin, "Forget the answers kept in process", clear),
    ]
}

async fn get(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let mut filter = filter::of(&api, &call).await?;
    let now = overview::now_us();
    let since = *filter.since_us.get_or_insert(now - 24 * HOUR_US);
    let by_hour = filter.until_us.unwrap_or(now) - since <= 72 * HOUR_US;
    let period = if by_hour { Period::Hour } else { Period::Day };
    let totals = usage::total(&api, &filter).await?.cache;
    let group = GroupBy {
        period,
        dimension: None,
    };
    let series = ledger(&api)?.usage(&filter, group, None, 2000).await?;
    let point = |row: &UsageRow| {
        let cache = &row.totals.cache;
        json!({ "at": row.key.period_us / 1000, "hits": cache.hits(), "misses": cache.misses })
    };
    let (saved_tokens, saved_micros) = saved(&api, &filter).await?;
    let held = api.state.answers.held(ENTRIES);
    Ok(ok(&json!({
        "enabled_on": enabled_on(&api).await?,
        "hits": totals.hits(),
        "semantic_hits": totals.semantic,
        "misses": totals.misses,
        "bypasses": totals.bypasses,
        "hit_rate": hit_rate(&totals),
        "saved_tokens": saved_tokens,
        "saved_micro_usd": saved_micros,
        "interval_ms": if by_hour { HOUR_US / 1000 } else { 24 * HOUR_US / 1000 },
        "series": series.iter().map(point).collect::<Vec<_>>(),
        "entries": held.entries,
        "bytes": held.bytes,
        "items": held.items,
    })))
}

/// Of the requests that were looked up.
#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn hit_rate(totals: &CacheTotals) -> f64 {
    let asked = totals.hits() + totals.misses;
    if asked == 0 {
        0.0
    } else {
        totals.hits() as f64 / asked as f64
    }
}

/// Tokens and micro-dollars that hits have saved: what the answered requests of the same route cost on average.
async fn saved(api: &Api, filter: &Filter) -> Result<(i64, i64), ApiError> {
    let by_route = GroupBy {
        period: Period::Whole,
        dimension: Some(Dimension::Route),
    };
    let rows = ledger(api)?.usage(filter, by_route, None, 10_000).await?;
    let mut saved = (0_i64, 0_i64);
    for totals in rows.iter().map(|row| &row.totals) {
        let hits = totals.cache.hits();
        let paid = totals.requests - hits - totals.errors;
        if hits == 0 || paid <= 0 {
            continue;
        }
        let tokens = i64::try_from(totals.usage.total()).unwrap_or(i64::MAX);
        let each = |sum: i64| {
            i64::try_from(i128::from(sum) * i128::from(hits) / i128::from(paid)).unwrap_or(i64::MAX)
        };
        saved.0 = saved.0.saturating_add(each(tokens));
        saved.1 = saved.1.saturating_add(each(totals.cost_micros));
    }
    Ok(saved)
}

/// The resources whose answers are cached, as `kind/id`.
async fn enabled_on(api: &Api) -> Result<Vec<String>, ApiError> {
    let mut found = Vec::new();
    let kinds = [
        Kind::GlobalRule,
        Kind::Route,
        Kind::Service,
        Kind::PluginConfig,
        Kind::ConsumerGroup,
        Kind::Consumer,
    ];
    for kind in kinds {
        for (key, item) in api.all(kind).await? {
            let plugin = &item.value["plugins"][PLUGIN];
            let disabled = plugin["_meta"]["disable"].as_bool().unwrap_or_default();
            if plugin.is_object() && !disabled {
                found.push(format!("{}/{}", kind.info().directory, key.id()));
            }
        }
    }
    Ok(found)
}

async fn clear(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let removed = api.state.answers.clear();
    audit::note(
        &api,
        &call,
        "flush",
        "/cache".to_owned(),
        Value::Array(Vec::new()),
    )
    .await?;
    Ok(ok(&json!({ "removed": removed })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bypasses_are_no_misses() {
        let totals = CacheTotals {
            exact: 2,
            semantic: 1,
            misses: 1,
            bypasses: 7,
        };
        assert!((hit_rate(&totals) - 0.75).abs() < 1e-9);
        assert_eq!(hit_rate(&CacheTotals::default()), 0.0);
    }
}
