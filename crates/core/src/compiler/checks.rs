//! Health checks of upstreams (compat §8.4).

use std::sync::Arc;

use serde_json::Value;
use sluice_upstream::{CheckerConfig, ChecksConfig, Target};

use super::fault::{fault_of, read};
use super::{Compiler, Item};
use crate::upstream::{Node, PassHost, Upstream};

impl Compiler {
    /// The upstream with the checker that its `checks` ask for.
    pub(super) fn with_checks(
        &self,
        item: &Item<'_>,
        value: &Value,
        mut upstream: Upstream,
    ) -> Result<Upstream, String> {
        let Some(checks) = value.get("checks") else {
            return Ok(upstream);
        };
        let checks: ChecksConfig = read(checks).map_err(|fault| fault_of("checks", fault))?;
        let host_header: Option<Arc<str>> = match &upstream.pass_host {
            PassHost::Rewrite(host) => host.to_str().ok().map(Arc::from),
            PassHost::Pass | PassHost::Node => None,
        };
        let target = |node: &Node| {
            let config = node.origin.config();
            Target {
                host: config.host.trim_matches(['[', ']']).into(),
                port: config.port,
                host_header: host_header.clone(),
                certificate: config.tls.certificate.clone(),
            }
        };
        let config = CheckerConfig {
            name: item.owner.clone(),
            checks,
            targets: upstream.configured.nodes.iter().map(target).collect(),
        };
        upstream.configured.checker = self.services.checkers.checker(item.owner, config);
        Ok(upstream)
    }
}
