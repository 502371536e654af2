//! `ai-proxy-multi`: several LLM providers, balanced, with fallback (compat §4.3).

mod checks;
mod fallback;
mod schema;
mod semantic;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use sluice_core::{
    AiLogging, CompileEnv, CompileError, Context, Failure, HashKey, Phase, Phases, Picked, Plugin, PluginDef,
    Profile, Step, Verdict,
};
use sluice_exchange::{Attempt, CallConfig, Prepared, Target, TargetConfig, perform, prepare};
use sluice_llm::ErrorKind;
use sluice_record::Text;
use sluice_resource::{PluginInfo, SchemaCompileError};
use sluice_upstream::{
    Algorithm, Balancer, BalancerConfig, Checker, ChecksConfig, Health, Node, PickContext, Tried,
};

use self::fallback::Fallback;
use self::semantic::Semantic;
use crate::ai_proxy::{is_native, logging};
use crate::watched::Watched;

const NAME: &str = "ai-proxy-multi";

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let info = PluginInfo::new(NAME, 1041, schema::schema()?)?
        .with_encrypted_fields(&[
            "instances.auth.header",
            "instances.auth.query",
            "instances.auth.gcp.service_account_json",
            "instances.auth.aws.secret_access_key",
            "instances.auth.aws.session_token",
            "semantic_opts.embeddings.auth.header",
            "semantic_opts.embeddings.auth.query",
        ])
        .with_check(schema::checks()?);
    Ok(PluginDef {
        info,
        compile: AiProxyMulti::compile,
    })
}

#[derive(Deserialize)]
struct InstanceConfig {
    name: String,
    weight: u32,
    #[serde(default)]
    priority: i32,
    checks: Option<ChecksConfig>,
    #[serde(flatten)]
    target: TargetConfig,
}

struct AiProxyMulti {
    targets: Vec<Target>,
    /// By instance.
    watched: Vec<Watched>,
    balancer: Arc<Balancer>,
    hash_key: Option<HashKey>,
    /// Takes the balancer's place.
    semantic: Option<Semantic>,
    /// By instance.
    checkers: Vec<Option<Arc<Checker>>>,
    fallback: Fallback,
    call: CallConfig,
    logging: AiLogging,
    native: bool,
}

impl AiProxyMulti {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let call = CallConfig::deserialize(conf)?;
        let instances: Vec<InstanceConfig> =
            Deserialize::deserialize(conf.get("instances").unwrap_or(&Value::Null))?;
        let mut targets = Vec::with_capacity(instances.len());
        let mut nodes = Vec::with_capacity(instances.len());
        let mut checkers = Vec::with_capacity(instances.len());
        let semantic = Semantic::compile(conf, env)?;
        // One instance is called whatever its health, and meaning does not ask for it.
        let checked = instances.len() > 1 && semantic.is_none();
        for (index, instance) in instances.into_iter().enumerate() {
            let target = Target::compile(Some(&instance.name), &instance.target, &call, env.services)
                .map_err(|error| CompileError(format!("instance '{}': {error}", instance.name)))?;
            let checks = instance.checks.as_ref().filter(|_| checked);
            checkers.push(
                checks.and_then(|checks| checks::checker(env, index, checks, &target, &instance.target.auth)),
            );
            nodes.push(Node {
                id: Text::from(instance.name),
                weight: instance.weight,
                priority: instance.priority,
            });
            targets.push(target);
        }
        let algorithm = conf
            .pointer("/balancer/algorithm")
            .and_then(Value::as_str)
            .unwrap_or("roundrobin");
        let algorithm: Algorithm = match algorithm {
            "semantic" => Algorithm::RoundRobin,
            name => name.parse().map_err(|error| CompileError(format!("{error}")))?,
        };
        let resource = format!("{NAME}:{}", env.owner);
        let watched = targets.iter().map(|target| Watched::new(target, env.services));
        Ok(Arc::new(Self {
            watched: watched.collect(),
            targets,
            balancer: env
                .services
                .balancers
                .balancer(&resource, BalancerConfig { algorithm, nodes }),
            hash_key: (algorithm == Algorithm::ConsistentHash).then(|| hash_key(conf)),
            fallback: match semantic {
                Some(_) => Fallback::default(),
                None => Fallback::parse(conf),
            },
            semantic,
            checkers,
            call,
            logging: logging(conf)?,
            native: is_native(conf),
        }))
    }

    /// Picks an untried instance; with rate-limit-aware fallback, one that has quota left (compat §4.3, "Pick").
    async fn pick(&self, cx: &mut Context, tried: &mut Tried) -> Option<usize> {
        if self.targets.len() == 1 {
            return (!tried.contains(0)).then_some(0);
        }
        self.checkers.iter().flatten().for_each(|checker| checker.touch());
        let hash_key = self.hash_key.as_ref().map(|key| key.value(cx));
        loop {
            let pick = PickContext {
                hash_key: hash_key.as_deref(),
                tried,
            };
            let index = self
                .balancer
                .pick_healthy(&pick, &|index: usize| self.is_up(index))?;
            tried.insert(index);
            if !self.fallback.rate_limiting || has_quota(cx, &self.targets[index].name).await {
                return Some(index);
            }
        }
    }

    /// An instance is one node: all addresses of its endpoint.
    fn is_up(&self, index: usize) -> bool {
        let checker = self.checkers.get(index).and_then(Option::as_ref);
        checker.is_none_or(|checker| checker.healthy(0))
    }

    /// The first pick.
    async fn choose(&self, cx: &mut Context, prepared: &Prepared) -> Option<usize> {
        match &self.semantic {
            Some(semantic) => Some(semantic.pick(cx, prepared).await),
            None => self.pick(cx, &mut Tried::default()).await,
        }
    }

    fn picked(&self, index: usize) -> Picked {
        self.targets[index].picked(index, NAME)
    }

    /// Calls instances until one answers in a way that is not to be retried.
    async fn call(&self, cx: &mut Context, first: usize) -> Verdict {
        let native = cx.profile == Profile::Native;
        let mut tried = Tried::default();
        tried.insert(first);
        let mut index = first;
        let mut retries = 0;
        loop {
            let started = Instant::now();
            let attempt = perform(cx, &self.targets[index], &self.call).await;
            if let Some(watched) = self.watched.get(index) {
                watched.note(cx, &attempt, started);
            }
            let may_retry = self.targets.len() > 1
                && self.semantic.is_none()
                && self.fallback.wants(&attempt, native)
                && self
                    .fallback
                    .within
                    .is_none_or(|limit| started.elapsed() <= limit)
                && self.fallback.max_retries.is_none_or(|limit| retries < limit);
            if !may_retry {
                return verdict(attempt, None);
            }
            let Some(next) = self.pick(cx, &mut tried).await else {
                return verdict(attempt, (!native).then_some(StatusCode::BAD_GATEWAY));
            };
            retries += 1;
            index = next;
            if let Some(ai) = cx.ai.as_deref_mut() {
                ai.picked = self.picked(index);
            }
        }
    }
}

