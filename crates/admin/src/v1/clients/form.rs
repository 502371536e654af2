//! The names that members of consumers and groups have in forms.

/// The field of a form that a member of the resource is told at.
pub(in crate::v1) fn form_field(path: &str) -> String {
    let Some(plugin) = path.strip_prefix("plugins.") else {
        return match path {
            "group_id" => "group",
            "username" => "id",
            "desc" => "description",
            other => other,
        }
        .to_owned();
    };
    let (name, member) = plugin.split_once('.').unwrap_or((plugin, ""));
    let below = |field: &str| match member {
        "" => field.to_owned(),
        member => format!("{field}.{member}"),
    };
    let first = member.split('.').next().unwrap_or_default();
    match (name, first) {
        ("ai-limits", _) => below("limits"),
        ("ai-client", "") => path.to_owned(),
        ("ai-client", _) => member.to_owned(),
        ("ai-models", "default") => "default_model".to_owned(),
        ("ai-models", "allow") => member.replacen("allow", "allowed_models", 1),
        ("ai-models", "aliases") => member.to_owned(),
        ("ai-prompt-decorator", _) => "system_prompt.text".to_owned(),
        ("ai-proxy", "provider") => "provider.type".to_owned(),
        ("ai-proxy", "auth") => "provider.api_key".to_owned(),
        ("ai-proxy", "override") => "provider.base_url".to_owned(),
        ("ai-proxy", "options") => below("provider"),
        ("ai-proxy", _) => "provider".to_owned(),
        ("ai-proxy-multi", _) => "fallback_models".to_owned(),
        _ => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::form_field;

    #[test]
    fn members_have_their_fields() {
        for (path, field) in [
            ("group_id", "group"),
            (
                "plugins.ai-limits.per_model.gpt-*.tokens_per_day",
                "limits.per_model.gpt-*.tokens_per_day",
            ),
            ("plugins.ai-limits", "limits"),
            ("plugins.ai-client.allowed_addresses.0", "allowed_addresses.0"),
            ("plugins.ai-models.allow.1", "allowed_models.1"),
            ("plugins.ai-models.default", "default_model"),
            ("plugins.ai-models.aliases.a", "aliases.a"),
            (
                "plugins.ai-prompt-decorator.prepend.0.content",
                "system_prompt.text",
            ),
            ("plugins.ai-proxy.auth.header.authorization", "provider.api_key"),
            ("plugins.ai-proxy.options.model", "provider.options.model"),
            ("plugins.ai-proxy.override.endpoint", "provider.base_url"),
            ("plugins.ai-proxy-multi.instances.0.name", "fallback_models"),
            ("plugins.limit-count.count", "plugins.limit-count.count"),
            ("labels", "labels"),
        ] {
            assert_eq!(form_field(path), field);
        }
    }
}
