//! Services: what their routes take over.

use std::sync::Arc;

use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{Key, Kind};

use super::fault::fault_of;
use super::upstreams::compile_at;
use super::{Compiler, Item, key_of};
use crate::pipeline::PluginSet;
use crate::upstream::Upstream;

/// A compiled service.
pub(super) struct Service {
    pub(super) name: Option<Text>,
    pub(super) hosts: Vec<String>,
    pub(super) plugins: PluginSet,
    pub(super) upstream: Option<UpstreamRef>,
    pub(super) websocket: Option<bool>,
}

/// The upstream that a route or service names.
#[derive(Clone)]
pub(super) enum UpstreamRef {
    /// A resource of its own.
    Resource(Key),
    /// One that stands inside.
    Inline(Arc<Upstream>),
    /// One that stands inside and names a client certificate that does not exist.
    Unreachable,
}

impl Compiler {
    pub(super) fn compile_service(&self, item: &Item<'_>) -> Result<Option<Service>, String> {
        Ok(Some(Service {
            name: text_of(item.value, "name"),
            hosts: texts_of(item.value, "hosts").map(str::to_owned).collect(),
            plugins: self.compile_plugins(item)?,
            upstream: self.compile_upstream_ref(item)?,
            websocket: item.value.get("enable_websocket").and_then(Value::as_bool),
        }))
    }

    /// The upstream of a route or service; a reference wins over an inline one (compat §2.5).
    pub(super) fn compile_upstream_ref(&self, item: &Item<'_>) -> Result<Option<UpstreamRef>, String> {
        if let Some(key) = key_of(Kind::Upstream, item.value.get("upstream_id")) {
            return Ok(Some(UpstreamRef::Resource(key)));
        }
        let Some(inline) = item.value.get("upstream") else {
            return Ok(None);
        };
        let Some(inline) = self.with_client_certificate(inline) else {
            return Ok(Some(UpstreamRef::Unreachable));
        };
        let upstream = compile_at(&self.services, item.owner, &inline)
            .and_then(|upstream| self.with_checks(item, &inline, upstream))
            .map_err(|fault| fault_of("upstream", fault))?;
        Ok(Some(UpstreamRef::Inline(Arc::new(upstream.with_addresses()))))
    }
}

pub(super) fn text_of(resource: &Value, member: &str) -> Option<Text> {
    resource.get(member).and_then(Value::as_str).map(Text::from)
}

/// The strings of an array member.
pub(super) fn texts_of<'a>(resource: &'a Value, member: &str) -> impl Iterator<Item = &'a str> {
    resource
        .get(member)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}
