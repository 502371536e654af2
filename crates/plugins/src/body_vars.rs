//! Variables that only the request's body gives: it has to be read before they are asked for.

use serde_json::Value;

/// Whether an expression or template of the configuration names such a variable.
pub(crate) fn are_in(conf: &Value) -> bool {
    match conf {
        Value::String(text) => text.contains("post_arg") || text.contains("graphql_"),
        Value::Array(items) => items.iter().any(are_in),
        Value::Object(members) => members.values().any(are_in),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::are_in;

    #[test]
    fn expressions_and_templates_name_them() {
        assert!(are_in(&json!([["post_arg.model", "==", "m"]])));
        assert!(are_in(&json!({ "abort": { "body": "no ${post_arg_name}" } })));
        assert!(are_in(&json!(["graphql_name", "==", "q"])));
        assert!(!are_in(&json!([["arg_post", "==", 1], true, null])));
    }
}
