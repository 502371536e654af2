//! Models in compiled form.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;
use sluice_core::{CompileEnv, CompileError, ModelRoute, Providers, Services};
use sluice_exchange::{CallConfig, ProviderConfig, Target};
use sluice_llm::{ErrorClass, Price};
use sluice_record::Text;
use sluice_upstream::{Algorithm, Balancer, BalancerConfig, Node, TargetState};

use super::config::{CoolDownConfig, FallbackConfig, HashConfig, ModelConfig, Strategy, TargetConfig};
use super::rules::Rules;
use super::turns::Turns;

/// A model of the registry.
pub(super) struct RoutedModel {
    /// Its id, for what is kept of it elsewhere.
    pub(super) key: Text,
    pub(super) targets: Vec<RoutedTarget>,
    pub(super) strategy: Strategy,
    /// For the strategies that it knows.
    pub(super) balancer: Option<Arc<Balancer>>,
    /// For `adaptive`.
    pub(super) turns: Turns,
    pub(super) hash: HashConfig,
    pub(super) rules: Rules,
    pub(super) fallback: Fallback,
    pub(super) cool_down: CoolDownConfig,
}

/// Who serves a model.
pub(super) struct RoutedTarget {
    pub(super) name: Text,
    pub(super) weight: u32,
    pub(super) priority: i32,
    /// `None` while its provider does not exist.
    pub(super) ready: Option<Ready>,
    /// The provider's name for the model, or a pattern for it; the client's where there is none.
    pub(super) model: Option<Text>,
    pub(super) state: Arc<TargetState>,
    /// What its tokens cost as configured.
    pub(super) price: Option<Arc<Price>>,
    /// What they cost by the shipped table, which goes for comparing only.
    pub(super) listed: Option<Price>,
}

/// A target that can be called.
pub(super) struct Ready {
    pub(super) target: Target,
    pub(super) call: CallConfig,
}

/// When another target is tried.
pub(super) struct Fallback {
    on: BTreeSet<&'static str>,
    pub(super) max_attempts: usize,
    pub(super) attempt_timeout: Option<Duration>,
    /// Counted from the request's first byte.
    pub(super) deadline: Option<Duration>,
}

impl Fallback {
    /// Whether a failure of that class moves the call on. What is not configured is everything but refusals of
    /// content, where another model would only be asked to say what this one would not.
    pub(super) fn wants(&self, class: ErrorClass) -> bool {
        self.on.contains(class.name())
    }

    fn compile(config: &FallbackConfig, targets: usize) -> Self {
        let named = |class: &ErrorClass| match &config.on {
            Some(on) => on.iter().any(|name| name == class.name()),
            None => *class != ErrorClass::ContentFilter,
        };
        let on = ErrorClass::ALL.iter().filter(|class| named(class));
        Self {
            on: on.map(|class| class.name()).collect(),
            max_attempts: config.max_attempts.unwrap_or(targets),
            attempt_timeout: config.attempt_timeout_ms.map(Duration::from_millis),
            deadline: config.deadline_ms.map(Duration::from_millis),
        }
    }
}

/// Finds out whether a provider can be called as configured.
pub(super) fn provider(resource: &Value, env: &CompileEnv<'_>) -> Result<(), CompileError> {
    let config = ProviderConfig::read(resource).map_err(|error| CompileError(error.to_string()))?;
    config
        .target("provider", None, None, env.services)
        .map(drop)
        .map_err(|error| CompileError(error.to_string()))
}

/// Compiles a model.
pub(super) fn model(
    resource: &Value,
    providers: &Providers,
    env: &CompileEnv<'_>,
) -> Result<Arc<dyn ModelRoute>, CompileError> {
    let config = ModelConfig::deserialize(resource)?;
    let mut targets = Vec::with_capacity(config.targets.len());
    for target in &config.targets {
        targets.push(compile_target(target, &config, providers, env)?);
    }
    let algorithm = match config.strategy {
        Strategy::Weighted => Some(Algorithm::RoundRobin),
        Strategy::ConsistentHash => Some(Algorithm::ConsistentHash),
        _ => None,
    };
    let balancer = algorithm.map(|algorithm| {
        let nodes = targets.iter().map(|target| Node {
            id: target.name.clone(),
            weight: target.weight,
            priority: target.priority,
        });
        let nodes = nodes.collect();
        env.services
            .balancers
            .balancer(env.owner, BalancerConfig { algorithm, nodes })
    });
    let names: Vec<&Text> = targets.iter().map(|target| &target.name).collect();
    Ok(Arc::new(RoutedModel {
        key: env.owner.clone(),
        rules: Rules::compile(&config.rules, &names)?,
        turns: Turns::new(targets.len()),
        balancer,
        strategy: config.strategy,
        hash: config.hash.unwrap_or_default(),
        fallback: Fallback::compile(&config.fallback, targets.len()),
        cool_down: config.cool_down,
        targets,
    }))
}

fn compile_target(
    config: &TargetConfig,
    model: &ModelConfig,
    providers: &Providers,
    env: &CompileEnv<'_>,
) -> Result<RoutedTarget, CompileError> {
    let (id, name) = (config.provider(), config.name());
    let found = providers.get(&*id);
    let provider = found
        .map(|provider| ProviderConfig::read(&provider.conf))
        .transpose()?;
    let upstream = config.model.as_deref();
    let fixed = upstream.filter(|upstream| !upstream.contains('*'));
    let ready = provider
        .map(|provider| {
            let target = provider
                .target(&name, fixed, config.options.as_ref(), env.services)
                .map_err(|error| CompileError(format!("target \"{name}\": {error}")))?;
            Ok::<_, CompileError>(Ready {
                target,
                call: call_of(provider.call, model),
            })
        })
        .transpose()?;
    let price = config.prices.as_ref().or(model.prices.as_ref());
    let listed_as = fixed.or(model.name.as_deref());
    Ok(RoutedTarget {
        listed: listed(env.services, ready.as_ref(), listed_as),
        name: Text::from(name),
        weight: config.weight,
        priority: config.priority,
        ready,
        state: env
            .services
            .targets
            .state(&format!("{id} {}", upstream.unwrap_or_default())),
        model: upstream.map(Text::from),
        price: price.map(|price| Arc::new(Price::from(price))),
    })
}

/// An attempt that may take longer than the client is kept without a head has to keep it waiting: once the head is out
/// there is no way back.
fn call_of(mut call: CallConfig, model: &ModelConfig) -> CallConfig {
    if let Some(millis) = model.fallback.attempt_timeout_ms {
        call.first_byte_hold = call.first_byte_hold.max(millis.div_ceil(1000));
    }
    call
}

fn listed(services: &Services, ready: Option<&Ready>, model: Option<&str>) -> Option<Price> {
    let provider = ready?.target.provider.name();
    services.prices.find(provider, model?).cloned()
}
