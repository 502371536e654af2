//! What log lines and labels call the values of a record.

use sluice_llm::Provenance;
use sluice_record::{Ended, Record, ResponseSource};

/// `request_type` of compat §4.1.6.
pub(crate) fn request_type(record: &Record) -> &'static str {
    match &record.ai {
        None => "traditional_http",
        Some(ai) if ai.stream => "ai_stream",
        Some(_) => "ai_chat",
    }
}

pub(crate) fn response_source(source: ResponseSource) -> &'static str {
    match source {
        ResponseSource::Apisix => "apisix",
        ResponseSource::Nginx => "nginx",
        ResponseSource::Upstream => "upstream",
    }
}

pub(crate) fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Complete => "complete",
        Ended::ClientGone => "client_gone",
        Ended::UpstreamCut => "upstream_cut",
        Ended::LimitHit => "limit_hit",
        Ended::Crashed => "crashed",
    }
}

pub(crate) fn provenance(provenance: Provenance) -> &'static str {
    match provenance {
        Provenance::None => "none",
        Provenance::Reported => "reported",
        Provenance::Drained => "drained",
        Provenance::Estimated => "estimated",
    }
}

/// When the request was over, in microseconds since the epoch.
pub(crate) fn ended_us(record: &Record) -> i64 {
    record.started_us.saturating_add_unsigned(record.duration_us)
}
