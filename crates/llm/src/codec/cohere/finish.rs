//! Why answers end (llm-protocols §15).

use crate::chat::StopReason;

/// The reason of a `finish_reason`.
pub(super) fn read(reason: &str) -> StopReason {
    match reason {
        "STOP_SEQUENCE" => StopReason::StopSequence,
        "MAX_TOKENS" => StopReason::Length,
        "TOOL_CALL" => StopReason::ToolCalls,
        "ERROR" | "TIMEOUT" => StopReason::Failed,
        _ => StopReason::Stop,
    }
}

/// The `finish_reason` of a reason. There is none for filters: what they cut off is no complete answer.
pub(super) fn write(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Stop | StopReason::Refusal | StopReason::Pause => "COMPLETE",
        StopReason::StopSequence => "STOP_SEQUENCE",
        StopReason::Length | StopReason::ContextWindow => "MAX_TOKENS",
        StopReason::ToolCalls => "TOOL_CALL",
        StopReason::ContentFilter | StopReason::Failed => "ERROR",
    }
}
