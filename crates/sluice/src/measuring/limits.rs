//! What metrics tell of limits.

use sluice_core::Services;
use sluice_observe::{Exposition, Kind};

/// Limits that could not be decided, and the Redis clients behind them.
pub(super) fn collect(services: &Services, out: &mut Exposition) {
    let (passed, refused) = services.counters.undecided_counts();
    let mut undecided = out.family(
        "sluice_limit_undecided_total",
        Kind::Counter,
        "Requests whose limit could not be decided, by what became of them.",
    );
    undecided.sample(&[("outcome", "passed")], passed);
    undecided.sample(&[("outcome", "refused")], refused);
    let mut refusals = out.family(
        "sluice_limit_refused_total",
        Kind::Counter,
        "Requests that `ai-limits` refused, by whose limit it was and its name.",
    );
    for ((scope, limit), count) in services.limits.refusals.counts() {
        refusals.sample(&[("scope", scope), ("limit", limit)], count);
    }
    queues(services, out);
    for client in services.redis.status() {
        let redis = ("redis", client.name.as_str());
        out.family("sluice_redis_up", Kind::Gauge, "Whether a Redis can be reached.")
            .sample(&[redis], u64::from(client.up));
        let help = "Scripts that were run or tried.";
        out.family("sluice_redis_calls_total", Kind::Counter, help)
            .sample(&[redis], client.calls);
        let help = "Scripts that gave no result, by reason.";
        let mut failures = out.family("sluice_redis_failures_total", Kind::Counter, help);
        for (reason, count) in client.failures {
            failures.sample(&[redis, ("reason", reason)], count);
        }
    }
}

/// Queues of `ai-queue`.
fn queues(services: &Services, out: &mut Exposition) {
    for view in services.queues.views() {
        let queue = ("queue", view.id.as_str());
        out.family("sluice_queue_running", Kind::Gauge, "Requests that hold a slot.")
            .sample(&[queue], view.running as u64);
        out.family(
            "sluice_queue_waiting",
            Kind::Gauge,
            "Requests that wait for a slot.",
        )
        .sample(&[queue], view.waiting as u64);
        let help = "Requests that waited and got their turn.";
        out.family("sluice_queue_waited_total", Kind::Counter, help)
            .sample(&[queue], view.waited);
        let help = "Milliseconds that they waited.";
        out.family("sluice_queue_wait_milliseconds_total", Kind::Counter, help)
            .sample(&[queue], view.wait_ms);
        let help = "Requests that a queue refused, by reason.";
        let mut refused = out.family("sluice_queue_refused_total", Kind::Counter, help);
        refused.sample(&[queue, ("reason", "full")], view.refused_full);
        refused.sample(&[queue, ("reason", "late")], view.refused_late);
    }
}
