//! One record as the writer carries it: what the database's columns, the rollups and the spill file need.

use std::io;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sluice_llm::Usage;
use sluice_record::{CacheOutcome, Cost, Record, RequestId};

use crate::detail::Detail;
use crate::payload;
use crate::seq::Seq;
use crate::series::{NumberedSeries, SeriesPool};

/// Most tokens of one bucket, and most microseconds, of one record. Numbers come from providers; with this bound no
/// sum over a ledger's life can pass 63 bits.
const MAX_COUNT: u64 = 1_000_000_000_000;

/// Most micro-dollars of one record, either way.
const MAX_COST: i64 = 1_000_000_000_000;

/// A record on its way into the database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) seq: Seq,
    #[serde(with = "id_bytes")]
    pub(crate) id: RequestId,
    pub(crate) series: Arc<NumberedSeries>,
    pub(crate) status: u16,
    pub(crate) started_us: i64,
    pub(crate) duration_us: i64,
    pub(crate) ttft_us: Option<i64>,
    pub(crate) usage: Usage,
    /// Micro-dollars; none where no price is known or nothing was called.
    pub(crate) cost: Option<i64>,
    /// Whether the answer broke off, for another reason than that the client left.
    pub(crate) broken: bool,
    /// What a cache of answers did. Rows that an earlier version has spilled do not say it.
    #[serde(default)]
    pub(crate) cache: Option<CacheOutcome>,
    /// [`Detail`] as JSON.
    pub(crate) detail: Arc<str>,
    /// The packed [`Payload`](sluice_record::Payload). The spill file has no room for it.
    #[serde(skip)]
    pub(crate) payload: Option<Vec<u8>>,
}

impl Row {
    /// Takes from a record what the ledger keeps.
    pub(crate) fn new(seq: Seq, record: &Record, tools: &mut RowTools) -> io::Result<Self> {
        let ai = record.ai.as_deref();
        let usage = ai.map(|ai| bounded(&ai.usage)).unwrap_or_default();
        let detail = Detail::of(record, &usage);
        tools.json.clear();
        serde_json::to_writer(&mut tools.json, &detail)?;
        Ok(Self {
            seq,
            id: record.id,
            series: tools.series.series_of(record),
            status: record.status,
            started_us: record.started_us,
            duration_us: micros(record.duration_us),
            ttft_us: ai.and_then(|ai| ai.ttft_us).map(micros),
            usage,
            cost: match ai.map(|ai| ai.cost) {
                Some(Cost::MicroUsd(micros)) => Some(micros.clamp(-MAX_COST, MAX_COST)),
                Some(Cost::Unpriced) | None => None,
            },
            broken: detail.is_broken(),
            cache: record.cache.map(|cache| cache.outcome),
            detail: str::from_utf8(&tools.json).map_err(io::Error::other)?.into(),
            payload: match &record.payload {
                Some(payload) => Some(payload::packed(payload)?),
                None => None,
            },
        })
    }
}

/// What rows are made with: shared between them, so that making one allocates next to nothing.
#[derive(Debug, Default)]
pub(crate) struct RowTools {
    json: Vec<u8>,
    series: SeriesPool,
}

fn bounded(usage: &Usage) -> Usage {
    Usage::from_buckets(usage.buckets().map(|count| count.min(MAX_COUNT)))
}

fn micros(value: u64) -> i64 {
    integer(value.min(MAX_COUNT))
}

/// A count as SQLite stores it.
pub(crate) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

mod id_bytes {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use sluice_record::RequestId;

    pub(super) fn serialize<S: Serializer>(id: &RequestId, serializer: S) -> Result<S::Ok, S::Error> {
        id.0.to_be_bytes().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<RequestId, D::Error> {
        <[u8; 16]>::deserialize(deserializer).map(|bytes| RequestId(u128::from_be_bytes(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{record, rows};

    #[test]
    fn a_row_survives_the_spill_file() {
        let row = rows(Seq(5), &[record(u128::MAX - 1)]).remove(0);
        let text = serde_json::to_string(&row).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap(), row);
    }

    #[test]
    fn absurd_numbers_are_bounded() {
        let mut record = record(1);
        record.duration_us = u64::MAX;
        if let Some(ai) = record.ai.as_mut() {
            ai.usage.input = u64::MAX;
            ai.usage.reasoning = u64::MAX;
            ai.cost = Cost::MicroUsd(i64::MIN);
        }
        let row = rows(Seq(1), &[record]).remove(0);
        assert_eq!(row.duration_us, integer(MAX_COUNT));
        assert_eq!((row.usage.input, row.usage.reasoning), (MAX_COUNT, MAX_COUNT));
        assert_eq!(row.cost, Some(-MAX_COST));
        assert!(
            i64::try_from(row.usage.total())
                .unwrap()
                .checked_mul(1_000_000)
                .is_some()
        );
    }

    #[test]
    fn an_unpriced_call_has_no_cost() {
        let mut record = record(1);
        record.ai.as_mut().unwrap().cost = Cost::Unpriced;
        assert_eq!(rows(Seq(1), &[record]).remove(0).cost, None);
    }
}
