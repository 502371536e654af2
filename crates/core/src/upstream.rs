//! Compiled upstreams (compat §8).

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use sluice_net::{Origin, Timeouts};
use sluice_record::Text;
use sluice_resource::{Template, Variables};
use sluice_upstream::{Balancer, Checker, PickContext, Tried};

use crate::context::Context;

/// A compiled upstream.
pub struct Upstream {
    /// Key of the resource that it stands in.
    pub key: Text,
    /// Its nodes, in the order that [`Balancer::pick`] counts.
    pub nodes: Vec<Node>,
    /// Chooses among them. Its state outlives this version of the upstream.
    pub balancer: Arc<Balancer>,
    /// What a consistent-hash balancer hashes.
    pub hash_key: Option<HashKey>,
    /// The `Host` that nodes see.
    pub pass_host: PassHost,
    /// Tries after the first.
    pub retries: usize,
    /// How long after the first try others may begin.
    pub retry_timeout: Option<Duration>,
    /// `timeout`, if set.
    pub timeouts: Option<Timeouts>,
    /// Who knows which nodes are up, if they are checked.
    pub checker: Option<Arc<Checker>>,
    /// Its `type` does not exist: with several nodes, none can be picked (compat §8.1).
    pub unknown_type: bool,
    /// Whether a node whose name does not resolve counts as tried. Otherwise it is as if it were not there.
    pub keeps_unresolved: bool,
}

impl Upstream {
    /// Picks an untried node among those that are up; its index in [`nodes`](Self::nodes). `None` when nobody is left.
    #[must_use]
    pub fn pick(&self, hash_key: Option<&str>, tried: &Tried) -> Option<usize> {
        if self.unknown_type && self.nodes.len() > 1 {
            return None;
        }
        let pick = PickContext { hash_key, tried };
        let Some(checker) = &self.checker else {
            return self.balancer.pick(&pick);
        };
        checker.touch();
        self.balancer.pick_healthy(&pick, &**checker)
    }
}

/// A node.
pub struct Node {
    /// Where it is.
    pub origin: Arc<Origin>,
    /// `host:port`, for logs.
    pub address: Text,
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
