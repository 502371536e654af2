//! The log of requests.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use sluice_ledger::{Entry, Filter, LedgerError, Seq};
use sluice_llm::Usage;
use sluice_record::{Cost, Payload, PayloadPart, RequestId};

use super::names::{self, ClientNames};
use super::{DAY_US, export, filter, ledger};
use crate::api::Api;
use crate::v1::call::{csv, ok};
use crate::v1::{ApiError, Call, Route, route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        route!(GET "/requests", Viewer, "The log of requests, newest first", list),
        route!(GET "/requests.csv", Viewer, "The log of requests as CSV", download),
        route!(GET "/requests/{id}", Viewer, "A request", get),
    ]
}

async fn list(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let filter = filter::of(&api, &call).await?;
    let after = after(&call)?;
    let page = ledger(&api)?.records(&filter, after, call.limit()?).await?;
    let names = names::of(&api).await;
    let items: Vec<Value> = page.records.iter().map(|entry| row(entry, &names)).collect();
    Ok(ok(
        &json!({ "items": items, "next": page.next.map(|seq| seq.0.to_string()) }),
    ))
}

fn after(call: &Call) -> Result<Option<Seq>, ApiError> {
    let wrong = |_| ApiError::field("after", "this is no cursor of ours");
    call.text("after")
        .map(|text| text.parse().map(Seq).map_err(wrong))
        .transpose()
}

/// The columns of a download: members of a row.
const COLUMNS: [&str; 26] = [
    "started_at",
    "id",
    "status",
    "ended",
    "error",
    "method",
    "path",
    "client",
    "client_name",
    "group",
    "credential",
    "route",
    "provider",
    "instance",
    "model_asked",
    "model",
    "stream",
    "input_tokens",
    "output_tokens",
    "cost_micro_usd",
    "unpriced",
    "cache",
    "tries",
    "duration_ms",
    "ttft_ms",
    "address",
];

/// Where a download is.
struct Download {
    api: Arc<Api>,
    filter: Filter,
    names: Arc<ClientNames>,
    after: Option<Seq>,
}

/// A page at a time, as the reader takes them: however long the log is, little of it is in memory.
async fn download(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let filter = filter::of(&api, &call).await?;
    let names = names::of(&api).await;
    ledger(&api)?;
    let download = Download {
        api,
        filter,
        names,
        after: None,
    };
    let head = stream::once(std::future::ready(Ok(export::line(COLUMNS))));
    let pages = stream::unfold(Some(download), |state| async {
        let mut download = state?;
        match download.page().await {
            Ok((text, true)) => Some((Ok(text), Some(download))),
            Ok((text, false)) => Some((Ok(text), None)),
            // The connection breaks off, so that nobody takes the part for the whole.
            Err(error) => Some((Err(std::io::Error::other(error.to_string())), None)),
        }
    });
    Ok(csv("requests.csv", Body::from_stream(head.chain(pages))))
}

impl Download {
    /// The lines of a page, and whether there are more.
    async fn page(&mut self) -> Result<(String, bool), LedgerError> {
        let ledger = self.api.state.ledger.as_ref().ok_or(LedgerError::Unavailable)?;
        let page = ledger.records(&self.filter, self.after, 500).await?;
        let lines = page.records.iter().map(|entry| {
            let row = row(entry, &self.names);
            export::line(COLUMNS.map(|member| export::cell(&row[member])))
        });
        let text = lines.collect();
        self.after = page.next;
        Ok((text, self.after.is_some()))
    }
}

async fn get(api: Arc<Api>, call: Call) -> Result<Response, ApiError> {
    let absent = || ApiError::not_found("there is no such request; records may take a second to be written");
    let digits = call.param("id").replace('-', "");
    let id = u128::from_str_radix(&digits, 16).map_err(|_| absent())?;
    let entry = ledger(&api)?.record(RequestId(id)).await?.ok_or_else(absent)?;
    let names = names::of(&api).await;
    let mut shown = detail(&entry, &names);
    if entry.detail.payload {
        let payload = ledger(&api)?.payload(entry.seq).await?;
        shown["payload"] = payload.map_or(Value::Null, |payload| shown_payload(&payload, &entry, &api));
    }
    Ok(ok(&shown))
}

