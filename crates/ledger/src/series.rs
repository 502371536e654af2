//! The names that many records have in common, stored once and referred to by a number.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexSet};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sluice_record::{Record, Text};

/// Longest name that is kept, in bytes; a model's name may come from a client.
const MAX_NAME: usize = 256;

/// Most series that are held in memory.
const MAX_SERIES: usize = if cfg!(test) { 512 } else { 65_536 };

/// Who asked whom through what: the dimensions by which usage can be reported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Series {
    /// Consumer that was authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer: Option<Text>,
    /// Its consumer group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consumer_group: Option<Text>,
    /// Id of the credential (virtual key) that it used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<Text>,
    /// Id of the matched route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Text>,
    /// Path pattern of the matched route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Text>,
    /// Protocol that the client spoke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<Text>,
    /// Provider kind of the instance that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Text>,
    /// Instance that answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<Text>,
    /// Model that went upstream; none when nothing was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Text>,
}

impl Series {
    pub(crate) fn names(&self) -> Names<'_> {
        Names([
            self.consumer.as_deref(),
            self.consumer_group.as_deref(),
            self.credential.as_deref(),
            self.route.as_deref(),
            self.endpoint.as_deref(),
            self.protocol.as_deref(),
            self.provider.as_deref(),
            self.instance.as_deref(),
            self.model.as_deref(),
        ])
    }
}

/// The names of a series, in the order of the table's columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Names<'a>(pub(crate) [Option<&'a str>; 9]);

impl<'a> Names<'a> {
    pub(crate) fn of(record: &'a Record) -> Self {
        let name = |text: &'a str| clip(text, MAX_NAME);
        let some = |text: &'a str| (!text.is_empty()).then(|| name(text));
        let ai = record.ai.as_deref();
        Self([
            record.consumer.as_deref().map(name),
            record.consumer_group.as_deref().map(name),
            record.credential.as_deref().map(name),
            record.route_id.as_deref().map(name),
            record.matched_uri.as_deref().map(name),
            ai.and_then(|ai| some(ai.protocol)),
            ai.and_then(|ai| some(ai.provider)),
            ai.and_then(|ai| some(&ai.instance)),
            ai.and_then(|ai| some(&ai.model_sent)),
        ])
    }

    /// A number that follows from the names alone, so that it needs no lookup and is the same in a database that
    /// was made anew. Absent names leave no trace, so that a further one does not change the others' numbers. Names
    /// come from clients too: a weaker hash would let one book its usage on another's series.
    fn id(&self) -> SeriesId {
        let mut hash = Sha256::new();
        for (place, name) in (0_u8..).zip(self.0) {
            if let Some(name) = name {
                hash.update([place]);
                hash.update((name.len() as u64).to_le_bytes());
                hash.update(name);
            }
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, e, f, g, h, ..] = digest;
        SeriesId(i64::from_be_bytes([a & 0x7f, b, c, d, e, f, g, h]))
    }

    fn to_series(self) -> Series {
        let [
            consumer,
            consumer_group,
            credential,
            route,
            endpoint,
            protocol,
            provider,
            instance,
            model,
        ] = self.0.map(|name| name.map(Text::from));
        Series {
            consumer,
            consumer_group,
            credential,
            route,
            endpoint,
            protocol,
            provider,
            instance,
            model,
        }
    }
}

/// The longest beginning of at most that many bytes.
pub(crate) fn clip(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

/// Number of a [`Series`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct SeriesId(pub(crate) i64);

/// A series and its number. Found by its names.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberedSeries {
    pub(crate) id: SeriesId,
    pub(crate) series: Series,
}

impl Hash for NumberedSeries {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.series.names().hash(state);
    }
}

impl Equivalent<Arc<NumberedSeries>> for Names<'_> {
    fn equivalent(&self, key: &Arc<NumberedSeries>) -> bool {
        *self == key.series.names()
    }
}

/// The series of the latest records, so that rows share them.
#[derive(Debug, Default)]
pub(crate) struct SeriesPool(IndexSet<Arc<NumberedSeries>, RandomState>);

