//! What is kept beside the items of a standalone configuration.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};
use sluice_resource::Kind;
use sluice_store::{Database, StoreError};

/// Where it is in the database's `meta`.
const NAME: &str = "standalone_configuration";

/// The list of plugins, which is versioned like the resources. It is shown again, and changes nothing: the plugins are
/// those of the binary.
const PLUGINS: &str = "plugins";

/// Which configuration is in force.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct State {
    /// What its writer calls it; nothing before the first one.
    pub(super) digest: Option<String>,
    /// Unix seconds.
    pub(super) last_modified: u64,
    /// By directory; 0 where there is none.
    versions: BTreeMap<String, Number>,
    /// By directory, in the order in which they were written.
    pub(super) items: BTreeMap<String, Vec<Entry>>,
    plugins: Option<Value>,
}

/// An item.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Its key in the store.
    pub(super) key: String,
    /// `modifiedIndex`, if its writer gave one.
    pub(super) modified_index: Option<Value>,
}

impl State {
    /// A configuration of this digest and moment, with nothing in it yet.
    pub(super) fn new(digest: String, now: u64) -> Self {
        Self {
            digest: Some(digest),
            last_modified: now,
            ..Self::default()
        }
    }

    pub(super) async fn load(database: &Database) -> Result<Self, StoreError> {
        let text = database.meta().get(NAME).await?;
        Ok(text
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default())
    }

    pub(super) async fn save(&self, database: &Database) -> Result<(), StoreError> {
        let text = serde_json::to_string(self).unwrap_or_default();
        database.meta().set(NAME, &text).await
    }

    /// Takes over the version that a configuration gives to a directory, or the next one. Returns whether it says that
    /// the old items stay.
    pub(super) fn take_version(
        &mut self,
        previous: &Self,
        directory: &str,
        config: &Map<String, Value>,
    ) -> Result<bool, String> {
        let name = version_name(directory);
        let stored = previous.version(directory);
        let (version, keeps) = match config.get(&name) {
            None => (next(&stored), false),
            Some(Value::Number(given)) => match (given.as_f64(), stored.as_f64()) {
                (Some(new), Some(old)) if new < old => {
                    return Err(format!("{name} must be greater than or equal to ({stored})"));
                }
                (new, old) => (given.clone(), new == old),
            },
            Some(_) => return Err(format!("{name} must be a number")),
        };
        self.versions.insert(directory.to_owned(), version);
        Ok(keeps)
    }

    pub(super) fn keep_items(&mut self, previous: &Self, directory: &str) {
        if let Some(entries) = previous.items.get(directory) {
            self.items.insert(directory.to_owned(), entries.clone());
        }
    }

    pub(super) fn take_plugins(
        &mut self,
        previous: &Self,
        config: &Map<String, Value>,
    ) -> Result<(), String> {
        let keeps = self.take_version(previous, PLUGINS, config)?;
        let plugins = if keeps {
            previous.plugins.as_ref()
        } else {
            config.get(PLUGINS)
        };
        self.plugins = plugins.cloned();
        Ok(())
    }

    /// The indices that the items of a directory were written with, by key.
    pub(super) fn indices(&self, directory: &str) -> HashMap<&str, &Value> {
        let entries = self.items.get(directory).into_iter().flatten();
        entries
            .filter_map(|entry| Some((entry.key.as_str(), entry.modified_index.as_ref()?)))
            .collect()
    }

    /// Everything but the items, as `GET configs` shows it.
    pub(super) fn described(&self) -> Map<String, Value> {
        let mut shown = Map::new();
        if let Some(digest) = &self.digest {
            shown.insert("X-Digest".to_owned(), digest.as_str().into());
            shown.insert("X-Last-Modified".to_owned(), self.last_modified.into());
        }
        let directories = Kind::collections().map(|kind| kind.info().directory);
        for directory in directories.chain([PLUGINS]) {
            shown.insert(version_name(directory), self.version(directory).into());
        }
        if let Some(plugins) = &self.plugins {
            shown.insert(PLUGINS.to_owned(), plugins.clone());
        }
        shown
    }

    fn version(&self, directory: &str) -> Number {
        self.versions.get(directory).cloned().unwrap_or_else(|| 0.into())
    }
}

fn version_name(directory: &str) -> String {
    format!("{directory}_conf_version")
}

fn next(version: &Number) -> Number {
    let whole = version.as_u64().and_then(|version| version.checked_add(1));
    let fraction = || Number::from_f64(version.as_f64()? + 1.0);
    whole
        .map(Number::from)
        .or_else(fraction)
        .unwrap_or_else(|| version.clone())
}
