//! `ai-queue`: requests wait for a slot at a busy upstream, and callers share it fairly (DESIGN §1).

mod refusal;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sluice_core::{
    CompileEnv, CompileError, Context, Failure, Phase, Phases, Plugin, PluginDef, Step, Verdict,
};
use sluice_limit::{CounterKey, FairLimits, FairRequest, Queue, Turn};
use sluice_resource::{PluginInfo, SchemaCompileError};

const NAME: &str = "ai-queue";

const POSITION: HeaderName = HeaderName::from_static("x-sluice-queue-position");
const WAITED: HeaderName = HeaderName::from_static("x-sluice-queue-wait-ms");

/// Bytes of a request that make about one token.
const BYTES_PER_TOKEN: usize = 4;
/// Tokens that the answer is thought to have of a caller whose answers nobody saw.
const UNSEEN_OUTPUT: u64 = 512;
/// Most tokens that a request is thought to use before it did.
const EXPECTED_MAX: u64 = 100_000;

pub(crate) fn definition() -> Result<PluginDef, SchemaCompileError> {
    Ok(PluginDef {
        info: PluginInfo::new(NAME, 1028, schema())?,
        compile: AiQueue::compile,
    })
}

fn schema() -> Value {
    let id = json!({ "type": "string", "minLength": 1, "maxLength": 128 });
    let weight = json!({ "type": "integer", "minimum": 1, "maximum": 1000 });
    let waiting =
        |default: u32| json!({ "type": "integer", "minimum": 0, "maximum": 100_000, "default": default });
    json!({
        "type": "object",
        "properties": {
            "provider": id,
            "upstream": id,
            "slots": { "type": "integer", "minimum": 1, "maximum": 100_000 },
            "max_waiting": waiting(1000),
            "max_waiting_per_key": waiting(100),
            "max_wait_ms": { "type": "integer", "minimum": 1, "maximum": 3_600_000, "default": 300_000 },
            "share_by": { "type": "string", "enum": ["consumer", "group"], "default": "consumer" },
            "weights": { "type": "object", "maxProperties": 10_000, "additionalProperties": weight },
            "rejected_code": { "type": "integer", "enum": [429, 503], "default": 429 },
        },
        "required": ["slots"],
        "oneOf": [{ "required": ["provider"] }, { "required": ["upstream"] }],
        "additionalProperties": false,
    })
}

#[derive(Deserialize)]
struct Config {
    provider: Option<String>,
    upstream: Option<String>,
    slots: usize,
    max_waiting: usize,
    max_waiting_per_key: usize,
    max_wait_ms: u64,
    share_by: ShareBy,
    #[serde(default)]
    weights: Map<String, Value>,
    rejected_code: u16,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ShareBy {
    Consumer,
    Group,
}

struct AiQueue {
    queue: Arc<Queue>,
    /// What the queue stands before, as messages name it.
    before: String,
    /// The provider whose calls alone wait.
    provider: Option<String>,
    limits: FairLimits,
    max_wait: Duration,
    share_by: ShareBy,
    weights: Map<String, Value>,
    rejected: StatusCode,
}

/// Whom a request is counted to.
struct Sharer<'a> {
    kind: &'static str,
    name: &'a str,
}

impl AiQueue {
    fn compile(conf: &Value, env: &CompileEnv<'_>) -> Result<Arc<dyn Plugin>, CompileError> {
        if env.owner.contains("/global_rules/") {
            let message = "ai-queue stands before the upstream of a route, a client or a group: on a global rule it has none";
            return Err(CompileError(message.to_owned()));
        }
        let config = Config::deserialize(conf)?;
        let limits = FairLimits {
            slots: config.slots,
            waiting: config.max_waiting,
            waiting_per_key: config.max_waiting_per_key,
        };
        let (kind, id) = match (&config.provider, &config.upstream) {
            (Some(id), _) => ("provider", id),
            (None, Some(id)) => ("upstream", id),
            (None, None) => {
                return Err(CompileError(
                    "a provider or an upstream is to be named".to_owned(),
                ));
            }
        };
        let queue = if env.is_dry_run {
            Arc::new(Queue::new(limits))
        } else {
            env.services.queues.queue(&format!("{kind}/{id}"), limits)
        };
        Ok(Arc::new(Self {
            queue,
            before: format!("{kind} {id}"),
            provider: config.provider,
            limits,
            max_wait: Duration::from_millis(config.max_wait_ms),
            share_by: config.share_by,
            weights: config.weights,
            rejected: StatusCode::from_u16(config.rejected_code)
                .map_err(|error| CompileError(error.to_string()))?,
        }))
    }

