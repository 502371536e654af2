//! Usage and cost, by whatever one likes.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sluice_ledger::{Dimension, Filter, GroupBy, Period, Totals, UsageKey, UsageRow};
use sluice_limit::Zone;

use super::names::{self, ClientNames};
use super::{HOUR_US, calendar, export, filter, ledger, overview, shown};
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
        "none" | "" | "tag" => None,
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
            let known = "client, group, tag, credential, route, endpoint, protocol, provider, instance, model, status, none";
            return Err(ApiError::field("by", format!("one of {known} is wanted")));
        }
    };
    let period = match call.query.get("period").unwrap_or("none") {
        "none" | "" => Period::Whole,
        "hour" => Period::Hour,
        "day" => Period::Day,
        "month" => Period::Month,
        _ => {
            return Err(ApiError::field(
                "period",
                "one of hour, day, month, none is wanted",
            ));
        }
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

fn row(row: &UsageRow, group: GroupBy, names: &ClientNames) -> Value {
    let name = match group.dimension {
        Some(Dimension::Consumer) => names.name(&row.key.name),
        _ => row.key.name.as_str(),
    };
    json!({
        "key": row.key.name,
        "name": name,
        "at": (group.period != Period::Whole).then_some(row.key.period_us / 1000),
        "totals": shown(&row.totals),
    })
}

async fn usage(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let filter = filter::of(&api, &call).await?;
    let by_tag = call.query.get("by") == Some("tag");
    let limit = u32::try_from(call.number("limit")?.unwrap_or(1000).clamp(1, 10_000)).unwrap_or(10_000);
    let names = names::of(&api).await;
    let (group, zone) = (group(&call)?, calendar::zone(&call)?);
    let after = call.text("after").map(|text| key_of(&text)).transpose()?;
    let (rows, next) = match by_tag {
        true => (tags(&api, &filter, group.period, zone, &names).await?, None),
        false => page(&api, &filter, group, zone, after.as_ref(), limit).await?,
    };
    let shown_rows =
        |rows: &[UsageRow]| -> Value { rows.iter().map(|own| row(own, group, &names)).collect() };
    let mut answer = json!({
        "rows": shown_rows(&rows),
        "totals": shown(&total(&api, &filter).await?),
        "next": next,
    });
    if call.query.get("compare") == Some("true") {
        let previous = before(&filter);
        let (rows, _) = match by_tag {
            true => (tags(&api, &previous, group.period, zone, &names).await?, None),
            false => page(&api, &previous, group, zone, None, limit).await?,
        };
        answer["previous"] = shown_rows(&rows);
        answer["previous_totals"] = shown(&total(&api, &previous).await?);
    }
    Ok(ok(&answer))
}

async fn page(
    api: &Api,
    filter: &Filter,
    group: GroupBy,
    zone: Option<Zone>,
    after: Option<&UsageKey>,
    limit: u32,
) -> Result<(Vec<UsageRow>, Option<String>), ApiError> {
    let rows = rows(api, filter, group, zone, after, limit).await?;
    let last = rows.last().filter(|_| rows.len() == limit as usize);
    let next = last.map(|row| cursor(&row.key));
    Ok((rows, next))
}

/// Rows of a report: by days and months of the zone, or of UTC.
async fn rows(
    api: &Api,
    filter: &Filter,
    group: GroupBy,
    zone: Option<Zone>,
    after: Option<&UsageKey>,
    limit: u32,
) -> Result<Vec<UsageRow>, ApiError> {
    match zone.filter(|_| matches!(group.period, Period::Day | Period::Month)) {
        Some(zone) => calendar::usage(api, filter, group, zone, after, limit).await,
        None => Ok(ledger(api)?.usage(filter, group, after, limit).await?),
    }
}

/// Usage by tag: a client with several tags counts for each of them.
async fn tags(
    api: &Api,
    filter: &Filter,
    period: Period,
    zone: Option<Zone>,
    names: &ClientNames,
) -> Result<Vec<UsageRow>, ApiError> {
    let mut rows = Vec::new();
    for (tag, clients) in names.tags() {
        let wanted = |id: &&String| filter.consumer.is_empty() || filter.consumer.contains(id);
        let consumer: Vec<String> = clients.iter().filter(wanted).cloned().collect();
        if consumer.is_empty() {
            continue;
        }
        let filter = Filter {
            consumer,
            ..filter.clone()
        };
        let group = GroupBy {
            period,
            dimension: None,
        };
        for mut row in self::rows(api, &filter, group, zone, None, 10_000).await? {
            tag.clone_into(&mut row.key.name);
            rows.push(row);
        }
    }
    rows.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(rows)
}

/// The sum of everything that fits.
pub(super) async fn total(api: &Api, filter: &Filter) -> Result<Totals, ApiError> {
    let rows = ledger(api)?.usage(filter, GroupBy::default(), None, 1).await?;
    Ok(rows.into_iter().next().map(|row| row.totals).unwrap_or_default())
}

/// The same length of time, just before; reports are of full hours. Nothing is before a time without a beginning.
pub(super) fn before(filter: &Filter) -> Filter {
    let Some(since) = filter.since_us else {
        return Filter {
            until_us: Some(i64::MIN),
            ..filter.clone()
        };
    };
    let begin = since - since.rem_euclid(HOUR_US);
    let until = filter.until_us.unwrap_or_else(overview::now_us);
    let length = (until - begin).max(0).saturating_add(HOUR_US - 1) / HOUR_US * HOUR_US;
    Filter {
        since_us: Some(begin.saturating_sub(length)),
        until_us: Some(begin),
        ..filter.clone()
    }
}

/// The columns of a download beside time and names: members of the totals.
const SUMS: [&str; 8] = [
    "requests",
    "errors",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cost_micro_usd",
    "unpriced_requests",
    "cache_hits",
];

/// Rows of a page of a download.
const ROWS: u32 = 2000;

/// Where a download is.
struct Download {
    api: Arc<Api>,
    filter: Filter,
    group: GroupBy,
    zone: Option<Zone>,
    names: Arc<ClientNames>,
    after: Option<UsageKey>,
}

/// A page at a time, as the reader takes them.
async fn download(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let filter = filter::of(&api, &call).await?;
    let names = names::of(&api).await;
    let (group, zone) = (group(&call)?, calendar::zone(&call)?);
    ledger(&api)?;
    let head = format!("at,key,name,{}\r\n", SUMS.join(","));
    if call.query.get("by") == Some("tag") {
        let rows = tags(&api, &filter, group.period, zone, &names).await?;
        let lines: String = rows.iter().map(|own| line(own, group, &names)).collect();
        return Ok(csv("usage.csv", head + &lines));
    }
    let download = Download {
        api,
        filter,
        group,
        zone,
        names,
        after: None,
    };
    let pages = stream::unfold(Some(download), |state| async {
        let mut download = state?;
        match download.page().await {
            Ok((text, true)) => Some((Ok(text), Some(download))),
            Ok((text, false)) => Some((Ok(text), None)),
            // The connection breaks off, so that nobody takes the part for the whole.
            Err(error) => Some((Err(std::io::Error::other(error.message().to_owned())), None)),
        }
    });
    let head = stream::once(std::future::ready(Ok(head)));
    Ok(csv("usage.csv", Body::from_stream(head.chain(pages))))
}

impl Download {
    /// The lines of a page, and whether there are more.
    async fn page(&mut self) -> Result<(String, bool), ApiError> {
        let after = self.after.as_ref();
        let rows = rows(&self.api, &self.filter, self.group, self.zone, after, ROWS).await?;
        let text = rows
            .iter()
            .map(|own| line(own, self.group, &self.names))
            .collect();
        let more = rows.len() == ROWS as usize;
        self.after = rows.into_iter().next_back().map(|row| row.key);
        Ok((text, more))
    }
}

fn line(own: &UsageRow, group: GroupBy, names: &ClientNames) -> String {
    let row = row(own, group, names);
    let [a, b, c, d, e, f, g, h] = SUMS.map(|sum| export::cell(&row["totals"][sum]));
    let [at, key, name] = ["at", "key", "name"].map(|member| export::cell(&row[member]));
    export::line([at, key, name, a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_has_no_hour_in_common() {
        let of = |since: Option<i64>, until: i64| {
            let filter = Filter {
                since_us: since,
                until_us: Some(until),
                ..Filter::default()
            };
            let before = before(&filter);
            (before.since_us, before.until_us)
        };
        let hour = HOUR_US;
        assert_eq!(of(Some(10 * hour), 12 * hour), (Some(8 * hour), Some(10 * hour)));
        assert_eq!(
            of(Some(10 * hour + 5), 12 * hour + 5),
            (Some(7 * hour), Some(10 * hour))
        );
        assert_eq!(of(None, 12 * hour), (None, Some(i64::MIN)));
    }
}
