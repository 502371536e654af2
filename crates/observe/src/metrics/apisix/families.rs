//! Names, labels and buckets, and what counts where.

use sluice_record::{CacheOutcome, Record};

use super::{Series, Values};
use crate::metrics::family::{CounterFamily, Desc, Family, HistogramFamily, Label};
use crate::metrics::histogram::Buckets;
use crate::metrics::{MetricsConfig, MetricsError};

/// Decimals between microseconds and the milliseconds that are shown.
const MICROS_AS_MILLIS: u8 = 3;

const STATUS: Desc<11> = Desc {
    name: "http_status",
    help: "Answers by HTTP status.",
    labels: [
        Label::fixed("code"),
        Label::open("route"),
        Label::open("matched_uri"),
        Label::open("matched_host"),
        Label::open("service"),
        Label::open("consumer"),
        Label::open("node"),
        Label::bounded("request_type"),
        Label::open("request_llm_model"),
        Label::open("llm_model"),
        Label::bounded("response_source"),
    ],
};

const LATENCY: Desc<8> = Desc {
    name: "http_latency",
    help: "Time of requests in milliseconds: in all, in the upstream, in the gateway.",
    labels: http_labels(),
};

const BANDWIDTH: Desc<8> = Desc {
    name: "bandwidth",
    help: "Bytes received from and sent to clients.",
    labels: http_labels(),
};

const LLM_LATENCY: Desc<8> = Desc {
    name: "llm_latency",
    help: "Time of AI calls in milliseconds: to the end and, for streams, to the first token.",
    labels: with_type(llm_labels()),
};

const PROMPT_TOKENS: Desc<7> = Desc {
    name: "llm_prompt_tokens",
    help: "Prompt tokens of AI calls.",
    labels: llm_labels(),
};

const COMPLETION_TOKENS: Desc<7> = Desc {
    name: "llm_completion_tokens",
    help: "Completion tokens of AI calls.",
    labels: llm_labels(),
};

const PROMPT_TOKENS_DIST: Desc<7> = Desc {
    name: "llm_prompt_tokens_dist",
    help: "Prompt tokens per AI call.",
    labels: llm_labels(),
};

const COMPLETION_TOKENS_DIST: Desc<7> = Desc {
    name: "llm_completion_tokens_dist",
    help: "Completion tokens per AI call.",
    labels: llm_labels(),
};

const CACHE_HITS: Desc<10> = Desc {
    name: "ai_cache_hits_total",
    help: "AI requests that a cache has answered, by its layer.",
    labels: {
        let [
            route,
            route_id,
            service,
            service_id,
            consumer,
            node,
            request_type,
            asked,
            sent,
        ] = cache_labels();
        [
            Label::fixed("layer"),
            route,
            route_id,
            service,
            service_id,
            consumer,
            node,
            request_type,
            asked,
            sent,
        ]
    },
};

const CACHE_MISSES: Desc<9> = Desc {
    name: "ai_cache_misses_total",
    help: "AI requests that a cache had no answer to.",
    labels: cache_labels(),
};

const CACHE_BYPASSES: Desc<9> = Desc {
    name: "ai_cache_bypasses_total",
    help: "Requests that no cache was asked for, though one is configured.",
    labels: cache_labels(),
};

const CACHE_EMBEDDING_LATENCY: Desc<9> = Desc {
    name: "ai_cache_embedding_latency",
    help: "Time of embeddings for the cache in milliseconds.",
    labels: cache_labels(),
};

const fn cache_labels() -> [Label; 9] {
    let [route_id, service_id, consumer, node, request_type, asked, sent] = llm_labels();
    [
        Label::open("route"),
        route_id,
        Label::open("service"),
        service_id,
        consumer,
        node,
        request_type,
        asked,
        sent,
    ]
}

const fn http_labels() -> [Label; 8] {
    let [_, _, consumer, node, request_type, asked, sent] = llm_labels();
    with_type([
        Label::open("route"),
        Label::open("service"),
        consumer,
        node,
        request_type,
        asked,
        sent,
    ])
}

const fn with_type([route, service, consumer, node, request_type, asked, sent]: [Label; 7]) -> [Label; 8] {
    [
        Label::fixed("type"),
        route,
        service,
        consumer,
        node,
        request_type,
        asked,
        sent,
    ]
}

const fn llm_labels() -> [Label; 7] {
    [
        Label::open("route_id"),
        Label::open("service_id"),
        Label::open("consumer"),
        Label::open("node"),
        Label::bounded("request_type"),
        Label::open("request_llm_model"),
        Label::open("llm_model"),
    ]
}

#[derive(Debug)]
pub(super) struct Families {
    status: CounterFamily<11>,
    latency: HistogramFamily<8>,
    bandwidth: CounterFamily<8>,
    llm_latency: HistogramFamily<8>,
    prompt_tokens: CounterFamily<7>,
    completion_tokens: CounterFamily<7>,
    prompt_tokens_dist: HistogramFamily<7>,
    completion_tokens_dist: HistogramFamily<7>,
    cache_hits: CounterFamily<10>,
    cache_misses: CounterFamily<9>,
    cache_bypasses: CounterFamily<9>,
    cache_embedding_latency: HistogramFamily<9>,
}

