//! How resources combine: those that a request matched (compat §2.5), and a stored one with a PATCH (compat
//! §1.6).
//!
//! Pure functions over JSON. Plugins merge by name and as a whole: of two configurations of one plugin one is
//! gone.

mod patch;

use serde_json::{Map, Value};

pub use self::patch::{merge_patch, set_at_path};

/// A route with the plugins of its plugin config: these fill in names that the route lacks.
pub fn merge_plugin_config(route: &Value, plugin_config: &Value) -> Value {
    let mut merged = members(route);
    if let Some(plugins) = plugins(plugin_config) {
        let own = merged
            .get("plugins")
            .and_then(Value::as_object)
            .cloned()
            .unwrap_or_default();
        merged.insert("plugins".to_owned(), overlaid(plugins, &own).into());
    }
    Value::Object(merged)
}

/// A route merged onto its service. Everything is the service's, but for:
/// * `id`, `name`: the route's, `name` even when the route has none; `service_id` says whose the rest is;
/// * `plugins`: both, the route's before the service's;
/// * `upstream`, `upstream_id`, `timeout`, `labels`, `script`, `hosts`, `host`, `enable_websocket`: the route's
///   if it has them. Its `upstream` also removes the service's `upstream_id`.
///
/// What decides whether the route matches (`uri`, `methods`, …) is not in the result: it has matched.
pub fn merge_service(route: &Value, service: &Value) -> Value {
    let mut merged = members(service);
    let id = merged.shift_remove("id");
    merged.shift_remove("name");
    if let Some(id) = id.or_else(|| route.get("service_id").cloned()) {
        merged.insert("service_id".to_owned(), id);
    }
    if let Some(own) = plugins(route) {
        let plugins = plugins(service).map_or_else(|| own.clone(), |theirs| overlaid(theirs, own));
        merged.insert("plugins".to_owned(), plugins.into());
    }
    if route.get("upstream").is_some() {
        merged.shift_remove("upstream_id");
    }
    for name in [
        "id",
        "name",
        "upstream",
        "upstream_id",
        "timeout",
        "labels",
        "script",
        "hosts",
        "enable_websocket",
    ] {
        if let Some(own) = route.get(name) {
            merged.insert(name.to_owned(), own.clone());
        }
    }
    if let Some(host) = route.get("host") {
        merged.shift_remove("hosts");
        merged.insert("host".to_owned(), host.clone());
    }
    Value::Object(merged)
}

/// The plugins of a route, merged with those of its caller: the group's replace the route's, the consumer's
/// replace both.
pub fn merge_consumer(
    route: &Map<String, Value>,
    group: Option<&Map<String, Value>>,
    consumer: Option<&Map<String, Value>>,
) -> Map<String, Value> {
    [group, consumer]
        .into_iter()
        .flatten()
        .fold(route.clone(), |merged, layer| overlaid(&merged, layer))
}

/// Where a merged route sends its requests.
#[derive(Clone, Debug, PartialEq)]
pub enum UpstreamSource<'a> {
    /// To the upstream with this id.
    Id(&'a Value),
    /// To the upstream that stands in the route or service itself.
    Inline(&'a Value),
}

/// The upstream of a merged route; an id wins over an inline one.
pub fn upstream_source(merged: &Value) -> Option<UpstreamSource<'_>> {
    let id = merged.get("upstream_id").map(UpstreamSource::Id);
    id.or_else(|| merged.get("upstream").map(UpstreamSource::Inline))
}

fn members(resource: &Value) -> Map<String, Value> {
    resource.as_object().cloned().unwrap_or_default()
}

fn overlaid(base: &Map<String, Value>, over: &Map<String, Value>) -> Map<String, Value> {
    let mut merged = base.clone();
    merged.extend(over.iter().map(|(name, conf)| (name.clone(), conf.clone())));
    merged
}

fn plugins(resource: &Value) -> Option<&Map<String, Value>> {
    resource.get("plugins").and_then(Value::as_object)
}

#[cfg(test)]
mod tests;
