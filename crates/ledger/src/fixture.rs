//! Records for tests.

use std::net::{Ipv4Addr, SocketAddr};

use http::Method;
use sluice_llm::{Provenance, Usage};
use sluice_record::{AiRecord, Cost, Ended, Record, RequestId, ResponseSource};

/// A record of an ordinary chat call.
pub(crate) fn record(id: u128) -> Record {
    Record {
        id: RequestId(id),
        started_us: 1_795_190_400_000_000,
        duration_us: 812_345,
        upstream_us: 811_000,
        method: Method::POST,
        scheme: "https",
        host: "gateway.example".into(),
        request_uri: "/v1/chat/completions".into(),
        uri: "/v1/chat/completions".into(),
        http_version: "HTTP/1.1",
        user_agent: Some("OpenAI/Python 2.8.0".into()),
        referer: None,
        client: SocketAddr::from((Ipv4Addr::new(10, 1, 2, 3), 40_000)),
        request_bytes: 1430,
        response_bytes: 2210,
        body_bytes: 2000,
        status: 200,
        source: ResponseSource::Upstream,
        ended: Ended::Complete,
        route_id: Some("chat".into()),
        route_name: None,
        service_id: None,
        service_name: None,
        matched_uri: Some("/v1/chat/completions".into()),
        matched_host: None,
        consumer: Some("alice".into()),
        consumer_group: Some("staff".into()),
        credential: Some("alice-key".into()),
        node: Some("ai-proxy-openai".into()),
        attempts: Vec::new(),
        prometheus: None,
        ai: Some(Box::new(ai())),
        error: None,
    }
}

fn ai() -> AiRecord {
    AiRecord {
        protocol: "openai-chat",
        provider: "openai",
        instance: "ai-proxy-openai".into(),
        model_asked: "gpt-4o-mini".into(),
        model_sent: "gpt-4o-mini".into(),
        stream: true,
        ttft_us: Some(210_000),
        usage: Usage {
            input: 812,
            output: 233,
            ..Usage::default()
        },
        provenance: Provenance::Reported,
        cost: Cost::MicroUsd(262),
        ..AiRecord::default()
    }
}
