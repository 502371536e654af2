//! Why answers end (llm-protocols §15).

use crate::chat::StopReason;

/// The reason of a `finishReason`. Calls of tools end with `STOP`.
pub(super) fn read(reason: &str) -> StopReason {
    match reason {
        "MAX_TOKENS" => StopReason::Length,
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "MODEL_ARMOR"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => StopReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL"
        | "UNEXPECTED_TOOL_CALL"
        | "TOO_MANY_TOOL_CALLS"
        | "MISSING_THOUGHT_SIGNATURE"
        | "MALFORMED_RESPONSE"
        | "NO_IMAGE"
        | "IMAGE_OTHER" => StopReason::Failed,
        _ => StopReason::Stop,
    }
}

/// The `finishReason` of a reason.
pub(super) fn write(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Stop | StopReason::StopSequence | StopReason::ToolCalls | StopReason::Pause => "STOP",
        StopReason::Length | StopReason::ContextWindow => "MAX_TOKENS",
        StopReason::ContentFilter | StopReason::Refusal => "SAFETY",
        StopReason::Failed => "OTHER",
    }
}
