//! The store.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use foldhash::{HashMap, HashMapExt};

use crate::answer::{Answer, AnswerFormat};
use crate::direction::Direction;

/// Most answers of one partition that are compared: what a lookup by likeness costs at most.
const PARTITION_MAX: usize = 1024;

/// What an entry costs beside its body, key and direction, about.
const OVERHEAD: usize = 256;

/// Answers by key, and by likeness within a partition. When there are too many, those unused for longest go first.
#[derive(Debug)]
pub struct Answers {
    max_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// By age: the number of the last use.
    slots: BTreeMap<u64, Slot>,
    next: u64,
    bytes: usize,
    by_key: HashMap<Arc<str>, u64>,
    /// Oldest first.
    by_partition: HashMap<Arc<str>, VecDeque<u64>>,
}

#[derive(Debug)]
struct Slot {
    answer: Answer,
    expires: Instant,
    bytes: usize,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Key(Arc<str>),
    Partition(Arc<str>, Direction),
}

/// What a store holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Answers.
    pub entries: usize,
    /// Bytes that they take, about.
    pub bytes: usize,
    /// Some of them, the one used last first.
    pub latest: Vec<HeldAnswer>,
}

/// An answer that is held, without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldAnswer {
    /// Its key; its partition, if it is found by likeness.
    pub key: Arc<str>,
    /// Whether it is found by likeness.
    pub by_likeness: bool,
    /// What its body is.
    pub format: AnswerFormat,
    /// Bytes that it takes, about.
    pub bytes: usize,
    /// When it was made, in unix seconds.
    pub created_at: u64,
    /// How long it is good for.
    pub expires_in: Duration,
}

impl Answers {
    /// A store that holds about so many bytes.
    #[must_use]
    pub fn new(max_bytes: usize) -> Self {
        Self {
            max_bytes,
            inner: Mutex::new(Inner {
                slots: BTreeMap::new(),
                next: 0,
                bytes: 0,
                by_key: HashMap::new(),
                by_partition: HashMap::new(),
            }),
        }
    }

    /// The answer under a key.
    #[must_use]
    pub fn get(&self, key: &str, now: Instant) -> Option<Answer> {
        let mut inner = self.lock();
        let number = *inner.by_key.get(key)?;
        let slot = inner.take(number)?;
        (slot.expires > now).then(|| {
            let answer = slot.answer.clone();
            inner.insert(slot);
            answer
        })
    }

    /// Keeps an answer under a key, in place of what was there.
    pub fn put(&self, key: &str, answer: Answer, ttl: Duration, now: Instant) {
        let bytes = answer.body.len() + key.len() + OVERHEAD;
        let mut inner = self.lock();
        if let Some(number) = inner.by_key.get(key).copied() {
            inner.take(number);
        }
        self.keep(&mut inner, answer, bytes, Place::Key(key.into()), now + ttl);
    }

    /// The answer of a partition whose direction is closest, with the cosine of the angle between them.
    #[must_use]
    pub fn nearest(&self, partition: &str, direction: &Direction, now: Instant) -> Option<(f32, Answer)> {
        // What takes time is done without the lock.
        let candidates = self.lock().candidates(partition, now);
        let (cosine, number) = candidates
            .iter()
            .filter_map(|(number, candidate)| Some((direction.cosine(candidate)?, *number)))
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        let answer = self.lock().slots.get(&number)?.answer.clone();
        Some((cosine, answer))
    }

