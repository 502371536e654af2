//! Health checks of instances (compat §4.3, "Probes").

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sluice_core::CompileEnv;
use sluice_exchange::{AuthConfig, Target};
use sluice_upstream::{Checker, CheckerConfig, ChecksConfig, Target as CheckTarget};

use super::NAME;

/// The checker of an instance; `None` for one that is answered inside the gateway.
pub(super) fn checker(
    env: &CompileEnv<'_>,
    index: usize,
    checks: &ChecksConfig,
    target: &Target,
    auth: &AuthConfig,
) -> Option<Arc<Checker>> {
    let (host, port) = target.endpoint()?;
    let mut checks = checks.clone();
    let active = &mut checks.active;
    let credentials = auth.header.iter().map(|(name, value)| format!("{name}: {value}"));
    active.req_headers.extend(credentials);
    let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
    for (name, value) in &auth.query {
        active
            .http_path
            .push(if active.http_path.contains('?') { '&' } else { '?' });
        active
            .http_path
            .push_str(&format!("{}={}", encoded(name), encoded(value)));
    }
    // Only upstreams have passive checks.
    checks.passive = None;
    let config = CheckerConfig {
        name: format!("{}#plugins['{NAME}'].instances[{index}]", env.owner).into(),
        checks,
        targets: vec![CheckTarget {
            host: host.trim_matches(['[', ']']).into(),
            port,
            host_header: None,
            certificate: None,
        }],
    };
    env.services.checkers.checker(env.owner, config)
}
