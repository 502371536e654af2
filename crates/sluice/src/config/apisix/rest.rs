//! A configuration that is taken apart key by key, so that it is known what nobody has taken.

use serde_json::Value;

use crate::config::keys;

/// What has not been taken over yet.
pub(super) struct Rest {
    pub(super) value: Value,
    /// What has to be said beside the keys that are left.
    pub(super) warnings: Vec<String>,
}

impl Rest {
    pub(super) fn new(value: Value) -> Self {
        Self {
            value,
            warnings: Vec::new(),
        }
    }

    /// Removes and returns the member at a dotted path.
    pub(super) fn take(&mut self, path: &str) -> Option<Value> {
        let (parents, last) = path.rsplit_once('.').unwrap_or(("", path));
        let mut place = &mut self.value;
        for part in parents.split('.').filter(|part| !part.is_empty()) {
            place = place.get_mut(part)?;
        }
        place.as_object_mut()?.shift_remove(last)
    }

    pub(super) fn bool(&mut self, path: &str, target: &mut bool) -> Result<(), String> {
        match self.take(path) {
            None => Ok(()),
            Some(Value::Bool(value)) => {
                *target = value;
                Ok(())
            }
            Some(other) => Err(format!("`{path}`: expected true or false, got {other}")),
        }
    }

    pub(super) fn text(&mut self, path: &str) -> Result<Option<String>, String> {
        match self.take(path) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(other) => Err(format!("`{path}`: expected text, got {other}")),
        }
    }

    /// The dotted paths of everything that is left.
    pub(super) fn leaves(&self) -> Vec<String> {
        let mut found = Vec::new();
        collect(&self.value, "", &mut found);
        found
    }
}

fn collect(value: &Value, prefix: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                collect(member, &keys::join(prefix, name), found);
            }
        }
        _ => found.push(prefix.to_owned()),
    }
}

/// A text, or a number as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The texts of a list.
pub(super) fn texts(list: &Value, path: &str) -> Result<Vec<String>, String> {
    let items = list
        .as_array()
        .ok_or_else(|| format!("`{path}`: expected a list, got {list}"))?;
    let text = |item: &Value| {
        item.as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("`{path}`: {item} is not text"))
    };
    items.iter().map(text).collect()
}
