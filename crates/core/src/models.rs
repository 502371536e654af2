//! The model registry in compiled form: models that clients may ask for, and the providers that serve them.

use std::cmp::Reverse;
use std::sync::Arc;

use foldhash::fast::RandomState;
use imbl::shared_ptr::DefaultSharedPtr;
use imbl::{GenericHashMap, OrdMap};
use serde::Deserialize;
use serde_json::Value;
use sluice_record::Text;
use sluice_resource::{Glob, ResourceHook};
use smallvec::SmallVec;

use crate::context::Context;
use crate::plugin::{CompileEnv, CompileError, Step};

/// What a model does with a request. Made by whoever gives models their meaning ([`ModelsDef`]).
pub trait ModelRoute: Send + Sync {
    /// Picks a target for the request's AI call, and notes it there.
    fn pick<'a>(&'a self, cx: &'a mut Context) -> Step<'a>;

    /// Calls the picked target, and others after it.
    fn call<'a>(&'a self, cx: &'a mut Context) -> Step<'a>;

    /// Takes in how the call went, once its answer is known to its end.
    fn settle(&self, cx: &mut Context);
}

/// Checks and compiles the resources of the registry.
#[derive(Clone, Copy)]
pub struct ModelsDef {
    /// What the schemas cannot say of providers and models.
    pub check: ResourceHook,
    /// Finds out whether a provider can be called as configured.
    pub compile_provider: fn(&Value, &CompileEnv<'_>) -> Result<(), CompileError>,
    /// Compiles a model. Providers that it names may be missing.
    pub compile_model: CompileModel,
}

/// See [`ModelsDef`].
pub type CompileModel = fn(&Value, &Providers, &CompileEnv<'_>) -> Result<Arc<dyn ModelRoute>, CompileError>;

/// A provider of the registry.
pub struct ModelProvider {
    /// `id`.
    pub id: Text,
    /// The resource, secrets in place: nobody may see it.
    pub conf: Arc<Value>,
}

/// The providers by id.
pub type Providers = OrdMap<Text, Arc<ModelProvider>>;

/// A model of the registry.
pub struct Model {
    /// `id`.
    pub id: Text,
    /// The name that clients ask for, or the pattern.
    pub name: Text,
    /// What lists of models tell.
    pub info: ModelInfo,
    /// `create_time`, for lists.
    pub created: i64,
    /// What it does.
    pub route: Arc<dyn ModelRoute>,
    pub(crate) glob: Glob,
}

impl Model {
    /// Whether its name is a pattern.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        !self.glob.is_literal()
    }

    /// What the only `*` of its name stands for in the name that was asked for.
    #[must_use]
    pub fn captured<'n>(&self, name: &'n str) -> Option<&'n str> {
        self.glob.captured(name)
    }
}

/// `metadata` of a model.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ModelInfo {
    /// Name for people.
    pub display_name: Option<String>,
    /// Who makes it.
    pub owned_by: Option<String>,
    /// When it was made, in Unix seconds; else the resource's time.
    pub created: Option<i64>,
    /// Most tokens of input.
    pub context_window: Option<u64>,
    /// Most tokens of output.
    pub max_output_tokens: Option<u64>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// For a pattern, the names that lists show.
    pub members: Vec<String>,
    /// Whether no list shows it.
    pub hidden: bool,
}

type Table<T> = GenericHashMap<Text, T, RandomState, DefaultSharedPtr>;

/// All models of a snapshot. Clones share structure.
#[derive(Clone, Default)]
pub struct Models {
    by_id: OrdMap<Text, Arc<Model>>,
    /// Models with a plain name; of several with one name the first id counts.
    by_name: Table<SmallVec<[Arc<Model>; 1]>>,
    /// Models whose name is a pattern, the most specific first, equals by id.
    patterns: Arc<Vec<Arc<Model>>>,
    providers: Providers,
}

