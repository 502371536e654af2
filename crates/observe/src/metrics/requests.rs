//! What every request feeds, whatever it was.

use sluice_record::{Ended, Record};

use super::family::{CounterFamily, Desc, Family, Label, LazyId};
use super::{Exposition, MetricsConfig};
use crate::terms::ended;

const ENDED: Desc<1> = Desc {
    name: "sluice_requests_ended_total",
    help: "Requests by how they ended.",
    labels: [Label::bounded("ended")],
};

const FAILURES: Desc<1> = Desc {
    name: "sluice_request_failures_total",
    help: "Requests that the gateway refused or could not finish, by reason.",
    labels: [Label::open("code")],
};

const RETRIES: Desc<1> = Desc {
    name: "sluice_upstream_retries_total",
    help: "Upstream attempts after the first one of their request.",
    labels: [Label::open("route")],
};

const GUARD_HITS: Desc<3> = Desc {
    name: "sluice_guard_hits_total",
    help: "What content rules found, by rule, by what became of it, and by side.",
    labels: [
        Label::open("rule"),
        Label::bounded("action"),
        Label::bounded("direction"),
    ],
};

/// Feeds and shows the families.
#[derive(Debug)]
pub(crate) struct RequestMetrics {
    complete: LazyId,
    ended: CounterFamily<1>,
    failures: CounterFamily<1>,
    retries: CounterFamily<1>,
    guard_hits: CounterFamily<3>,
}

impl RequestMetrics {
    pub(crate) fn new(config: &MetricsConfig) -> Self {
        Self {
            complete: None,
            ended: config.counter(ENDED),
            failures: config.counter(FAILURES),
            retries: config.counter(RETRIES),
            guard_hits: config.counter(GUARD_HITS),
        }
    }

    /// Counts one request. What is usual goes by number, what is rare by its labels.
    pub(crate) fn feed(&mut self, record: &Record, now: u32) {
        let mut other = None;
        let id = if record.ended == Ended::Complete {
            &mut self.complete
        } else {
            &mut other
        };
        self.ended.add(id, || [ended(record.ended)], 1, now);
        if let Some(code) = record.error {
            self.failures.add(&mut None, || [code], 1, now);
        }
        if record.attempts.len() > 1 {
            let retries = record.attempts.len() as u64 - 1;
            self.retries.add(
                &mut None,
                || [record.route_id.as_deref().unwrap_or("")],
                retries,
                now,
            );
        }
        let hits = record.ai.as_deref().and_then(|ai| ai.guard.as_deref());
        for hit in hits.into_iter().flatten() {
            self.guard_hits.add(
                &mut None,
                || [&*hit.rule, hit.action, hit.direction],
                u64::from(hit.count),
                now,
            );
        }
    }

    pub(crate) fn collect(&mut self, out: &mut Exposition) {
        let families: [&mut dyn Family; 4] = [
            &mut self.ended,
            &mut self.failures,
            &mut self.retries,
            &mut self.guard_hits,
        ];
        families.into_iter().for_each(|family| family.collect(false, out));
    }
}
