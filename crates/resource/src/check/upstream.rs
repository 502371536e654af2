//! What an upstream must hold beyond its schema (compat §1.7).

use std::net::Ipv6Addr;

use serde_json::Value;

use super::{CheckError, Result, certificates, hold};
use crate::lua::Number;
use crate::schemas::Schemas;

/// Checks an upstream whose schema holds.
pub(super) fn check(schemas: &Schemas, upstream: &Value) -> Result {
    check_nodes(upstream.get("nodes"))?;
    let text = |member: &str| upstream.get(member).and_then(Value::as_str);
    if text("pass_host") == Some("rewrite") && text("upstream_host").unwrap_or_default().is_empty() {
        return Err(CheckError::refused(
            "`upstream_host` can't be empty when `pass_host` is `rewrite`",
        ));
    }
    certificates::check_client(upstream)?;
    if text("type") == Some("chash") {
        check_hash_key(schemas, upstream)
    } else {
        Ok(())
    }
}

fn check_nodes(nodes: Option<&Value>) -> Result {
    match nodes {
        Some(Value::Object(weights)) => weights.keys().try_for_each(|address| check_address(address)),
        Some(Value::Array(nodes)) => nodes
            .iter()
            .filter_map(|node| node.get("host")?.as_str())
            .try_for_each(check_host),
        _ => Ok(()),
    }
}

/// `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
fn check_address(address: &str) -> Result {
    check_host(address)?;
    let Some((host, port)) = address.rsplit_once(':') else {
        return Ok(());
    };
    if host.starts_with('[') && !host.ends_with(']') {
        return Ok(());
    }
    check_host(host)?;
    // What is no number counts as no port.
    let number = port
        .bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| port.parse::<f64>().ok())
        .flatten();
    match number {
        Some(port) if !(1.0..=65535.0).contains(&port) => {
            Err(CheckError::refused(format!("invalid port {}", Number(port))))
        }
        _ => Ok(()),
    }
}

fn check_host(host: &str) -> Result {
    if host.parse::<Ipv6Addr>().is_ok() {
        return Err(CheckError::invalid(
            "IPv6 address must be enclosed with '[' and ']'",
        ));
    }
    Ok(())
}

fn check_hash_key(schemas: &Schemas, upstream: &Value) -> Result {
    let schema = match upstream.get("hash_on").and_then(Value::as_str).unwrap_or("vars") {
        "consumer" => return Ok(()),
        "vars" => Some(&schemas.hash_key_vars),
        "header" | "cookie" => Some(&schemas.hash_key_header),
        _ => None,
    };
    let Some(key) = upstream.get("key") else {
        return Err(CheckError::refused("missing key"));
    };
    schema.map_or(Ok(()), |schema| hold(schema, key))
}
