//! How the gateway is doing.

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::Api;
use crate::reply::Reply;
use crate::status_server::readiness;

impl Api {
    /// `GET /status`: alive, and what is known of the configuration. Always 200: it is for those who look, and for
    /// liveness probes.
    pub(crate) fn status(&self) -> Reply {
        let health = (self.state.health)();
        let report = self.state.data_plane.report();
        let listed = |pairs: Vec<(String, String)>, text: &str| -> Value {
            let pairs = pairs.into_iter();
            pairs.map(|(key, what)| json!({"key": key, text: what})).collect()
        };
        let mut status = json!({
            "status": "ok",
            "version": self.state.options.version,
            "ready": health.unready.is_none(),
            "revision": report.revision,
            "problems": listed(report.problems, "error"),
            "warnings": listed(report.warnings, "warning"),
        });
        if let Some(why) = health.unready {
            status["error"] = why.into();
        }
        status["health"] = health.details.into();
        Reply::json(StatusCode::OK, status)
    }

    /// `GET /status/ready`: for load balancers (compat §0).
    pub(crate) fn readiness(&self) -> Reply {
        readiness((self.state.health)().unready)
    }
}
