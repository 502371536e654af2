//! Compiled upstreams (compat §8).

mod node_set;
mod spread;

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use sluice_net::Timeouts;
use sluice_record::Text;
use sluice_resource::{Template, Variables};

pub use self::node_set::{Node, NodeSet};
use self::spread::Spread;
use crate::context::Context;
use crate::services::Services;

/// A compiled upstream.
pub struct Upstream {
    /// Key of the resource that it stands in.
    pub key: Text,
    /// Its nodes as configured. Requests pick from [`find_nodes`](Self::find_nodes).
    pub configured: NodeSet,
    /// What a consistent-hash balancer hashes.
    pub hash_key: Option<HashKey>,
    /// The `Host` that nodes see.
    pub pass_host: PassHost,
    /// Tries after the first, if configured; otherwise every other node gets one.
    pub retries: Option<usize>,
    /// How long after the first try others may begin.
    pub retry_timeout: Option<Duration>,
    /// `timeout`, if set.
    pub timeouts: Option<Timeouts>,
    /// The addresses of its names. `None` where nodes are addresses, or names stay nodes.
    spread: Option<Spread>,
}

/// The nodes that one request picks from.
pub enum Nodes<'a> {
    /// As configured.
    Configured(&'a NodeSet),
    /// One per address of the configured names.
    Spread(Arc<NodeSet>),
}

impl Deref for Nodes<'_> {
    type Target = NodeSet;

    fn deref(&self) -> &NodeSet {
        match self {
            Self::Configured(nodes) => nodes,
            Self::Spread(nodes) => nodes,
        }
    }
}

impl Upstream {
    /// An upstream of these nodes with default settings; names stay nodes.
    pub(crate) fn new(key: Text, configured: NodeSet) -> Self {
        Self {
            key,
            configured,
            hash_key: None,
            pass_host: PassHost::Pass,
            retries: None,
            retry_timeout: None,
            timeouts: None,
            spread: None,
        }
    }

    /// Makes its names stand for their addresses: each becomes a node with the weight of its name.
    #[must_use]
    pub(crate) fn with_addresses(mut self) -> Self {
        let has_names = self.configured.nodes.iter().any(|node| node.origin.is_name());
        self.spread = has_names.then(Spread::default);
        self
    }

    /// What to pick from, if that is known without asking name servers.
    #[must_use]
    pub fn nodes_at_hand(self: &Arc<Self>, services: &Arc<Services>) -> Option<Nodes<'_>> {
        let Some(spread) = &self.spread else {
            return Some(Nodes::Configured(&self.configured));
        };
        let (nodes, is_old) = spread.known()?;
        if is_old {
            let (upstream, services) = (self.clone(), services.clone());
            let background = services.background.clone();
            let limit = upstream.timeouts.unwrap_or_default().connect;
            background.spawn(async move { drop(upstream.find_nodes(limit, &services).await) });
        }
        Some(Nodes::Spread(nodes))
    }

    /// What to pick from, as name servers say within this time. None is left where no name resolves.
    pub async fn find_nodes(&self, limit: Duration, services: &Services) -> Nodes<'_> {
        match &self.spread {
            None => Nodes::Configured(&self.configured),
            Some(spread) => Nodes::Spread(spread.renew(&self.key, &self.configured, limit, services).await),
        }
    }

    /// How many tries may follow the first one.
    #[must_use]
    pub fn retries(&self, nodes: &NodeSet) -> usize {
        self.retries.unwrap_or(nodes.nodes.len().saturating_sub(1))
    }
}

/// See [`Upstream::pass_host`].
#[derive(Clone, Debug)]
pub enum PassHost {
    /// What the client sent.
    Pass,
    /// The node's own name.
    Node,
    /// This.
    Rewrite(HeaderValue),
}

/// `hash_on` and `key`.
#[derive(Clone, Debug)]
pub enum HashKey {
    /// A variable.
    Variable(String),
    /// A request header.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// The consumer's name.
    Consumer,
    /// A text of several variables.
    Combination(Template),
}

impl HashKey {
    /// The hash key of an upstream's or balancer's `hash_on` and `key`.
    #[must_use]
    pub fn new(hash_on: &str, key: &str) -> Self {
        match hash_on {
            "header" => Self::Header(key.to_ascii_lowercase().replace('_', "-")),
            "cookie" => Self::Cookie(key.to_owned()),
            "consumer" => Self::Consumer,
            "vars_combinations" => Self::Combination(Template::parse(key)),
            _ => Self::Variable(key.to_owned()),
        }
    }

    /// The text to hash for a request; a missing value falls back to the client's address (compat §8.2).
    #[must_use]
    pub fn value(&self, cx: &Context) -> String {
        let value = match self {
            Self::Variable(name) => cx.get(name).map(Cow::into_owned),
            Self::Header(name) => cx.request.header(name).map(str::to_owned),
            Self::Cookie(name) => cx.request.cookie(name).map(str::to_owned),
            Self::Consumer => cx.consumer_name().map(ToString::to_string),
            Self::Combination(template) => {
                let rendered = template.render_counted(cx);
                (rendered.resolved > 0).then(|| rendered.text.into_owned())
            }
        };
        value.unwrap_or_else(|| cx.request.peer.ip().to_string())
    }
}
