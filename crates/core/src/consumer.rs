//! Consumers and the table that finds them by credential.

use std::sync::Arc;

use foldhash::fast::RandomState;
use http::HeaderValue;
use imbl::GenericHashMap;
use imbl::shared_ptr::DefaultSharedPtr;
use serde_json::Value;
use sluice_record::Text;
use smallvec::SmallVec;

use crate::pipeline::PluginSet;

/// A compiled consumer.
pub struct Consumer {
    /// Unique among everything compiled in this process: identifies this version of the consumer.
    pub uid: u64,
    /// `username`.
    pub username: Text,
    /// `username` as the header that upstreams see.
    pub username_header: HeaderValue,
    /// `group_id`.
    pub group_id: Option<Text>,
    /// `labels.custom_id` as the header that upstreams see.
    pub custom_id: Option<HeaderValue>,
    /// Its plugins, auth plugins excepted.
    pub plugins: Arc<PluginSet>,
}

/// A compiled consumer group.
pub struct ConsumerGroup {
    /// Unique among everything compiled in this process.
    pub uid: u64,
    /// Its plugins.
    pub plugins: Arc<PluginSet>,
}

/// One way in: a consumer's auth plugin, inline or as a credential.
#[derive(Clone)]
pub struct Identity {
    /// The consumer it belongs to.
    pub username: Text,
    /// The credential's id; absent when the plugin stands on the consumer itself.
    pub credential: Option<Text>,
    /// The plugin's configuration there.
    pub conf: Arc<Value>,
    /// Order of appearance: of two identities with one key, the later wins.
    pub order: u64,
}

/// Who called, as the auth plugins found.
#[derive(Clone)]
pub struct Caller {
    /// The consumer.
    pub consumer: Arc<Consumer>,
    /// The credential that matched.
    pub credential: Option<Text>,
}

/// A persistent map by name or key. Its quick hash is safe: only configuration puts keys into it.
type Table<T> = GenericHashMap<Text, T, RandomState, DefaultSharedPtr>;

/// Identities of one key, the one that counts last.
type Entries = SmallVec<[Arc<Identity>; 1]>;

/// All consumers of a snapshot. Clones share structure.
#[derive(Clone, Default)]
pub struct Consumers {
    by_name: Table<Arc<Consumer>>,
    groups: Table<Arc<ConsumerGroup>>,
    /// One table per auth plugin; there are a handful.
    by_key: Vec<(&'static str, Table<Entries>)>,
}

impl Consumers {
    /// The consumer of that name.
    #[must_use]
    pub fn get(&self, username: &str) -> Option<&Arc<Consumer>> {
        self.by_name.get(username)
    }

    /// The consumer group of that id.
    #[must_use]
    pub fn group(&self, id: &str) -> Option<&Arc<ConsumerGroup>> {
        self.groups.get(id)
    }

    /// The identity that `plugin` knows under `key`, with its consumer. Identities whose consumer does not exist, yet
    /// or any more, do not count.
    #[must_use]
    pub fn find(&self, plugin: &str, key: &str) -> Option<(&Arc<Consumer>, &Arc<Identity>)> {
        let (_, table) = self.by_key.iter().find(|(name, _)| *name == plugin)?;
        let entries = table.get(key)?;
        entries
            .iter()
            .rev()
            .find_map(|identity| Some((self.by_name.get(&identity.username)?, identity)))
    }

    /// How many consumers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_name.len()
    }

    /// Whether there is no consumer.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    pub(crate) fn put(&mut self, consumer: Consumer) {
        self.by_name.insert(consumer.username.clone(), Arc::new(consumer));
    }

    pub(crate) fn remove(&mut self, username: &str) {
        self.by_name.remove(username);
    }

    pub(crate) fn put_group(&mut self, id: Text, group: ConsumerGroup) {
        self.groups.insert(id, Arc::new(group));
    }

    pub(crate) fn remove_group(&mut self, id: &str) {
        self.groups.remove(id);
    }

    pub(crate) fn add_identity(&mut self, plugin: &'static str, key: Text, identity: Identity) {
        let known = self.by_key.iter().position(|(name, _)| *name == plugin);
        let at = known.unwrap_or_else(|| {
            self.by_key.push((plugin, Table::default()));
            self.by_key.len() - 1
        });
        let entries = self.by_key[at].1.entry(key).or_default();
        let at = entries.partition_point(|other| other.order <= identity.order);
        entries.insert(at, Arc::new(identity));
    }

    pub(crate) fn remove_identity(
        &mut self,
        plugin: &'static str,
        key: &str,
        username: &str,
        credential: Option<&str>,
    ) {
        let Some((_, table)) = self.by_key.iter_mut().find(|(name, _)| *name == plugin) else {
            return;
        };
        let Some(entries) = table.get_mut(key) else { return };
        entries.retain(|entry| &*entry.username != username || entry.credential.as_deref() != credential);
        if entries.is_empty() {
            table.remove(key);
        }
    }
}
