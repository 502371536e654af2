//! Streams as Anthropic's messages write them.

use serde_json::{Value, json};

use super::{StreamPlan, framed};

/// The path at which the mock speaks it.
pub const MESSAGES_PATH: &str = "/v1/messages";

/// The beginning of the message and of its one block.
pub(super) fn stream_start(model: &str) -> Vec<u8> {
    let start = json!({
        "type": "message_start",
        "message": {
            "id": "msg_bench",
            "type": "message",
            "role": "assistant",
            "model": model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": {"input_tokens": 240, "output_tokens": 1},
        },
    });
    let block =
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    [start, block]
        .iter()
        .flat_map(|data| framed(&event(data)))
        .collect()
}

/// The event of a content chunk.
pub(super) fn delta(content: &str) -> String {
    event(&json!({
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": content},
    }))
}

/// The end of block, message and body.
pub(super) fn stream_end(plan: StreamPlan) -> Vec<u8> {
    let events = [
        json!({"type": "content_block_stop", "index": 0}),
        json!({
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": plan.chunks},
        }),
        json!({"type": "message_stop"}),
    ];
    let mut end: Vec<u8> = events.iter().flat_map(|data| framed(&event(data))).collect();
    end.extend_from_slice(b"0\r\n\r\n");
    end
}

fn event(data: &Value) -> String {
    let name = data["type"].as_str().unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_has_a_beginning_and_an_end() {
        let start = String::from_utf8(stream_start("mock-3x0")).unwrap();
        assert!(
            start.contains("event: message_start\ndata: {") && start.contains("\"mock-3x0\""),
            "{start}"
        );
        let end = String::from_utf8(stream_end(StreamPlan { chunks: 3, rate: 0 })).unwrap();
        assert!(
            end.contains("\"output_tokens\":3") && end.ends_with("\n\n\r\n0\r\n\r\n"),
            "{end}"
        );
    }
}
