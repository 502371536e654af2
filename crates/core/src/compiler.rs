//! From stored resources to a snapshot.
//!
//! The compiler keeps every resource and its compiled form. A change recompiles that resource and those that refer to
//! it; everything else is shared with the generation before. A resource that cannot be compiled keeps its previous
//! form and is named in [`Snapshot::problems`].

mod consumers;
mod plugins;
mod routes;
mod upstreams;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdMap;
use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{Key, Kind};

use crate::consumer::Consumers;
use crate::pipeline::{Pipeline, PluginSet};
use crate::registry::Registry;
use crate::route::Route;
use crate::router::{Router, RouterKind};
use crate::services::Services;
use crate::snapshot::Snapshot;
use crate::upstream::Upstream;

pub use self::routes::BuiltinRoute;

/// One change of the configuration.
#[derive(Clone, Debug)]
pub struct Change {
    /// Key without the store's prefix, for example `/routes/1`.
    pub key: String,
    /// The resource, or `None` when it is gone.
    pub value: Option<Arc<Value>>,
    /// Revision of its creation: the order among equals.
    pub created: u64,
}

/// What the compiler needs to know of the gateway's own configuration.
#[derive(Clone, Debug)]
pub struct CompilerOptions {
    /// Prefix of resource keys as plugins see them, for example `/apisix`.
    pub prefix: String,
    /// How routes are matched (`apisix.router.http`).
    pub router: RouterKind,
}

/// A resource as stored.
struct Stored {
    value: Arc<Value>,
    created: u64,
}

/// A compiled service: what routes take from it.
struct Service {
    value: Arc<Value>,
    plugins: Arc<PluginSet>,
}

/// See the [module documentation](self).
pub struct Compiler {
    registry: Arc<Registry>,
    services: Arc<Services>,
    options: CompilerOptions,
    stored: BTreeMap<Key, Stored>,
    upstreams: BTreeMap<Text, Arc<Upstream>>,
    shared: BTreeMap<Text, Service>,
    plugin_configs: BTreeMap<Text, Arc<PluginSet>>,
    routes: BTreeMap<Text, CompiledRoute>,
    global_rules: BTreeMap<Text, PluginSet>,
    consumers: Consumers,
    identities: BTreeMap<Text, Vec<IdentityPlace>>,
    router: Arc<Router<Arc<Route>>>,
    builtin: Arc<Router<Arc<Route>>>,
    global: Arc<Pipeline>,
    empty: Arc<Pipeline>,
    matches_bodies: bool,
    problems: OrdMap<Text, Text>,
    warnings: OrdMap<Text, Text>,
}

