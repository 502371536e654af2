//! `apisix_llm_active_connections`: AI calls that an upstream is working on.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use super::exposition::push_label;
use super::family::{Blanks, Label};
use super::names::cut;
use super::server::AiRequestGuard;
use super::tuples::Tuples;
use super::{DisabledLabels, Exposition, Kind, OVERFLOW};
use crate::sync::lock;

const NAME: &str = "llm_active_connections";

const LABELS: [Label; 11] = [
    Label::open("route"),
    Label::open("route_id"),
    Label::open("matched_uri"),
    Label::open("matched_host"),
    Label::open("service"),
    Label::open("service_id"),
    Label::open("consumer"),
    Label::open("node"),
    Label::bounded("request_type"),
    Label::open("request_llm_model"),
    Label::open("llm_model"),
];

/// Labels of `llm_active_connections` (compat §7), in its order. Empty where nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct ActiveLabels<'a> {
    /// Name of the route with `prefer_name`, else its id.
    pub route: &'a str,
    /// Id of the route.
    pub route_id: &'a str,
    /// Path pattern of the route that matched.
    pub matched_uri: &'a str,
    /// Host pattern of the route that matched.
    pub matched_host: &'a str,
    /// Name of the service with `prefer_name`, else its id.
    pub service: &'a str,
    /// Id of the service.
    pub service_id: &'a str,
    /// Consumer.
    pub consumer: &'a str,
    /// Instance that is called.
    pub node: &'a str,
    /// `ai_chat` or `ai_stream`.
    pub request_type: &'a str,
    /// Model of the client's body.
    pub request_llm_model: &'a str,
    /// Model that is sent.
    pub llm_model: &'a str,
}

impl<'a> ActiveLabels<'a> {
    fn tuple(&self) -> [&'a str; 11] {
        [
            self.route,
            self.route_id,
            self.matched_uri,
            self.matched_host,
            self.service,
            self.service_id,
            self.consumer,
            self.node,
            self.request_type,
            cut(self.request_llm_model),
            cut(self.llm_model),
        ]
    }
}

/// One call in flight. A failover drops the guard of the failed instance and takes another, so that, unlike in
/// APISIX, no instance drifts upward.
#[derive(Debug)]
pub struct LlmActiveGuard {
    _labelled: Option<ActiveGuard>,
    _call: AiRequestGuard,
}

impl LlmActiveGuard {
    pub(super) fn new(labelled: Option<ActiveGuard>, call: AiRequestGuard) -> Self {
        Self {
            _labelled: labelled,
            _call: call,
        }
    }
}

/// One call in one series.
#[derive(Debug)]
pub(super) struct ActiveGuard(Arc<AtomicI64>);

impl Drop for ActiveGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The gauge. A start takes a short lock, an end takes none.
#[derive(Debug)]
pub(super) struct ActiveGauge(Mutex<Active>);

#[derive(Debug)]
struct Active {
    cells: Tuples<Arc<AtomicI64>, 11>,
    blanks: Blanks<11>,
}

impl ActiveGauge {
    pub(super) fn new(max: usize) -> Self {
        Self(Mutex::new(Active {
            cells: Tuples::new(max),
            blanks: Blanks::NONE,
        }))
    }

    pub(super) fn start(&self, labels: &ActiveLabels<'_>) -> ActiveGuard {
        let mut active = lock(&self.0);
        let tuple = active.blanks.apply(labels.tuple());
        if active.cells.is_full() && !active.cells.contains(tuple) {
            // A gauge that stands at 0 can be forgotten: it comes back as it went.
            active.cells.retain(|cell| Arc::strong_count(cell) > 1);
        }
        let overflow = || {
            LABELS.map(|label| {
                if label.is_open() {
                    OVERFLOW
                } else {
                    labels.request_type
                }
            })
        };
        let cell = Arc::clone(active.cells.get(tuple, overflow, Arc::default).0);
        cell.fetch_add(1, Ordering::Relaxed);
        ActiveGuard(cell)
    }

    pub(super) fn set_disabled(&self, disabled: &DisabledLabels) {
        lock(&self.0).blanks = Blanks::of(NAME, &LABELS, disabled);
    }

    pub(super) fn collect(&self, out: &mut Exposition) {
        let mut lines: Vec<(String, i64)> = lock(&self.0)
            .cells
            .iter()
            .map(|(values, cell)| (render(values), cell.load(Ordering::Relaxed)))
            .collect();
        lines.sort_unstable();
        let mut family = out.apisix_family(NAME, Kind::Gauge, "AI calls in flight.");
        for (labels, count) in lines {
            family.line("", &labels, None, count.into());
        }
    }
}

fn render(values: &[Box<str>; 11]) -> String {
    let mut out = String::new();
    for (label, value) in LABELS.iter().zip(values) {
        push_label(label.name(), value, &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(gauge: &ActiveGauge) -> String {
        let mut out = Exposition::new("apisix_");
        gauge.collect(&mut out);
        out.finish()
    }

    fn call(node: &str) -> ActiveLabels<'_> {
        ActiveLabels {
            route: "chat",
            route_id: "1",
            node,
            request_type: "ai_chat",
            ..ActiveLabels::default()
        }
    }

    #[test]
    fn calls_in_flight_are_counted_by_instance() {
        let gauge = ActiveGauge::new(10);
        let (a, b) = (gauge.start(&call("n")), gauge.start(&call("n")));
        drop(a);
        assert_eq!(
            text(&gauge),
            "# HELP apisix_llm_active_connections AI calls in flight.\n\
             # TYPE apisix_llm_active_connections gauge\n\
             apisix_llm_active_connections{route=\"chat\",route_id=\"1\",matched_uri=\"\",matched_host=\"\",\
             service=\"\",service_id=\"\",consumer=\"\",node=\"n\",request_type=\"ai_chat\",\
             request_llm_model=\"\",llm_model=\"\"} 1\n"
        );
        drop(b);
        assert!(text(&gauge).ends_with("} 0\n"));
    }

    #[test]
    fn idle_series_make_room_and_busy_ones_overflow() {
        let gauge = ActiveGauge::new(1);
        drop(gauge.start(&call("idle")));
        let _busy = gauge.start(&call("busy"));
        assert!(!text(&gauge).contains("idle"));
        let _more = [gauge.start(&call("more")), gauge.start(&call("and more"))];
        let text = text(&gauge);
        assert!(text.contains("node=\"busy\",request_type=\"ai_chat\""));
        assert!(text.contains("node=\"__overflow__\",request_type=\"ai_chat\""));
        assert!(text.contains("llm_model=\"__overflow__\"} 2\n"));
    }

    #[test]
    fn labels_can_be_blanked() {
        let gauge = ActiveGauge::new(10);
        gauge.set_disabled(&[(NAME.to_owned(), vec!["node".to_owned()])].into());
        let _guards = [gauge.start(&call("a")), gauge.start(&call("b"))];
        assert!(text(&gauge).contains("node=\"\""));
        assert!(text(&gauge).ends_with("} 2\n"));
    }
}
