//! Everything that can be read of a gateway.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sluice_testkit::Gateway;

use super::{
    ADMIN, CLIENT, LOGGER, METRICS, ODD_CLIENT, PASSWORD, PROVIDER_HEADER, PROVIDER_QUERY, VAULT, WRONG,
};

const ALL: [&str; 10] = [
    PROVIDER_HEADER,
    PROVIDER_QUERY,
    CLIENT,
    ODD_CLIENT,
    WRONG,
    PASSWORD,
    ADMIN,
    METRICS,
    LOGGER,
    VAULT,
];

/// What was read where.
#[derive(Default)]
pub(super) struct Sinks(Vec<(String, Vec<u8>)>);

impl Sinks {
    pub(super) fn add(&mut self, name: impl Into<String>, content: impl Into<Vec<u8>>) {
        self.0.push((name.into(), content.into()));
    }

    /// Whether one of the sinks of that name holds this text.
    pub(super) fn contain(&self, name: &str, text: &str) -> bool {
        self.0
            .iter()
            .any(|(sink, content)| sink == name && find(content, text).is_some())
    }

    /// Asserts that no sink shows a secret, planted, generated or one of these.
    pub(super) fn assert_clean(&self, gateway: &Gateway, others: &[String]) {
        let generated = std::fs::read_to_string(gateway.dir().join("data/secret.key")).unwrap();
        let basic = STANDARD.encode(format!("prom:{METRICS}"));
        let given = [gateway.admin_key(), generated.trim(), &basic];
        let mut shown = Vec::new();
        for (name, content) in &self.0 {
            let others = others.iter().map(String::as_str);
            for secret in ALL.into_iter().chain(given).chain(others) {
                if let Some(at) = find(content, secret) {
                    let around = &content[at.saturating_sub(200)..content.len().min(at + 100)];
                    let around = String::from_utf8_lossy(around);
                    shown.push(format!("{name} shows {secret}: …{around}…"));
                }
            }
        }
        assert!(shown.is_empty(), "{}", shown.join("\n"));
    }
}

/// Where a text begins.
pub(super) fn find(content: &[u8], text: &str) -> Option<usize> {
    memchr::memmem::find(content, text.as_bytes())
}
