//! `POST configs/validate`: many resources at once, nothing stored (compat §1.8).

use std::collections::HashSet;

use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};
use sluice_resource::{CheckError, Kind, Target, set_id};

use crate::api::Api;
use crate::body;
use crate::reply::Reply;
use crate::yaml;

impl Api {
    /// Checks everything but references, and reports all faults.
    pub(crate) fn validate_configs(&self, headers: &HeaderMap, body: &[u8]) -> Reply {
        let refused =
            |fault: &str| Reply::error(StatusCode::BAD_REQUEST, format!("invalid request body: {fault}"));
        if body.is_empty() {
            return refused("empty request body");
        }
        let content_type = headers.get(header::CONTENT_TYPE);
        let yaml = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/yaml"));
        let config = if yaml {
            yaml::decode(body).map_err(|_| "invalid yaml request body".to_owned())
        } else {
            body::decode(body)
        };
        let config = match config {
            Ok(Value::Object(config)) => config,
            Ok(Value::Array(items)) if items.is_empty() => Map::new(),
            Ok(other) => return refused(&format!("expected object, got {}", type_name(&other))),
            Err(fault) => return refused(&fault),
        };
        let faults: Vec<Value> = Kind::collections()
            .flat_map(|kind| self.faults_of(kind, &config))
            .collect();
        if faults.is_empty() {
            return Reply::json(StatusCode::OK, json!({}));
        }
        let report = json!({"error_msg": "Configuration validation failed", "errors": faults});
        Reply::json(StatusCode::BAD_REQUEST, report)
    }

    fn faults_of(&self, kind: Kind, config: &Map<String, Value>) -> Vec<Value> {
        let key = kind.info().directory;
        let mut faults = Vec::new();
        let version_key = format!("{key}_conf_version");
        if let Some(version) = config.get(&version_key).filter(|version| !version.is_number()) {
            let error = format!("{version_key} must be a number, got {}", type_name(version));
            faults.push(json!({"resource_type": key, "error": error}));
        }
        let mut seen = HashSet::new();
        let items = match config.get(key) {
            None => return faults,
            Some(Value::Array(items)) => &items[..],
            Some(Value::Object(members)) if members.is_empty() => &[],
            Some(other) => {
                let error = format!("wrong type: expected array, got {}", type_name(other));
                faults.push(json!({"resource_type": key, "error": error}));
                return faults;
            }
        };
        for (index, item) in items.iter().enumerate() {
            let name = Name::of(kind, item);
            let mut report = |error: String| {
                let mut fault = json!({"resource_type": key, "index": index, "error": error});
                if let Some(name) = &name {
                    fault["resource_id"] = json!(name.id);
                }
                faults.push(fault);
            };
            if let Err(error) = self.check_item(kind, item) {
                report(error.message);
            }
            if let Some(Name { noun, id }) = &name
                && !seen.insert(id.clone())
            {
                report(format!("found duplicate {noun} {id} in {key}"));
            }
        }
        faults
    }

    /// One item, without what it refers to.
    fn check_item(&self, kind: Kind, item: &Value) -> Result<(), CheckError> {
        let id = item.get("id").and_then(id_text);
        let id = id.as_deref();
        match kind {
            Kind::Consumer => match id.and_then(|id| id.split_once("/credentials/")) {
                Some((consumer, own)) => {
                    let mut credential = item.clone();
                    set_id(&mut credential, own.into());
                    self.checker
                        .check(&Target::credential(consumer, Some(own)), &credential)
                }
                // The name is the body's own: there is no path that could say another.
                None => self.checker.check(&Target::new(kind, None), item),
            },
            Kind::Secret => match id.and_then(|id| id.split_once('/')) {
                Some((manager, own)) => self.checker.check(&Target::secret(manager, Some(own)), item),
                None => Err(CheckError::refused("secret id must be {manager}/{id}")),
            },
            _ => self.checker.check(&Target::new(kind, id), item),
        }
    }
}

/// What an item is called, and what that is.
struct Name {
    noun: &'static str,
    id: String,
}

impl Name {
    fn of(kind: Kind, item: &Value) -> Option<Self> {
        let text = |member| item.get(member).and_then(id_text);
        let named = |noun| move |id| Self { noun, id };
        if kind == Kind::Consumer {
            let credential = text("id").map(named("credential id"));
            return credential.or_else(|| text("username").map(named("username")));
        }
        text("id").map(named("id"))
    }
}

fn id_text(id: &Value) -> Option<String> {
    match id {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// As Lua names the types of decoded JSON.
fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "userdata",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) | Value::Object(_) => "table",
    }
}
