//! Metrics, access log and ledger: what they say, and that they agree.

mod access_log;
mod agreement;
mod exposition;
mod grafana;
mod prometheus;

use std::path::{Path, PathBuf};

use serde_json::Value;
use sluice_testkit::{Gateway, eventually};

use crate::scrape::Scrape;

/// The lines of a log, once there are so many.
async fn lines(path: &Path, count: usize) -> Vec<String> {
    eventually(&format!("{count} lines in {}", path.display()), async || {
        let text = std::fs::read_to_string(path).ok()?;
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        assert!(lines.len() <= count, "more than {count} lines: {text}");
        (lines.len() == count && (text.is_empty() || text.ends_with('\n'))).then_some(lines)
    })
    .await
}

/// The same, as JSON.
pub(crate) async fn json_lines(path: &Path, count: usize) -> Vec<Value> {
    let parse = |line: String| serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    lines(path, count).await.into_iter().map(parse).collect()
}

/// Where the access log of these tests is.
pub(crate) fn access_log(gateway: &Gateway) -> PathBuf {
    gateway.dir().join("access.log")
}

/// The metrics, once so many requests are in them.
async fn counted(gateway: &Gateway, requests: usize) -> Scrape {
    Scrape::when(gateway, "all requests", |scrape| {
        scrape.sum("sluice_requests_ended_total", &[]) == requests as f64
    })
    .await
}
