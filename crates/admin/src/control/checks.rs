//! `/v1/healthcheck`: how the nodes of upstreams stand (compat §10).

use std::fmt::Write;

use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use sluice_resource::{Key, Kind};
use sluice_upstream::{CheckedNode, CheckerReport};

use crate::api::Api;
use crate::reply::{Refusal, Reply};

/// The kinds that can have health checkers.
const CHECKED: [Kind; 4] = [Kind::Route, Kind::Service, Kind::Upstream, Kind::StreamRoute];

const COLUMNS: [&str; 9] = [
    "Index",
    "Upstream",
    "Check type",
    "Host",
    "Status",
    "Success counts",
    "TCP Failures",
    "HTTP Failures",
    "TIMEOUT Failures",
];

impl Api {
    /// All checkers: as JSON, or to a browser as a table.
    pub(super) fn all_checks(&self, headers: &HeaderMap) -> Reply {
        let checkers = (self.state.checks)();
        let accept = headers
            .get(header::ACCEPT)
            .and_then(|accept| accept.to_str().ok());
        if accept.is_some_and(|accept| accept.contains("text/html")) {
            return Reply::html(page(&checkers));
        }
        let all: Value = checkers.iter().map(checker).collect();
        Reply::json(StatusCode::OK, all)
    }

    /// The checker of one resource.
    pub(super) async fn one_check(&self, segment: &str, id: Option<&str>) -> Result<Reply, Refusal> {
        let Some(kind) = CHECKED.into_iter().find(|kind| kind.info().segment == segment) else {
            let message = format!("invalid src type {segment}");
            return Ok(Reply::error(StatusCode::BAD_REQUEST, message));
        };
        let Some(id) = id else {
            let message = format!("missing src id for src type {segment}");
            return Ok(Reply::error(StatusCode::NOT_FOUND, message));
        };
        let key = Key::new(kind, id).to_string();
        if self.state.store.get(&key).await?.is_none() {
            let message = format!("{segment}[{id}] not found");
            return Ok(Reply::error(StatusCode::NOT_FOUND, message));
        }
        let owner = format!("{}{key}", self.state.options.key_prefix);
        let checkers = (self.state.checks)();
        // Those of its upstream come before those of its plugins, which are named after the place in the resource.
        let own = checkers.iter().find(|checker| *checker.name == *owner);
        let found = own.or_else(|| {
            let of_plugin = |name: &str| {
                name.strip_prefix(&*owner)
                    .is_some_and(|rest| rest.starts_with('#'))
            };
            checkers.iter().find(|checker| of_plugin(&checker.name))
        });
        Ok(match found {
            Some(found) => Reply::json(StatusCode::OK, checker(found)),
            None => Reply::error(StatusCode::NOT_FOUND, format!("no checker for {segment}[{id}]")),
        })
    }
}

fn checker(report: &CheckerReport) -> Value {
    let nodes: Value = report.nodes.iter().map(node).collect();
    json!({"name": report.name, "type": report.kind.name(), "nodes": nodes})
}

fn node(node: &CheckedNode) -> Value {
    let counter = node.counter;
    let mut shown = json!({
        "ip": node.ip,
        "port": node.port,
        "hostname": node.hostname,
        "status": node.status.name(),
        "counter": {
            "success": counter.success,
            "http_failure": counter.http_failure,
            "tcp_failure": counter.tcp_failure,
            "timeout_failure": counter.timeout_failure,
        },
    });
    if let Some(host) = &node.host_header {
        shown["hostheader"] = json!(host);
    }
    shown
}

/// The table for browsers. Rows of nodes that are down are red.
fn page(checkers: &[CheckerReport]) -> String {
    let mut rows = String::new();
    row(&mut rows, "#C0C0C0", "th", &COLUMNS.map(str::to_owned));
    let nodes = checkers
        .iter()
        .flat_map(|checker| checker.nodes.iter().map(move |node| (checker, node)));
    for (index, (checker, node)) in (1_usize..).zip(nodes) {
        let colour = if node.status.is_up() { "#FFFFFF" } else { "#FF0000" };
        let cells = [
            index.to_string(),
            escaped(&checker.name),
            checker.kind.name().to_owned(),
            format!("{}:{}", node.ip, node.port),
            node.status.name().to_owned(),
            node.counter.success.to_string(),
            node.counter.tcp_failure.to_string(),
            node.counter.http_failure.to_string(),
            node.counter.timeout_failure.to_string(),
        ];
        row(&mut rows, colour, "td", &cells);
    }
    let title = "APISIX upstream check status";
    format!(
        "<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1>\n\
         <table border=\"1\" cellspacing=\"0\" cellpadding=\"3\">\n{rows}</table>\n</body>\n</html>\n"
    )
}

fn row(out: &mut String, colour: &str, tag: &str, cells: &[String; COLUMNS.len()]) {
    let cells: String = cells
        .iter()
        .map(|cell| format!("<{tag}>{cell}</{tag}>"))
        .collect();
    // A String takes everything.
    let _ = writeln!(out, "<tr bgcolor=\"{colour}\">{cells}</tr>");
}

/// Ids of resources are harmless; the names of keys in a shared store need not be.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
