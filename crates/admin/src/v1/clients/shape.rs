//! A consumer as a client: what its plugins say, in the words of the form.

use serde_json::{Map, Value, json};
use sluice_resource::Key;
use sluice_store::Item;

use super::super::providers::hint;
use crate::api::Api;

/// Plugins that the form shows.
const SHOWN: [&str; 9] = [
    "ai-client",
    "ai-proxy",
    "ai-proxy-multi",
    "ai-models",
    "ai-prompt-decorator",
    "ai-limits",
    "key-auth",
    "ai-key",
    "ai-rate-limiting",
];

/// A consumer, looked at as a client.
pub(super) struct Face<'a> {
    api: &'a Api,
    id: &'a str,
    item: &'a Item,
}

impl<'a> Face<'a> {
    pub(super) fn of(api: &'a Api, id: &'a str, item: &'a Item) -> Self {
        Self { api, id, item }
    }

    fn plugin(&self, name: &str) -> &Value {
        &self.item.value["plugins"][name]
    }

    /// The first instance that the client's calls go to.
    fn target(&self) -> &Value {
        match self.plugin("ai-proxy") {
            Value::Null => &self.plugin("ai-proxy-multi")["instances"][0],
            own => own,
        }
    }

    fn about(&self, member: &str) -> Value {
        self.plugin("ai-client").get(member).cloned().unwrap_or_default()
    }

    fn name(&self) -> String {
        self.plugin("ai-client")["name"]
            .as_str()
            .unwrap_or(self.id)
            .to_owned()
    }

    fn active(&self) -> bool {
        self.plugin("ai-client")["active"].as_bool().unwrap_or(true)
    }

    fn time(&self, member: &str) -> Value {
        self.item.value[member]
            .as_u64()
            .map(|seconds| seconds * 1000)
            .into()
    }

    /// The client as lists show it.
    pub(super) fn row(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name(),
            "owner": self.about("owner"),
            "provider": self.target().get("provider"),
            "default_model": self.plugin("ai-models").get("default"),
            "group": self.item.value.get("group_id"),
            "tags": self.plugin("ai-client").get("tags").cloned().unwrap_or_else(|| json!([])),
            "active": self.active(),
            "expires_at": self.about("expires_at"),
            "created_at": self.time("create_time"),
            "seen_at": null,
            "version": self.item.mod_revision,
        })
    }

    /// The client as its form shows it.
    pub(super) fn client(&self) -> Value {
        let list = |plugin: &str, member: &str| {
            self.plugin(plugin)
                .get(member)
                .cloned()
                .unwrap_or_else(|| json!([]))
        };
        let plugins = self.item.value["plugins"].as_object();
        let other: Vec<&String> = plugins
            .into_iter()
            .flat_map(Map::keys)
            .filter(|name| !SHOWN.contains(&name.as_str()))
            .collect();
        let mut limits = self.plugin("ai-limits").clone();
        if limits.is_null() {
            limits = json!({});
        }
        let mut client = self.row();
        let more = json!({
            "description": self.plugin("ai-client").get("description").cloned().or_else(|| self.item.value.get("desc").cloned()),
            "provider": self.provider(),
            "fallback_models": self.fallbacks(),
            "allowed_models": list("ai-models", "allow"),
            "aliases": self.plugin("ai-models").get("aliases").cloned().unwrap_or_else(|| json!({})),
            "system_prompt": self.prompt(),
            "tool_mode": "pass-through",
            "limits": limits,
            "allowed_endpoints": list("ai-client", "allowed_endpoints"),
            "allowed_addresses": list("ai-client", "allowed_addresses"),
            "log_payloads": self.plugin("ai-client")["log_payloads"].as_bool().unwrap_or(false),
            "updated_at": self.time("update_time"),
            "unmanaged_plugins": other,
        });
        for (member, value) in more.as_object().into_iter().flatten() {
            client[member] = value.clone();
        }
        client
    }

    /// Where its calls go, without the key.
    fn provider(&self) -> Value {
        let target = self.target();
        let Some(kind) = target["provider"].as_str() else {
            return Value::Null;
        };
        let headers = target["auth"]["header"].as_object();
        let secret = headers
            .and_then(|headers| headers.values().next())
            .and_then(Value::as_str);
        let secret = secret.map(|value| value.strip_prefix("Bearer ").unwrap_or(value));
        let endpoint = target["override"]["endpoint"].as_str();
        let base = endpoint.map(|endpoint| {
            format!(
                "{endpoint}{}",
                target["override"]["base"].as_str().unwrap_or_default()
            )
        });
        let key = Key::new(sluice_resource::Kind::Consumer, self.id);
        let clean = self.api.redacted(&key, self.item.value.clone());
        let options = clean.pointer("/plugins/ai-proxy/options").cloned();
        json!({
            "type": kind,
            "base_url": base,
            "api_key_set": secret.is_some(),
            "api_key_hint": hint(secret),
            "options": options,
        })
    }

    fn fallbacks(&self) -> Value {
        let instances = self.plugin("ai-proxy-multi")["instances"].as_array();
        instances
            .into_iter()
            .flatten()
            .skip(1)
            .filter_map(|instance| instance["options"].get("model").cloned())
            .collect()
    }

    fn prompt(&self) -> Value {
        let decorator = self.plugin("ai-prompt-decorator");
        let rule = self.plugin("ai-client")["system_messages"].as_str();
        for (member, position) in [("prepend", "first"), ("append", "last")] {
            let message = &decorator[member][0];
            if message["role"] == "system" {
                let position = if rule == Some("remove") {
                    "replace"
                } else {
                    position
                };
                let locked = rule == Some("refuse");
                return json!({ "text": message["content"], "position": position, "locked": locked });
            }
        }
        Value::Null
    }
}
