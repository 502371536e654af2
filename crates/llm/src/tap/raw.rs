//! Usage objects as they stand, wherever a protocol's events carry them.

use serde_json::{Map, Value};

use super::data;

/// Where usage stands: on the chunk, inside a Responses event, inside Anthropic's `message_start`.
const PLACES: [&str; 3] = ["/usage", "/response/usage", "/message/usage"];

/// Takes the members of a frame's usage object over into `merged`; later ones win.
pub(super) fn merge_usage(merged: &mut Map<String, Value>, frame: &[u8]) {
    if names_usage(frame) {
        merge_event(merged, &data(frame));
    }
}

/// As [`merge_usage`], of an event's JSON.
pub(super) fn merge_event(merged: &mut Map<String, Value>, event: &[u8]) {
    if !names_usage(event) {
        return;
    }
    let Ok(event) = serde_json::from_slice::<Value>(event) else {
        return;
    };
    for usage in PLACES
        .iter()
        .filter_map(|place| event.pointer(place)?.as_object())
    {
        merged.extend(usage.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

fn names_usage(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, b"\"usage\"").is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_one_stream_are_merged() {
        let mut merged = Map::new();
        let events: [&[u8]; 4] = [
            b"event: message_start\ndata: {\"message\":{\"usage\":{\"input_tokens\":7,\"output_tokens\":1}}}\n\n",
            b"data: {\"choices\":[],\"usage\":null}\n\n",
            b"data: {\"text\":\"the \\\"usage\\\" of it\"}\n\n",
            b"event: message_delta\ndata: {\"usage\":{\"output_tokens\":9}}\n\n",
        ];
        for event in events {
            merge_usage(&mut merged, event);
        }
        assert_eq!(
            Value::Object(merged),
            serde_json::json!({ "input_tokens": 7, "output_tokens": 9 })
        );
    }
}
