//! Variables that only the request's body gives: it has to be read before they are asked for.

use serde_json::Value;
use sluice_core::Context;

/// Most bytes of a body that variables look into (compat §2.4).
const BODY_MAX: u64 = 64 << 20;

/// Whether an expression or template of the configuration names such a variable.
pub(crate) fn are_in(conf: &Value) -> bool {
    match conf {
        Value::String(text) => text.contains("post_arg"),
        Value::Array(items) => items.iter().any(are_in),
        Value::Object(members) => members.values().any(are_in),
        _ => false,
    }
}

/// Reads the body. Of one that is too large or breaks off, the variables stay without a value.
pub(crate) async fn load(cx: &mut Context) {
    if let Err(error) = cx.request.body.read(BODY_MAX).await {
        tracing::debug!(%error, "variables of the request body have no value");
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
        assert!(!are_in(&json!([["arg_post", "==", 1], true, null])));
    }
}
