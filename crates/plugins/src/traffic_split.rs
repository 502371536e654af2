//! `traffic-split`: a share of the requests to other upstreams (compat §6.8.1).

mod schema;
mod target;

use std::sync::Arc;

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step, Verdict,
};
use sluice_llm::ErrorKind;
use sluice_record::Text;
use sluice_resource::{Expr, PluginInfo, SchemaCompileError};
use sluice_upstream::{Algorithm, Balancer, BalancerConfig, Node, PickContext, Tried};

use self::target::Target;
use crate::body_vars;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    let info = PluginInfo::new("traffic-split", 966, schema::schema()?)?.with_check(schema::check);
    Ok(PluginDef {
        info,
        compile: TrafficSplit::compile,
    })
}

#[derive(Deserialize)]
struct Config {
    rules: Option<Vec<RuleConfig>>,
}

#[derive(Deserialize)]
struct RuleConfig {
    r#match: Option<Vec<MatchConfig>>,
    weighted_upstreams: Vec<Value>,
}

#[derive(Deserialize)]
struct MatchConfig {
    vars: Value,
}

struct TrafficSplit {
    rules: Option<Vec<Rule>>,
    reads_body: bool,
}

struct Rule {
    /// Of which one must hold, if they are given.
    conditions: Option<Vec<Expr>>,
    targets: Vec<Target>,
    /// Over `targets`; its position outlives this version of the configuration.
    balancer: Arc<Balancer>,
}

impl TrafficSplit {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        let config = Config::deserialize(conf)?;
        let reads_body = config
            .rules
            .iter()
            .flatten()
            .flat_map(|rule| rule.r#match.iter().flatten())
            .any(|one| body_vars::are_in(&one.vars));
        let rules = config.rules.map(|rules| {
            let rules = rules.into_iter().enumerate();
            rules
                .map(|(index, rule)| Rule::compile(index, rule, env))
                .collect()
        });
        Ok(Arc::new(Self {
            rules: rules.transpose()?,
            reads_body,
        }))
    }

    fn choose(&self, cx: &mut Context) -> Verdict {
        let Some(rules) = &self.rules else {
            return Verdict::Continue;
        };
        if rules.is_empty() {
            return broken("no_rules", "the traffic-split of this route has no rules").into();
        }
        // A `match` without conditions keeps what the rule before it came to.
        let mut holds = true;
        for rule in rules {
            if let Some(missing) = rule.missing(cx) {
                let text = format!("failed to fetch upstream info by upstream id: {missing}");
                return broken(
                    "upstream_missing",
                    "an upstream of the traffic-split does not exist",
                )
                .apisix_text(text)
                .into();
            }
            match &rule.conditions {
                None => holds = true,
                Some(any) if any.is_empty() => {}
                Some(any) => holds = any.iter().any(|condition| condition.eval(cx)),
            }
            if holds {
                return rule.pick().map_or(Verdict::Continue, |target| target.send(cx));
            }
        }
        Verdict::Continue
    }
}

impl Rule {
    fn compile(index: usize, config: RuleConfig, env: &CompileEnv<'_>) -> Result<Self, CompileError> {
        let mut targets: Vec<Target> = Vec::new();
        let mut nodes: Vec<Node> = Vec::new();
        for (entry, written) in config.weighted_upstreams.iter().enumerate() {
            let place = format!("traffic-split/{index}/{entry}");
            let target = Target::compile(written, &place, env)?;
            let weight = written.get("weight").and_then(Value::as_u64).unwrap_or(1);
            let node = Node::new(target.id(entry), u32::try_from(weight).unwrap_or(u32::MAX));
            // Of two entries that lead to the same place the last weight counts.
            match nodes.iter().position(|known| known.id == node.id) {
                Some(known) => nodes[known] = node,
                None => {
                    nodes.push(node);
                    targets.push(target);
                }
            }
        }
        let config_of_balancer = BalancerConfig {
            algorithm: Algorithm::RoundRobin,
            nodes,
        };
        let resource = format!("{}/traffic-split/{index}", env.owner);
        let conditions = config
            .r#match
            .map(|any| any.iter().map(|one| Expr::parse(&one.vars)).collect());
        Ok(Self {
            conditions: conditions
                .transpose()
                .map_err(|error: sluice_resource::ExprError| CompileError(error.to_string()))?,
            targets,
            balancer: env.services.balancers.balancer(&resource, config_of_balancer),
        })
    }

    /// The first upstream that the rule names and nobody stored.
    fn missing(&self, cx: &Context) -> Option<&Text> {
        let ids = self.targets.iter().filter_map(Target::upstream_id);
        ids.into_iter()
            .find(|id| !cx.snapshot.upstreams.contains_key(*id))
    }

    fn pick(&self) -> Option<&Target> {
        let picked = self.balancer.pick(&PickContext {
            hash_key: None,
            tried: &Tried::default(),
        })?;
        self.targets.get(picked)
    }
}

fn broken(code: &'static str, message: &'static str) -> Failure {
    Failure::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        ErrorKind::Internal,
        code,
        message,
    )
}

impl Plugin for TrafficSplit {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Access])
    }

    fn access<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if !self.reads_body {
            return Step::Done(self.choose(cx));
        }
        Step::wait(async {
            cx.read_body_for_variables().await;
            self.choose(cx)
        })
    }
}

#[cfg(test)]
mod tests;
