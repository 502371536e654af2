//! Upstreams.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use serde::Deserialize;
use serde_json::Value;
use sluice_net::{
    ClientCertificate, ClientTls, OriginConfig, OriginError, PoolSettings, Protocol, Scheme, TlsError,
};
use sluice_record::Text;
use sluice_resource::Key;
use sluice_upstream::{Algorithm, BalancerConfig, Node as BalancedNode, UnknownAlgorithm};

use super::fault::{fault_of, read};
use super::routes::timeouts;
use super::{Compiler, Item};
use crate::services::Services;
use crate::upstream::{HashKey, Node, NodeSet, PassHost, Upstream};

/// The members of an upstream that have a default.
#[derive(Deserialize)]
#[serde(default)]
struct Settings {
    r#type: String,
    scheme: String,
    hash_on: String,
    key: String,
    pass_host: String,
    upstream_host: Option<String>,
    retries: Option<usize>,
    retry_timeout: f64,
    keepalive_pool: Option<KeepalivePool>,
    tls: Tls,
}

/// `tls`, once references and the certificate of another resource have been put in place.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Tls {
    client_cert: Option<String>,
    client_key: Option<String>,
    verify: bool,
}

#[derive(Deserialize)]
#[serde(default)]
struct KeepalivePool {
    size: usize,
    idle_timeout: f64,
    requests: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            r#type: "roundrobin".to_owned(),
            scheme: "http".to_owned(),
            hash_on: "vars".to_owned(),
            key: "remote_addr".to_owned(),
            pass_host: "pass".to_owned(),
            upstream_host: None,
            retries: None,
            retry_timeout: 0.0,
            keepalive_pool: None,
            tls: Tls::default(),
        }
    }
}

impl Default for KeepalivePool {
    fn default() -> Self {
        Self {
            size: 320,
            idle_timeout: 60.0,
            requests: 1000,
        }
    }
}

/// A node as written: a map from address to weight, or a list of objects.
struct WrittenNode {
    host: String,
    port: Option<u16>,
    weight: u32,
    priority: i32,
}

impl Compiler {
    pub(super) fn compile_upstream(&self, item: &Item<'_>) -> Result<Option<Arc<Upstream>>, String> {
        let Some(value) = self.with_client_certificate(item.value) else {
            return Ok(None);
        };
        let upstream = compile_at(&self.services, item.owner, &value)?;
        let upstream = self.with_checks(item, &value, upstream)?;
        Ok(Some(Arc::new(upstream.with_addresses())))
    }

    /// Takes the upstreams that changed over into what snapshots share.
    pub(super) fn share_upstreams(&mut self, changed: &BTreeSet<Key>) {
        for key in changed {
            match self.compiled.upstreams.get(key) {
                Some(upstream) => self.upstreams.insert(Text::from(key.id()), upstream.clone()),
                None => self.upstreams.remove(key.id()),
            };
        }
    }
}

/// An upstream that stands in the resource `owner`, or is it. Its names stay nodes.
pub(crate) fn compile_at(services: &Services, owner: &Text, value: &Value) -> Result<Upstream, String> {
    let settings: Settings = read(value)?;
    let written = nodes(value.get("nodes")).map_err(|fault| fault_of("nodes", fault))?;
    let (algorithm, unknown_type) = match settings.r#type.parse() {
        Ok(algorithm) => (algorithm, false),
        Err(UnknownAlgorithm(_)) => (Algorithm::RoundRobin, true),
    };
    let mut compiled = Vec::with_capacity(written.len());
    let mut balanced = Vec::with_capacity(written.len());
    for (index, node) in written.into_iter().enumerate() {
        let (node, weighed) = compile_node(services, &settings, index, node)?;
        compiled.push(node);
        balanced.push(weighed);
    }
    let balancer = BalancerConfig {
        algorithm,
        nodes: balanced,
    };
    let configured = NodeSet {
        nodes: compiled,
        balancer: services.balancers.balancer(owner, balancer),
        checker: None,
        unknown_type,
    };
    let retry_timeout = Duration::try_from_secs_f64(settings.retry_timeout).unwrap_or_default();
    let mut upstream = Upstream::new(owner.clone(), configured);
    upstream.retries = settings.retries;
    upstream.hash_key =
        (algorithm == Algorithm::ConsistentHash).then(|| HashKey::new(&settings.hash_on, &settings.key));
    upstream.pass_host = pass_host(&settings)?;
    upstream.retry_timeout = (!retry_timeout.is_zero()).then_some(retry_timeout);
    upstream.timeouts = value.get("timeout").map(timeouts);
    Ok(upstream)
}

