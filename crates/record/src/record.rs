use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::Payload;
use http::Method;
use serde::{Deserialize, Serialize};
use sluice_llm::{Provenance, ReportedCounts, Usage};

/// Text shared between the configuration, the request and its record.
pub type Text = Arc<str>;

/// A request's identity: a UUID as a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(pub u128);

/// Everything that is known of a request when it is over. Built once, on every exit.
#[derive(Clone, Debug)]
pub struct Record {
    /// Identity; in the ledger the primary key.
    pub id: RequestId,
    /// Start, in microseconds since the Unix epoch.
    pub started_us: i64,
    /// From the first byte of the request to the last byte of the answer, in microseconds.
    pub duration_us: u64,
    /// Time that the upstream took, in microseconds; 0 when none was called.
    pub upstream_us: u64,
    /// Request method.
    pub method: Method,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// `Host` as sent, without its port, lower case.
    pub host: Text,
    /// Path as received, with the query, at most 8 KiB of it. Credentials in the query are masked.
    pub request_uri: Text,
    /// Normalised path without the query.
    pub uri: Text,
    /// Protocol of the request line, for example `HTTP/1.1`.
    pub http_version: &'static str,
    /// `User-Agent`, if sent.
    pub user_agent: Option<Text>,
    /// `Referer`, if sent.
    pub referer: Option<Text>,
    /// Address of the peer.
    pub client: SocketAddr,
    /// Bytes of the request, head and body.
    pub request_bytes: u64,
    /// Bytes of the answer, head and body.
    pub response_bytes: u64,
    /// Bytes of the answer's body.
    pub body_bytes: u64,
    /// Status that the client saw; 499 when it left before the head was sent.
    pub status: u16,
    /// Who made the answer.
    pub source: ResponseSource,
    /// How it ended.
    pub ended: Ended,
    /// Id of the matched route; for a built-in route its name.
    pub route_id: Option<Text>,
    /// `name` of the matched route.
    pub route_name: Option<Text>,
    /// Id of the route's service.
    pub service_id: Option<Text>,
    /// `name` of the service.
    pub service_name: Option<Text>,
    /// Path pattern of the route that matched.
    pub matched_uri: Option<Text>,
    /// Host pattern of the route that matched.
    pub matched_host: Option<Text>,
    /// Consumer that was authenticated.
    pub consumer: Option<Text>,
    /// Its consumer group.
    pub consumer_group: Option<Text>,
    /// Id of the credential that it used.
    pub credential: Option<Text>,
    /// What `apisix_*` metrics call `node`: the upstream's address, for AI calls the instance's name.
    pub node: Option<Text>,
    /// Upstream attempts in order.
    pub attempts: Vec<Attempt>,
    /// Whether `prometheus` is on for this request, and whether it prefers names to ids (`prefer_name`).
    pub prometheus: Option<bool>,
    /// Values of the variables that access log and metrics ask for beside all this, in the order asked. Keys are
    /// masked.
    pub asked: Box<[Option<Text>]>,
    /// What is known of the AI call, if it was one.
    pub ai: Option<Box<AiRecord>>,
    /// What a cache of answers did, if one was asked or would have been.
    pub cache: Option<CacheUse>,
    /// Short machine-readable code of the failure, if one happened.
    pub error: Option<&'static str>,
    /// What was sent and what came back, where the client's payloads are logged.
    pub payload: Option<Box<Payload>>,
}

impl Record {
    /// The client's address without its port.
    #[must_use]
    pub fn client_ip(&self) -> IpAddr {
        self.client.ip()
    }
}

/// One attempt at an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// `host:port` that was tried.
    pub addr: Text,
    /// Status it answered; 502 or 504 when it did not answer, as nginx writes it.
    pub status: u16,
    /// Time from the start of the attempt to its answer's last byte or its failure, in microseconds.
    pub time_us: u64,
}

