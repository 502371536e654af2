//! Names, labels and buckets, and what counts where.

use sluice_llm::{Provenance, Usage};
use sluice_record::{AiRecord, Cost, Record};

use super::{Series, Values, upstream_failed};
use crate::metrics::family::{CounterFamily, Desc, Family, HistogramFamily, Label};
use crate::metrics::histogram::Buckets;
use crate::metrics::{MetricsConfig, MetricsError};
use crate::terms::provenance;

/// Decimals between microseconds and the seconds that are shown.
const MICROS_AS_SECONDS: u8 = 6;

/// Seconds of a whole call: reasoning models take minutes.
const DURATION_BUCKETS: &[f64] = &[
    0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
/// Seconds to the first token.
const TTFT_BUCKETS: &[f64] = &[0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0];
const SPEED_BUCKETS: &[f64] = &[1.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0];

/// Buckets of [`Usage`] that count tokens, as label values: all but the last two.
pub(super) const BUCKETS: &[&str] = Usage::BUCKETS.split_at(Usage::TOKEN_BUCKETS).0;

const CLIENT_REQUESTS: Desc<3> = Desc {
    name: "ai_gateway_requests_total",
    help: "AI requests of clients, failed ones included, by HTTP status.",
    labels: [
        Label::open("client_id"),
        Label::open("model"),
        Label::bounded("status"),
    ],
};

const INPUT_TOKENS: Desc<2> = Desc {
    name: "ai_gateway_input_tokens_total",
    help: "Input tokens of clients.",
    labels: CLIENT_MODEL,
};

const OUTPUT_TOKENS: Desc<2> = Desc {
    name: "ai_gateway_output_tokens_total",
    help: "Output tokens of clients.",
    labels: CLIENT_MODEL,
};

const DURATION: Desc<2> = Desc {
    name: "ai_gateway_request_duration_seconds",
    help: "Time of AI requests of clients, to the last byte.",
    labels: CLIENT_MODEL,
};

const UPSTREAM_ERRORS: Desc<3> = Desc {
    name: "ai_gateway_upstream_errors_total",
    help: "AI requests of clients that ended with a failure of the provider.",
    labels: [
        Label::open("client_id"),
        Label::open("model"),
        Label::open("provider"),
    ],
};

const VLLM_REQUESTS: Desc<2> = Desc {
    name: "vllm_requests_total",
    help: "AI requests to vLLM providers by HTTP status.",
    labels: [Label::open("model"), Label::bounded("status")],
};

const REQUESTS: Desc<5> = Desc {
    name: "sluice_llm_requests_total",
    help: "AI requests by HTTP status.",
    labels: [
        Label::open("route"),
        Label::open("consumer"),
        Label::open("provider"),
        Label::open("model"),
        Label::bounded("status"),
    ],
};

const TOKENS: Desc<5> = Desc {
    name: "sluice_llm_tokens_total",
    help: "Tokens in disjoint buckets, by where the count comes from.",
    labels: [
        Label::open("consumer"),
        Label::open("provider"),
        Label::open("model"),
        Label::bounded("bucket"),
        Label::bounded("provenance"),
    ],
};

const COST: Desc<3> = Desc {
    name: "sluice_llm_cost_microusd_total",
    help: "Cost in millionths of a US dollar.",
    labels: [
        Label::open("consumer"),
        Label::open("provider"),
        Label::open("model"),
    ],
};

const UNPRICED: Desc<2> = Desc {
    name: "sluice_llm_unpriced_requests_total",
    help: "AI requests that used tokens of a model without a known price.",
    labels: PROVIDER_MODEL,
};

const TTFT: Desc<2> = Desc {
    name: "sluice_llm_time_to_first_token_seconds",
    help: "Time to the first token of successful AI requests.",
    labels: PROVIDER_MODEL,
};

const TOKENS_PER_SECOND: Desc<2> = Desc {
    name: "sluice_llm_output_tokens_per_second",
    help: "Output tokens per second after the first token, of successful streams.",
    labels: PROVIDER_MODEL,
};

const CLIENT_MODEL: [Label; 2] = [Label::open("client_id"), Label::open("model")];
const PROVIDER_MODEL: [Label; 2] = [Label::open("provider"), Label::open("model")];

#[derive(Debug)]
pub(super) struct Families {
    client_requests: CounterFamily<3>,
    input_tokens: CounterFamily<2>,
    output_tokens: CounterFamily<2>,
    duration: HistogramFamily<2>,
    upstream_errors: CounterFamily<3>,
    vllm_requests: CounterFamily<2>,
    requests: CounterFamily<5>,
    tokens: CounterFamily<5>,
    cost: CounterFamily<3>,
    unpriced: CounterFamily<2>,
    ttft: HistogramFamily<2>,
    tokens_per_second: HistogramFamily<2>,
}

impl Families {
    pub(super) fn new(config: &MetricsConfig) -> Result<Self, MetricsError> {
        let duration = Buckets::new(DURATION.name, DURATION_BUCKETS, MICROS_AS_SECONDS)?;
        let ttft = Buckets::new(TTFT.name, TTFT_BUCKETS, MICROS_AS_SECONDS)?;
        let speed = Buckets::new(TOKENS_PER_SECOND.name, SPEED_BUCKETS, 0)?;
        Ok(Self {
            client_requests: config.counter(CLIENT_REQUESTS),
            input_tokens: config.counter(INPUT_TOKENS),
            output_tokens: config.counter(OUTPUT_TOKENS),
            duration: config.histogram(DURATION, duration),
            upstream_errors: config.counter(UPSTREAM_ERRORS),
            vllm_requests: config.counter(VLLM_REQUESTS),
            requests: config.counter(REQUESTS),
            tokens: config.counter(TOKENS),
            cost: config.counter(COST),
            unpriced: config.counter(UNPRICED),
            ttft: config.histogram(TTFT, ttft),
            tokens_per_second: config.histogram(TOKENS_PER_SECOND, speed),
        })
    }

    pub(super) fn each(&mut self) -> [&mut dyn Family; 12] {
        [
            &mut self.client_requests,
            &mut self.input_tokens,
            &mut self.output_tokens,
            &mut self.duration,
            &mut self.upstream_errors,
            &mut self.vllm_requests,
            &mut self.requests,
            &mut self.tokens,
            &mut self.cost,
            &mut self.unpriced,
            &mut self.ttft,
            &mut self.tokens_per_second,
        ]
    }

    /// The families by status.
    pub(super) fn count_status(
        &mut self,
        series: &mut Series,
        values: &Values<'_>,
        record: &Record,
        ai: &AiRecord,
        now: u32,
    ) {
        let known = series
            .by_status
            .iter()
            .position(|(status, _)| *status == record.status);
        let known = known.unwrap_or_else(|| {
            series.by_status.push((record.status, Default::default()));
            series.by_status.len() - 1
        });
        let ids = &mut series.by_status[known].1;
        let mut digits = itoa::Buffer::new();
        let status = digits.format(record.status);
        let [route, consumer, provider, model] = values.tuple();
        self.requests.add(
            &mut ids.own,
            || [route, consumer, provider, model, status],
            1,
            now,
        );
        if !consumer.is_empty() {
            self.client_requests
                .add(&mut ids.client, || [consumer, model, status], 1, now);
        }
        if ai.provider == "vllm" {
            self.vllm_requests.add(&mut ids.vllm, || [model, status], 1, now);
        }
    }

    /// Tokens and money.
    pub(super) fn count_usage(&mut self, series: &mut Series, values: &Values<'_>, ai: &AiRecord, now: u32) {
        let [_, consumer, provider, model] = values.tuple();
        let source = provenance(ai.provenance);
        let ids = &mut series.tokens[row(ai.provenance)];
        for ((bucket, tokens), id) in BUCKETS.iter().zip(ai.usage.buckets()).zip(ids) {
            if tokens > 0 {
                self.tokens
                    .add(id, || [consumer, provider, model, bucket, source], tokens, now);
            }
        }
        match ai.cost {
            Cost::MicroUsd(micros) => {
                let micros = u64::try_from(micros).unwrap_or(0);
                self.cost
                    .add(&mut series.cost, || [consumer, provider, model], micros, now);
            }
            Cost::Unpriced if !ai.usage.is_empty() => {
                self.unpriced
                    .add(&mut series.unpriced, || values.provider_model(), 1, now);
            }
            Cost::Unpriced => {}
        }
    }

    /// aigateway's families that need a client.
    pub(super) fn count_client(
        &mut self,
        series: &mut Series,
        values: &Values<'_>,
        record: &Record,
        ai: &AiRecord,
        now: u32,
    ) {
        let labels = || values.client_model();
        self.input_tokens
            .add(&mut series.input_tokens, labels, ai.usage.total_input(), now);
        self.output_tokens
            .add(&mut series.output_tokens, labels, ai.usage.total_output(), now);
        self.duration
            .observe(&mut series.duration, labels, record.duration_us, now);
        if upstream_failed(record) {
            let labels = || [values.consumer, values.model, values.provider];
            self.upstream_errors
                .add(&mut series.upstream_errors, labels, 1, now);
        }
    }

    /// How fast a successful call was.
    pub(super) fn count_speed(
        &mut self,
        series: &mut Series,
        values: &Values<'_>,
        record: &Record,
        ai: &AiRecord,
        now: u32,
    ) {
        let Some(ttft) = ai.ttft_us.filter(|_| record.status < 400) else {
            return;
        };
        let labels = || values.provider_model();
        self.ttft.observe(&mut series.ttft, labels, ttft, now);
        let streamed_us = record.duration_us.saturating_sub(ttft);
        let tokens = ai.usage.total_output();
        if ai.stream && streamed_us > 0 && tokens > 0 {
            let speed = tokens.saturating_mul(1_000_000) / streamed_us;
            self.tokens_per_second
                .observe(&mut series.tokens_per_second, labels, speed, now);
        }
    }
}

fn row(provenance: Provenance) -> usize {
    match provenance {
        Provenance::None => 0,
        Provenance::Reported => 1,
        Provenance::Drained => 2,
        Provenance::Estimated => 3,
    }
}
