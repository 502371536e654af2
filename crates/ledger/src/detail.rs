//! What a record says beyond the columns: one JSON document per row, absent where it has nothing to say.

use std::borrow::Cow;
use std::net::IpAddr;

use http::Method;
use serde::{Deserialize, Serialize};
use sluice_llm::{Provenance, Usage};
use sluice_record::{AiRecord, Ended, GuardHit, PriceUsed, Record, ResponseSource};

use crate::series::clip;

/// Longest text that is kept, in bytes.
const MAX_TEXT: usize = 512;
const MAX_AGENT: usize = 128;

/// The rest of a record. States are texts as [`Record`]'s types spell them, so that one that a later version knows
/// can still be read.
///
/// Every byte costs about 5 ns of writing, so names in the JSON are short, and what most records have in common is
/// not there at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Detail<'a> {
    /// Request method; none for `POST`.
    #[serde(skip_serializing_if = "is_default")]
    pub method: Option<Cow<'a, str>>,
    /// Normalised path without the query; none where it is the series' endpoint.
    #[serde(skip_serializing_if = "is_default")]
    pub uri: Option<Cow<'a, str>>,
    /// Address of the client.
    #[serde(rename = "ip", skip_serializing_if = "is_default")]
    pub client: Option<IpAddr>,
    /// `User-Agent`.
    #[serde(rename = "agent", skip_serializing_if = "is_default")]
    pub user_agent: Option<Cow<'a, str>>,
    /// Bytes of the request.
    #[serde(rename = "req")]
    pub request_bytes: u64,
    /// Bytes of the answer.
    #[serde(rename = "resp")]
    pub response_bytes: u64,
    /// Time that the upstream took, in microseconds.
    #[serde(rename = "up", skip_serializing_if = "is_default")]
    pub upstream_us: u64,
    /// Who made the answer, if not the upstream.
    #[serde(skip_serializing_if = "is_default")]
    pub source: Option<Cow<'a, str>>,
    /// How the request ended, if not with a whole answer.
    #[serde(skip_serializing_if = "is_default")]
    pub ended: Option<Cow<'a, str>>,
    /// Code of the failure.
    #[serde(skip_serializing_if = "is_default")]
    pub error: Option<Cow<'a, str>>,
    /// What a cache of answers did: `exact` or `semantic` for a hit, `miss`, `bypass`.
    #[serde(skip_serializing_if = "is_default")]
    pub cache: Option<Cow<'a, str>>,
    /// Upstream attempts; only where there was more than one.
    #[serde(skip_serializing_if = "is_default")]
    pub attempts: Vec<DetailAttempt<'a>>,
    /// Model that the client asked for, where another one was sent.
    #[serde(rename = "asked", skip_serializing_if = "is_default")]
    pub model_asked: Option<Cow<'a, str>>,
    /// Model that the answer names, where it names another one than was sent.
    #[serde(rename = "answered", skip_serializing_if = "is_default")]
    pub model_answered: Option<Cow<'a, str>>,
    /// Whether the client asked for a stream.
    #[serde(skip_serializing_if = "is_default")]
    pub stream: bool,
    /// Where the usage comes from, if not from the provider's answer: `none`, `drained` or `estimated`.
    #[serde(rename = "usage", skip_serializing_if = "is_default")]
    pub provenance: Option<Cow<'a, str>>,
    /// Number of tools offered.
    #[serde(skip_serializing_if = "is_default")]
    pub tools: u32,
    /// Whether the answer calls tools.
    #[serde(rename = "called", skip_serializing_if = "is_default")]
    pub tool_calls: bool,
    /// The end user that the client named.
    #[serde(rename = "user", skip_serializing_if = "is_default")]
    pub end_user: Option<Cow<'a, str>>,
    /// How the model registry routed the call: the model, why its target was picked, who failed before.
    #[serde(skip_serializing_if = "is_default")]
    pub routing: Option<Cow<'a, str>>,
    /// The price that the cost was made with.
    #[serde(skip_serializing_if = "is_default")]
    pub price: Option<DetailPrice>,
    /// What content rules found.
    #[serde(skip_serializing_if = "is_default")]
    pub guard: Option<Vec<DetailGuardHit<'a>>>,
    /// Whether a payload was logged. It may be gone since.
    #[serde(skip_serializing_if = "is_default")]
    pub payload: bool,
    /// Tokens in other buckets than fresh input and plain output.
    #[serde(skip_serializing_if = "is_default")]
    pub(crate) tokens: SpecialTokens,
}

/// One attempt at an upstream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetailAttempt<'a> {
    /// `host:port` that was tried.
    pub addr: Cow<'a, str>,
    /// Status it answered.
    pub status: u16,
    /// Time that it took, in microseconds.
    #[serde(rename = "us")]
    pub time_us: u64,
}

