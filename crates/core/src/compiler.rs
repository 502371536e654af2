//! From stored resources to a snapshot.
//!
//! Every resource is compiled on its own. That may fail: then its previous form stays in force, and
//! [`Snapshot::problems`] names it. Then routes are joined with what they refer to, which cannot fail. A change costs
//! the compiling of what changed and the joining of the routes that refer to it; all else is shared with the
//! generation before. Only a change of routes builds the router again.

mod builtin;
mod certificates;
mod checks;
mod consumers;
mod dry_run;
mod fault;
mod global_rules;
mod models;
mod plugins;
mod routes;
mod secrets;
mod services;
mod upstreams;
mod warnings;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use imbl::OrdMap;
use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{Key, Kind, Schemas, secret_fields};
use sluice_secret::Watch;

use self::certificates::{Ssl, client_certificate_of};
use self::plugins::plugins_of;
use self::routes::OwnRoute;
use self::services::Service;
use crate::certificates::Certificates;
use crate::consumer::Consumers;
use crate::models::{Model, ModelProvider, Models};
use crate::pipeline::{Pipeline, PluginSet};
use crate::redact::MASK;
use crate::registry::Registry;
use crate::route::Route;
use crate::router::{Router, RouterKind};
use crate::services::Services;
use crate::snapshot::Snapshot;
use crate::upstream::Upstream;

pub use self::builtin::BuiltinRoute;
pub use self::dry_run::{DryRun, DryRunError};
pub(crate) use self::upstreams::compile_at;

/// Kinds that are no part of a snapshot.
const NOT_COMPILED: [Kind; 2] = [Kind::Proto, Kind::StreamRoute];

/// One change of the configuration.
#[derive(Clone)]
pub struct Change {
    /// Key without the store's prefix, for example `/routes/1`.
    pub key: String,
    /// The resource, or `None` when it is gone.
    pub value: Option<Arc<Value>>,
    /// Revision of its creation: the order among equals.
    pub created: u64,
}

impl fmt::Debug for Change {
    /// Without the resource, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.value.is_some() { "put" } else { "delete" };
        write!(f, "Change({what} {}, created {})", self.key, self.created)
    }
}

/// What the compiler needs to know of the gateway's own configuration.
#[derive(Clone, Debug)]
pub struct CompilerOptions {
    /// Prefix of resource keys as plugins see them, for example `/apisix`.
    pub prefix: String,
    /// How routes are matched (`apisix.router.http`).
    pub router: RouterKind,
}

/// Compiles resources to snapshots, and keeps what they share.
///
/// Every resource is compiled on its own. One that does not compile keeps its previous form and stands in
/// [`Snapshot::problems`] until it is fixed or gone. References may dangle: what they lead to may come later.
pub struct Compiler {
    registry: Arc<Registry>,
    services: Arc<Services>,
    options: CompilerOptions,
    schemas: Option<Arc<Schemas>>,
    /// The resources that may have to be compiled again: those that carry plugins, which have metadata, that metadata,
    /// and those that refer to secrets or client certificates.
    sources: HashMap<Key, Source>,
    /// The `secrets` resources by id, which begins with the kind of the manager.
    managers: BTreeMap<String, Arc<Value>>,
    /// Keeps the secrets fresh that resources refer to.
    watches: HashMap<Key, Watch>,
    certificates: Arc<Certificates>,
    compiled: Compiled,
    /// The upstreams among them, by id, for plugins that name one.
    upstreams: OrdMap<Text, Arc<Upstream>>,
    models: Models,
    consumers: Consumers,
    /// What each consumer and credential has in the table of consumers: plugin and key.
    identities: HashMap<Key, Vec<(&'static str, Text)>>,
    router: Arc<Router<Arc<Route>>>,
    builtin_routes: Vec<BuiltinRoute>,
    builtin: Arc<Router<Arc<Route>>>,
    global: Arc<Pipeline>,
    empty: Arc<Pipeline>,
    matches_bodies: bool,
    problems: OrdMap<Text, Text>,
    warnings: OrdMap<Text, Text>,
    /// Whether what is compiled is only looked at.
    is_dry_run: bool,
}

/// A resource as stored.
#[derive(Clone)]
struct Source {
    value: Arc<Value>,
    created: u64,
}

/// A resource while it is compiled.
struct Item<'a> {
    key: &'a Key,
    /// Its key as plugins and counters see it.
    owner: &'a Text,
    value: &'a Value,
    created: u64,
}

/// What resources are compiled to, apart from consumers.
#[derive(Default)]
struct Compiled {
    ssls: BTreeMap<Key, Ssl>,
    metadata: BTreeMap<Key, Value>,
    upstreams: BTreeMap<Key, Arc<Upstream>>,
    services: BTreeMap<Key, Service>,
    plugin_configs: BTreeMap<Key, PluginSet>,
    routes: BTreeMap<Key, OwnRoute>,
    global_rules: BTreeMap<Key, PluginSet>,
    providers: BTreeMap<Key, Arc<ModelProvider>>,
    models: BTreeMap<Key, Arc<Model>>,
}

