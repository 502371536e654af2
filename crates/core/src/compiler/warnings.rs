//! Forms that articles still show: accepted, but somebody should hear of it.

use serde_json::Value;

/// What is obsolete about a route.
pub(super) fn of_route(route: &Value) -> Option<String> {
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
