//! Sums per hour, series and status class.

use std::collections::HashMap;
use std::ops::AddAssign;

use foldhash::fast::RandomState;
use sluice_llm::Usage;
use sluice_record::CacheOutcome;

use crate::latency::Latencies;
use crate::row::{Row, integer};
use crate::seq::Seq;
use crate::series::SeriesId;

/// What a number of requests used and cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Requests.
    pub requests: i64,
    /// Requests with a status of 400 or more, or whose answer broke off for another reason than that the client left.
    pub errors: i64,
    /// Requests that used something of a model without a price: their cost is unknown, not zero.
    pub unpriced: i64,
    /// Tokens.
    pub usage: Usage,
    /// Cost of the priced requests, in millionths of a US dollar.
    pub cost_micros: i64,
    /// Durations together, in microseconds.
    pub duration_us: i64,
    /// What caches of answers did.
    pub cache: CacheTotals,
}

/// How lookups in caches of answers ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheTotals {
    /// The same request had been answered before.
    pub exact: i64,
    /// One that means the same had.
    pub semantic: i64,
    /// Nothing was found.
    pub misses: i64,
    /// Nothing was looked for.
    pub bypasses: i64,
}

impl CacheTotals {
    /// Requests that a cache answered.
    #[must_use]
    pub fn hits(&self) -> i64 {
        self.exact + self.semantic
    }

    fn of(outcome: Option<CacheOutcome>) -> Self {
        let mut totals = Self::default();
        match outcome {
            Some(CacheOutcome::Exact) => totals.exact = 1,
            Some(CacheOutcome::Semantic) => totals.semantic = 1,
            Some(CacheOutcome::Miss) => totals.misses = 1,
            Some(CacheOutcome::Bypass) => totals.bypasses = 1,
            None => {}
        }
        totals
    }
}

impl Totals {
    fn of(request: &Measured) -> Self {
        Self {
            requests: 1,
            errors: (request.status >= 400 || request.broken).into(),
            unpriced: (request.cost.is_none() && !request.usage.is_empty()).into(),
            usage: request.usage,
            cost_micros: request.cost.unwrap_or(0),
            duration_us: request.duration_us,
            cache: CacheTotals::of(request.cache),
        }
    }

    /// The numbers in the order of [`SUMS`].
    pub(crate) fn sums(&self) -> [i64; SUMS.len()] {
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
        ] = self.usage.buckets().map(integer);
        [
            self.requests,
            self.errors,
            self.unpriced,
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
            self.cost_micros,
            self.duration_us,
            self.cache.exact,
            self.cache.semantic,
            self.cache.misses,
            self.cache.bypasses,
        ]
    }

    pub(crate) fn from_sums(sums: [i64; SUMS.len()]) -> Self {
        let [
            requests,
            errors,
            unpriced,
            buckets @ ..,
            cost_micros,
            duration_us,
            exact,
            semantic,
            misses,
            bypasses,
        ] = sums;
        Self {
            requests,
            errors,
            unpriced,
            usage: Usage::from_buckets(buckets.map(|count| count.max(0).unsigned_abs())),
            cost_micros,
            duration_us,
            cache: CacheTotals {
                exact,
                semantic,
                misses,
                bypasses,
            },
        }
    }
}

/// Records are bounded (`row.rs`), so that these sums cannot overflow.
impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        let (mine, theirs) = (self.sums(), other.sums());
        *self = Self::from_sums(std::array::from_fn(|index| mine[index] + theirs[index]));
    }
}

/// The summed columns of the tables; those of usage in the order of [`Usage::BUCKETS`].
pub(crate) const SUMS: [&str; 21] = [
    "requests",
    "errors",
    "unpriced",
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
    "cost_micros",
    "duration_us",
    "cache_exact",
    "cache_semantic",
    "cache_misses",
    "cache_bypasses",
];

/// What a sum is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RollupKey {
    pub(crate) hour: i64,
    pub(crate) series: SeriesId,
    /// First digit of the status.
    pub(crate) class: u16,
}

