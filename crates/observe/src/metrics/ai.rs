//! What AI requests feed beside APISIX's families: aigateway's names (clients-and-groups §1.18) and our own.

use std::collections::HashSet;

use sluice_record::{AiRecord, Ended, Record};

use self::families::{BUCKETS, Families};
use super::family::{LazyId, overflowed_in_all, sweep_all};
use super::names::ModelLabels;
use super::tuples::Tuples;
use super::{Exposition, Kind, MetricsConfig, MetricsError, OVERFLOW};

mod families;

/// Seconds for which a client counts as active after a request.
const ACTIVE_SECS: u32 = 300;

/// Feeds and shows the families.
#[derive(Debug)]
pub(crate) struct AiMetrics {
    families: Families,
    series: Tuples<Series, 4>,
    overflowed: u64,
}

/// The series of one label set, each found at its first use.
#[derive(Debug, Default)]
struct Series {
    /// Seconds since the epoch.
    last_request: u32,
    /// By status: few, so a list.
    by_status: Vec<(u16, StatusSeries)>,
    input_tokens: LazyId,
    output_tokens: LazyId,
    duration: LazyId,
    upstream_errors: LazyId,
    /// By provenance and bucket.
    tokens: [[LazyId; BUCKETS.len()]; 4],
    cost: LazyId,
    unpriced: LazyId,
    ttft: LazyId,
    tokens_per_second: LazyId,
}

#[derive(Debug, Default)]
struct StatusSeries {
    client: LazyId,
    vllm: LazyId,
    own: LazyId,
}

/// Label values of one request.
#[derive(Clone, Copy, Debug)]
struct Values<'r> {
    route: &'r str,
    /// Empty when nobody was authenticated.
    consumer: &'r str,
    provider: &'r str,
    /// The model that was sent, else the one that was asked for.
    model: &'r str,
}

impl<'r> Values<'r> {
    fn of(record: &'r Record, ai: &'r AiRecord, models: ModelLabels<'r>) -> Self {
        Self {
            route: record.route_id.as_deref().unwrap_or(""),
            consumer: record.consumer.as_deref().unwrap_or(""),
            provider: ai.provider,
            model: if models.sent.is_empty() {
                models.asked
            } else {
                models.sent
            },
        }
    }

    fn tuple(&self) -> [&'r str; 4] {
        [self.route, self.consumer, self.provider, self.model]
    }

    fn client_model(&self) -> [&'r str; 2] {
        [self.consumer, self.model]
    }

    fn provider_model(&self) -> [&'r str; 2] {
        [self.provider, self.model]
    }
}

const OVERFLOW_VALUES: Values<'static> = Values {
    route: OVERFLOW,
    consumer: OVERFLOW,
    provider: OVERFLOW,
    model: OVERFLOW,
};

impl AiMetrics {
    pub(crate) fn new(config: &MetricsConfig) -> Result<Self, MetricsError> {
        let series = Tuples::new(config.max_label_sets);
        Ok(Self {
            families: Families::new(config)?,
            series,
            overflowed: 0,
        })
    }

    /// Counts one AI request.
    pub(crate) fn feed(&mut self, record: &Record, ai: &AiRecord, models: ModelLabels<'_>, now: u32) {
        let mut values = Values::of(record, ai, models);
        let overflow = || OVERFLOW_VALUES.tuple();
        let (series, overflowed) = self.series.get(values.tuple(), overflow, Series::default);
        if overflowed {
            self.overflowed += 1;
            // Without a consumer the request is no client's, whatever else is known of it.
            let consumer = if values.consumer.is_empty() { "" } else { OVERFLOW };
            values = Values {
                consumer,
                ..OVERFLOW_VALUES
            };
        }
        series.last_request = now;
        self.families.count_status(series, &values, record, ai, now);
        self.families.count_usage(series, &values, ai, now);
        if !values.consumer.is_empty() {
            self.families.count_client(series, &values, record, ai, now);
        }
        self.families.count_speed(series, &values, record, ai, now);
    }

    pub(crate) fn overflowed(&mut self) -> u64 {
        self.overflowed + overflowed_in_all(&self.families.each())
    }

    pub(crate) fn sweep(&mut self, now: u32) {
        if sweep_all(&mut self.families.each(), self.series.is_full(), now) {
            self.series.clear();
        }
    }

    pub(crate) fn collect(&mut self, now: u32, out: &mut Exposition) {
        self.families
            .each()
            .into_iter()
            .for_each(|family| family.collect(false, out));
        let recent = |series: &Series| now.saturating_sub(series.last_request) < ACTIVE_SECS;
        let active: HashSet<&str> = self
            .series
            .iter()
            .filter(|([_, consumer, ..], series)| !consumer.is_empty() && recent(series))
            .map(|([_, consumer, ..], _)| &**consumer)
            .collect();
        out.family(
            "ai_gateway_active_clients",
            Kind::Gauge,
            "Clients whose last AI request ended less than five minutes ago.",
        )
        .sample(&[], active.len());
    }
}

/// Whether the last word of the upstream was a failure of its own: no answer, an answer cut off, an overload, or a
/// refusal of the gateway's key.
fn upstream_failed(record: &Record) -> bool {
    let failed = |status| status >= 500 || matches!(status, 401 | 403 | 429);
    record.ended == Ended::UpstreamCut
        || record
            .attempts
            .last()
            .is_some_and(|attempt| failed(attempt.status))
}
