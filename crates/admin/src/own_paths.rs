//! The paths of the admin listener, for whoever serves them beside others.

use crate::{AdminOptions, path, v1};

/// Paths that open what the admin listener has, with everything below those that have something below.
const TREES: [&str; 3] = ["/admin", v1::BASE, path::BASE];

/// Paths of single pages.
const PAGES: [&str; 7] = [
    "/status",
    "/status/ready",
    "/metrics",
    "/health",
    "/health/live",
    "/health/ready",
    path::EVENTS,
];

/// Which paths belong to the admin listener.
#[derive(Clone, Debug)]
pub struct OwnPaths {
    metrics: Box<str>,
}

impl OwnPaths {
    pub(crate) fn of(options: &AdminOptions) -> Self {
        Self {
            metrics: options.metrics_path.as_str().into(),
        }
    }

    /// Whether a path, as it was sent, is one of them once normalised.
    #[must_use]
    pub fn contain(&self, path: &str) -> bool {
        let Ok(path) = sluice_core::normalize_path(path) else {
            return false;
        };
        let within = |tree: &&str| {
            let below = path.strip_prefix(*tree);
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        };
        TREES.iter().any(within) || PAGES.contains(&&*path) || *path == *self.metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_segments_count() {
        let paths = OwnPaths::of(&AdminOptions::default());
        for own in [
            "/admin",
            "/admin/",
            "/admin/clients/a",
            "/api/v1/session",
            "/apisix/admin/routes",
            "/metrics",
            "/apisix/prometheus/metrics",
            "/status/ready",
            "/health",
            "//admin//x",
            "/v1/../admin/",
            "/%61dmin/",
        ] {
            assert!(paths.contain(own), "{own}");
        }
        for other in [
            "/",
            "/administer",
            "/api/v1x",
            "/api/chat",
            "/v1/chat/completions",
            "/metrics/x",
            "/status/a",
        ] {
            assert!(!paths.contain(other), "{other}");
        }
    }
}
