//! What happens and what happened: overview, requests, usage, caches, and live.

mod cache;
mod calendar;
mod export;
mod filter;
mod live;
mod names;
mod overview;
mod queues;
mod requests;
mod usage;

use std::collections::HashMap;

use serde_json::{Value, json};
use sluice_ledger::{Dimension, Filter, GroupBy, LedgerError, LedgerReader, Period, Totals};

use super::{ApiError, Route, session};
use crate::api::Api;

pub(crate) use self::live::MAX_SOCKETS;
pub(crate) use self::names::NamesCache;

pub(super) fn routes() -> Vec<Route> {
    [
        overview::routes(),
        queues::routes(),
        requests::routes(),
        usage::routes(),
        cache::routes(),
        live::routes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Microseconds of an hour, and of a day.
const HOUR_US: i64 = 3_600_000_000;
const DAY_US: i64 = 24 * HOUR_US;

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        tracing::error!(%error, "the ledger cannot be read");
        Self::unavailable("the records of requests cannot be read at the moment")
    }
}

fn ledger(api: &Api) -> Result<&LedgerReader, ApiError> {
    let none = || ApiError::unavailable("requests are not recorded: the ledger is off (ledger.enabled)");
    api.state.ledger.as_ref().ok_or_else(none)
}

fn shown(totals: &Totals) -> Value {
    let usage = &totals.usage;
    json!({
        "requests": totals.requests,
        "errors": totals.errors,
        "input_tokens": usage.total_input(),
        "output_tokens": usage.total_output(),
        "cache_read_tokens": usage.cache_read,
        "cost_micro_usd": totals.cost_micros,
        "unpriced_requests": totals.unpriced,
        "cache_hits": totals.cache.hits(),
        "duration_ms": totals.duration_us / 1000,
    })
}

/// A line of CSV.
pub(super) fn csv_line<const N: usize>(cells: [String; N]) -> String {
    export::line(cells)
}

/// What a client used, and its latest requests.
pub(super) struct Used {
    pub(super) today: Value,
    pub(super) month: Value,
    pub(super) requests: Vec<Value>,
}

/// What a client used today and in 30 days, and its latest requests. Nothing where no records are kept.
pub(super) async fn of_client(api: &Api, client: &str) -> Result<Used, ApiError> {
    if api.state.ledger.is_none() {
        let nothing = shown(&Totals::default());
        return Ok(Used {
            today: nothing.clone(),
            month: nothing,
            requests: Vec::new(),
        });
    }
    let now = i64::try_from(session::now())
        .unwrap_or(i64::MAX)
        .saturating_mul(1000);
    let since = |since: i64| Filter {
        since_us: Some(since),
        consumer: vec![client.to_owned()],
        ..Filter::default()
    };
    let today = usage::total(api, &since(now - now.rem_euclid(24 * HOUR_US))).await?;
    let month = usage::total(api, &since(now - 30 * 24 * HOUR_US)).await?;
    let names = names::of(api).await;
    let page = ledger(api)?
        .records(&since(now - 30 * 24 * HOUR_US), None, 20)
        .await?;
    Ok(Used {
        today: shown(&today),
        month: shown(&month),
        requests: page
            .records
            .iter()
            .map(|entry| requests::row(entry, &names))
            .collect(),
    })
}

/// Sums by name over the running day, in UTC.
pub(super) struct Today(HashMap<String, Totals>);

impl Today {
    /// Nothing where the ledger cannot be read: what is missing is a number on a page.
    pub(super) async fn by(api: &Api, dimension: Dimension) -> Self {
        let Some(ledger) = &api.state.ledger else {
            return Self(HashMap::new());
        };
        let now = i64::try_from(session::now())
            .unwrap_or(i64::MAX)
            .saturating_mul(1000);
        let filter = Filter {
            since_us: Some(now - now.rem_euclid(24 * HOUR_US)),
            ..Filter::default()
        };
        let group = GroupBy {
            period: Period::Whole,
            dimension: Some(dimension),
        };
        let rows = ledger
            .usage(&filter, group, None, 10_000)
            .await
            .unwrap_or_default();
        Self(rows.into_iter().map(|row| (row.key.name, row.totals)).collect())
    }

    /// Requests and errors.
    pub(super) fn counts(&self, name: &str) -> (i64, i64) {
        self.0
            .get(name)
            .map_or((0, 0), |totals| (totals.requests, totals.errors))
    }
}