/// What came of compiling a resource.
enum Outcome<T> {
    /// The resource does not exist.
    Gone,
    /// Its compiled form.
    Ready(T),
    /// It does not compile, or not yet: whatever it was before stays.
    Invalid,
}

/// The resources to compile, kind by kind: whoever looks for routes does not meet consumers.
#[derive(Default)]
struct Dirty(BTreeMap<Kind, BTreeSet<Key>>);

impl Compiler {
    /// A compiler with nothing stored.
    #[must_use]
    pub fn new(registry: Arc<Registry>, services: Arc<Services>, options: CompilerOptions) -> Self {
        let empty = Arc::new(Pipeline::new(PluginSet::default()));
        Self {
            registry,
            services,
            schemas: None,
            sources: HashMap::new(),
            managers: BTreeMap::new(),
            watches: HashMap::new(),
            certificates: Arc::default(),
            compiled: Compiled::default(),
            upstreams: OrdMap::new(),
            models: Models::default(),
            consumers: Consumers::default(),
            identities: HashMap::new(),
            router: Arc::new(Router::build(options.router, Vec::new())),
            builtin_routes: Vec::new(),
            builtin: Arc::new(Router::build(options.router, Vec::new())),
            global: empty.clone(),
            empty,
            matches_bodies: false,
            problems: OrdMap::new(),
            warnings: OrdMap::new(),
            is_dry_run: false,
            options,
        }
    }

    /// Holds every resource against the schema of its kind: for stores that others write to (compat §9.1). Plugin
    /// configurations are always checked.
    #[must_use]
    pub fn with_schemas(mut self, schemas: Arc<Schemas>) -> Self {
        self.schemas = Some(schemas);
        self
    }

    /// Takes in changes, in the order they happened, and compiles what they touch.
    pub fn apply(&mut self, changes: impl IntoIterator<Item = Change>) {
        let mut dirty = Dirty::default();
        for change in changes {
            self.take_in(change, &mut dirty);
        }
        if dirty.of(Kind::Secret).next().is_some() {
            self.set_managers();
        }
        self.compile(dirty);
    }

