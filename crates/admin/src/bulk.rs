//! Whole configurations, and `POST configs/validate`, which stores nothing (compat §1.8).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use http::{HeaderMap, StatusCode, header};
use serde_json::{Map, Value, json};
use sluice_resource::{CheckError, Kind, Target, set_id};

use crate::api::Api;
use crate::body;
use crate::reply::{Refusal, Reply};
use crate::yaml;

/// A version of an item that its writer chose (compat §1.8). It is no part of the resource.
pub(crate) const MODIFIED_INDEX: &str = "modifiedIndex";

/// Plugin metadata by plugin.
pub(crate) type Metadata = HashMap<String, Value>;

/// What is wrong with an item of a configuration.
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// Place and id of the item; nothing when the fault is of all items of the kind.
    item: Option<(usize, Option<String>)>,
    pub(crate) error: String,
}

impl Fault {
    /// A fault of all items of a kind.
    pub(crate) fn of_kind(kind: Kind, error: String) -> Self {
        Self {
            kind,
            item: None,
            error,
        }
    }

    fn report(&self) -> Value {
        let mut report = json!({"resource_type": self.kind.info().directory, "error": self.error});
        if let Some((index, id)) = &self.item {
            report["index"] = json!(index);
            if let Some(id) = id {
                report["resource_id"] = json!(id);
            }
        }
        report
    }
}

/// Reads a whole configuration. The error is what `error_msg` says.
pub(crate) fn decode_config(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, String> {
    let refused = |fault: &str| Err(format!("invalid request body: {fault}"));
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
    match config {
        Ok(Value::Object(config)) => Ok(config),
        Ok(Value::Array(items)) if items.is_empty() => Ok(Map::new()),
        Ok(other) => refused(&format!("expected object, got {}", type_name(&other))),
        Err(fault) => refused(&fault),
    }
}

impl Api {
    /// Checks everything but references, and reports all faults.
    pub(crate) async fn validate_configs(&self, headers: &HeaderMap, body: &[u8]) -> Result<Reply, Reply> {
        let config =
            decode_config(headers, body).map_err(|fault| Reply::error(StatusCode::BAD_REQUEST, fault))?;
        let metadata = self.metadata_for(&config).await.map_err(Reply::from)?;
        let mut faults = Vec::new();
        for kind in Kind::collections() {
            let version_key = format!("{}_conf_version", kind.info().directory);
            if let Some(version) = config.get(&version_key).filter(|version| !version.is_number()) {
                let error = format!("{version_key} must be a number, got {}", type_name(version));
                faults.push(Fault::of_kind(kind, error));
            }
            match items_of(kind, &config) {
                Ok(items) => faults.extend(self.faults_of(kind, items, &metadata)),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            return Ok(Reply::json(StatusCode::OK, json!({})));
        }
        let errors: Vec<Value> = faults.iter().map(Fault::report).collect();
        let report = json!({"error_msg": "Configuration validation failed", "errors": errors});
        Ok(Reply::json(StatusCode::BAD_REQUEST, report))
    }

    /// Plugin metadata as it is stored.
    pub(crate) async fn stored_metadata(&self) -> Result<Metadata, Refusal> {
        let stored = self.all(Kind::PluginMetadata).await?.into_iter();
        Ok(stored
            .map(|(key, item)| (key.id().to_owned(), item.value))
            .collect())
    }

    /// Plugin metadata as it is once this configuration holds: its own, else what is stored.
    pub(crate) async fn metadata_for(&self, config: &Map<String, Value>) -> Result<Metadata, Refusal> {
        let mut metadata = self.stored_metadata().await?;
        for item in items_of(Kind::PluginMetadata, config).unwrap_or_default() {
            if let Some(name) = item.get("id").and_then(Value::as_str) {
                metadata.insert(name.to_owned(), item.clone());
            }
        }
        Ok(metadata)
    }

    /// What is wrong with the items of a kind.
    pub(crate) fn faults_of(&self, kind: Kind, items: &[Value], metadata: &Metadata) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut seen = HashSet::new();
        let mut grouped: Vec<&Value> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let name = Name::of(kind, item);
            let mut report = |error: String| {
                let id = name.as_ref().map(|name| name.id.clone());
                faults.push(Fault {
                    kind,
                    item: Some((index, id)),
                    error,
                });
            };
            let checked = self
                .check_item(kind, item, metadata)
                .and_then(|()| self.check_group(kind, item, &grouped));
            if let Err(error) = checked {
                report(error.message);
            }
            if self.checker.has_groups(item) {
                grouped.push(item);
            }
            if let Some(Name { noun, id }) = &name
                && !seen.insert(id.clone())
            {
                report(format!(
                    "found duplicate {noun} {id} in {}",
                    kind.info().directory
                ));
            }
        }
        faults
    }

    fn check_group(&self, kind: Kind, item: &Value, others: &[&Value]) -> Result<(), CheckError> {
        let target = Target::new(kind, None);
        others
            .iter()
            .try_for_each(|other| self.checker.check_groups(&target, item, other))
    }

    /// One item, without what it refers to.
    fn check_item(&self, kind: Kind, item: &Value, metadata: &Metadata) -> Result<(), CheckError> {
        let mut item = Cow::Borrowed(item);
        if item.get(MODIFIED_INDEX).is_some_and(Value::is_number)
            && let Some(members) = item.to_mut().as_object_mut()
        {
            members.shift_remove(MODIFIED_INDEX);
        }
        let id = item.get("id").and_then(id_text);
        let id = id.as_deref();
        let target = match (kind, id) {
            (Kind::Consumer, Some(id)) => match id.split_once("/credentials/") {
                Some((consumer, own)) => {
                    set_id(item.to_mut(), own.into());
                    Target::credential(consumer, Some(own))
                }
                // The name is the body's own: there is no path that could say another.
                None => Target::new(kind, None),
            },
            (Kind::Consumer, None) => Target::new(kind, None),
            (Kind::Secret, id) => match id.and_then(|id| id.split_once('/')) {
                Some((manager, own)) => Target::secret(manager, Some(own)),
                None => return Err(CheckError::refused("secret id must be {manager}/{id}")),
            },
            _ => Target::new(kind, id),
        };
        self.checker.check(&target, &item)?;
        self.checker
            .depends_on_metadata(&item)
            .iter()
            .try_for_each(|plugin| {
                self.checker
                    .check_against_metadata(&target, &item, plugin, metadata.get(plugin))
            })?;
        self.dry_run_beside(&target, &item, metadata)
    }
}

/// The items of a kind.
pub(crate) fn items_of(kind: Kind, config: &Map<String, Value>) -> Result<&[Value], Fault> {
    match config.get(kind.info().directory) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(Value::Object(members)) if members.is_empty() => Ok(&[]),
        Some(other) => {
            let error = format!("wrong type: expected array, got {}", type_name(other));
            Err(Fault::of_kind(kind, error))
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

pub(crate) fn id_text(id: &Value) -> Option<String> {
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
