//! What outlives configurations: counters, balancer positions, pools, sinks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sluice_cache::{Answers, Backlog, Kept};
use sluice_limit::{LocalCounters, Queues};
use sluice_llm::{Conversation, PriceTable, TokenCounter};
use sluice_net::{Origins, Pool, Resolver};
use sluice_observe::{Batches, FileSinks, Metrics, RecordQueue};
use sluice_process::Processes;
use sluice_record::Text;
use sluice_redis::Redis;
use sluice_secret::Secrets;
use sluice_upstream::{Affinities, BalancerStates, Breakers, Checkers, TargetStates};

use crate::consumer::Caller;
use crate::impersonation::Impersonation;
use crate::limits::CallerBudgets;
use crate::pipeline::{Pipeline, Uids};
use crate::route::Route;
use crate::snapshot::Snapshot;

/// What all threads of a gateway share. Owned by the gateway; two gateways in one process share nothing.
pub struct Services {
    /// Numbers for compiled objects.
    pub uids: Uids,
    /// Counters of limits.
    pub counters: Arc<LocalCounters>,
    /// Clients of Redis.
    pub redis: Redis,
    /// Answers that `ai-cache` keeps in process.
    pub answers: Answers,
    /// Conversations that clients of OpenAI Responses may continue, by caller and id.
    pub conversations: Kept<Arc<Conversation>>,
    /// Signed thoughts behind calls of tools, by caller and id.
    pub signatures: Kept<Arc<str>>,
    /// Bounds what `ai-cache` has yet to write.
    pub answer_backlog: Backlog,
    /// Positions of balancers.
    pub balancers: BalancerStates,
    /// Accounts of limits that reserve and settle.
    pub limits: CallerBudgets,
    /// Queues before upstreams that take so many requests at once.
    pub queues: Queues,
    /// Keys for single calls as a client.
    pub impersonation: Impersonation,
    /// How LLM targets are doing.
    pub targets: TargetStates,
    /// Which target made what only its maker can go on with.
    pub affinities: Affinities,
    /// Health checks of upstreams.
    pub checkers: Checkers,
    /// Circuit breakers of `api-breaker`.
    pub breakers: Breakers,
    /// Finished records on their way to metrics, access log and ledger.
    pub records: Arc<RecordQueue>,
    /// Metrics: request threads only move gauges.
    pub metrics: Arc<Metrics>,
    /// Files that `file-logger` appends to.
    pub files: FileSinks,
    /// Processes that plugins run.
    pub processes: Processes,
    /// Where batch processors of loggers run.
    pub background: tokio::runtime::Handle,
    /// Those batch processors.
    pub batches: Batches,
    /// Tokenizers, loaded when first needed.
    pub tokens: TokenCounter,
    /// Prices per model.
    pub prices: PriceTable,
    /// Connection targets, shared by all that name the same.
    pub origins: Origins,
    /// Addresses of names, for all threads.
    pub resolver: Resolver,
    /// Connections of what runs on `background`: those of the data plane belong to its threads.
    pub background_pool: Pool,
    /// Settings of plugins for this machine (`plugin_attr`), by plugin.
    pub plugin_attr: serde_json::Map<String, serde_json::Value>,
    /// Variables whose values records carry beside what they always tell, since access log or metrics ask for them.
    pub asked_variables: Box<[Text]>,
    /// What references in the configuration lead to.
    pub secrets: Secrets,
    /// Ports at which clients reach the gateway by TLS, for redirects.
    pub https_ports: Box<[u16]>,
    /// The machine's name.
    pub hostname: Text,
}

/// What belongs to one data-plane thread.
pub struct Worker {
    /// Connections to upstreams.
    pub pool: Pool,
    merged: Mutex<HashMap<MergeKey, Arc<Pipeline>>>,
}

/// Versions of the objects that a merged pipeline is made of.
type MergeKey = (u64, u64, u64);

/// Merged pipelines that a thread keeps. Beyond that it starts over: merging one costs a few microseconds.
const MERGED_MAX: usize = 4096;