    /// Keeps an answer in a partition, in place of one of the same direction.
    pub fn put_near(
        &self,
        partition: &str,
        direction: &Direction,
        answer: Answer,
        ttl: Duration,
        now: Instant,
    ) {
        let bytes = answer.body.len() + partition.len() + size_of_val(direction.components()) + OVERHEAD;
        let mut inner = self.lock();
        let numbers = inner.by_partition.get(partition);
        let same = |number: &u64| match &inner.slots.get(number)?.place {
            Place::Partition(_, known) if known == direction => Some(*number),
            _ => None,
        };
        let replaced = numbers.and_then(|numbers| numbers.iter().find_map(same));
        let surplus = || {
            let numbers = numbers.filter(|numbers| numbers.len() >= PARTITION_MAX)?;
            numbers.front().copied()
        };
        if let Some(number) = replaced.or_else(surplus) {
            inner.take(number);
        }
        let place = Place::Partition(partition.into(), direction.clone());
        self.keep(&mut inner, answer, bytes, place, now + ttl);
    }

    /// What is held, with those used last; expired answers that nobody has asked for since are among it.
    #[must_use]
    pub fn held(&self, most: usize, now: Instant) -> Held {
        let inner = self.lock();
        let latest = inner.slots.values().rev().take(most).map(|slot| {
            let (key, by_likeness) = match &slot.place {
                Place::Key(key) => (key, false),
                Place::Partition(partition, _) => (partition, true),
            };
            HeldAnswer {
                key: Arc::clone(key),
                by_likeness,
                format: slot.answer.format,
                bytes: slot.bytes,
                created_at: slot.answer.created_at,
                expires_in: slot.expires.saturating_duration_since(now),
            }
        });
        Held {
            latest: latest.collect(),
            entries: inner.slots.len(),
            bytes: inner.bytes,
        }
    }

    /// Forgets everything; returns how many answers there were.
    pub fn clear(&self) -> usize {
        let mut inner = self.lock();
        let entries = inner.slots.len();
        inner.slots.clear();
        inner.by_key.clear();
        inner.by_partition.clear();
        inner.bytes = 0;
        entries
    }

    fn keep(&self, inner: &mut Inner, answer: Answer, bytes: usize, place: Place, expires: Instant) {
        if bytes > self.max_bytes {
            return;
        }
        inner.insert(Slot {
            answer,
            expires,
            bytes,
            place,
        });
        while inner.bytes > self.max_bytes {
            let Some((&oldest, _)) = inner.slots.first_key_value() else {
                break;
            };
            inner.take(oldest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Puts in a slot as the last used.
    fn insert(&mut self, slot: Slot) {
        let number = self.next;
        self.next += 1;
        match &slot.place {
            Place::Key(key) => {
                self.by_key.insert(key.clone(), number);
            }
            Place::Partition(partition, _) => {
                self.by_partition
                    .entry(partition.clone())
                    .or_default()
                    .push_back(number);
            }
        }
        self.bytes += slot.bytes;
        self.slots.insert(number, slot);
    }

    /// Takes out a slot.
    fn take(&mut self, number: u64) -> Option<Slot> {
        let slot = self.slots.remove(&number)?;
        self.bytes -= slot.bytes;
        match &slot.place {
            Place::Key(key) => {
                self.by_key.remove(key);
            }
            Place::Partition(partition, _) => {
                if let Some(numbers) = self.by_partition.get_mut(partition) {
                    numbers.retain(|known| *known != number);
                    if numbers.is_empty() {
                        self.by_partition.remove(partition);
                    }
                }
            }
        }
        Some(slot)
    }

    /// The directions of a partition. Expired answers go.
    fn candidates(&mut self, partition: &str, now: Instant) -> Vec<(u64, Direction)> {
        let Some(numbers) = self.by_partition.get(partition) else {
            return Vec::new();
        };
        let (mut live, mut expired) = (Vec::with_capacity(numbers.len()), Vec::new());
        for number in numbers {
            match self.slots.get(number) {
                Some(slot) if slot.expires > now => {
                    if let Place::Partition(_, direction) = &slot.place {
                        live.push((*number, direction.clone()));
                    }
                }
                _ => expired.push(*number),
            }
        }
        for number in expired {
            self.take(number);
        }
        live
    }
}

#[cfg(test)]
mod tests;
