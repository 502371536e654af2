//! The names of all settings, taken from the type itself.

use serde_json::Value;

use super::Config;

/// Members whose content is free: everything below them is accepted.
const FREE: [&str; 1] = ["plugin_attr"];

/// Settings that nobody may see.
const SECRET: [&str; 5] = [
    "admin.key",
    "admin.keys",
    "admin.password",
    "metrics.password",
    "apisix.keyring",
];

/// The section that only a file can set: who can set variables does not thereby run commands.
const FILE_ONLY: &str = "commands.";

/// Whether there is no environment variable for a setting.
pub(super) fn is_file_only(path: &str) -> bool {
    path.starts_with(FILE_ONLY)
}

/// Whether a setting, or something in a section, is secret.
pub(super) fn is_secret(path: &str) -> bool {
    let within = |secret: &str| {
        secret
            .strip_prefix(path)
            .is_some_and(|rest| rest.starts_with('.'))
    };
    SECRET.iter().any(|secret| *secret == path || within(secret))
}

/// Every setting with its value and where it comes from: `default`, `environment`, or `file` for the file and the
/// command line. Secret values are left out.
pub(crate) fn effective(config: &Config, has_variable: impl Fn(&str) -> bool) -> Vec<Value> {
    let values = serde_json::to_value(config).unwrap_or_default();
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    let setting = |key: String| {
        let pointer = format!("/{}", key.replace('.', "/"));
        let value = values.pointer(&pointer).cloned().unwrap_or_default();
        let secret = is_secret(&key);
        let variable = format!("SLUICE_{}", key.replace('.', "_").to_uppercase());
        let source = match defaults.pointer(&pointer) {
            _ if has_variable(&variable) => "environment",
            Some(default) if *default == value => "default",
            _ => "file",
        };
        let shown = if secret { Value::Null } else { value };
        serde_json::json!({ "key": key, "value": shown, "source": source, "secret": secret, "help": "" })
    };
    all().into_iter().map(setting).collect()
}

/// Every setting as a dotted path, for example `proxy.listen`.
pub(super) fn all() -> Vec<String> {
    let mut paths = Vec::new();
    // A configuration is plain data: serialising it cannot fail, and without names nothing would be accepted.
    let defaults = serde_json::to_value(Config::default()).unwrap_or_default();
    collect(&defaults, "", &mut paths);
    paths
}

fn collect(value: &Value, prefix: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(members) if !FREE.contains(&prefix) => {
            for (name, member) in members {
                collect(member, &join(prefix, name), paths);
            }
        }
        _ => paths.push(prefix.to_owned()),
    }
}

pub(super) fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() {
        name.to_owned()
    } else {
        format!("{prefix}.{name}")
    }
}

/// The environment variable of a setting.
pub(super) fn variable(path: &str) -> String {
    format!("SLUICE_{}", path.replace('.', "_").to_uppercase())
}

/// The first member of `given` that is no setting, with the setting that its name is nearest to.
pub(super) fn unknown(given: &Value) -> Option<(String, Option<String>)> {
    let known = all();
    let mut paths = Vec::new();
    collect(given, "", &mut paths);
    let is_known = |path: &str| {
        known.iter().any(|k| k == path)
            || known.iter().any(|k| {
                path.strip_prefix(k.as_str())
                    .is_some_and(|rest| rest.starts_with('.'))
            })
            || known
                .iter()
                .any(|k| k.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
    };
    let wrong = paths
        .into_iter()
        .find(|path| !path.is_empty() && !is_known(path))?;
    let nearest = nearest(&wrong, known.iter().map(String::as_str));
    Some((wrong, nearest))
}

/// The candidate that `name` was probably meant to be.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    candidates
        .map(|known| {
            let whole = strsim::jaro_winkler(name, known);
            // A right name in the wrong section is the likeliest mistake of all.
            let by_name = if last(name) == last(known) { 0.99 } else { 0.0 };
            (whole.max(by_name), known)
        })
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(likeness, _)| *likeness > 0.75)
        .map(|(_, known)| known.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_misspelt_key_is_found_with_its_neighbour() {
        let (wrong, near) = unknown(&json!({ "proxy": { "listn": "1.2.3.4:5" } })).unwrap();
        assert_eq!(
            (wrong.as_str(), near.as_deref()),
            ("proxy.listn", Some("proxy.listen"))
        );
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found_with_its_place() {
        let (_, near) = unknown(&json!({ "retention_days": 3 })).unwrap();
        assert_eq!(near.as_deref(), Some("ledger.retention_days"));
    }

    #[test]
    fn free_sections_accept_anything() {
        assert_eq!(
            unknown(&json!({ "plugin_attr": { "prometheus": { "metric_prefix": "x_" } } })),
            None
        );
        assert_eq!(unknown(&json!({ "plugins": ["key-auth"], "proxy": {} })), None);
    }

    #[test]
    fn variables_follow_paths_and_are_distinct() {
        assert_eq!(variable("proxy.max_head_bytes"), "SLUICE_PROXY_MAX_HEAD_BYTES");
        let mut names: Vec<_> = all().iter().map(|path| variable(path)).collect();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