    fn compile(&mut self, mut dirty: Dirty) {
        self.compile_metadata(&mut dirty);
        self.compile_ssls(&mut dirty);
        let mut changed = BTreeSet::new();
        changed.extend(self.compile_kind(
            Kind::Upstream,
            &dirty,
            |c| &mut c.upstreams,
            Self::compile_upstream,
        ));
        self.share_upstreams(&changed);
        changed.extend(self.compile_kind(Kind::Service, &dirty, |c| &mut c.services, Self::compile_service));
        changed.extend(self.compile_kind(
            Kind::PluginConfig,
            &dirty,
            |c| &mut c.plugin_configs,
            |this, item| this.compile_plugins(item).map(Some),
        ));
        self.compile_models(&mut dirty);
        self.compile_callers(&dirty);
        self.compile_routes(&dirty, &changed);
        self.compile_global_rules(&dirty);
        self.forget_sources(&dirty);
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
            upstreams: self.upstreams.clone(),
            models: self.models.clone(),
            certificates: self.certificates.clone(),
            matches_bodies: self.matches_bodies,
            problems: self.problems.clone(),
            warnings: self.warnings.clone(),
        }
    }

    fn take_in(&mut self, change: Change, dirty: &mut Dirty) {
        let Some(key) = Key::parse(&change.key) else {
            return;
        };
        if NOT_COMPILED.contains(&key.kind()) {
            return;
        }
        match change.value {
            Some(value) if key.kind() == Kind::Secret => {
                self.managers.insert(key.id().to_owned(), value);
            }
            None if key.kind() == Kind::Secret => {
                self.managers.remove(key.id());
            }
            Some(value) => {
                let source = Source {
                    value,
                    created: change.created,
                };
                self.sources.insert(key.clone(), source);
            }
            None => {
                self.sources.remove(&key);
            }
        }
        dirty.add(key);
    }

    /// Most resources are never compiled again: their JSON would only take up memory, and most of a hundred thousand
    /// consumers have none but auth plugins.
    fn forget_sources(&mut self, dirty: &Dirty) {
        for key in dirty.0.values().flatten() {
            let needed = self.sources.get(key).is_some_and(|source| {
                // A model is compiled again with the providers that it names.
                matches!(key.kind(), Kind::PluginMetadata | Kind::Model)
                    || self.watches.contains_key(key)
                    || client_certificate_of(&source.value).is_some()
                    || self.carries(key, &source.value, |_| true)
            });
            if !needed {
                self.sources.remove(key);
            }
        }
    }

    /// Compiles the resources of a kind that are dirty, and returns those whose compiled form changed. What compiles
    /// to `None` is as good as gone.
    fn compile_kind<T>(
        &mut self,
        kind: Kind,
        dirty: &Dirty,
        place: fn(&mut Compiled) -> &mut BTreeMap<Key, T>,
        compile: impl Fn(&Self, &Item<'_>) -> Result<Option<T>, String>,
    ) -> Vec<Key> {
        let mut changed = Vec::new();
        for key in dirty.of(kind) {
            let outcome = self.attempt(key, &compile);
            let place = place(&mut self.compiled);
            let has_changed = match outcome {
                Outcome::Invalid => false,
                Outcome::Gone | Outcome::Ready(None) => place.remove(key).is_some(),
                Outcome::Ready(Some(compiled)) => {
                    place.insert(key.clone(), compiled);
                    true
                }
            };
            if has_changed {
                changed.push(key.clone());
            }
        }
        changed
    }

    /// Compiles the resource at `key` and notes how it went.
    fn attempt<T>(
        &mut self,
        key: &Key,
        compile: impl FnOnce(&Self, &Item<'_>) -> Result<T, String>,
    ) -> Outcome<T> {
        let owner = Text::from(format!("{}{key}", self.options.prefix));
        let Some(Source { value, created }) = self.sources.get(key).cloned() else {
            self.problems.remove(&owner);
            self.warnings.remove(&owner);
            self.watches.remove(key);
            self.services.checkers.settle(&owner);
            return Outcome::Gone;
        };
        if self.watch(key, &value) {
            return Outcome::Invalid;
        }
        let item = Item {
            key,
            owner: &owner,
            value: &value,
            created,
        };
        match self.hold(&item).and_then(|()| compile(self, &item)) {
            Ok(compiled) => {
                self.problems.remove(&owner);
                self.services.checkers.settle(&owner);
                self.warn_of(key, &owner, &value);
                Outcome::Ready(compiled)
            }
            Err(problem) => {
                self.services.checkers.revert(&owner);
                let problem = self.without_secrets(&item, problem);
                tracing::error!(key = %owner, problem, "configuration ignored, the previous one stays in force");
                self.problems.insert(owner, Text::from(problem));
                Outcome::Invalid
            }
        }
    }

    fn hold(&self, item: &Item<'_>) -> Result<(), String> {
        let schema = self
            .schemas
            .as_ref()
            .and_then(|schemas| schemas.of_kind(item.key.kind()));
        schema.map_or(Ok(()), |schema| {
            schema.check(item.value).map_err(|error| error.to_string())
        })
    }

    /// Some texts quote the value that does not hold: nobody but its author may see it if it is a secret.
    fn without_secrets(&self, item: &Item<'_>, problem: String) -> String {
        // What names the plugin comes from nobody's configuration.
        let (plugin, mut fault) = match problem.split_once(" err: ") {
            Some((plugin, fault)) => (format!("{plugin} err: "), fault.to_owned()),
            None => (String::new(), problem),
        };
        for field in secret_fields(&**self.registry.catalogue(), item.key, item.value) {
            let Some(secret) = item.value.pointer(&field.pointer) else {
                continue;
            };
            for text in texts_in(secret).filter(|text| !text.is_empty()) {
                fault = fault.replace(text, MASK);
            }
        }
        let metadata = plugins_of(item.value)
            .filter_map(|(name, _)| self.sources.get(&Key::new(Kind::PluginMetadata, name)))
            .map(|source| &*source.value);
        let secrets = std::iter::once(item.value)
            .chain(metadata)
            .flat_map(|value| self.services.secrets.values_of(value));
        for secret in secrets {
            if !secret.is_empty() {
                fault = fault.replace(&secret, MASK);
            }
        }
        plugin + &fault
    }
}

/// The strings of a secret member: itself, or what it is made of.
fn texts_in(secret: &Value) -> impl Iterator<Item = &str> {
    let items = secret.as_array().into_iter().flatten();
    let members = secret
        .as_object()
        .into_iter()
        .flat_map(|members| members.values());
    std::iter::once(secret)
        .chain(items)
        .chain(members)
        .filter_map(Value::as_str)
}

/// An id as JSON holds it: text or a number.
fn key_of(kind: Kind, id: Option<&Value>) -> Option<Key> {
    match id? {
        Value::String(text) => Some(Key::new(kind, text)),
        Value::Number(number) => Some(Key::new(kind, &number.to_string())),
        _ => None,
    }
}

impl Dirty {
    fn add(&mut self, key: Key) {
        self.0.entry(key.kind()).or_default().insert(key);
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Key> {
        self.0.get(&kind).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