impl Families {
    pub(super) fn new(config: &MetricsConfig) -> Result<Self, MetricsError> {
        let latency = Buckets::new("default_buckets", &config.latency_buckets, MICROS_AS_MILLIS)?;
        let llm_latency = Buckets::new(
            "llm_latency_buckets",
            &config.llm_latency_buckets,
            MICROS_AS_MILLIS,
        )?;
        let embedding = Buckets::new(
            "llm_latency_buckets",
            &config.llm_latency_buckets,
            MICROS_AS_MILLIS,
        )?;
        let prompt = Buckets::new("llm_prompt_tokens_buckets", &config.prompt_token_buckets, 0)?;
        let completion = Buckets::new(
            "llm_completion_tokens_buckets",
            &config.completion_token_buckets,
            0,
        )?;
        Ok(Self {
            status: config.counter(STATUS),
            latency: config.histogram(LATENCY, latency),
            bandwidth: config.counter(BANDWIDTH),
            llm_latency: config.histogram(LLM_LATENCY, llm_latency),
            prompt_tokens: config.counter(PROMPT_TOKENS),
            completion_tokens: config.counter(COMPLETION_TOKENS),
            prompt_tokens_dist: config.histogram(PROMPT_TOKENS_DIST, prompt),
            completion_tokens_dist: config.histogram(COMPLETION_TOKENS_DIST, completion),
            cache_hits: config.counter(CACHE_HITS),
            cache_misses: config.counter(CACHE_MISSES),
            cache_bypasses: config.counter(CACHE_BYPASSES),
            cache_embedding_latency: config.histogram(CACHE_EMBEDDING_LATENCY, embedding),
        })
    }

    pub(super) fn each(&mut self) -> [&mut dyn Family; 12] {
        [
            &mut self.status,
            &mut self.latency,
            &mut self.bandwidth,
            &mut self.llm_latency,
            &mut self.prompt_tokens,
            &mut self.completion_tokens,
            &mut self.prompt_tokens_dist,
            &mut self.completion_tokens_dist,
            &mut self.cache_hits,
            &mut self.cache_misses,
            &mut self.cache_bypasses,
            &mut self.cache_embedding_latency,
        ]
    }

    pub(super) fn count_http(&mut self, series: &mut Series, values: &Values<'_>, record: &Record, now: u32) {
        self.count_status(series, values, record, now);

        let total = record.duration_us;
        let upstream = record.upstream_us;
        self.latency.observe(
            &mut series.request_latency,
            || values.typed("request"),
            total,
            now,
        );
        if upstream > 0 {
            self.latency.observe(
                &mut series.upstream_latency,
                || values.typed("upstream"),
                upstream,
                now,
            );
        }
        let own = total.saturating_sub(upstream);
        self.latency
            .observe(&mut series.apisix_latency, || values.typed("apisix"), own, now);

        self.bandwidth.add(
            &mut series.ingress,
            || values.typed("ingress"),
            record.request_bytes,
            now,
        );
        self.bandwidth.add(
            &mut series.egress,
            || values.typed("egress"),
            record.response_bytes,
            now,
        );
    }

    fn count_status(&mut self, series: &mut Series, values: &Values<'_>, record: &Record, now: u32) {
        let (code, source) = (record.status, record.source);
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(code);
        let labels = || values.status(digits, source);
        let known = series
            .status
            .iter_mut()
            .find(|known| (known.0, known.1) == (code, source));
        if let Some((_, _, id)) = known {
            self.status.add(id, labels, 1, now);
        } else {
            let mut id = None;
            self.status.add(&mut id, labels, 1, now);
            series.status.push((code, source, id));
        }
    }

    /// Rejected and failed calls count their zeros, too; only their latency is left out (compat §7).
    pub(super) fn count_llm(&mut self, series: &mut Series, values: &Values<'_>, record: &Record, now: u32) {
        let Some(ai) = record.ai.as_deref() else { return };
        if record.status < 400 {
            if record.upstream_us > 0 {
                let total = record.upstream_us;
                self.llm_latency
                    .observe(&mut series.llm_total, || values.typed("total"), total, now);
            }
            if let (true, Some(ttft)) = (ai.stream, ai.ttft_us) {
                self.llm_latency
                    .observe(&mut series.llm_ttft, || values.typed("ttft"), ttft, now);
            }
        }
        let (prompt, completion) = (ai.counts.prompt, ai.counts.completion);
        let labels = || values.llm();
        self.prompt_tokens
            .add(&mut series.prompt_tokens, labels, prompt, now);
        self.completion_tokens
            .add(&mut series.completion_tokens, labels, completion, now);
        self.prompt_tokens_dist
            .observe(&mut series.prompt_tokens_dist, labels, prompt, now);
        self.completion_tokens_dist
            .observe(&mut series.completion_tokens_dist, labels, completion, now);
    }

    /// Their series are looked up by label: with names for routes, a label set does not tell the ids.
    pub(super) fn count_cache(&mut self, values: &Values<'_>, record: &Record, now: u32) {
        let Some(cache) = record.cache else { return };
        let labels = || values.cache(record);
        let id = &mut None;
        match cache.outcome.layer() {
            Some(layer) => self
                .cache_hits
                .add(id, || values.cache_hit(layer, record), 1, now),
            None if cache.outcome == CacheOutcome::Miss => self.cache_misses.add(id, labels, 1, now),
            None => self.cache_bypasses.add(id, labels, 1, now),
        }
        if let Some(micros) = cache.embedding_us {
            self.cache_embedding_latency
                .observe(&mut None, labels, micros, now);
        }
    }
}
