//! Times are the gateway's to write (compat §1.4).

use serde_json::Value;

use super::{CheckError, Result};

const TIMES: [&str; 2] = ["create_time", "update_time"];

/// Refuses the times of a PUT or POST body: at the top, inside `upstream`, or as keys of `plugins`. A PATCH
/// may set them.
///
/// # Errors
///
/// All of them that are there.
pub fn check_times(body: &Value) -> Result {
    let mut found = String::new();
    for (place, prefix) in [
        (Some(body), ""),
        (body.get("upstream"), "upstream."),
        (body.get("plugins"), "plugins."),
    ] {
        for time in TIMES {
            if place.is_some_and(|place| place.get(time).is_some_and(|value| *value != Value::Bool(false))) {
                found.push_str(&format!(" {prefix}{time}"));
            }
        }
    }
    if found.is_empty() {
        Ok(())
    } else {
        Err(CheckError::refused(format!("the property is forbidden: {found}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_forbidden_wherever_they_stand() {
        let message = |body: Value| {
            check_times(&body)
                .err()
                .map(|error| error.message)
                .unwrap_or_default()
        };
        assert_eq!(message(json!({"uri": "/", "upstream": {"nodes": {}}})), "");
        assert_eq!(
            message(json!({"create_time": 1})),
            "the property is forbidden:  create_time"
        );
        assert_eq!(
            message(json!({"update_time": 1, "create_time": null})),
            "the property is forbidden:  create_time update_time",
        );
        assert_eq!(
            message(json!({"upstream": {"create_time": 1}})),
            "the property is forbidden:  upstream.create_time",
        );
        assert_eq!(
            message(json!({"plugins": {"update_time": {}}})),
            "the property is forbidden:  plugins.update_time",
        );
        assert_eq!(message(json!({"upstream": "x", "plugins": null})), "");
        assert_eq!(message(json!("create_time")), "");
    }
}
