//! Tests of the codec.

mod answers;
mod foreign;
mod requests;
mod streams;

use bytes::BytesMut;
use sluice_wire::write_event_message;

use crate::codec::TargetRules;
use crate::provider::Quirks;

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

fn target(model: &str) -> TargetRules<'_> {
    TargetRules {
        model,
        quirks: &Quirks::NONE,
    }
}

/// A binary stream of events.
fn stream(events: &[(&str, &str)]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for (name, payload) in events {
        let headers = [
            (":event-type", *name),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ];
        write_event_message(&mut out, &headers, payload.as_bytes());
    }
    out.to_vec()
}
