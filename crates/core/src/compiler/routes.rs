//! Routes: compiled on their own, joined with what they refer to, and filed in the router.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use sluice_net::Timeouts;
use sluice_record::Text;
use sluice_resource::{Expr, Key, Kind};

use super::services::{Service, UpstreamRef, text_of, texts_of};
use super::{Compiler, Dirty, Item, key_of};
use crate::context::Profile;
use crate::pipeline::{Pipeline, PluginSet};
use crate::route::{Route, RouteUpstream, ServiceRef};
use crate::router::{Methods, RouteEntry, Router};
use crate::vars::look_into_body;

/// What a route says itself.
pub(super) struct OwnRoute {
    /// How it is matched; without hosts of its own, those of the service count.
    matching: RouteEntry<()>,
    name: Option<Text>,
    service: Option<Key>,
    plugin_config: Option<Key>,
    plugins: PluginSet,
    upstream: Option<UpstreamRef>,
    timeout: Option<Timeouts>,
    websocket: Option<bool>,
    /// The route as requests see it; `None` until it is joined with what it refers to.
    joined: Option<Arc<Route>>,
}

impl Compiler {
    /// Compiles the routes that are dirty, joins those and the ones that refer to what changed, and builds the router
    /// if there are any.
    pub(super) fn compile_routes(&mut self, dirty: &Dirty, changed: &BTreeSet<Key>) {
        let own = self.compile_kind(
            Kind::Route,
            dirty,
            |c| &mut c.routes,
            |this, item| {
                // A disabled route is not matched at all (compat §2.1).
                let is_disabled = item.value.get("status").and_then(Value::as_i64) == Some(0);
                if is_disabled {
                    Ok(None)
                } else {
                    this.compile_own_route(item).map(Some)
                }
            },
        );
        if own.is_empty() && changed.is_empty() {
            return;
        }
        let mut has_changed = !own.is_empty();
        let mut routes = std::mem::take(&mut self.compiled.routes);
        for route in routes.values_mut() {
            if route.joined.is_none() || self.refers_to(route, changed) {
                route.joined = Some(Arc::new(self.join(route)));
                has_changed = true;
            }
        }
        self.compiled.routes = routes;
        if has_changed {
            self.build_router();
        }
    }

    fn build_router(&mut self) {
        let routes = self.compiled.routes.values();
        let entries = routes
            .filter_map(|own| Some(self.entry_of(own, own.joined.clone()?)))
            .collect::<Vec<_>>();
        self.matches_bodies = entries
            .iter()
            .filter_map(|entry| entry.vars.as_ref())
            .any(look_into_body);
        self.router = Arc::new(Router::build(self.options.router, entries));
    }

    pub(super) fn compile_own_route(&self, item: &Item<'_>) -> Result<OwnRoute, String> {
        let value = item.value;
        Ok(OwnRoute {
            matching: matching(item)?,
            name: text_of(value, "name"),
            service: key_of(Kind::Service, value.get("service_id")),
            plugin_config: key_of(Kind::PluginConfig, value.get("plugin_config_id")),
            plugins: self.compile_plugins(item)?,
            upstream: self.compile_upstream_ref(item)?,
            timeout: value.get("timeout").map(timeouts),
            websocket: value.get("enable_websocket").and_then(Value::as_bool),
            joined: None,
        })
    }