/// What a rollup takes from a record, be it on its way into the database or read from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) seq: Seq,
    pub(crate) series: SeriesId,
    pub(crate) status: u16,
    pub(crate) broken: bool,
    pub(crate) usage: Usage,
    pub(crate) cost: Option<i64>,
    pub(crate) duration_us: i64,
    pub(crate) ttft_us: Option<i64>,
    pub(crate) cache: Option<CacheOutcome>,
}

impl From<&Row> for Measured {
    fn from(row: &Row) -> Self {
        Self {
            seq: row.seq,
            series: row.series.id,
            status: row.status,
            broken: row.broken,
            usage: row.usage,
            cost: row.cost,
            duration_us: row.duration_us,
            ttft_us: row.ttft_us,
            cache: row.cache,
        }
    }
}

/// Sums that are not in the database yet.
#[derive(Debug, Default)]
pub(crate) struct Rollups {
    sums: HashMap<RollupKey, Totals, RandomState>,
    pub(crate) latencies: Latencies,
}

impl Rollups {
    pub(crate) fn add(&mut self, request: &Measured) {
        let key = RollupKey {
            hour: request.seq.hour(),
            series: request.series,
            class: request.status / 100,
        };
        *self.sums.entry(key).or_default() += Totals::of(request);
        self.latencies.add(key.hour, request.duration_us, request.ttft_us);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sums.is_empty()
    }

    /// The sums in the order of the table, which is the cheapest to write.
    pub(crate) fn sorted(&self) -> Vec<(RollupKey, Totals)> {
        let mut sums: Vec<_> = self.sums.iter().map(|(key, totals)| (*key, *totals)).collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        sums
    }

    /// The sums of days: their keys' hours are days.
    pub(crate) fn days(&self) -> Vec<(RollupKey, Totals)> {
        self.together(|key| RollupKey {
            hour: key.hour.div_euclid(24),
            ..key
        })
    }

    /// The sums of all series.
    pub(crate) fn totals(&self) -> Vec<(RollupKey, Totals)> {
        self.together(|key| RollupKey {
            series: SeriesId(0),
            ..key
        })
    }

    fn together(&self, key_of: impl Fn(RollupKey) -> RollupKey) -> Vec<(RollupKey, Totals)> {
        let mut sums: HashMap<RollupKey, Totals, RandomState> = HashMap::default();
        for (key, totals) in &self.sums {
            *sums.entry(key_of(*key)).or_default() += *totals;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, _)| *key);
        sums
    }

    pub(crate) fn clear(&mut self) {
        self.sums.clear();
        self.latencies.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(status: u16, broken: bool, cost: Option<i64>, input: u64) -> Measured {
        Measured {
            seq: Seq(0),
            series: SeriesId(1),
            status,
            broken,
            usage: Usage {
                input,
                ..Usage::default()
            },
            cost,
            duration_us: 10,
            ttft_us: None,
            cache: None,
        }
    }

    #[test]
    fn every_column_is_where_it_is_read() {
        let sums = std::array::from_fn(|index| index as i64 + 1);
        let totals = Totals::from_sums(sums);
        assert_eq!(totals.sums(), sums);
        assert_eq!(SUMS[15], "cost_micros");
        assert_eq!(totals.cost_micros, 16);
        assert_eq!(SUMS[3..15], Usage::BUCKETS);
        assert_eq!((SUMS[6], totals.usage.cache_write_1h), ("cache_write_1h", 7));
    }

    #[test]
    fn errors_and_missing_prices_are_counted() {
        let mut rollups = Rollups::default();
        rollups.add(&request(200, false, Some(5), 10));
        rollups.add(&request(200, true, Some(7), 10));
        rollups.add(&request(201, false, None, 10));
        rollups.add(&request(204, false, None, 0));
        rollups.add(&request(429, false, None, 0));
        let sums = rollups.sorted();
        let [(_, ok), (_, refused)] = sums.as_slice() else {
            panic!("{sums:?}")
        };
        assert_eq!((ok.requests, ok.errors, ok.unpriced), (4, 1, 1));
        assert_eq!((ok.usage.input, ok.cost_micros, ok.duration_us), (30, 12, 40));
        assert_eq!((refused.requests, refused.errors), (1, 1));
    }
}
