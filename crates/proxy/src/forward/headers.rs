//! Headers of requests to plain upstreams, and hop-by-hop headers of answers.

use std::fmt::Write as _;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use sluice_core::{Context, Node, PassHost, Upstream};
use sluice_net::Protocol;

/// Headers that belong to one connection (RFC 9110 §7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PORT: HeaderName = HeaderName::from_static("x-forwarded-port");

/// Whether the client asks to leave HTTP.
pub(super) fn is_upgrade(headers: &HeaderMap) -> bool {
    let connection = headers
        .get(header::CONNECTION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    headers.contains_key(header::UPGRADE)
        && connection
            .split(',')
            .any(|t| t.trim().eq_ignore_ascii_case("upgrade"))
}

/// Removes what belongs to one connection, also what `Connection` names.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The client's headers as the upstream gets them (compat §8.3).
pub(super) fn for_upstream(cx: &Context, upstream: &Upstream, node: &Node, wants_upgrade: bool) -> HeaderMap {
    let mut headers = cx.request.headers.clone();
    let upgrade = headers.get(header::UPGRADE).cloned();
    remove_hop_by_hop(&mut headers);
    if let Some(upgrade) = upgrade.filter(|_| wants_upgrade) {
        headers.insert(header::UPGRADE, upgrade);
        headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    if node.origin.config().protocol == Protocol::Http2 {
        // gRPC servers ask for it.
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    headers.remove(header::FORWARDED);
    // The listener has promised the client to go on; no node has to.
    headers.remove(header::EXPECT);
    if cx.request.body.is_changed() {
        // The length of what the client sent; that of the new body is known where it is written.
        headers.remove(header::CONTENT_LENGTH);
    }
    if let Some(host) = host(cx, upstream, node) {
        headers.insert(header::HOST, host);
    }
    let ip = cx.request.peer.ip().to_string();
    let mut chain = String::new();
    for value in headers
        .get_all(X_FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        // Writing to a String cannot fail.
        let _ = write!(chain, "{value}, ");
    }
    chain.push_str(&ip);
    let port = cx.request.local.port().to_string();
    for (name, value) in [
        (X_REAL_IP, ip.as_str()),
        (X_FORWARDED_FOR, &chain),
        (X_FORWARDED_PROTO, cx.request.scheme),
        (X_FORWARDED_HOST, &cx.request.host),
        (X_FORWARDED_PORT, &port),
    ] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    }
    headers
}

fn host(cx: &Context, upstream: &Upstream, node: &Node) -> Option<HeaderValue> {
    if let Some(host) = &cx.overrides.host {
        return Some(host.clone());
    }
    match &upstream.pass_host {
        PassHost::Pass => cx.request.headers.get(header::HOST).cloned(),
        PassHost::Node => Some(node.origin.host_header().clone()),
        PassHost::Rewrite(host) => Some(host.clone()),
    }
}
