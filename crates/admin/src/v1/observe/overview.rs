//! The first page: how everything is going.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};
use sluice_ledger::{Dimension, Filter, GroupBy, Period, UsageRow};
use sluice_resource::Kind;

use super::{DAY_US, HOUR_US, filter, ledger, live, names, shown, usage};
use crate::api::Api;
use crate::v1::call::ok;
use crate::v1::{ApiError, Call, Route, route};

/// Rows of a list of the most.
const TOP: usize = 8;

pub(super) fn routes() -> Vec<Route> {
    vec![route!(GET "/overview", Viewer, "Sums, series and the busiest of a time", overview)]
}

async fn overview(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let mut filter = filter::of(&api, &call).await?;
    let now = now_us();
    let since = *filter.since_us.get_or_insert(now - 24 * HOUR_US);
    let until = filter.until_us.unwrap_or(now);
    let period = if until - since > 72 * HOUR_US {
        Period::Day
    } else {
        Period::Hour
    };
    let series = ledger(&api)?
        .usage(
            &filter,
            GroupBy {
                period,
                dimension: None,
            },
            None,
            2000,
        )
        .await?;
    let point = |row: &UsageRow| {
        let mut point = shown(&row.totals);
        point["at"] = (row.key.period_us / 1000).into();
        point
    };
    let names = names::of(&api).await;
    let report = api.state.data_plane.report();
    let clients = api.all(Kind::Consumer).await?.len();
    Ok(ok(&json!({
        "now": tiles(&api, &filter).await?,
        "previous": tiles(&api, &usage::before(&filter)).await?,
        "live": live::tiles(&api),
        "clients_total": clients,
        "interval_ms": if period == Period::Day { 86_400_000 } else { 3_600_000 },
        "series": series.iter().map(point).collect::<Vec<_>>(),
        "top_models": shown_top(&top(&api, &filter, Dimension::Model).await?, |id| id.to_owned()),
        "top_clients": shown_top(&top(&api, &filter, Dimension::Consumer).await?, |id| names.name(id).to_owned()),
        "top_groups": shown_top(&top(&api, &filter, Dimension::ConsumerGroup).await?, |id| id.to_owned()),
        "providers": providers(&api, &filter).await?,
        "problems": report.problems.iter().map(|(key, text)| json!({ "key": key, "message": text })).collect::<Vec<_>>(),
        "revision": report.revision,
    })))
}

/// Sums and how long requests took.
async fn tiles(api: &Api, filter: &Filter) -> Result<Value, ApiError> {
    let mut tiles = shown(&usage::total(api, filter).await?);
    let latency = ledger(api)?.latency(filter).await?;
    for (name, us) in [
        ("latency_p50_ms", latency.p50_us),
        ("latency_p95_ms", latency.p95_us),
        ("latency_p99_ms", latency.p99_us),
        ("ttft_p50_ms", latency.ttft_p50_us),
    ] {
        tiles[name] = json!(us.map(|us| us / 1000));
    }
    Ok(tiles)
}

/// Microseconds since the Unix epoch.
pub(super) fn now_us() -> i64 {
    i64::try_from(crate::v1::session::now())
        .unwrap_or(i64::MAX)
        .saturating_mul(1000)
}

/// Start of the running day, in UTC.
pub(super) fn today_us() -> i64 {
    let now = now_us();
    now - now.rem_euclid(DAY_US)
}

/// The names with most requests; those without a name are nobody.
async fn top(api: &Api, filter: &Filter, dimension: Dimension) -> Result<Vec<UsageRow>, ApiError> {
    let group = GroupBy {
        period: Period::Whole,
        dimension: Some(dimension),
    };
    let mut rows = ledger(api)?.usage(filter, group, None, 10_000).await?;
    rows.retain(|row| !row.key.name.is_empty());
    rows.sort_by_key(|row| std::cmp::Reverse(row.totals.requests));
    rows.truncate(TOP);
    Ok(rows)
}

fn shown_top(rows: &[UsageRow], name: impl Fn(&str) -> String) -> Value {
    rows.iter()
        .map(|row| {
            json!({
                "id": row.key.name,
                "name": name(&row.key.name),
                "requests": row.totals.requests,
                "tokens": row.totals.usage.total(),
                "cost_micro_usd": row.totals.cost_micros,
                "errors": row.totals.errors,
            })
        })
        .collect()
}

/// Providers of the registry, with what the ledger says of their kind, and those that stand on clients and routes
/// themselves, with what it says of the instance.
pub(super) async fn providers(api: &Api, filter: &Filter) -> Result<Value, ApiError> {
    let rows = match api.state.ledger {
        Some(_) => top(api, filter, Dimension::Provider).await?,
        None => Vec::new(),
    };
    let instances = match api.state.ledger {
        Some(_) => top(api, filter, Dimension::Instance).await?,
        None => Vec::new(),
    };
    let all = api.all(Kind::Provider).await?;
    let registered = all.into_iter().map(|(key, item)| {
        let kind = item.value["type"].as_str().unwrap_or_default().to_owned();
        let totals = rows
            .iter()
            .find(|row| row.key.name == kind)
            .map(|row| row.totals)
            .unwrap_or_default();
        let health = api.state.providers.health(key.id());
        json!({
            "id": key.id(),
            "type": kind,
            "registered": true,
            "health": health.state,
            "latency_ms": health.latency_ms,
            "requests": totals.requests,
            "errors": totals.errors,
        })
    });
    let own = api.state.providers.own_targets().into_iter();
    let own = own.map(|(name, health)| {
        let row = instances.iter().find(|row| row.key.name == name);
        let totals = row.map(|row| row.totals).unwrap_or_default();
        json!({
            "id": name,
            "type": name.trim_start_matches("ai-proxy-"),
            "registered": false,
            "health": health.state,
            "latency_ms": health.latency_ms,
            "requests": totals.requests,
            "errors": totals.errors,
        })
    });
    Ok(registered.chain(own).collect())
}