impl Models {
    /// The model that is meant by a name: the one of that name, else the one with the most specific pattern.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Arc<Model>> {
        match self.by_name.get(name).and_then(|models| models.first()) {
            Some(model) => Some(model),
            None => self.patterns.iter().find(|model| model.glob.matches(name)),
        }
    }

    /// All models, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.by_id.values()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The provider of that id.
    #[must_use]
    pub fn provider(&self, id: &str) -> Option<&Arc<ModelProvider>> {
        self.providers.get(id)
    }

    pub(crate) fn providers(&self) -> &Providers {
        &self.providers
    }

    pub(crate) fn put_provider(&mut self, provider: Arc<ModelProvider>) {
        self.providers.insert(provider.id.clone(), provider);
    }

    pub(crate) fn remove_provider(&mut self, id: &str) {
        self.providers.remove(id);
    }

    pub(crate) fn put(&mut self, model: Arc<Model>) {
        self.remove(&model.id);
        if model.is_pattern() {
            let patterns = Arc::make_mut(&mut self.patterns);
            let rank = |model: &Model| (Reverse(model.glob.specificity()), model.id.clone());
            let at = patterns.partition_point(|other| rank(other) < rank(&model));
            patterns.insert(at, model.clone());
        } else {
            let same = self.by_name.entry(model.name.clone()).or_default();
            let at = same.partition_point(|other| other.id < model.id);
            same.insert(at, model.clone());
        }
        self.by_id.insert(model.id.clone(), model);
    }

    pub(crate) fn remove(&mut self, id: &str) {
        let Some(model) = self.by_id.remove(id) else {
            return;
        };
        if model.is_pattern() {
            Arc::make_mut(&mut self.patterns).retain(|other| other.id != model.id);
        } else if let Some(same) = self.by_name.get_mut(&model.name) {
            same.retain(|other| other.id != model.id);
            if same.is_empty() {
                self.by_name.remove(&model.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl ModelRoute for Nothing {
        fn pick<'a>(&'a self, _: &'a mut Context) -> Step<'a> {
            Step::CONTINUE
        }

        fn call<'a>(&'a self, _: &'a mut Context) -> Step<'a> {
            Step::CONTINUE
        }

        fn settle(&self, _: &mut Context) {}
    }

    fn model(id: &str, name: &str) -> Arc<Model> {
        Arc::new(Model {
            id: Text::from(id),
            name: Text::from(name),
            info: ModelInfo::default(),
            created: 0,
            route: Arc::new(Nothing),
            glob: Glob::new(name),
        })
    }

    fn models(all: &[(&str, &str)]) -> Models {
        let mut models = Models::default();
        all.iter().for_each(|(id, name)| models.put(model(id, name)));
        models
    }

    #[test]
    fn names_before_patterns_and_the_most_specific_pattern_first() {
        let models = models(&[
            ("a", "*"),
            ("b", "gpt-*"),
            ("c", "gpt-4o*"),
            ("d", "gpt-4o"),
            ("e", "claude-*"),
        ]);
        let found = |name: &str| models.find(name).map(|model| &*model.id);
        assert_eq!(found("gpt-4o"), Some("d"));
        assert_eq!(found("gpt-4o-mini"), Some("c"));
        assert_eq!(found("gpt-5"), Some("b"));
        assert_eq!(found("claude-x"), Some("e"));
        assert_eq!(found("x"), Some("a"));
    }

    #[test]
    fn what_is_gone_uncovers_what_it_hid() {
        let mut models = models(&[("a", "m"), ("b", "m"), ("c", "m*")]);
        let mut order = Vec::new();
        while let Some(found) = models.find("m").map(|model| model.id.clone()) {
            models.remove(&found);
            order.push(found.to_string());
        }
        assert_eq!(order, ["a", "b", "c"]);
        assert!(models.is_empty());
    }

    #[test]
    fn a_new_version_takes_the_place_of_the_old_one() {
        let mut models = models(&[("a", "m")]);
        models.put(model("a", "n*"));
        assert!(models.find("m").is_none());
        assert_eq!(models.iter().count(), 1);
        assert_eq!(models.find("n1").map(|model| &*model.id), Some("a"));
    }
}