/// A UUID as people write it.
fn uuid(id: RequestId) -> String {
    let hex = format!("{:032x}", id.0);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

fn tokens(usage: &Usage) -> (u64, u64) {
    (usage.total_input(), usage.total_output())
}

/// A request as lists show it.
pub(in crate::v1) fn row(entry: &Entry, names: &ClientNames) -> Value {
    let series = &entry.series;
    let detail = &entry.detail;
    let (input, output) = tokens(&entry.usage);
    let cost = match entry.cost {
        Cost::MicroUsd(micros) => Some(micros),
        Cost::Unpriced => None,
    };
    let is_ai = series.protocol.is_some();
    let generating = entry.duration_us - entry.ttft_us.unwrap_or_default();
    let speed = (output > 0 && generating > 0).then(|| per_second(output, generating));
    json!({
        "id": uuid(entry.id),
        "started_at": entry.started_us / 1000,
        "duration_ms": entry.duration_us / 1000,
        "ttft_ms": entry.ttft_us.map(|us| us / 1000),
        "status": entry.status,
        "ended": detail.ended.as_deref().unwrap_or("complete"),
        "error": detail.error,
        "method": detail.method.as_deref().unwrap_or("POST"),
        "path": detail.uri.as_deref().or(series.endpoint.as_deref()),
        "client": series.consumer,
        "client_name": series.consumer.as_deref().map(|id| names.name(id)),
        "group": series.consumer_group,
        "credential": series.credential,
        "route": series.route,
        "protocol": series.protocol,
        "provider": series.provider,
        "instance": series.instance,
        "model_asked": detail.model_asked.as_deref().or(series.model.as_deref()),
        "model": series.model,
        "stream": detail.stream,
        "input_tokens": input,
        "output_tokens": output,
        "cost_micro_usd": cost,
        "unpriced": is_ai && cost.is_none() && input + output > 0,
        "provenance": detail.provenance.as_deref().unwrap_or("reported"),
        "cache": detail.cache,
        "tool_calls": detail.tool_calls,
        "tools": detail.tools,
        "tries": detail.attempts.len().max(1),
        "tokens_per_second": speed,
        "has_payload": detail.payload,
        "address": detail.client,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_second(tokens: u64, us: i64) -> f64 {
    (tokens as f64 * 1e7 / us as f64).round() / 10.0
}

fn detail(entry: &Entry, names: &ClientNames) -> Value {
    let own = &entry.detail;
    let usage = &entry.usage;
    let mut shown = row(entry, names);
    shown["usage"] = Usage::BUCKETS
        .into_iter()
        .zip(usage.buckets())
        .map(|(name, count)| (name.to_owned(), count.into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    shown["price"] = own.price.as_ref().map_or(Value::Null, |price| {
        let source = if price.configured { "configured" } else { "table" };
        json!({ "state": "priced", "source": source, "rates": { "input": price.input, "output": price.output } })
    });
    let attempt = |attempt: &sluice_ledger::DetailAttempt<'_>| json!({ "addr": attempt.addr, "status": attempt.status, "time_ms": attempt.time_us / 1000 });
    shown["attempts"] = own.attempts.iter().map(attempt).collect();
    shown["routing"] = json!(own.routing);
    let hit = |hit: &sluice_ledger::DetailGuardHit<'_>| json!({ "rule": hit.rule, "action": hit.action, "direction": hit.direction, "count": hit.count });
    shown["guard"] = own.guard.iter().flatten().map(hit).collect();
    shown["user_agent"] = json!(own.user_agent);
    shown["end_user"] = json!(own.end_user);
    shown["request_bytes"] = own.request_bytes.into();
    shown["response_bytes"] = own.response_bytes.into();
    shown["timeline"] = timeline(entry);
    shown["payload"] = Value::Null;
    shown
}

fn shown_payload(payload: &Payload, entry: &Entry, api: &Api) -> Value {
    let part = |part: &PayloadPart| {
        json!({
            "headers": part.headers,
            "body": part.body,
            "truncated": part.truncated,
            "encoding": if part.base64 { "base64" } else { "utf8" },
        })
    };
    let days = i64::from(api.state.options.payload_days) + 1;
    let kept_until = (entry.seq.0.div_euclid(DAY_US) + days) * DAY_US;
    json!({
        "client_request": part(&payload.client_request),
        "upstream_request": payload.upstream_request.as_ref().map(part),
        "response": payload.response.as_ref().map(part),
        "kept_until": kept_until / 1000,
    })
}

/// What happened when, counted from the start.
fn timeline(entry: &Entry) -> Value {
    let mut steps = vec![json!({ "name": "received", "at_ms": 0 })];
    if let Some(first) = entry.ttft_us {
        steps.push(json!({ "name": "first token", "at_ms": first / 1000 }));
    }
    let upstream = entry.detail.upstream_us / 1000;
    if upstream > 0 {
        steps.push(json!({ "name": "upstream done", "at_ms": upstream }));
    }
    steps.push(json!({ "name": "answered", "at_ms": entry.duration_us / 1000 }));
    steps.into()
}
