//! What is accepted although somebody should hear of it: forms that articles still show, and references that lead to
//! nothing.

use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{Key, Kind};

use super::Compiler;

impl Compiler {
    /// Notes what there is to say of a resource that compiled.
    pub(super) fn warn_of(&mut self, key: &Key, owner: &Text, value: &Value) {
        let is_route = key.kind() == Kind::Route && value.get("status").and_then(Value::as_i64) != Some(0);
        let obsolete = is_route.then(|| of_route(value)).flatten();
        if let Some(warning) = &obsolete {
            tracing::warn!(key = %owner, warning, "obsolete configuration");
        }
        let unresolved = self.services.secrets.resolve(value).unresolved;
        let unresolved = unresolved.into_iter().map(|found| {
            tracing::error!(key = %owner, reference = found.reference, reason = found.reason, "secret is not resolved");
            format!("{} is not resolved: {}", found.reference, found.reason)
        });
        let found: Vec<_> = obsolete.into_iter().chain(unresolved).collect();
        match found.is_empty() {
            true => self.warnings.remove(owner),
            false => self.warnings.insert(owner.clone(), Text::from(found.join("; "))),
        };
    }
}

/// What is obsolete about a route.
fn of_route(route: &Value) -> Option<String> {
    let plugin = |name: &str| route.get("plugins").and_then(|plugins| plugins.get(name));
    let mut found = Vec::new();
    if plugin("ai-proxy").is_some_and(|conf| conf.get("model").is_some()) {
        found.push("ai-proxy: `model: {provider, name}` is obsolete, use `provider` and `options.model`");
    }
    if plugin("ai-rate-limiting")
        .and_then(|conf| conf.get("limit_strategy"))
        .and_then(Value::as_str)
        == Some("token")
    {
        found.push("ai-rate-limiting: `limit_strategy: token` is obsolete, use `total_tokens`");
    }
    if route.get("upstream").is_some() && (plugin("ai-proxy").is_some() || plugin("ai-proxy-multi").is_some())
    {
        found.push("`upstream` beside ai-proxy is never used");
    }
    (!found.is_empty()).then(|| found.join("; "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_what_is_obsolete() {
        let plain = json!({"plugins": {"ai-proxy": {"provider": "openai"}}, "upstream_id": "1"});
        assert_eq!(of_route(&plain), None);
        let old = json!({
            "upstream": {},
            "plugins": {
                "ai-proxy": {"model": {"provider": "openai", "name": "gpt-4"}},
                "ai-rate-limiting": {"limit_strategy": "token"},
            },
        });
        let warning = of_route(&old).unwrap();
        for part in [
            "`model: {provider, name}`",
            "`limit_strategy: token`",
            "`upstream` beside",
        ] {
            assert!(warning.contains(part), "{part} in {warning}");
        }
    }
}