fn compile_node(
    services: &Services,
    settings: &Settings,
    configured: usize,
    node: WrittenNode,
) -> Result<(Node, BalancedNode), String> {
    let (scheme, protocol) = match settings.scheme.as_str() {
        "https" => (Scheme::Https, Protocol::Http1),
        "grpc" => (Scheme::Http, Protocol::Http2),
        "grpcs" => (Scheme::Https, Protocol::Http2),
        _ => (Scheme::Http, Protocol::Http1),
    };
    let port = node.port.unwrap_or(scheme.default_port());
    let mut config = OriginConfig::new(scheme, node.host.as_str(), port);
    config.tls = client_tls(&settings.tls);
    config.protocol = protocol;
    if let Some(sni) = settings
        .upstream_host
        .as_deref()
        .filter(|_| settings.pass_host == "rewrite")
    {
        config.sni = Some(sni.split(':').next().unwrap_or_default().into());
    }
    if let Some(pool) = &settings.keepalive_pool {
        config.pool = PoolSettings {
            max_idle: pool.size,
            idle_timeout: Duration::try_from_secs_f64(pool.idle_timeout).unwrap_or_default(),
            max_requests: pool.requests,
        };
    }
    let origin = services.origins.get(config).map_err(|error| match &error {
        OriginError::Host(_) | OriginError::Tls(TlsError::ServerName(_)) => fault_of("nodes", error),
        OriginError::Tls(_) => fault_of("tls", error),
    })?;
    let address = Text::from(format!("{}:{port}", node.host));
    let weighed = BalancedNode {
        id: address.clone(),
        weight: node.weight,
        priority: node.priority,
    };
    let node = Node {
        origin,
        address,
        configured,
        health: None,
    };
    Ok((node, weighed))
}

/// APISIX does not verify certificates of plain upstreams (compat §8.1); here whoever asks for it gets it.
fn client_tls(tls: &Tls) -> ClientTls {
    let pair = tls.client_cert.as_deref().zip(tls.client_key.as_deref());
    ClientTls {
        verify: tls.verify,
        certificate: pair.map(|(chain, key)| ClientCertificate {
            chain: chain.into(),
            key: key.into(),
        }),
    }
}

fn pass_host(settings: &Settings) -> Result<PassHost, String> {
    Ok(match (settings.pass_host.as_str(), &settings.upstream_host) {
        ("node", _) => PassHost::Node,
        ("rewrite", Some(host)) => PassHost::Rewrite(
            HeaderValue::from_str(host)
                .map_err(|_| fault_of("upstream_host", format_args!("{host:?} cannot be a header")))?,
        ),
        _ => PassHost::Pass,
    })
}

fn nodes(value: Option<&Value>) -> Result<Vec<WrittenNode>, String> {
    match value {
        Some(Value::Object(map)) => map
            .iter()
            .map(|(address, weight)| written(address, weight))
            .collect(),
        Some(Value::Array(list)) => list.iter().map(listed).collect(),
        _ => Ok(Vec::new()),
    }
}

fn written(address: &str, weight: &Value) -> Result<WrittenNode, String> {
    let (host, port) = match address.rsplit_once(':') {
        // The last colon of `[::1]` is not before a port.
        Some((host, port)) if !port.ends_with(']') => (
            host,
            Some(port.parse().map_err(|_| format!("invalid port {port}"))?),
        ),
        _ => (address, None),
    };
    Ok(WrittenNode {
        host: host.to_owned(),
        port,
        weight: weight_of(weight)?,
        priority: 0,
    })
}

fn listed(node: &Value) -> Result<WrittenNode, String> {
    let host = node
        .get("host")
        .and_then(Value::as_str)
        .ok_or("node without host")?;
    Ok(WrittenNode {
        host: host.to_owned(),
        port: node
            .get("port")
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok()),
        weight: node.get("weight").map_or(Ok(0), weight_of)?,
        priority: node.get("priority").map_or(Ok(0), priority_of)?,
    })
}

fn weight_of(value: &Value) -> Result<u32, String> {
    let weight = value.as_u64().and_then(|weight| u32::try_from(weight).ok());
    weight.ok_or_else(|| {
        format!(
            "weight {value} is none: weights are whole numbers up to {}",
            u32::MAX
        )
    })
}

fn priority_of(value: &Value) -> Result<i32, String> {
    let priority = value.as_i64().and_then(|priority| i32::try_from(priority).ok());
    priority.ok_or_else(|| format!("priority {value} is none: priorities are whole numbers of 32 bits"))
}
