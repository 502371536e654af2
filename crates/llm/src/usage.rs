//! Token usage in two forms: the normal form with disjoint buckets, and the counts as APISIX takes them.

mod fields;
mod tally;

use serde::{Deserialize, Serialize};

pub(crate) use self::fields::{
    AnthropicUsage, BedrockUsage, ChatUsage, CohereUsage, GeminiUsage, OllamaUsage, ResponsesUsage,
};
pub(crate) use self::tally::Tally;

/// What one call used, in disjoint buckets: every billable token is in exactly one of them, and what providers bill by
/// another unit has buckets of its own.
///
/// Drives our own limits, budgets, metrics, ledger and prices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Fresh input text, neither read from nor written to a prompt cache.
    pub input: u64,
    /// Input read from the provider's prompt cache.
    pub cache_read: u64,
    /// Input written to the provider's prompt cache (five-minute class where the provider tells classes apart).
    pub cache_write: u64,
    /// Input written to the one-hour class of the prompt cache.
    pub cache_write_1h: u64,
    /// Audio input.
    pub audio_input: u64,
    /// Image input, where the provider tells it from text.
    pub image_input: u64,
    /// Output text, without reasoning.
    pub output: u64,
    /// Reasoning output.
    pub reasoning: u64,
    /// Audio output.
    pub audio_output: u64,
    /// Image output.
    pub image_output: u64,
    /// Searches, of which a ranking is one per hundred documents (Cohere's `search_units`). No tokens.
    pub searches: u64,
    /// Milliseconds of audio that was transcribed, where the provider counts time. No tokens.
    pub audio_ms: u64,
    /// Whether the provider says that it bills at the rates of batches. No bucket.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_batch_rates: bool,
}

impl Usage {
    /// Whether nothing was used.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Names of the buckets, in the order of [`buckets`](Self::buckets).
    pub const BUCKETS: [&str; 12] = [
        "input",
        "cache_read",
        "cache_write",
        "cache_write_1h",
        "audio_input",
        "image_input",
        "output",
        "reasoning",
        "audio_output",
        "image_output",
        "searches",
        "audio_ms",
    ];

    /// How many of the first [`BUCKETS`](Self::BUCKETS) count tokens.
    pub const TOKEN_BUCKETS: usize = 10;

    /// The buckets in the order of [`BUCKETS`](Self::BUCKETS).
    #[must_use]
    pub fn buckets(&self) -> [u64; Self::BUCKETS.len()] {
        [
            self.input,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.audio_input,
            self.image_input,
            self.output,
            self.reasoning,
            self.audio_output,
            self.image_output,
            self.searches,
            self.audio_ms,
        ]
    }

    /// The reverse of [`buckets`](Self::buckets).
    #[must_use]
    pub fn from_buckets(buckets: [u64; Self::BUCKETS.len()]) -> Self {
        let [
            input,
            cache_read,
            cache_write,
            cache_write_1h,
            audio_input,
            image_input,
            output,
            reasoning,
            audio_output,
            image_output,
            searches,
            audio_ms,
        ] = buckets;
        Self {
            input,
            cache_read,
            cache_write,
            cache_write_1h,
            audio_input,
            image_input,
            output,
            reasoning,
            audio_output,
            image_output,
            searches,
            audio_ms,
            at_batch_rates: false,
        }
    }

    /// Bucket by bucket, what `f` makes of both.
    #[must_use]
    pub fn zip(&self, other: &Self, f: impl Fn(u64, u64) -> u64) -> Self {
        let (mine, theirs) = (self.buckets(), other.buckets());
        Self::from_buckets(std::array::from_fn(|index| f(mine[index], theirs[index])))
    }

    /// All input buckets together. Sums stay at what a number can hold, whatever a provider says.
    #[must_use]
    pub fn total_input(&self) -> u64 {
        sum([
            self.input,
            self.cache_read,
            self.cache_write,
            self.cache_write_1h,
            self.audio_input,
            self.image_input,
        ])
    }

    /// Input of all kinds that was neither read from nor written to a prompt cache.
    #[must_use]
    pub fn fresh_input(&self) -> u64 {
        sum([self.input, self.audio_input, self.image_input])
    }

    /// All output buckets together.
    #[must_use]
    pub fn total_output(&self) -> u64 {
        sum([self.output, self.reasoning, self.audio_output, self.image_output])
    }

    /// Input and output together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total_input().saturating_add(self.total_output())
    }
}

fn sum<const N: usize>(buckets: [u64; N]) -> u64 {
    buckets.into_iter().fold(0, u64::saturating_add)
}

/// Where the numbers of a [`Usage`] come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provenance {
    /// Nothing was used: no upstream call was made, or it failed before the model ran.
    #[default]
    None,
    /// The provider said so in its answer.
    Reported,
    /// The provider said so after the client had gone.
    Drained,
    /// Counted locally from the text that passed.
    Estimated,
}

/// The counts as APISIX 3.18 takes them: provider fields as they stand, nothing reported means zero.
///
/// Drives `ai-rate-limiting`, the `apisix_*` metrics and the `llm_*` variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedCounts {
    /// `llm_prompt_tokens`.
    pub prompt: u64,
    /// `llm_completion_tokens`.
    pub completion: u64,
    /// `llm_total_tokens`.
    pub total: u64,
    /// `llm_cache_read_input_tokens`.
    pub cache_read: u64,
    /// `llm_cache_creation_input_tokens`.
    pub cache_creation: u64,
    /// `llm_reasoning_tokens`.
    pub reasoning: u64,
}

/// What a provider reported, in both forms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// As APISIX counts.
    pub counts: ReportedCounts,
    /// In normal form.
    pub usage: Usage,
}
