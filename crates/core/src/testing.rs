//! A gateway without configuration, listeners and store: for unit tests of this crate and of those above it, which get it
//! by the feature `testing`.
#![expect(clippy::unwrap_used, reason = "failing loudly is what test helpers are for")]

#[cfg(test)]
mod gateway;

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Uri, Version};
use sluice_cache::{Answers, Backlog, Kept};
use sluice_limit::{LocalCounters, Queues};
use sluice_llm::{PriceTable, TokenCounter};
use sluice_net::{Body, DnsError, Found, Lookup, Origins, Pool, Resolver, TlsClients};
use sluice_observe::{Batches, FileSinks, Metrics, MetricsConfig, RecordQueue};
use sluice_process::{ProcessOptions, Processes};
use sluice_record::{RequestId, Text};
use sluice_redis::Redis;
use sluice_secret::Secrets;
use sluice_upstream::{Affinities, BalancerStates, Breakers, Checkers, TargetStates};
use tokio::runtime::Handle;

#[cfg(test)]
pub(crate) use self::gateway::{Gateway, matched};
use crate::context::Context;
use crate::pipeline::Uids;
use crate::request::{Request, RequestBody};
use crate::services::{Services, Worker};
use crate::snapshot::Snapshot;

/// When every request of a [`Fixture`] began: 2025-11-20 15:47:00.123456 UTC in microseconds.
pub const STARTED_US: i64 = 1_763_653_620_123_456;

/// What requests need beside a configuration. No name has an address, nothing is measured.
#[derive(Clone)]
pub struct Fixture {
    /// What all threads share.
    pub services: Arc<Services>,
    /// The one thread.
    pub worker: Arc<Worker>,
}

struct NoNames;

impl Lookup for NoNames {
    fn lookup(&self, host: Arc<str>) -> Pin<Box<dyn Future<Output = Result<Found, DnsError>> + Send>> {
        Box::pin(async { Err(DnsError::NoAddress(host)) })
    }
}

impl Fixture {
    /// Services as they are by default.
    #[must_use]
    pub fn new(background: &Handle) -> Self {
        Self::with(background, |_| {})
    }

    /// Services that a test changes to its needs.
    #[must_use]
    pub fn with(background: &Handle, change: impl FnOnce(&mut Services)) -> Self {
        let resolver = Resolver::new(NoNames, background.clone());
        let origins = Origins::new(TlsClients::new());
        let mut services = Services {
            uids: Uids::default(),
            counters: Arc::new(LocalCounters::new(16, Instant::now())),
            redis: Redis::new(background.clone()),
            answers: Answers::new(1 << 20),
            conversations: Kept::new(1 << 20),
            signatures: Kept::new(1 << 20),
            answer_backlog: Backlog::new(1 << 20),
            balancers: BalancerStates::default(),
            limits: crate::CallerBudgets::default(),
            queues: Queues::default(),
            impersonation: crate::Impersonation::default(),
            targets: TargetStates::default(),
            affinities: Affinities::new(16, Duration::from_secs(60)),
            breakers: Breakers::default(),
            checkers: Checkers::new(background.clone(), resolver.clone(), origins.clone()),
            records: Arc::new(RecordQueue::new(1)),
            metrics: Arc::new(Metrics::new(MetricsConfig::default()).unwrap()),
            files: FileSinks::start().unwrap(),
            processes: Processes::new(ProcessOptions::default(), background.clone()),
            background: background.clone(),
            batches: Batches::default(),
            tokens: TokenCounter::default(),
            prices: PriceTable::default(),
            origins,
            background_pool: Pool::new(resolver.clone()),
            resolver: resolver.clone(),
            plugin_attr: Default::default(),
            asked_variables: Box::default(),
            secrets: Secrets::default(),
            https_ports: Box::default(),
            hostname: Text::from("gw-1"),
        };
        change(&mut services);
        Self {
            services: Arc::new(services),
            worker: Arc::new(Worker::new(Pool::new(resolver))),
        }
    }

    /// A request to `http://gw.example:9080` without headers, body and route.
    #[must_use]
    pub fn context(&self, snapshot: Arc<Snapshot>, method: &str, uri: &str) -> Context {
        let uri: Uri = uri.parse().unwrap();
        let request = Request {
            method: Method::try_from(method).unwrap(),
            version: Version::HTTP_11,
            headers: HeaderMap::new(),
            body: RequestBody::new(Body::empty()),
            path: Text::from(uri.path()),
            query: uri.query().map(str::to_owned),
            host: Text::from("gw.example"),
            scheme: "http",
            peer: ([10, 0, 0, 7], 50_000).into(),
            local: ([10, 0, 0, 1], 9080).into(),
            head_bytes: 100,
            upgrade: None,
            uri,
        };
        let id = RequestId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let mut cx = Context::new(self.services.clone(), self.worker.clone(), snapshot, id, request);
        cx.started_us = STARTED_US;
        cx
    }
}
