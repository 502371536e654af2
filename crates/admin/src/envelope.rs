//! What stands around resources in replies: that of version 3, and the legacy one, which has the shape of etcd's
//! version 2 (compat §1.4).

use http::HeaderValue;
use serde_json::{Value, json};

use crate::reply::object;

/// The version of the Admin API, which decides about the shape of replies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiVersion {
    /// Everything in a `node`, with the `action`. Knows neither pages nor filters.
    V2,
    /// The plain form.
    #[default]
    V3,
}

impl ApiVersion {
    /// The version of that name. Whatever is not `v3` means the legacy one, as in APISIX.
    #[must_use]
    pub fn from_name(name: &str) -> Self {
        if name == "v3" { Self::V3 } else { Self::V2 }
    }

    /// `X-API-VERSION`.
    pub(crate) fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::V2 => "v2",
            Self::V3 => "v3",
        })
    }

    /// One resource that was read.
    pub(crate) fn one(self, entry: Value) -> Value {
        match self {
            Self::V2 => object([("action", "get".into()), ("count", 1.into()), ("node", entry)]),
            Self::V3 => entry,
        }
    }

    /// A collection. `key` is that of its directory, `total` what there is without pages.
    pub(crate) fn list(self, key: &str, list: Value, total: usize) -> Value {
        match self {
            Self::V2 => {
                let node = object([("dir", true.into()), ("key", key.into()), ("nodes", list)]);
                object([("action", "get".into()), ("count", total.into()), ("node", node)])
            }
            Self::V3 => object([("list", list), ("total", total.into())]),
        }
    }

    /// A resource that was written. `action` is what etcd would have done.
    pub(crate) fn written(self, action: &str, key: String, value: Value) -> Value {
        let node = object([("key", key.into()), ("value", value)]);
        match self {
            Self::V2 => object([("action", action.into()), ("node", node)]),
            Self::V3 => node,
        }
    }

    /// A resource that is gone.
    pub(crate) fn deleted(self, key: &str) -> Value {
        match self {
            Self::V2 => json!({"action": "delete", "deleted": "1", "key": key, "node": {}}),
            Self::V3 => json!({"deleted": "1", "key": key}),
        }
    }
}