/// A price, in micro-USD per million tokens. Only buckets that the call has tokens in stand in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetailPrice {
    /// Fresh input.
    #[serde(rename = "in", skip_serializing_if = "is_default")]
    pub input: u64,
    /// Plain output.
    #[serde(rename = "out", skip_serializing_if = "is_default")]
    pub output: u64,
    /// The other buckets.
    #[serde(flatten)]
    pub(crate) special: SpecialTokens,
    /// Whether the configuration says so, and not the table in the binary.
    #[serde(rename = "own", skip_serializing_if = "is_default")]
    pub configured: bool,
}

impl DetailPrice {
    fn of(price: &PriceUsed) -> Self {
        Self {
            input: price.rates.input,
            output: price.rates.output,
            special: SpecialTokens::of(&price.rates),
            configured: price.configured,
        }
    }
}

/// A content rule that found something.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DetailGuardHit<'a> {
    /// Name of the rule.
    pub rule: Cow<'a, str>,
    /// `block`, `mask`, `unmask` or `log`.
    pub action: Cow<'a, str>,
    /// `request` or `response`.
    #[serde(rename = "in")]
    pub direction: Cow<'a, str>,
    /// How often.
    #[serde(rename = "n")]
    pub count: u32,
}

/// The buckets that are zero in most records. Fresh input and plain output are what is left of the row's totals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct SpecialTokens {
    #[serde(skip_serializing_if = "is_default")]
    cache_read: u64,
    #[serde(skip_serializing_if = "is_default")]
    cache_write: u64,
    #[serde(skip_serializing_if = "is_default")]
    cache_write_1h: u64,
    #[serde(skip_serializing_if = "is_default")]
    audio_input: u64,
    #[serde(skip_serializing_if = "is_default")]
    reasoning: u64,
    #[serde(skip_serializing_if = "is_default")]
    audio_output: u64,
    #[serde(skip_serializing_if = "is_default")]
    image_input: u64,
    #[serde(skip_serializing_if = "is_default")]
    image_output: u64,
    #[serde(skip_serializing_if = "is_default")]
    searches: u64,
    #[serde(skip_serializing_if = "is_default")]
    audio_ms: u64,
}

impl SpecialTokens {
    fn of(usage: &Usage) -> Self {
        Self {
            cache_read: usage.cache_read,
            cache_write: usage.cache_write,
            cache_write_1h: usage.cache_write_1h,
            audio_input: usage.audio_input,
            reasoning: usage.reasoning,
            audio_output: usage.audio_output,
            image_input: usage.image_input,
            image_output: usage.image_output,
            searches: usage.searches,
            audio_ms: usage.audio_ms,
        }
    }

    /// The whole usage, from the totals of input and output.
    pub(crate) fn with_totals(&self, input: u64, output: u64) -> Usage {
        let special = Usage {
            input: 0,
            cache_read: self.cache_read,
            cache_write: self.cache_write,
            cache_write_1h: self.cache_write_1h,
            audio_input: self.audio_input,
            output: 0,
            reasoning: self.reasoning,
            audio_output: self.audio_output,
            image_input: self.image_input,
            image_output: self.image_output,
            searches: self.searches,
            audio_ms: self.audio_ms,
            at_batch_rates: false,
        };
        Usage {
            input: input.saturating_sub(special.total_input()),
            output: output.saturating_sub(special.total_output()),
            ..special
        }
    }
}

impl<'a> Detail<'a> {
    /// `usage` is the record's, within the ledger's bounds.
    pub(crate) fn of(record: &'a Record, usage: &Usage) -> Self {
        let detail = Self {
            method: (record.method != Method::POST).then(|| record.method.as_str().into()),
            uri: (record.matched_uri.as_ref() != Some(&record.uri))
                .then(|| clip(&record.uri, MAX_TEXT).into()),
            client: Some(record.client_ip()),
            user_agent: record
                .user_agent
                .as_deref()
                .map(|agent| clip(agent, MAX_AGENT).into()),
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            upstream_us: record.upstream_us,
            source: source(record.source).map(Into::into),
            ended: ended(record.ended).map(Into::into),
            error: record.error.map(Into::into),
            cache: record
                .cache
                .map(|cache| cache.outcome.layer().unwrap_or(cache.outcome.name()).into()),
            attempts: attempts(record),
            payload: record.payload.is_some(),
            tokens: SpecialTokens::of(usage),
            ..Self::default()
        };
        match record.ai.as_deref() {
            Some(ai) => detail.with_ai(ai),
            None => detail,
        }
    }

    /// Whether the answer broke off, for another reason than that the client left.
    pub(crate) fn is_broken(&self) -> bool {
        self.ended.as_deref().is_some_and(|ended| ended != CLIENT_GONE)
    }

    fn with_ai(self, ai: &'a AiRecord) -> Self {
        let unless_sent = |model: &'a str| (*model != *ai.model_sent).then(|| clip(model, MAX_TEXT).into());
        Self {
            model_asked: unless_sent(&ai.model_asked),
            model_answered: ai.model_answered.as_deref().and_then(unless_sent),
            stream: ai.stream,
            provenance: provenance(ai.provenance).map(Into::into),
            tools: ai.tool_count,
            tool_calls: ai.has_tool_calls,
            end_user: ai.end_user.as_deref().map(|user| clip(user, MAX_TEXT).into()),
            routing: ai
                .routing
                .as_deref()
                .map(|routing| clip(routing, MAX_TEXT).into()),
            price: ai.price.as_deref().map(DetailPrice::of),
            guard: ai.guard.as_deref().map(guard_hits),
            ..self
        }
    }
}

