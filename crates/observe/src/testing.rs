//! Records for the tests of this crate.

use std::net::{Ipv4Addr, SocketAddr};

use http::Method;
use sluice_llm::{Provenance, ReportedCounts, Usage};
use sluice_record::{AiRecord, Attempt, Cost, Ended, Record, RequestId, ResponseSource};

/// 2025-11-20 15:47:00 UTC in microseconds.
pub(crate) const STARTED_US: i64 = 1_763_653_620_000_000;

/// A plain request without route, consumer or upstream.
pub(crate) fn record() -> Record {
    Record {
        id: RequestId(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        started_us: STARTED_US,
        duration_us: 250_000,
        upstream_us: 0,
        method: Method::POST,
        scheme: "http",
        host: "gw.example".into(),
        request_uri: "/v1/chat?x=1".into(),
        uri: "/v1/chat".into(),
        http_version: "HTTP/1.1",
        user_agent: Some("curl/8 \"q\"".into()),
        referer: None,
        client: SocketAddr::from((Ipv4Addr::new(10, 0, 0, 7), 50_000)),
        request_bytes: 120,
        response_bytes: 340,
        body_bytes: 300,
        status: 404,
        source: ResponseSource::Apisix,
        ended: Ended::Complete,
        route_id: None,
        route_name: None,
        service_id: None,
        service_name: None,
        matched_uri: None,
        matched_host: None,
        consumer: None,
        consumer_group: None,
        credential: None,
        node: None,
        attempts: Vec::new(),
        prometheus: None,
        asked: Box::default(),
        ai: None,
        cache: None,
        error: None,
        payload: None,
    }
}

/// A successful AI call of consumer `alice` on route `1`, with `prometheus` on.
pub(crate) fn ai_record() -> Record {
    Record {
        status: 200,
        source: ResponseSource::Upstream,
        upstream_us: 240_500,
        route_id: Some("1".into()),
        route_name: Some("chat".into()),
        matched_uri: Some("/v1/*".into()),
        consumer: Some("alice".into()),
        node: Some("ai-proxy-openai".into()),
        attempts: vec![
            Attempt {
                addr: "10.1.0.1:443".into(),
                status: 502,
                time_us: 10_000,
            },
            Attempt {
                addr: "10.1.0.2:443".into(),
                status: 200,
                time_us: 230_500,
            },
        ],
        prometheus: Some(false),
        ai: Some(Box::new(AiRecord {
            protocol: "openai-chat",
            provider: "openai",
            instance: "ai-proxy-openai".into(),
            model_asked: "gpt".into(),
            model_sent: "gpt-5".into(),
            stream: true,
            ttft_us: Some(50_250),
            usage: Usage {
                input: 7,
                cache_read: 3,
                output: 5,
                ..Usage::default()
            },
            provenance: Provenance::Reported,
            counts: ReportedCounts {
                prompt: 10,
                completion: 5,
                total: 15,
                cache_read: 3,
                ..Default::default()
            },
            cost: Cost::MicroUsd(42),
            ..AiRecord::default()
        })),
        ..record()
    }
}
