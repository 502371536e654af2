//! The usage objects of the protocols as they stand on the wire (compat §4.1.7, llm-protocols §16).

use serde::Deserialize;

use super::{ReportedCounts, Tally};
use crate::lenient::{BatchTier, Count, Text};

/// OpenAI chat and embeddings, and what compatible providers made of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ChatUsage {
    prompt_tokens: Count,
    completion_tokens: Count,
    total_tokens: Count,
    prompt_tokens_details: Option<PromptDetails>,
    completion_tokens_details: Option<CompletionDetails>,
    /// DeepSeek.
    prompt_cache_hit_tokens: Count,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct PromptDetails {
    cached_tokens: Option<Count>,
    cache_creation_input_tokens: Option<Count>,
    cache_write_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CompletionDetails {
    reasoning_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

/// What a chat provider says about its prompt cache.
pub(crate) struct PromptCache {
    pub(crate) read: u64,
    /// `None` if the provider does not say.
    pub(crate) created: Option<u64>,
}

impl ChatUsage {
    /// The usage of a call that generated nothing.
    pub(crate) fn of_prompt(tokens: u64) -> Self {
        Self {
            prompt_tokens: Count(tokens),
            total_tokens: Count(tokens),
            ..Self::default()
        }
    }

    pub(crate) fn prompt(&self) -> u64 {
        self.prompt_tokens.0
    }

    pub(crate) fn completion(&self) -> u64 {
        self.completion_tokens.0
    }

    /// `prompt_tokens_details`, if there.
    pub(crate) fn prompt_cache(&self) -> Option<PromptCache> {
        let details = self.prompt_tokens_details.as_ref()?;
        Some(PromptCache {
            read: details.cached_tokens.unwrap_or_default().0,
            created: details.cache_creation_input_tokens.map(|count| count.0),
        })
    }

    pub(crate) fn tally(&self) -> Tally {
        let prompt = self.prompt_tokens_details.clone().unwrap_or_default();
        let completion = self.completion_tokens_details.clone().unwrap_or_default();
        Tally {
            counts: ReportedCounts {
                prompt: self.prompt_tokens.0,
                completion: self.completion_tokens.0,
                total: total(self.total_tokens, self.prompt_tokens, self.completion_tokens),
                cache_read: prompt.cached_tokens.unwrap_or(self.prompt_cache_hit_tokens).0,
                cache_creation: prompt.cache_creation_input_tokens.unwrap_or_default().0,
                reasoning: completion.reasoning_tokens.0,
            },
            prompt_includes_cache: true,
            cache_write: prompt.cache_write_tokens.0,
            audio_input: prompt.audio_tokens.0,
            audio_output: completion.audio_tokens.0,
            image_input: prompt.image_tokens.0,
            image_output: completion.image_tokens.0,
            ..Tally::default()
        }
    }
}

/// OpenAI Responses.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ResponsesUsage {
    input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    /// Transcriptions say `input_token_details`.
    #[serde(alias = "input_token_details")]
    input_tokens_details: Option<InputDetails>,
    #[serde(alias = "output_token_details")]
    output_tokens_details: Option<CompletionDetails>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct InputDetails {
    cached_tokens: Count,
    cache_write_tokens: Count,
    audio_tokens: Count,
    image_tokens: Count,
}

impl ResponsesUsage {
    pub(crate) fn tally(&self) -> Tally {
        let input = self.input_tokens_details.clone().unwrap_or_default();
        let output = self.output_tokens_details.clone().unwrap_or_default();
        Tally {
            counts: ReportedCounts {
                prompt: self.input_tokens.0,
                completion: self.output_tokens.0,
                total: total(self.total_tokens, self.input_tokens, self.output_tokens),
                cache_read: input.cached_tokens.0,
                cache_creation: 0,
                reasoning: output.reasoning_tokens.0,
            },
            prompt_includes_cache: true,
            cache_write: input.cache_write_tokens.0,
            audio_input: input.audio_tokens.0,
            audio_output: output.audio_tokens.0,
            image_input: input.image_tokens.0,
            image_output: output.image_tokens.0,
            ..Tally::default()
        }
    }
}

/// Anthropic Messages.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AnthropicUsage {
    input_tokens: Count,
    output_tokens: Count,
    cache_read_input_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_creation: Option<CacheCreation>,
    output_tokens_details: Option<ThinkingDetails>,
    service_tier: BatchTier,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct CacheCreation {
    ephemeral_5m_input_tokens: Count,
    ephemeral_1h_input_tokens: Count,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct ThinkingDetails {
    thinking_tokens: Count,
}

impl AnthropicUsage {
    pub(crate) fn tally(&self) -> Tally {
        let creation = self.cache_creation.clone().unwrap_or_default();
        let (written_5m, written_1h) = (
            creation.ephemeral_5m_input_tokens.0,
            creation.ephemeral_1h_input_tokens.0,
        );
        Tally {
            counts: ReportedCounts {
                prompt: self.input_tokens.0,
                completion: self.output_tokens.0,
                total: total(Count(0), self.input_tokens, self.output_tokens),
                cache_read: self.cache_read_input_tokens.0,
                cache_creation: self.cache_creation_input_tokens.0,
                reasoning: 0,
            },
            prompt_includes_cache: false,
            cache_write: written_5m.saturating_add(written_1h),
            cache_write_1h: written_1h,
            at_batch_rates: self.service_tier.0,
            thinking: self
                .output_tokens_details
                .clone()
                .unwrap_or_default()
                .thinking_tokens
                .0,
            ..Tally::default()
        }
    }
}

/// AWS Bedrock Converse.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct BedrockUsage<'a> {
    input_tokens: Count,
    output_tokens: Count,
    total_tokens: Count,
    cache_read_input_tokens: Count,
    cache_write_input_tokens: Count,
    cache_details: Option<Vec<CacheDetail<'a>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct CacheDetail<'a> {
    ttl: Text<'a>,
    input_tokens: Count,
}

impl BedrockUsage<'_> {
    pub(crate) fn tally(&self) -> Tally {
        let details = self.cache_details.iter().flatten();
        let written_1h = details
            .filter(|detail| detail.ttl.as_str() == Some("1h"))
            .map(|detail| detail.input_tokens.0);
        Tally {
            counts: ReportedCounts {
                prompt: self.input_tokens.0,
                completion: self.output_tokens.0,
                total: total(self.total_tokens, self.input_tokens, self.output_tokens),
                ..ReportedCounts::default()
            },
            prompt_includes_cache: false,
            cache_read: self.cache_read_input_tokens.0,
            cache_write: self.cache_write_input_tokens.0,
            cache_write_1h: written_1h.fold(0, u64::saturating_add),
            ..Tally::default()
        }
    }
}

/// Gemini's `usageMetadata`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct GeminiUsage<'a> {
    prompt_token_count: Count,
    tool_use_prompt_token_count: Count,
    cached_content_token_count: Count,
    /// Without thoughts.
    candidates_token_count: Count,
    thoughts_token_count: Count,
    total_token_count: Count,
    prompt_tokens_details: Option<Vec<ModalityTokens<'a>>>,
    candidates_tokens_details: Option<Vec<ModalityTokens<'a>>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
struct ModalityTokens<'a> {
    modality: Text<'a>,
    token_count: Count,
}

impl GeminiUsage<'_> {
    pub(crate) fn tally(&self) -> Tally {
        let prompt = self
            .prompt_token_count
            .0
            .saturating_add(self.tool_use_prompt_token_count.0);
        let completion = self
            .candidates_token_count
            .0
            .saturating_add(self.thoughts_token_count.0);
        Tally {
            counts: ReportedCounts {
                prompt,
                completion,
                total: total(self.total_token_count, Count(prompt), Count(completion)),
                cache_read: self.cached_content_token_count.0,
                cache_creation: 0,
                reasoning: self.thoughts_token_count.0,
            },
            prompt_includes_cache: true,
            audio_input: of_modality("AUDIO", self.prompt_tokens_details.as_deref()),
            audio_output: of_modality("AUDIO", self.candidates_tokens_details.as_deref()),
            image_input: of_modality("IMAGE", self.prompt_tokens_details.as_deref()),
            image_output: of_modality("IMAGE", self.candidates_tokens_details.as_deref()),
            ..Tally::default()
        }
    }
}