/// One success is told by the row itself.
fn attempts(record: &Record) -> Vec<DetailAttempt<'_>> {
    if record.attempts.len() < 2 {
        return Vec::new();
    }
    let attempts = record.attempts.iter();
    attempts
        .map(|attempt| DetailAttempt {
            addr: clip(&attempt.addr, MAX_TEXT).into(),
            status: attempt.status,
            time_us: attempt.time_us,
        })
        .collect()
}

fn guard_hits(hits: &[GuardHit]) -> Vec<DetailGuardHit<'_>> {
    let hits = hits.iter().map(|hit| DetailGuardHit {
        rule: clip(&hit.rule, MAX_TEXT).into(),
        action: hit.action.into(),
        direction: hit.direction.into(),
        count: hit.count,
    });
    hits.collect()
}

fn source(source: ResponseSource) -> Option<&'static str> {
    match source {
        ResponseSource::Upstream => None,
        ResponseSource::Apisix => Some("apisix"),
        ResponseSource::Nginx => Some("nginx"),
    }
}

const CLIENT_GONE: &str = "client_gone";

fn ended(ended: Ended) -> Option<&'static str> {
    match ended {
        Ended::Complete => None,
        Ended::ClientGone => Some(CLIENT_GONE),
        Ended::UpstreamCut => Some("upstream_cut"),
        Ended::LimitHit => Some("limit_hit"),
        Ended::Crashed => Some("crashed"),
    }
}

fn provenance(provenance: Provenance) -> Option<&'static str> {
    match provenance {
        Provenance::None => Some("none"),
        Provenance::Reported => None,
        Provenance::Drained => Some("drained"),
        Provenance::Estimated => Some("estimated"),
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use sluice_record::Attempt;

    use super::*;
    use crate::fixture::record;

    fn json(record: &Record) -> String {
        let usage = record.ai.as_ref().map(|ai| ai.usage).unwrap_or_default();
        serde_json::to_string(&Detail::of(record, &usage)).unwrap()
    }

    /// Every byte is in every row.
    #[test]
    fn an_ordinary_call_has_little_to_say() {
        assert_eq!(
            json(&record(1)),
            r#"{"ip":"10.1.2.3","agent":"OpenAI/Python 2.8.0","req":1430,"resp":2210,"up":811000,"stream":true}"#
        );
    }

    #[test]
    fn what_is_out_of_the_ordinary_is_told() {
        let mut record = record(1);
        record.method = Method::GET;
        record.uri = "/v1/models".into();
        record.ended = Ended::UpstreamCut;
        record.error = Some("upstream_cut");
        let attempt = |status| Attempt {
            addr: "api.example:443".into(),
            status,
            time_us: 5,
        };
        record.attempts = vec![attempt(502), attempt(200)];
        let ai = record.ai.as_mut().unwrap();
        ai.model_asked = "default".into();
        ai.model_answered = Some("gpt-4o-mini-2024-07-18".into());
        ai.provenance = Provenance::Estimated;
        ai.usage.cache_read = 7;
        ai.end_user = Some("é".repeat(MAX_TEXT).into());

        let text = json(&record);
        let detail: Detail<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(detail.method.as_deref(), Some("GET"));
        assert_eq!(detail.uri.as_deref(), Some("/v1/models"));
        assert_eq!(
            detail
                .attempts
                .iter()
                .map(|tried| tried.status)
                .collect::<Vec<_>>(),
            [502, 200]
        );
        assert_eq!(detail.model_asked.as_deref(), Some("default"));
        assert_eq!(detail.model_answered.as_deref(), Some("gpt-4o-mini-2024-07-18"));
        assert_eq!(detail.provenance.as_deref(), Some("estimated"));
        assert_eq!(detail.end_user.as_ref().map(|user| user.len()), Some(MAX_TEXT));
        assert_eq!(detail.tokens.with_totals(812 + 7, 233).input, 812);
        assert!(detail.is_broken());
    }

    #[test]
    fn what_a_later_version_says_can_be_read() {
        let text = r#"{"ended":"abducted","moon":{"phase":3},"tokens":{"video":5,"cache_read":1}}"#;
        let detail: Detail<'_> = serde_json::from_str(text).unwrap();
        assert_eq!(detail.ended.as_deref(), Some("abducted"));
        assert_eq!(detail.tokens.with_totals(3, 0).cache_read, 1);
    }

    #[test]
    fn a_client_that_left_broke_nothing() {
        let mut record = record(1);
        record.ended = Ended::ClientGone;
        assert!(!Detail::of(&record, &Usage::default()).is_broken());
    }
}
