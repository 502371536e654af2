//! A plugin stands in one global rule at most (compat §1.7, §3.1).

use serde_json::Value;

use super::{CheckError, Result};
use crate::key::Key;

/// Refuses a global rule that has a plugin of another one. `stored` are all global rules; the rule's own key
/// is passed over.
///
/// # Errors
///
/// The first plugin that stands elsewhere.
pub fn check_global_rule_overlap<'a>(
    key: &Key,
    rule: &Value,
    stored: impl IntoIterator<Item = (&'a Key, &'a Value)>,
) -> Result {
    let plugins = |rule: &'a Value| rule.get("plugins").and_then(Value::as_object);
    let own = rule.get("plugins").and_then(Value::as_object);
    for (other, value) in stored {
        let theirs = plugins(value).filter(|_| other != key);
        let shared = own.into_iter().flatten().map(|(name, _)| name);
        if let Some(name) = shared
            .into_iter()
            .find(|name| theirs.is_some_and(|theirs| theirs.contains_key(*name)))
        {
            return Err(CheckError::refused(format!(
                "plugin '{name}' already exists in global rule with id '{}'",
                other.id(),
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::Kind;
    use serde_json::json;

    #[test]
    fn a_plugin_stands_in_one_rule() {
        let key = |id| Key::new(Kind::GlobalRule, id);
        let stored = [
            (key("1"), json!({"plugins": {"cors": {}}})),
            (
                key("2"),
                json!({"plugins": {"ip-restriction": {}, "prometheus": {}}}),
            ),
        ];
        let check = |id, rule: Value| {
            check_global_rule_overlap(&key(id), &rule, stored.iter().map(|(key, value)| (key, value)))
        };
        assert_eq!(
            check("1", json!({"plugins": {"cors": {}, "limit-count": {}}})),
            Ok(())
        );
        assert_eq!(
            check("3", json!({"plugins": {"limit-count": {}, "prometheus": {}}}))
                .unwrap_err()
                .message,
            "plugin 'prometheus' already exists in global rule with id '2'",
        );
    }
}
