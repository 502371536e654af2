//! `$env://`: variables of the gateway's own environment.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use crate::resolution::text_of;

/// Where `$env://` looks.
#[derive(Clone)]
pub struct Environment(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// The environment of this process.
    #[must_use]
    pub fn process() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// An environment of one's own.
    pub fn of(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// The variable, or a member of the JSON object that it holds.
    pub(crate) fn get(&self, name: &str, key: Option<&str>) -> Result<String, String> {
        let value = (self.0)(name).ok_or_else(|| "the variable is not set".to_owned())?;
        let Some(key) = key else { return Ok(value) };
        let object: Value =
            serde_json::from_str(&value).map_err(|_| "the variable does not hold JSON".to_owned())?;
        let member = object.get(key).and_then(text_of);
        member.ok_or_else(|| "the variable's JSON has no such member".to_owned())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_their_members() {
        let environment = Environment::of(|name| match name {
            "PLAIN" => Some("value".to_owned()),
            "JSON" => Some(r#"{"key": "inner", "n": 7, "none": null}"#.to_owned()),
            _ => None,
        });
        let get = |name, key| environment.get(name, key).ok();
        assert_eq!(get("PLAIN", None).as_deref(), Some("value"));
        assert_eq!(get("JSON", Some("key")).as_deref(), Some("inner"));
        assert_eq!(get("JSON", Some("n")).as_deref(), Some("7"));
        for (name, key) in [
            ("GONE", None),
            ("PLAIN", Some("key")),
            ("JSON", Some("other")),
            ("JSON", Some("none")),
        ] {
            let error = environment.get(name, key).unwrap_err();
            assert!(!error.contains("value") && !error.contains("inner"), "{error}");
        }
    }
}