impl SeriesPool {
    pub(crate) fn series_of(&mut self, record: &Record) -> Arc<NumberedSeries> {
        let names = Names::of(record);
        if let Some(series) = self.0.get(&names) {
            return series.clone();
        }
        if self.0.len() >= MAX_SERIES {
            self.0.clear();
        }
        let series = Arc::new(NumberedSeries {
            id: names.id(),
            series: names.to_series(),
        });
        self.0.insert(series.clone());
        series
    }
}

/// Which series the database is known to have.
///
/// It forgets everything when the day changes: so each series is stored again on every day that uses it, which
/// keeps its `last_day` true at the price of one statement a day.
#[derive(Debug, Default)]
pub(crate) struct StoredSeries {
    day: i64,
    ids: HashSet<SeriesId, RandomState>,
}

impl StoredSeries {
    /// Notes that a series is used on a day. True if it has to be stored for that.
    pub(crate) fn insert(&mut self, day: i64, id: SeriesId) -> bool {
        if day != self.day {
            self.ids.clear();
            self.day = day;
        }
        if self.ids.contains(&id) {
            return false;
        }
        if self.ids.len() >= MAX_SERIES {
            self.ids.clear();
        }
        self.ids.insert(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::record;

    fn id(consumer: Option<&str>, group: Option<&str>) -> SeriesId {
        Names([consumer, group, None, None, None, None, None, None, None]).id()
    }

    #[test]
    fn ids_tell_names_and_places_apart() {
        let ids = [
            id(Some("ab"), Some("c")),
            id(Some("a"), Some("bc")),
            id(Some("abc"), None),
            id(None, Some("abc")),
            id(Some(""), None),
            id(None, None),
        ];
        for (index, id) in ids.iter().enumerate() {
            assert!(id.0 >= 0);
            assert!(!ids[..index].contains(id), "{index}");
        }
    }

    /// They are in every row, so they must never change.
    #[test]
    fn ids_are_stable() {
        assert_eq!(id(None, None), SeriesId(7_183_457_195_969_485_844));
        assert_eq!(
            id(Some("alice"), Some("staff")),
            SeriesId(8_580_163_945_920_862_187)
        );
    }

    #[test]
    fn records_of_the_same_names_share_a_series() {
        let mut pool = SeriesPool::default();
        let first = pool.series_of(&record(1));
        assert!(Arc::ptr_eq(&first, &pool.series_of(&record(2))));
        assert_eq!(first.series.consumer.as_deref(), Some("alice"));
        assert_eq!(first.series.model.as_deref(), Some("gpt-4o-mini"));

        let mut other = record(3);
        other.consumer = None;
        other.ai = None;
        let series = pool.series_of(&other);
        assert_ne!(series.id, first.id);
        assert_eq!((&series.series.consumer, &series.series.provider), (&None, &None));
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        let mut record = record(1);
        record.consumer = Some(format!("x{}", "é".repeat(MAX_NAME)).into());
        let series = SeriesPool::default().series_of(&record);
        assert_eq!(
            series.series.consumer.as_ref().map(|name| name.len()),
            Some(MAX_NAME - 1)
        );
    }

    #[test]
    fn a_series_is_stored_once_a_day() {
        let (a, b) = (SeriesId(1), SeriesId(2));
        let mut stored = StoredSeries::default();
        assert!(stored.insert(1, a));
        assert!(!stored.insert(1, a));
        assert!(stored.insert(1, b));
        assert!(stored.insert(2, a));
    }

    #[test]
    fn memory_is_bounded() {
        let mut pool = SeriesPool::default();
        let mut stored = StoredSeries::default();
        let mut record = record(1);
        for number in 0..=MAX_SERIES {
            record.consumer = Some(number.to_string().into());
            stored.insert(1, pool.series_of(&record).id);
        }
        assert!(pool.0.len() <= MAX_SERIES);
        assert!(stored.ids.len() <= MAX_SERIES);
    }
}