    /// Whether the call goes where the queue stands. Of plugins with several targets, one by the provider's id, or by that
    /// and a model.
    fn concerns(&self, cx: &Context) -> bool {
        let (Some(provider), Some(ai)) = (&self.provider, cx.ai.as_deref()) else {
            return true;
        };
        match &*ai.picked.name {
            _ if ai.picked.owner == "ai-proxy" => true,
            name => name
                .strip_prefix(&**provider)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        }
    }

    fn sharer<'a>(&self, cx: &'a Context) -> Sharer<'a> {
        let Some(caller) = &cx.caller else {
            return Sharer {
                kind: "anonymous",
                name: "",
            };
        };
        match &caller.consumer.group_id {
            Some(group) if self.share_by == ShareBy::Group => Sharer {
                kind: "group",
                name: group,
            },
            _ => Sharer {
                kind: "consumer",
                name: &caller.consumer.username,
            },
        }
    }

    fn enter(&self, cx: &Context) -> Result<Turn, Box<Failure>> {
        let sharer = self.sharer(cx);
        let weight = self.weights.get(sharer.name).and_then(Value::as_u64);
        let request = FairRequest {
            key: &format!("{}/{}", sharer.kind, sharer.name),
            weight: weight.and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1),
            tokens: self.expected(cx, &sharer),
        };
        let entered = self.queue.enter(request);
        entered.map_err(|(full, expected)| {
            refusal::full(self.rejected, &self.before, full, self.limits, expected)
        })
    }

    /// Tokens that a request is thought to use.
    fn expected(&self, cx: &Context, sharer: &Sharer<'_>) -> u64 {
        let Some(ai) = cx.ai.as_deref() else { return 1 };
        let bytes = ai.request.as_ref().map_or(0, |request| request.bytes().len());
        let key = self.size_key(sharer);
        let output = cx.services.limits.estimates.estimate(key, UNSEEN_OUTPUT, None);
        ((bytes / BYTES_PER_TOKEN) as u64)
            .saturating_add(output)
            .min(EXPECTED_MAX)
    }

    /// Where the size of a caller's answers is learned.
    fn size_key(&self, sharer: &Sharer<'_>) -> CounterKey {
        CounterKey::new(&[NAME, &self.before, sharer.kind, sharer.name])
    }

    async fn wait(&self, cx: &mut Context, mut turn: Box<Turn>) -> Verdict {
        if let Err(late) = turn.wait(self.max_wait).await {
            return refusal::late(self.rejected, &self.before, late.0, turn.expected()).into();
        }
        let waited = u64::try_from(turn.waited().as_millis()).unwrap_or(u64::MAX);
        cx.response_headers
            .insert(POSITION, HeaderValue::from(turn.position()));
        cx.response_headers.insert(WAITED, HeaderValue::from(waited));
        cx.turn = Some(turn);
        Verdict::Continue
    }
}

impl Plugin for AiQueue {
    fn phases(&self) -> Phases {
        Phases::of(&[Phase::Queue, Phase::Settle])
    }

    fn queue<'a>(&'a self, cx: &'a mut Context) -> Step<'a> {
        if !self.concerns(cx) {
            return Step::CONTINUE;
        }
        match self.enter(cx) {
            Err(failure) => failure.into(),
            Ok(turn) if turn.position() == 0 => {
                cx.turn = Some(Box::new(turn));
                Step::CONTINUE
            }
            Ok(turn) => Step::wait(self.wait(cx, Box::new(turn))),
        }
    }

    /// The slot is free before the client has the last byte. What is not known of its use counts as it was thought.
    fn settle(&self, cx: &mut Context) {
        let Some(turn) = cx.turn.take() else { return };
        let usage = cx.ai.as_deref().map(|ai| ai.progress.read(|state| state.usage));
        let Some(usage) = usage.filter(|usage| usage.total() > 0) else {
            return;
        };
        let key = self.size_key(&self.sharer(cx));
        cx.services.limits.estimates.observe(key, usage.total_output());
        turn.settle(usage.total());
    }
}