fn of_modality(name: &str, details: Option<&[ModalityTokens<'_>]>) -> u64 {
    let details = details.unwrap_or_default().iter();
    let meant = details.filter(|detail| detail.modality.as_str() == Some(name));
    meant.fold(0, |sum, detail| sum.saturating_add(detail.token_count.0))
}

/// Ollama: counts among the other members of the last line.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct OllamaUsage {
    prompt_eval_count: Count,
    eval_count: Count,
}

impl OllamaUsage {
    pub(crate) fn tally(self) -> Tally {
        plain(self.prompt_eval_count, self.eval_count, Count(0))
    }
}

/// Cohere v2. Counts may be floats.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct CohereUsage {
    tokens: Option<CohereTokens>,
    /// Stands in for `tokens` where those are missing.
    billed_units: Option<CohereTokens>,
    cached_tokens: Count,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
struct CohereTokens {
    input_tokens: Count,
    output_tokens: Count,
}

impl CohereUsage {
    pub(crate) fn tally(self) -> Tally {
        let tokens = self.tokens.or(self.billed_units).unwrap_or_default();
        plain(tokens.input_tokens, tokens.output_tokens, self.cached_tokens)
    }
}

/// Counts of providers that tell no more than prompt, answer, and what of the prompt was cached.
fn plain(prompt: Count, completion: Count, cached: Count) -> Tally {
    Tally {
        counts: ReportedCounts {
            prompt: prompt.0,
            completion: completion.0,
            total: total(Count(0), prompt, completion),
            cache_read: cached.0,
            ..ReportedCounts::default()
        },
        prompt_includes_cache: true,
        ..Tally::default()
    }
}

fn total(reported: Count, prompt: Count, completion: Count) -> u64 {
    if reported.0 > 0 {
        reported.0
    } else {
        prompt.0.saturating_add(completion.0)
    }
}
