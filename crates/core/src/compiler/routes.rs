//! Routes: service and plugin config merged in, upstream resolved, the router built.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{Expr, Key, Kind};

use super::consumers::id_text;
use super::{CompiledRoute, Compiler, Dirty};
use crate::context::Profile;
use crate::pipeline::{Pipeline, PluginSet};
use crate::route::{Route, RouteUpstream, ServiceRef, UpstreamTimeouts};
use crate::router::{Methods, RouteEntry, Router};

/// A route that exists without anybody having stored it.
#[derive(Clone, Debug)]
pub struct BuiltinRoute {
    /// Its name, in place of an id.
    pub name: &'static str,
    /// The resource that it stands for.
    pub value: Value,
}

impl Compiler {
    /// Sets the built-in routes. They are of the native profile and never change.
    ///
    /// # Errors
    /// When one of them does not compile: a defect of the gateway.
    pub fn set_builtin(&mut self, routes: Vec<BuiltinRoute>) -> Result<(), String> {
        let mut entries = Vec::new();
        for (order, builtin) in routes.into_iter().enumerate() {
            let owner = Text::from(format!("builtin:{}", builtin.name));
            let plugins = self.compile_plugins(&owner, &builtin.value)?;
            let route = Route {
                uid: self.services.uids.next(),
                id: owner,
                name: None,
                service: None,
                pipeline: Arc::new(Pipeline::new(plugins)),
                upstream: RouteUpstream::None,
                timeout: None,
                websocket: false,
                profile: Profile::Native,
                llm_endpoint: true,
                dangling: None,
            };
            entries.push(entry_of(&builtin.value, None, route, order as u64)?.entry);
        }
        self.builtin = Arc::new(Router::build(self.options.router, entries));
        Ok(())
    }

    /// Compiles the routes that changed or refer to what changed, and rebuilds the router if there are any.
    pub(super) fn compile_routes(&mut self, dirty: &Dirty) {
        let touched: Vec<Key> = self
            .stored
            .iter()
            .filter(|(key, stored)| key.kind() == Kind::Route && self.is_touched(key, &stored.value, dirty))
            .map(|(key, _)| key.clone())
            .chain(dirty.of(Kind::Route).into_iter().filter(|key| !self.stored.contains_key(key)))
            .collect();
        if touched.is_empty() {
            return;
        }
        for key in touched {
            let compiled = self.stored.get(&key).map(|s| (s.value.clone(), s.created));
            let compiled = compiled.map(|(value, created)| self.compile_route(&key, &value, created));
            let id = Text::from(key.id());
            let done = match compiled {
                // A disabled route is not matched at all (compat §2.1).
                None | Some(Ok(None)) => super::settle(&mut self.routes, id, None),
                Some(Ok(Some(route))) => super::settle(&mut self.routes, id, Some(Ok(route))),
                Some(Err(problem)) => Err(problem),
            };
            self.note(&key, done);
        }
        self.matches_bodies = self.routes.values().any(|route| route.matches_body);
        let entries = self.routes.values().map(|route| route.entry.clone()).collect();
        self.router = Arc::new(Router::build(self.options.router, entries));
    }

    fn is_touched(&self, key: &Key, value: &Value, dirty: &Dirty) -> bool {
        let refers = |member: &str, ids: &std::collections::BTreeSet<Text>| {
            !ids.is_empty() && value.get(member).and_then(id_text).is_some_and(|id| ids.contains(&id))
        };
        let service = value.get("service_id").and_then(id_text);
        dirty.keys.contains(key)
            || refers("service_id", &dirty.services)
            || refers("plugin_config_id", &dirty.plugin_configs)
            || refers("upstream_id", &dirty.upstreams)
            || service.is_some_and(|id| self.service_refers(&id, &dirty.upstreams))
    }

    fn service_refers(&self, service: &Text, upstreams: &std::collections::BTreeSet<Text>) -> bool {
        let upstream = self.shared.get(service).and_then(|s| s.value.get("upstream_id")).and_then(id_text);
        upstream.is_some_and(|id| upstreams.contains(&id))
    }

    fn compile_route(&mut self, key: &Key, value: &Value, created: u64) -> Result<Option<CompiledRoute>, String> {
        let owner = self.owner(key);
        if value.get("status").and_then(Value::as_i64) == Some(0) {
            return Ok(None);
        }
        let mut dangling = None;
        let service_id = value.get("service_id").and_then(id_text);
        let service = service_id.as_ref().and_then(|id| self.shared.get(id));
        if service_id.is_some() && service.is_none() {
            dangling = Some(StatusCode::NOT_FOUND);
        }
        let mut plugins = service.map_or_else(PluginSet::default, |s| (*s.plugins).clone());
        if let Some(id) = value.get("plugin_config_id").and_then(id_text) {
            match self.plugin_configs.get(&id) {
                Some(config) => plugins.overlay(config),
                None => dangling = Some(StatusCode::SERVICE_UNAVAILABLE),
            }
        }
        plugins.overlay(&self.compile_plugins(&owner, value)?);
        let service_value = service.map(|s| s.value.clone());
        let service_ref = service_id.filter(|_| service.is_some()).map(|id| ServiceRef {
            name: service_value.as_ref().and_then(|v| text_of(v, "name")),
            id,
        });
        let upstream = self.upstream_of(&owner, value, service_ref.as_ref(), service_value.as_deref())?;
        let websocket = value.get("enable_websocket").or_else(|| service_value.as_ref()?.get("enable_websocket"));
        let llm_endpoint = plugins.iter().any(|entry| entry.name.starts_with("ai-"));
        let route = Route {
            uid: self.services.uids.next(),
            id: Text::from(key.id()),
            name: text_of(value, "name"),
            service: service_ref,
            llm_endpoint,
            profile: profile_of(value, service_value.as_deref()),
            pipeline: Arc::new(Pipeline::new(plugins)),
            upstream,
            timeout: value.get("timeout").map(timeouts),
            websocket: websocket.and_then(Value::as_bool).unwrap_or(false),
            dangling,
        };
        self.warn_of_old_forms(&owner, value);
        entry_of(value, service_value.as_deref(), route, created).map(Some)
    }