impl Plugin for AiProxyMulti {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access, Phase::BeforeProxy])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if self.native {
            cx.profile = Profile::Native;
        }
        Step::wait(async move {
            let prepared = match prepare(cx, self.call.max_req_body_size).await {
                Ok(prepared) => prepared,
                Err(failure) => return failure.into(),
            };
            let Some(index) = self.choose(cx, &prepared).await else {
                return nobody_left().into();
            };
            prepared.begin(cx, self.picked(index), self.logging);
            Verdict::Continue
        })
    }

    fn before_proxy<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        match cx
            .ai
            .as_ref()
            .filter(|ai| ai.picked.owner == NAME)
            .map(|ai| ai.picked.index)
        {
            Some(first) => Step::wait(self.call(cx, first)),
            None => Step::CONTINUE,
        }
    }
}

/// The attempt's answer, with another status where all instances failed.
fn verdict(attempt: Attempt, status: Option<StatusCode>) -> Verdict {
    match attempt {
        Attempt::Answered(mut reply) => {
            reply.status = status.unwrap_or(reply.status);
            Verdict::Reply(reply)
        }
        Attempt::Failed(mut failure) => {
            failure.reply.status = status.unwrap_or(failure.reply.status);
            Verdict::Fail(failure)
        }
    }
}

async fn has_quota(cx: &mut Context, instance: &str) -> bool {
    let Some(entry) = cx.pipeline.quota().cloned() else {
        return true;
    };
    match entry.plugin.instance_quota() {
        Some(quota) => quota.has_quota(cx, instance).await,
        None => true,
    }
}

fn nobody_left() -> Failure {
    let text = "all servers tried";
    Failure::new(
        StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Overloaded,
        "no_instance_left",
        text,
    )
    .apisix_text(text)
}

fn hash_key(conf: &Value) -> HashKey {
    let text = |name: &str| conf.pointer(&format!("/balancer/{name}")).and_then(Value::as_str);
    HashKey::new(
        text("hash_on").unwrap_or("vars"),
        text("key").unwrap_or("remote_addr"),
    )
}

/// Milliseconds as a configuration writes them.
fn millis(conf: &Value, name: &str) -> Option<Duration> {
    conf.get(name).and_then(Value::as_u64).map(Duration::from_millis)
}