/// Who made the answer (`response_source` of `apisix_http_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponseSource {
    /// The gateway: a plugin, or an error of ours.
    #[default]
    Apisix,
    /// The HTTP layer: a request too broken for any plugin, or an upstream that could not be reached.
    Nginx,
    /// The upstream.
    Upstream,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// The answer was sent whole.
    #[default]
    Complete,
    /// The client left first.
    ClientGone,
    /// The upstream broke off inside its answer.
    UpstreamCut,
    /// A bound of the gateway ended the answer early.
    LimitHit,
    /// A defect of the gateway.
    Crashed,
}

/// What a cache of answers did for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheUse {
    /// How the lookup ended.
    pub outcome: CacheOutcome,
    /// Time that the embedding of the prompt took, in microseconds, if one was asked for.
    pub embedding_us: Option<u64>,
}

/// How a lookup in a cache of answers ended (compat §4.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheOutcome {
    /// The same request had been answered before.
    Exact,
    /// One that means the same had.
    Semantic,
    /// Nothing was found.
    Miss,
    /// Nothing was looked for.
    Bypass,
}

impl CacheOutcome {
    /// `hit`, `miss` or `bypass`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact | Self::Semantic => "hit",
            Self::Miss => "miss",
            Self::Bypass => "bypass",
        }
    }

    /// What has that [`name`](Self::name) or [`layer`](Self::layer). A hit of no layer is an exact one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "exact" | "hit" => Some(Self::Exact),
            "semantic" => Some(Self::Semantic),
            "miss" => Some(Self::Miss),
            "bypass" => Some(Self::Bypass),
            _ => None,
        }
    }

    /// The layer that was hit: `exact` or `semantic`.
    #[must_use]
    pub fn layer(self) -> Option<&'static str> {
        match self {
            Self::Exact => Some("exact"),
            Self::Semantic => Some("semantic"),
            Self::Miss | Self::Bypass => None,
        }
    }
}

/// What is known of an AI call.
#[derive(Clone, Debug, Default)]
pub struct AiRecord {
    /// Protocol that the client spoke, for example `openai-chat`.
    pub protocol: &'static str,
    /// Provider kind of the instance that answered, for example `openai`.
    pub provider: &'static str,
    /// Instance that answered: `ai-proxy-<provider>` or the instance's name.
    pub instance: Text,
    /// `model` of the client's body (`request_llm_model`).
    pub model_asked: Text,
    /// Model that went upstream (`llm_model`); empty when nothing was sent.
    pub model_sent: Text,
    /// Model that the answer names, if it names one.
    pub model_answered: Option<Text>,
    /// Whether the client asked for a stream.
    pub stream: bool,
    /// Time to the first token, in microseconds.
    pub ttft_us: Option<u64>,
    /// Usage in normal form.
    pub usage: Usage,
    /// Where the usage comes from.
    pub provenance: Provenance,
    /// Usage as APISIX counts it.
    pub counts: ReportedCounts,
    /// What the call cost.
    pub cost: Cost,
    /// The price it was made with, if one is known.
    pub price: Option<Box<PriceUsed>>,
    /// How the model registry routed the call, in few words: the model, why its target was picked, who failed before.
    pub routing: Option<Text>,
    /// Number of tools offered.
    pub tool_count: u32,
    /// Whether the answer calls tools.
    pub has_tool_calls: bool,
    /// The end user that the client named.
    pub end_user: Option<Text>,
    /// What content rules found; none where no guard looked, empty where it found nothing.
    pub guard: Option<Box<[GuardHit]>>,
}

/// A content rule that found something. What it found is nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardHit {
    /// Name of the rule.
    pub rule: Text,
    /// What it does: `block`, `mask`, `unmask` or `log`.
    pub action: &'static str,
    /// Where it was: `request` or `response`.
    pub direction: &'static str,
    /// How often.
    pub count: u32,
}

/// The price that a call's cost was made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceUsed {
    /// Micro-USD per million tokens, for the buckets that the call has tokens in.
    pub rates: Usage,
    /// Whether the configuration says so, and not the table in the binary.
    pub configured: bool,
}

/// What a call cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cost {
    /// No price is known for the model: a state, not zero.
    #[default]
    Unpriced,
    /// Millionths of a US dollar.
    MicroUsd(i64),
}