    /// Where a route's requests go: its own upstream before the service's, a reference before an inline one.
    fn upstream_of(
        &self,
        owner: &Text,
        route: &Value,
        service: Option<&ServiceRef>,
        service_value: Option<&Value>,
    ) -> Result<RouteUpstream, String> {
        let own = route.get("upstream").is_some() || route.get("upstream_id").is_some();
        let (holder, holder_key) = match (own, service, service_value) {
            (false, Some(service), Some(value)) => (value, self.owner(&Key::new(Kind::Service, &service.id))),
            _ => (route, owner.clone()),
        };
        if let Some(id) = holder.get("upstream_id").and_then(id_text) {
            return Ok(self.upstreams.get(&id).map_or(RouteUpstream::Missing, |u| RouteUpstream::To(u.clone())));
        }
        let Some(inline) = holder.get("upstream") else { return Ok(RouteUpstream::None) };
        Ok(RouteUpstream::To(Arc::new(self.compile_upstream(&holder_key, inline)?)))
    }

    /// Forms that articles still show are accepted; somebody should hear of it.
    fn warn_of_old_forms(&mut self, owner: &Text, value: &Value) {
        let plugin = |name: &str| value.get("plugins").and_then(|p| p.get(name));
        let mut found = Vec::new();
        if plugin("ai-proxy").is_some_and(|conf| conf.get("model").is_some()) {
            found.push("ai-proxy: `model: {provider, name}` is obsolete, use `provider` and `options.model`");
        }
        if plugin("ai-rate-limiting").and_then(|c| c.get("limit_strategy")).and_then(Value::as_str) == Some("token") {
            found.push("ai-rate-limiting: `limit_strategy: token` is obsolete, use `total_tokens`");
        }
        if value.get("upstream").is_some() && (plugin("ai-proxy").is_some() || plugin("ai-proxy-multi").is_some()) {
            found.push("`upstream` beside ai-proxy is never used");
        }
        if found.is_empty() {
            self.warnings.remove(owner);
        } else {
            let warning = found.join("; ");
            tracing::warn!(key = %owner, warning, "obsolete configuration");
            self.warnings.insert(owner.clone(), Text::from(warning));
        }
    }
}

fn entry_of(value: &Value, service: Option<&Value>, route: Route, order: u64) -> Result<CompiledRoute, String> {
    let texts = |one: &str, many: &str| -> Vec<String> {
        let list = value.get(many).and_then(Value::as_array).into_iter().flatten();
        list.chain(value.get(one)).filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut hosts = texts("host", "hosts");
    if hosts.is_empty() {
        let of_service = service.and_then(|s| s.get("hosts")).and_then(Value::as_array).into_iter().flatten();
        hosts = of_service.filter_map(Value::as_str).map(str::to_owned).collect();
    }
    let addrs = texts("remote_addr", "remote_addrs");
    let addrs = addrs.iter().map(|a| sluice_resource::parse_ip_net(a).ok_or(format!("invalid remote_addr {a}")));
    let methods = value.get("methods").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let vars = value.get("vars").map(Expr::parse).transpose().map_err(|e| e.to_string())?;
    let matches_body = vars.as_ref().is_some_and(|vars| vars.uses(|name| name.starts_with("post_arg")));
    let entry = RouteEntry {
        id: route.id.clone(),
        uris: texts("uri", "uris"),
        hosts,
        priority: value.get("priority").and_then(Value::as_i64).unwrap_or(0),
        methods: Methods::parse(methods).map_err(|e| e.to_string())?,
        remote_addrs: addrs.collect::<Result<_, _>>()?,
        vars,
        target: Arc::new(route),
        order,
    };
    Ok(CompiledRoute { entry, matches_body })
}

/// A stored route answers as APISIX unless its AI plugin says `profile: native`.
fn profile_of(route: &Value, service: Option<&Value>) -> Profile {
    let native = |holder: &Value| {
        ["ai-proxy", "ai-proxy-multi"]
            .iter()
            .any(|name| holder.pointer(&format!("/plugins/{name}/profile")).and_then(Value::as_str) == Some("native"))
    };
    if native(route) || service.is_some_and(native) { Profile::Native } else { Profile::Apisix }
}

/// `{connect, send, read}` in seconds.
pub(super) fn timeouts(value: &Value) -> UpstreamTimeouts {
    let default = UpstreamTimeouts::default();
    let seconds = |name: &str, otherwise: Duration| {
        let given = value.get(name).and_then(Value::as_f64);
        given.and_then(|s| Duration::try_from_secs_f64(s).ok()).unwrap_or(otherwise)
    };
    UpstreamTimeouts {
        connect: seconds("connect", default.connect),
        send: seconds("send", default.send),
        read: seconds("read", default.read),
    }
}

fn text_of(value: &Value, member: &str) -> Option<Text> {
    value.get(member).and_then(Value::as_str).map(Text::from)
}
