//! Which consumer or credential has which key.

use std::collections::HashMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sluice_resource::{AuthKey, Key, PluginCatalogue, auth_keys, duplicate_auth_key, may_share_auth_key};
use sluice_store::{Change, EventKind, Store, StoreError, Watch};

use crate::reply::Refusal;

/// Half a SHA-256 of plugin and key: the keys themselves are not kept.
type Digest = [u8; 16];

/// The owners of all auth keys in the store.
///
/// It follows the store through its watch, which knows of a write before the write is acknowledged, so an index
/// that was refreshed is never behind this process.
#[derive(Default)]
pub(crate) struct AuthKeyIndex {
    owners: HashMap<Digest, Vec<Key>>,
    keys: HashMap<Key, Vec<Digest>>,
    watch: Option<Watch>,
}

impl AuthKeyIndex {
    /// Takes in what was written since the last time; the first time, everything.
    pub(crate) async fn refresh(
        &mut self,
        store: &Store,
        catalogue: &dyn PluginCatalogue,
    ) -> Result<(), StoreError> {
        loop {
            match self.watch.as_mut().map(Watch::try_next) {
                Some(None) => return Ok(()),
                Some(Some(Change::Event(event))) => match &event.kind {
                    EventKind::Put(item) => self.put(&item.key, &item.value, catalogue),
                    EventKind::Delete { key } => self.remove(key),
                    EventKind::Damaged(damaged) => self.remove(&damaged.key),
                },
                None | Some(Some(Change::Resync)) => self.load(store, catalogue).await?,
            }
        }
    }

    /// Refuses a consumer or credential with a key that is another's.
    pub(crate) fn check(
        &self,
        writer: &Key,
        value: &Value,
        catalogue: &dyn PluginCatalogue,
    ) -> Result<(), Refusal> {
        for key in auth_keys(catalogue, value) {
            let mut owners = self.owners.get(&digest(&key)).into_iter().flatten();
            if let Some(owner) = owners.find(|owner| !may_share_auth_key(writer, owner)) {
                return Err(duplicate_auth_key(key.plugin, owner).into());
            }
        }
        Ok(())
    }

    async fn load(&mut self, store: &Store, catalogue: &dyn PluginCatalogue) -> Result<(), StoreError> {
        *self = Self::default();
        let listing = store.list("/consumers/").await?;
        for item in &listing.items {
            self.put(&item.key, &item.value, catalogue);
        }
        self.watch = Some(store.subscribe(listing.revision));
        Ok(())
    }

    fn put(&mut self, path: &str, value: &Value, catalogue: &dyn PluginCatalogue) {
        let Some(owner) = consumer_or_credential(path) else {
            return;
        };
        self.remove(path);
        let digests: Vec<Digest> = auth_keys(catalogue, value).map(|key| digest(&key)).collect();
        if digests.is_empty() {
            return;
        }
        for digest in &digests {
            self.owners.entry(*digest).or_default().push(owner.clone());
        }
        self.keys.insert(owner, digests);
    }

    fn remove(&mut self, path: &str) {
        let Some(owner) = consumer_or_credential(path) else {
            return;
        };
        for digest in self.keys.remove(&owner).into_iter().flatten() {
            let Some(owners) = self.owners.get_mut(&digest) else {
                continue;
            };
            owners.retain(|other| *other != owner);
            if owners.is_empty() {
                self.owners.remove(&digest);
            }
        }
    }
}

fn consumer_or_credential(path: &str) -> Option<Key> {
    path.starts_with("/consumers/").then(|| Key::parse(path))?
}

fn digest(key: &AuthKey<'_>) -> Digest {
    let hash = Sha256::new()
        .chain_update(key.plugin)
        .chain_update([0])
        .chain_update(key.value)
        .finalize();
    let mut digest = Digest::default();
    digest.copy_from_slice(&hash[..16]);
    digest
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use sluice_resource::{Catalogue, Kind, PluginInfo};

    use super::*;
    use crate::tests::support::open_store;

    fn catalogue() -> Catalogue {
        let plugin = PluginInfo::new("key-auth", 2500, json!({}))
            .unwrap()
            .as_auth("key");
        Catalogue::new(vec![plugin], None)
    }

    fn with_key(key: &str) -> Value {
        json!({"plugins": {"key-auth": {"key": key}}})
    }

    #[tokio::test]
    async fn it_follows_the_store() {
        let folder = tempfile::tempdir().unwrap();
        let (_, store) = open_store(folder.path(), |_: &str, _: &Value| Vec::new()).await;
        let catalogue = catalogue();
        let mut index = AuthKeyIndex::default();
        let jane = Key::new(Kind::Consumer, "jane");
        let free = async |index: &mut AuthKeyIndex, key: &str| {
            index.refresh(&store, &catalogue).await.unwrap();
            index.check(&jane, &with_key(key), &catalogue).is_ok()
        };

        store.put("/consumers/jack", with_key("a"), None).await.unwrap();
        assert!(!free(&mut index, "a").await);
        store.put("/consumers/jack", with_key("b"), None).await.unwrap();
        assert!(free(&mut index, "a").await);
        assert!(!free(&mut index, "b").await);
        store
            .put("/consumers/jack/credentials/1", with_key("c"), None)
            .await
            .unwrap();
        assert!(!free(&mut index, "c").await);
        store.delete_tree("/consumers/jack").await.unwrap();
        assert!(free(&mut index, "b").await);
        assert!(free(&mut index, "c").await);
        assert!(index.owners.is_empty() && index.keys.is_empty());
    }

    #[tokio::test]
    async fn it_starts_over_when_it_has_missed_something() {
        let folder = tempfile::tempdir().unwrap();
        let (_, store) = open_store(folder.path(), |_: &str, _: &Value| Vec::new()).await;
        let catalogue = catalogue();
        let mut index = AuthKeyIndex::default();
        index.refresh(&store, &catalogue).await.unwrap();
        let writes = (0..5000).map(|number| sluice_store::Write::Put {
            key: format!("/consumers/c{number}"),
            value: with_key(&number.to_string()),
            ttl: None,
            expected: None,
        });
        store.batch(writes.collect()).await.unwrap();
        index.refresh(&store, &catalogue).await.unwrap();
        assert_eq!(index.keys.len(), 5000);
    }
}
