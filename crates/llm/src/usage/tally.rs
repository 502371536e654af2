//! Usage fields of one answer, summed up over its events and then turned into both forms.

use super::{Metered, ReportedCounts, Usage};
use crate::lenient::BatchTier;

/// Usage fields as a provider named them, before they are put into buckets. 0 means not reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The columns of compat §4.1.7.
    pub(crate) counts: ReportedCounts,
    /// Whether the prompt count includes what was read from and written to the cache (OpenAI) or not (Anthropic).
    pub(crate) prompt_includes_cache: bool,
    /// Read from the cache, where only the normal form knows of it.
    pub(crate) cache_read: u64,
    /// Written to the cache, where only the normal form knows of it.
    pub(crate) cache_write: u64,
    /// Part of what was written that lives for an hour.
    pub(crate) cache_write_1h: u64,
    pub(crate) audio_input: u64,
    pub(crate) audio_output: u64,
    pub(crate) image_input: u64,
    pub(crate) image_output: u64,
    pub(crate) searches: u64,
    pub(crate) audio_ms: u64,
    pub(crate) at_batch_rates: bool,
    /// Reasoning, where only the normal form knows of it.
    pub(crate) thinking: u64,
}

impl Tally {
    /// Takes in a further report on the same answer: positive numbers overwrite, and the total is raised to the sum
    /// of prompt and completion (compat §4.1.7). Counts in streams are cumulative, so nothing is added up.
    pub(crate) fn merge(&mut self, later: &Self) {
        let counts = &mut self.counts;
        for (kept, new) in [
            (&mut counts.prompt, later.counts.prompt),
            (&mut counts.completion, later.counts.completion),
            (&mut counts.total, later.counts.total),
            (&mut counts.cache_read, later.counts.cache_read),
            (&mut counts.cache_creation, later.counts.cache_creation),
            (&mut counts.reasoning, later.counts.reasoning),
            (&mut self.cache_read, later.cache_read),
            (&mut self.cache_write, later.cache_write),
            (&mut self.cache_write_1h, later.cache_write_1h),
            (&mut self.audio_input, later.audio_input),
            (&mut self.audio_output, later.audio_output),
            (&mut self.image_input, later.image_input),
            (&mut self.image_output, later.image_output),
            (&mut self.searches, later.searches),
            (&mut self.audio_ms, later.audio_ms),
            (&mut self.thinking, later.thinking),
        ] {
            if new > 0 {
                *kept = new;
            }
        }
        counts.total = counts.total.max(counts.prompt.saturating_add(counts.completion));
        self.prompt_includes_cache |= later.prompt_includes_cache;
        self.at_batch_rates |= later.at_batch_rates;
    }

    /// The same, of an answer in that tier.
    pub(crate) fn in_tier(self, tier: BatchTier) -> Self {
        Self {
            at_batch_rates: self.at_batch_rates || tier.0,
            ..self
        }
    }

    /// Both forms.
    pub(crate) fn metered(&self) -> Metered {
        Metered {
            counts: self.counts,
            usage: self.usage(),
        }
    }

    /// The normal form (llm-protocols §16).
    pub(crate) fn usage(&self) -> Usage {
        let counts = &self.counts;
        let mut usage = Usage {
            searches: self.searches,
            audio_ms: self.audio_ms,
            at_batch_rates: self.at_batch_rates,
            ..Usage::default()
        };
        let read = counts.cache_read.max(self.cache_read);
        let written = counts.cache_creation.max(self.cache_write);
        if self.prompt_includes_cache {
            let mut prompt = counts.prompt;
            if prompt == 0 && counts.completion == 0 {
                prompt = counts.total;
            }
            usage.cache_read = take(&mut prompt, read);
            usage.cache_write = take(&mut prompt, written);
            usage.audio_input = take(&mut prompt, self.audio_input);
            usage.image_input = take(&mut prompt, self.image_input);
            usage.input = prompt;
        } else {
            usage.input = counts.prompt;
            usage.cache_read = read;
            usage.cache_write_1h = self.cache_write_1h.min(written);
            usage.cache_write = written - usage.cache_write_1h;
        }
        let reasoning = counts.reasoning.max(self.thinking);
        let mut completion = counts.completion;
        if self.reasoning_is_extra(reasoning) {
            completion = completion.saturating_add(reasoning);
        }
        usage.reasoning = take(&mut completion, reasoning);
        usage.audio_output = take(&mut completion, self.audio_output);
        usage.image_output = take(&mut completion, self.image_output);
        usage.output = completion;
        usage
    }

    /// Whether the total only adds up with the reasoning counted beside the completion, as xAI does.
    fn reasoning_is_extra(&self, reasoning: u64) -> bool {
        let sum = self.counts.prompt.saturating_add(self.counts.completion);
        reasoning > 0 && self.counts.total == sum.saturating_add(reasoning)
    }
}

/// Moves up to `part` out of `whole`, so that buckets never exceed what they are parts of.
fn take(whole: &mut u64, part: u64) -> u64 {
    let taken = part.min(*whole);
    *whole -= taken;
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(counts: ReportedCounts, prompt_includes_cache: bool) -> Tally {
        Tally {
            counts,
            prompt_includes_cache,
            ..Tally::default()
        }
    }

    #[test]
    fn later_zeros_do_not_erase_and_the_total_is_raised() {
        let mut sum = tally(
            ReportedCounts {
                prompt: 25,
                completion: 1,
                total: 26,
                ..Default::default()
            },
            false,
        );
        sum.merge(&tally(
            ReportedCounts {
                completion: 15,
                total: 15,
                ..Default::default()
            },
            false,
        ));
        assert_eq!(
            sum.counts,
            ReportedCounts {
                prompt: 25,
                completion: 15,
                total: 40,
                ..Default::default()
            }
        );
    }

    #[test]
    fn a_total_alone_is_input() {
        let usage = tally(
            ReportedCounts {
                total: 9,
                ..Default::default()
            },
            true,
        )
        .usage();
        assert_eq!(
            usage,
            Usage {
                input: 9,
                ..Usage::default()
            }
        );
    }

    proptest! {
        /// Buckets are disjoint: together they are what the provider reported.
        #[test]
        fn inclusive_buckets_add_up(
            prompt in 0_u64..1000, completion in 1_u64..1000, cache_read in 0_u64..1200, written in 0_u64..1200,
            audio in 0_u64..1200, reasoning in 0_u64..1200,
        ) {
            let counts = ReportedCounts {
                prompt, completion, total: prompt + completion, cache_read, cache_creation: written, reasoning,
            };
            let tally = Tally {
                audio_input: audio, audio_output: audio, image_input: audio, image_output: audio, searches: 7,
                ..tally(counts, true)
            };
            let usage = tally.usage();
            prop_assert_eq!(usage.total_input(), prompt);
            prop_assert_eq!(usage.total_output(), completion);
            prop_assert_eq!(usage.total(), tally.counts.total);
        }
    }
}
