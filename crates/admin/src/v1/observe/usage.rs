//! Usage and cost, by whatever one likes.

use std::sync::Arc;

use axum::response::Response;
use serde_json::{Value, json};
use sluice_ledger::{Dimension, Filter, GroupBy, Period, Totals, UsageKey, UsageRow};

use super::{export, filter, ledger, shown};
use crate::api::Api;
use crate::v1::call::{csv, ok};
use crate::v1::{ApiError, Call, Route, route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/usage", Viewer, "Usage and cost by client, group, model, provider, … and time", usage),
        route!(GET "/usage.csv", Viewer, "The same as CSV", download),
    ]
}

/// What a query groups by.
fn group(call: &Call) -> Result<GroupBy, ApiError> {
    let dimension = match call.query.get("by").unwrap_or("none") {
        "none" | "" => None,
        "client" => Some(Dimension::Consumer),
        "group" => Some(Dimension::ConsumerGroup),
        "credential" => Some(Dimension::Credential),
        "route" => Some(Dimension::Route),
        "endpoint" => Some(Dimension::Endpoint),
        "protocol" => Some(Dimension::Protocol),
        "provider" => Some(Dimension::Provider),
        "instance" => Some(Dimension::Instance),
        "model" => Some(Dimension::Model),
        "status" => Some(Dimension::StatusClass),
        _ => {
            let known = "client, group, credential, route, endpoint, protocol, provider, instance, model, status, none";
            return Err(ApiError::field("by", format!("one of {known} is wanted")));
        }
    };
    let period = match call.query.get("period").unwrap_or("none") {
        "none" | "" => Period::Whole,
        "hour" => Period::Hour,
        "day" => Period::Day,
        _ => return Err(ApiError::field("period", "one of hour, day, none is wanted")),
    };
    Ok(GroupBy { period, dimension })
}

/// `1700000000000000:name`.
fn cursor(key: &UsageKey) -> String {
    format!("{}:{}", key.period_us, key.name)
}

fn key_of(text: &str) -> Result<UsageKey, ApiError> {
    let wrong = || ApiError::field("after", "this is no cursor of ours");
    let (period, name) = text.split_once(':').ok_or_else(wrong)?;
    Ok(UsageKey {
        period_us: period.parse().map_err(|_| wrong())?,
        name: name.to_owned(),
    })
}

fn row(row: &UsageRow, period: Period) -> Value {
    json!({
        "key": row.key.name,
        "name": row.key.name,
        "at": (period != Period::Whole).then_some(row.key.period_us / 1000),
        "totals": shown(&row.totals),
    })
}

async fn usage(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let (filter, group) = (filter::of(&call)?, group(&call)?);
    let after = call.text("after").map(|text| key_of(&text)).transpose()?;
    let limit = u32::try_from(call.number("limit")?.unwrap_or(1000).clamp(1, 10_000)).unwrap_or(10_000);
    let ledger = ledger(&api)?;
    let rows = ledger.usage(&filter, group, after.as_ref(), limit).await?;
    let next = rows
        .last()
        .filter(|_| rows.len() == limit as usize)
        .map(|row| cursor(&row.key));
    let mut answer = json!({
        "rows": rows.iter().map(|own| row(own, group.period)).collect::<Vec<_>>(),
        "totals": shown(&total(&api, &filter).await?),
        "next": next,
    });
    if call.query.get("compare") == Some("true") {
        let previous = before(&filter);
        let rows = ledger.usage(&previous, group, None, limit).await?;
        answer["previous"] = rows.iter().map(|own| row(own, group.period)).collect();
        answer["previous_totals"] = shown(&total(&api, &previous).await?);
    }
    Ok(ok(&answer))
}

/// The sum of everything that fits.
pub(super) async fn total(api: &Api, filter: &Filter) -> Result<Totals, ApiError> {
    let rows = ledger(api)?.usage(filter, GroupBy::default(), None, 1).await?;
    Ok(rows.into_iter().next().map(|row| row.totals).unwrap_or_default())
}

/// The same length of time, just before.
pub(super) fn before(filter: &Filter) -> Filter {
    let now = i64::try_from(crate::v1::session::now())
        .unwrap_or(i64::MAX)
        .saturating_mul(1000);
    let until = filter.until_us.unwrap_or(now);
    let since = filter.since_us.unwrap_or(until);
    Filter {
        since_us: Some(since - (until - since)),
        until_us: Some(since),
        ..filter.clone()
    }
}

async fn download(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let (filter, group) = (filter::of(&call)?, group(&call)?);
    let rows = ledger(&api)?.usage(&filter, group, None, 10_000).await?;
    let mut text = export::line([
        "at",
        "name",
        "requests",
        "errors",
        "input_tokens",
        "output_tokens",
        "cost_micro_usd",
        "unpriced_requests",
    ]);
    for own in &rows {
        let shown = shown(&own.totals);
        let cell = |member: &str| shown[member].to_string();
        let at = if group.period == Period::Whole {
            String::new()
        } else {
            (own.key.period_us / 1000).to_string()
        };
        text.push_str(&export::line([
            at,
            own.key.name.clone(),
            cell("requests"),
            cell("errors"),
            cell("input_tokens"),
            cell("output_tokens"),
            cell("cost_micro_usd"),
            cell("unpriced_requests"),
        ]));
    }
    Ok(csv("usage.csv", text))
}