    /// The route with what it refers to: service, plugin config, upstream (compat §2.5).
    pub(super) fn join(&self, own: &OwnRoute) -> Route {
        let service = self.service_of(own);
        let config = own
            .plugin_config
            .as_ref()
            .map(|key| self.compiled.plugin_configs.get(key));
        let dangling = match config {
            Some(None) => Some(StatusCode::SERVICE_UNAVAILABLE),
            _ if own.service.is_some() && service.is_none() => Some(StatusCode::NOT_FOUND),
            _ => None,
        };
        let mut plugins = PluginSet::default();
        let layers = [
            service.map(|service| &service.plugins),
            config.flatten(),
            Some(&own.plugins),
        ];
        layers
            .into_iter()
            .flatten()
            .for_each(|layer| plugins.overlay(layer));
        let native = plugins.iter().any(|entry| entry.native);
        let llm_endpoint = plugins.iter().any(|entry| entry.name.starts_with("ai-"));
        Route {
            uid: self.services.uids.next(),
            id: own.matching.id.clone(),
            name: own.name.clone(),
            service: own
                .service
                .as_ref()
                .zip(service)
                .map(|(key, service)| ServiceRef {
                    id: Text::from(key.id()),
                    name: service.name.clone(),
                }),
            llm_endpoint,
            profile: if native { Profile::Native } else { Profile::Apisix },
            pipeline: Arc::new(Pipeline::new(plugins)),
            upstream: match self.upstream_of(own) {
                None => RouteUpstream::None,
                Some(UpstreamRef::Inline(upstream)) => RouteUpstream::To(upstream.clone()),
                Some(UpstreamRef::Unreachable) => RouteUpstream::Missing,
                Some(UpstreamRef::Resource(key)) => {
                    let upstream = self.compiled.upstreams.get(key);
                    upstream.map_or(RouteUpstream::Missing, |upstream| {
                        RouteUpstream::To(upstream.clone())
                    })
                }
            },
            timeout: own.timeout,
            websocket: own
                .websocket
                .or(service.and_then(|service| service.websocket))
                .unwrap_or(false),
            dangling,
        }
    }

    fn service_of(&self, own: &OwnRoute) -> Option<&Service> {
        self.compiled.services.get(own.service.as_ref()?)
    }

    /// The route's own upstream before the service's.
    fn upstream_of<'a>(&'a self, own: &'a OwnRoute) -> Option<&'a UpstreamRef> {
        own.upstream
            .as_ref()
            .or_else(|| self.service_of(own)?.upstream.as_ref())
    }

    fn refers_to(&self, own: &OwnRoute, changed: &BTreeSet<Key>) -> bool {
        let upstream = match self.upstream_of(own) {
            Some(UpstreamRef::Resource(key)) => Some(key),
            _ => None,
        };
        [own.service.as_ref(), own.plugin_config.as_ref(), upstream]
            .into_iter()
            .flatten()
            .any(|key| changed.contains(key))
    }

    /// The entry of the router for a joined route.
    pub(super) fn entry_of(&self, own: &OwnRoute, target: Arc<Route>) -> RouteEntry<Arc<Route>> {
        let RouteEntry {
            id,
            uris,
            hosts,
            priority,
            methods,
            remote_addrs,
            vars,
            target: (),
            order,
        } = own.matching.clone();
        let of_service = || {
            self.service_of(own)
                .map(|service| service.hosts.clone())
                .unwrap_or_default()
        };
        let hosts = if hosts.is_empty() { of_service() } else { hosts };
        RouteEntry {
            id,
            uris,
            hosts,
            priority,
            methods,
            remote_addrs,
            vars,
            target,
            order,
        }
    }
}

fn matching(item: &Item<'_>) -> Result<RouteEntry<()>, String> {
    let value = item.value;
    let texts = |one: &str, many: &str| -> Vec<String> {
        texts_of(value, many)
            .chain(value.get(one).and_then(Value::as_str))
            .map(str::to_owned)
            .collect()
    };
    let addrs = texts("remote_addr", "remote_addrs");
    let addrs = addrs
        .iter()
        .map(|a| sluice_resource::parse_ip_net(a).ok_or(format!("invalid remote_addr {a}")));
    Ok(RouteEntry {
        id: Text::from(item.key.id()),
        uris: texts("uri", "uris"),
        hosts: texts("host", "hosts"),
        priority: value.get("priority").and_then(Value::as_i64).unwrap_or(0),
        methods: Methods::parse(texts_of(value, "methods")).map_err(|e| e.to_string())?,
        remote_addrs: addrs.collect::<Result<_, _>>()?,
        vars: value
            .get("vars")
            .map(Expr::parse)
            .transpose()
            .map_err(|e| e.to_string())?,
        target: (),
        order: item.created,
    })
}

/// `{connect, send, read}` in seconds.
pub(super) fn timeouts(value: &Value) -> Timeouts {
    let default = Timeouts::default();
    let seconds = |name: &str, otherwise: Duration| {
        let given = value.get(name).and_then(Value::as_f64);
        given
            .and_then(|s| Duration::try_from_secs_f64(s).ok())
            .unwrap_or(otherwise)
    };
    Timeouts {
        connect: seconds("connect", default.connect),
        send: seconds("send", default.send),
        read: seconds("read", default.read),
    }
}
