//! Gauges of what is going on, held by guards on the request threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Exposition, Kind};

/// Counts of connections and requests since the start and at this moment.
#[derive(Debug, Default)]
pub struct ServerStats {
    accepted: AtomicU64,
    open: AtomicU64,
    requests: AtomicU64,
    in_flight: AtomicU64,
    ai_in_flight: AtomicU64,
}

/// One open client connection.
#[derive(Debug)]
pub struct ConnectionGuard(Arc<ServerStats>);

/// One request in flight.
#[derive(Debug)]
pub struct RequestGuard(Arc<ServerStats>);

/// One AI request in flight.
#[derive(Debug)]
pub(super) struct AiRequestGuard(Arc<ServerStats>);

impl ServerStats {
    /// Counts an accepted connection, open until the guard is dropped.
    #[must_use]
    pub fn connection(self: &Arc<Self>) -> ConnectionGuard {
        self.accepted.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        ConnectionGuard(Arc::clone(self))
    }

    /// Counts a request, in flight until the guard is dropped.
    #[must_use]
    pub fn request(self: &Arc<Self>) -> RequestGuard {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        RequestGuard(Arc::clone(self))
    }

    /// Counts an AI request as in progress until the guard is dropped; beside [`request`](Self::request).
    pub(super) fn ai_request(self: &Arc<Self>) -> AiRequestGuard {
        self.ai_in_flight.fetch_add(1, Ordering::Relaxed);
        AiRequestGuard(Arc::clone(self))
    }

    /// Requests in flight.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// nginx's states as they can be told here: a connection with a request in flight is writing, any other waits.
    /// Nobody can see a head being read, so `reading` is 0.
    pub(super) fn collect(&self, out: &mut Exposition) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let (open, in_flight) = (of(&self.open), self.in_flight());
        out.apisix_family("http_requests_total", Kind::Gauge, "Requests since the start.")
            .sample(&[], of(&self.requests));
        let mut connections = out.apisix_family(
            "nginx_http_current_connections",
            Kind::Gauge,
            "Client connections by state.",
        );
        for (state, count) in [
            ("accepted", of(&self.accepted)),
            ("active", open),
            ("handled", of(&self.accepted)),
            ("reading", 0),
            ("waiting", open.saturating_sub(in_flight)),
            ("writing", in_flight),
        ] {
            connections.sample(&[("state", state)], count);
        }
        out.family(
            "ai_gateway_requests_in_progress",
            Kind::Gauge,
            "AI requests in progress.",
        )
        .sample(&[], of(&self.ai_in_flight));
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for RequestGuard {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for AiRequestGuard {
    fn drop(&mut self) {
        self.0.ai_in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_count_up_and_down() {
        let stats = Arc::new(ServerStats::default());
        let first = stats.connection();
        let second = stats.connection();
        let request = stats.request();
        let ai = stats.ai_request();
        drop(second);
        let text = |stats: &ServerStats| {
            let mut out = Exposition::new("apisix_");
            stats.collect(&mut out);
            out.finish()
        };
        assert_eq!(
            text(&stats),
            "# HELP ai_gateway_requests_in_progress AI requests in progress.\n\
             # TYPE ai_gateway_requests_in_progress gauge\n\
             ai_gateway_requests_in_progress 1\n\
             # HELP apisix_http_requests_total Requests since the start.\n\
             # TYPE apisix_http_requests_total gauge\n\
             apisix_http_requests_total 1\n\
             # HELP apisix_nginx_http_current_connections Client connections by state.\n\
             # TYPE apisix_nginx_http_current_connections gauge\n\
             apisix_nginx_http_current_connections{state=\"accepted\"} 2\n\
             apisix_nginx_http_current_connections{state=\"active\"} 1\n\
             apisix_nginx_http_current_connections{state=\"handled\"} 2\n\
             apisix_nginx_http_current_connections{state=\"reading\"} 0\n\
             apisix_nginx_http_current_connections{state=\"waiting\"} 0\n\
             apisix_nginx_http_current_connections{state=\"writing\"} 1\n"
        );
        drop((first, request, ai));
        assert!(text(&stats).contains("ai_gateway_requests_in_progress 0\n"));
        assert_eq!(stats.in_flight(), 0);
    }
}
