//! Usage as OpenAI writes it (llm-protocols §16).

use serde::Serialize;

use crate::usage::Usage;

/// The object of a `usage` member. The prompt includes what the cache took, the completion what was thought.
#[derive(Serialize)]
pub(in crate::codec) struct UsageOut {
    prompt_tokens: u64,
    completion_tokens: u64,
    total_tokens: u64,
    prompt_tokens_details: PromptDetails,
    completion_tokens_details: CompletionDetails,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: u64,
    #[serde(skip_serializing_if = "is_zero")]
    cache_write_tokens: u64,
    audio_tokens: u64,
}

#[derive(Serialize)]
struct CompletionDetails {
    reasoning_tokens: u64,
    audio_tokens: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl From<&Usage> for UsageOut {
    fn from(usage: &Usage) -> Self {
        Self {
            prompt_tokens: usage.total_input(),
            completion_tokens: usage.total_output(),
            total_tokens: usage.total(),
            prompt_tokens_details: PromptDetails {
                cached_tokens: usage.cache_read,
                cache_write_tokens: usage.cache_write.saturating_add(usage.cache_write_1h),
                audio_tokens: usage.audio_input,
            },
            completion_tokens_details: CompletionDetails {
                reasoning_tokens: usage.reasoning,
                audio_tokens: usage.audio_output,
            },
        }
    }
}
