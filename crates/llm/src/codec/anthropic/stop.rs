//! Reasons to stop (llm-protocols §15).

use crate::chat::StopReason;

const NAMES: [(StopReason, &str); 7] = [
    (StopReason::Stop, "end_turn"),
    (StopReason::StopSequence, "stop_sequence"),
    (StopReason::Length, "max_tokens"),
    (StopReason::ContextWindow, "model_context_window_exceeded"),
    (StopReason::ToolCalls, "tool_use"),
    (StopReason::Refusal, "refusal"),
    (StopReason::Pause, "pause_turn"),
];

/// The reason of that name; an unknown one is a plain stop.
pub(super) fn from_name(name: &str) -> StopReason {
    NAMES
        .iter()
        .find(|(_, known)| *known == name)
        .map_or(StopReason::Stop, |(reason, _)| *reason)
}

/// Anthropic's word for a reason.
pub(super) fn name(reason: StopReason) -> &'static str {
    match reason {
        StopReason::ContentFilter => "refusal",
        StopReason::Failed => "end_turn",
        other => NAMES
            .iter()
            .find(|(known, _)| *known == other)
            .map_or("end_turn", |(_, name)| name),
    }
}
