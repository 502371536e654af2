//! Where an entry of `weighted_upstreams` leads.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use sluice_core::{CompileEnv, CompileError, Context, RouteUpstream, Upstream, Verdict};
use sluice_record::Text;

use super::broken;

/// What an inline upstream may say; APISIX drops the rest.
const HONOURED: [&str; 8] = [
    "name",
    "type",
    "hash_on",
    "key",
    "pass_host",
    "upstream_host",
    "nodes",
    "timeout",
];

pub(super) enum Target {
    /// The upstream of the route.
    Route,
    /// A stored upstream, looked up per request: it may change, come and go.
    Stored(Text),
    /// An upstream that stands in the configuration.
    Inline(Arc<Upstream>),
    /// One that stands there and cannot be used.
    Unusable,
}

impl Target {
    pub(super) fn compile(entry: &Value, place: &str, env: &CompileEnv<'_>) -> Result<Self, CompileError> {
        match entry.get("upstream_id") {
            Some(Value::String(id)) => return Ok(Self::Stored(Text::from(id.as_str()))),
            Some(id) => return Ok(Self::Stored(Text::from(id.to_string()))),
            None => {}
        }
        let Some(inline) = entry.get("upstream") else {
            return Ok(Self::Route);
        };
        if !has_ports(inline.get("nodes")) {
            return Ok(Self::Unusable);
        }
        let mut members: Map<String, Value> = HONOURED
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), inline.get(*name)?.clone())))
            .collect();
        if inline.get("scheme").and_then(Value::as_str) == Some("https") {
            members.insert("scheme".to_owned(), json!("https"));
        }
        env.upstream(place, &Value::Object(members)).map(Self::Inline)
    }

    /// What entries have in common that lead to the same place.
    pub(super) fn id(&self, entry: usize) -> String {
        match self {
            Self::Route => "route".to_owned(),
            Self::Stored(id) => format!("upstream {id}"),
            Self::Inline(_) | Self::Unusable => format!("entry {entry}"),
        }
    }

    pub(super) fn upstream_id(&self) -> Option<&Text> {
        match self {
            Self::Stored(id) => Some(id),
            _ => None,
        }
    }

    /// Makes it the upstream of the request.
    pub(super) fn send(&self, cx: &mut Context) -> Verdict {
        match self {
            Self::Route => {}
            Self::Stored(id) => cx.upstream = cx.snapshot.upstreams.get(id).cloned(),
            // What the route itself names must exist all the same.
            Self::Inline(_) if names_missing_upstream(cx) => {}
            Self::Inline(upstream) => cx.upstream = Some(upstream.clone()),
            Self::Unusable => {
                let message = "the upstream in the traffic-split has no nodes, or one without a port";
                return broken("upstream_unusable", message).into();
            }
        }
        Verdict::Continue
    }
}

fn names_missing_upstream(cx: &Context) -> bool {
    let upstream = cx.route.as_ref().map(|matched| &matched.route.upstream);
    matches!(upstream, Some(RouteUpstream::Missing))
}

/// No port is filled in here, other than for stored upstreams.
fn has_ports(nodes: Option<&Value>) -> bool {
    match nodes {
        Some(Value::Object(map)) => {
            let has_port = |address: &String| {
                let port = address.rsplit_once(':').map(|(_, port)| port);
                port.is_some_and(|port| !port.ends_with(']'))
            };
            !map.is_empty() && map.keys().all(has_port)
        }
        Some(Value::Array(list)) => !list.is_empty() && list.iter().all(|node| node.get("port").is_some()),
        _ => false,
    }
}