impl Worker {
    /// A worker with its own connections.
    #[must_use]
    pub fn new(pool: Pool) -> Self {
        Self {
            pool,
            merged: Mutex::new(HashMap::new()),
        }
    }

    /// The route's pipeline with the caller's group and consumer plugins merged in. `None` when the consumer's group
    /// does not exist.
    #[must_use]
    pub fn merged(&self, snapshot: &Snapshot, route: &Route, caller: &Caller) -> Option<Arc<Pipeline>> {
        let consumer = &caller.consumer;
        let group = match &consumer.group_id {
            Some(id) => Some(snapshot.consumers.group(id)?),
            None => None,
        };
        if consumer.plugins.is_empty() && group.is_none_or(|g| g.plugins.is_empty()) {
            return Some(route.pipeline.clone());
        }
        let key = (route.uid, consumer.uid, group.map_or(0, |g| g.uid));
        let mut merged = self.merged.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = merged.get(&key) {
            return Some(known.clone());
        }
        if merged.len() >= MERGED_MAX {
            merged.clear();
        }
        let pipeline = Arc::new(
            route
                .pipeline
                .with_caller(group.map(|g| &*g.plugins), &consumer.plugins),
        );
        merged.insert(key, pipeline.clone());
        Some(pipeline)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::consumer::Consumer;
    use crate::testing::Gateway;

    fn gateway() -> Gateway {
        let mut gateway = Gateway::new();
        gateway.put("/routes/1", json!({"uri": "/1", "plugins": {"a": {}}}));
        gateway.put("/routes/2", json!({"uri": "/2", "plugins": {"a": {}}}));
        gateway.put("/consumer_groups/g", json!({"plugins": {"b": {}}}));
        gateway.put("/consumers/jack", json!({"group_id": "g", "plugins": {"c": {}}}));
        gateway
    }

    fn merge(gateway: &Gateway, path: &str) -> Arc<Pipeline> {
        gateway
            .worker
            .merged(&gateway.snapshot(), &gateway.route(path), &gateway.caller("jack"))
            .unwrap()
    }

    fn cached(gateway: &Gateway) -> usize {
        gateway.worker.merged.lock().unwrap().len()
    }

    #[test]
    fn merged_pipelines_are_kept_until_what_they_are_made_of_changes() {
        let mut gateway = gateway();
        let first = merge(&gateway, "/1");
        assert!(!Arc::ptr_eq(&first, &merge(&gateway, "/2")));
        gateway.put("/consumers/jill", json!({}));
        gateway.put("/routes/2", json!({"uri": "/2"}));
        assert!(
            Arc::ptr_eq(&first, &merge(&gateway, "/1")),
            "unrelated edits do not matter"
        );

        let mut last = first;
        for (key, value) in [
            ("/routes/1", json!({"uri": "/1"})),
            ("/consumer_groups/g", json!({"plugins": {"b": {}}})),
            ("/consumers/jack", json!({"group_id": "g", "plugins": {"c": {}}})),
        ] {
            gateway.put(key, value);
            let next = merge(&gateway, "/1");
            assert!(!Arc::ptr_eq(&last, &next), "{key}");
            last = next;
        }
    }

    #[test]
    fn the_cache_is_bounded() {
        let gateway = gateway();
        let (snapshot, route, jack) = (
            gateway.snapshot(),
            gateway.route("/1"),
            gateway.caller("jack").consumer,
        );
        let mut most = 0;
        for uid in 0..2 * MERGED_MAX as u64 {
            let consumer = Consumer {
                uid,
                username: jack.username.clone(),
                username_header: jack.username_header.clone(),
                group_id: None,
                custom_id: None,
                plugins: jack.plugins.clone(),
            };
            let caller = Caller {
                consumer: Arc::new(consumer),
                credential: None,
            };
            assert!(gateway.worker.merged(&snapshot, &route, &caller).is_some());
            most = most.max(cached(&gateway));
        }
        assert_eq!(most, MERGED_MAX);
    }
}