/// Where an identity stands in the consumer table: plugin, key, consumer, credential.
type IdentityPlace = (&'static str, Text, Text, Option<Text>);

/// A route with what the router needs of it.
struct CompiledRoute {
    entry: crate::router::RouteEntry<Arc<Route>>,
    matches_body: bool,
}

/// Keys of resources to compile again, by what depends on what.
#[derive(Default)]
struct Dirty {
    keys: BTreeSet<Key>,
    upstreams: BTreeSet<Text>,
    services: BTreeSet<Text>,
    plugin_configs: BTreeSet<Text>,
    plugins: BTreeSet<String>,
}

impl Compiler {
    /// A compiler with nothing stored.
    #[must_use]
    pub fn new(registry: Arc<Registry>, services: Arc<Services>, options: CompilerOptions) -> Self {
        let empty = Arc::new(Pipeline::new(PluginSet::default()));
        Self {
            registry,
            services,
            stored: BTreeMap::new(),
            upstreams: BTreeMap::new(),
            shared: BTreeMap::new(),
            plugin_configs: BTreeMap::new(),
            routes: BTreeMap::new(),
            global_rules: BTreeMap::new(),
            consumers: Consumers::default(),
            identities: BTreeMap::new(),
            router: Arc::new(Router::build(options.router, Vec::new())),
            builtin: Arc::new(Router::build(options.router, Vec::new())),
            global: empty.clone(),
            empty,
            matches_bodies: false,
            problems: OrdMap::new(),
            warnings: OrdMap::new(),
            options,
        }
    }

    /// Takes in changes, in the order they happened, and compiles what they touch.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        let mut dirty = Dirty::default();
        for change in changes {
            self.take_in(change, &mut dirty);
        }
        self.spread_metadata(&mut dirty);
        for kind in [Kind::Upstream, Kind::PluginConfig, Kind::Service, Kind::ConsumerGroup, Kind::Consumer, Kind::Credential]
        {
            for key in dirty.of(kind) {
                self.compile_one(&key, &mut dirty);
            }
        }
        self.compile_routes(&dirty);
        if dirty.has(Kind::GlobalRule) {
            self.compile_global_rules(&dirty);
        }
    }

    /// The configuration in its compiled form, as of `revision`.
    #[must_use]
    pub fn snapshot(&self, revision: u64) -> Snapshot {
        Snapshot {
            revision,
            router: self.router.clone(),
            builtin: self.builtin.clone(),
            global: self.global.clone(),
            empty_pipeline: self.empty.clone(),
            consumers: self.consumers.clone(),
            matches_bodies: self.matches_bodies,
            problems: self.problems.clone(),
            warnings: self.warnings.clone(),
        }
    }

    fn take_in(&mut self, change: Change, dirty: &mut Dirty) {
        let Some(key) = Key::parse(&change.key) else { return };
        match change.value {
            Some(value) => {
                self.stored.insert(key.clone(), Stored { value, created: change.created });
            }
            None => {
                self.stored.remove(&key);
            }
        }
        if key.kind() == Kind::PluginMetadata {
            dirty.plugins.insert(key.id().to_owned());
        }
        dirty.keys.insert(key);
    }

    /// Resources that carry a plugin whose metadata changed compile again.
    fn spread_metadata(&self, dirty: &mut Dirty) {
        if dirty.plugins.is_empty() {
            return;
        }
        let carries = |value: &Value| {
            value.get("plugins").and_then(Value::as_object).is_some_and(|p| p.keys().any(|k| dirty.plugins.contains(k)))
        };
        let touched: Vec<Key> = self.stored.iter().filter(|(_, s)| carries(&s.value)).map(|(k, _)| k.clone()).collect();
        dirty.keys.extend(touched);
    }

    fn compile_one(&mut self, key: &Key, dirty: &mut Dirty) {
        let id = Text::from(key.id());
        match key.kind() {
            Kind::Upstream => {
                dirty.upstreams.insert(id.clone());
                let compiled = self.value(key).map(|value| self.compile_upstream(&self.owner(key), &value));
                let done = settle(&mut self.upstreams, id, compiled.map(|c| c.map(Arc::new)));
                self.note(key, done);
            }
            Kind::PluginConfig => {
                dirty.plugin_configs.insert(id.clone());
                let compiled = self.value(key).map(|value| self.compile_plugins(&self.owner(key), &value));
                let done = settle(&mut self.plugin_configs, id, compiled.map(|c| c.map(Arc::new)));
                self.note(key, done);
            }
            Kind::Service => {
                dirty.services.insert(id.clone());
                let compiled = self.value(key).map(|value| {
                    let plugins = Arc::new(self.compile_plugins(&self.owner(key), &value)?);
                    Ok(Service { value, plugins })
                });
                let done = settle(&mut self.shared, id, compiled);
                self.note(key, done);
            }
            Kind::ConsumerGroup => self.compile_group(key),
            Kind::Consumer => self.compile_consumer(key),
            Kind::Credential => self.compile_credential(key),
            _ => {}
        }
    }

    fn value(&self, key: &Key) -> Option<Arc<Value>> {
        self.stored.get(key).map(|stored| stored.value.clone())
    }

    /// The key as plugins and counters see it.
    fn owner(&self, key: &Key) -> Text {
        Text::from(format!("{}{key}", self.options.prefix))
    }

    /// Notes how compiling `key` went.
    fn note(&mut self, key: &Key, done: Result<(), String>) {
        let owner = self.owner(key);
        match done {
            Ok(()) => {
                self.problems.remove(&owner);
            }
            Err(problem) => {
                tracing::error!(key = %owner, problem, "configuration ignored, the previous one stays in force");
                self.problems.insert(owner, Text::from(problem));
            }
        }
    }
}

/// Puts a compiled object in its place: absent removes it, an error leaves the previous one.
fn settle<T>(map: &mut BTreeMap<Text, T>, id: Text, compiled: Option<Result<T, String>>) -> Result<(), String> {
    match compiled {
        None => {
            map.remove(&id);
        }
        Some(result) => {
            map.insert(id, result?);
        }
    }
    Ok(())
}

impl Dirty {
    fn of(&self, kind: Kind) -> Vec<Key> {
        self.keys.iter().filter(|key| key.kind() == kind).cloned().collect()
    }

    fn has(&self, kind: Kind) -> bool {
        self.keys.iter().any(|key| key.kind() == kind)
    }
}
