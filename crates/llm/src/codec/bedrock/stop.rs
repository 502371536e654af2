//! Reasons to stop (llm-protocols §15).

use crate::chat::StopReason;

const NAMES: [(StopReason, &str); 9] = [
    (StopReason::Stop, "end_turn"),
    (StopReason::StopSequence, "stop_sequence"),
    (StopReason::Length, "max_tokens"),
    (StopReason::ContextWindow, "model_context_window_exceeded"),
    (StopReason::ToolCalls, "tool_use"),
    (StopReason::ContentFilter, "content_filtered"),
    (StopReason::ContentFilter, "guardrail_intervened"),
    (StopReason::Failed, "malformed_model_output"),
    (StopReason::Failed, "malformed_tool_use"),
];

/// The reason of that name; an unknown one is a plain stop.
pub(super) fn from_name(name: &str) -> StopReason {
    NAMES
        .iter()
        .find(|(_, known)| *known == name)
        .map_or(StopReason::Stop, |(reason, _)| *reason)
}

/// Converse's word for a reason.
pub(super) fn name(reason: StopReason) -> &'static str {
    let reason = match reason {
        StopReason::Refusal => StopReason::ContentFilter,
        other => other,
    };
    NAMES
        .iter()
        .find(|(known, _)| *known == reason)
        .map_or("end_turn", |(_, name)| name)
}
