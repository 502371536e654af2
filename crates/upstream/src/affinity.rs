//! Who made what: objects that only their maker can go on with, by their id.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Which target made an object, for each owner apart: nobody learns of another's objects.
///
/// Bounded in number and in time; the oldest are forgotten first.
#[derive(Debug)]
pub struct Affinities {
    most: usize,
    keeps: Duration,
    table: Mutex<Table>,
}

/// Owner and id of an object.
type ObjectKey = (Arc<str>, Box<str>);

#[derive(Debug, Default)]
struct Table {
    makers: HashMap<ObjectKey, Maker>,
    /// In the order of arrival.
    order: VecDeque<(ObjectKey, Instant)>,
}

#[derive(Clone, Debug)]
struct Maker {
    target: Arc<str>,
    at: Instant,
}

impl Affinities {
    /// Room for so many objects, each kept so long.
    #[must_use]
    pub fn new(most: usize, keeps: Duration) -> Self {
        Self {
            most,
            keeps,
            table: Mutex::default(),
        }
    }

    /// Notes who made an object.
    pub fn note(&self, owner: &Arc<str>, id: &str, target: &Arc<str>, now: Instant) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let key: ObjectKey = (owner.clone(), id.into());
        let maker = Maker {
            target: target.clone(),
            at: now,
        };
        table.makers.insert(key.clone(), maker);
        table.order.push_back((key, now));
        table.forget(self.most, self.keeps, now);
    }

    /// Who made an object of that owner, if that is known.
    #[must_use]
    pub fn maker(&self, owner: &Arc<str>, id: &str, now: Instant) -> Option<Arc<str>> {
        let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let maker = table.makers.get(&(owner.clone(), id.into()))?;
        let age = now.saturating_duration_since(maker.at);
        (age < self.keeps).then(|| maker.target.clone())
    }
}

impl Table {
    fn forget(&mut self, most: usize, keeps: Duration, now: Instant) {
        while let Some((_, at)) = self.order.front() {
            let is_old = now.saturating_duration_since(*at) >= keeps;
            if !is_old && self.order.len() <= most {
                return;
            }
            let Some((key, at)) = self.order.pop_front() else {
                return;
            };
            // One that was noted again since has a later place of its own.
            if self.makers.get(&key).is_some_and(|maker| maker.at == at) {
                self.makers.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Arc<str> {
        Arc::from(text)
    }

    #[test]
    fn owners_see_their_own() {
        let affinities = Affinities::new(10, Duration::from_secs(60));
        let now = Instant::now();
        affinities.note(&text("jack"), "r1", &text("a"), now);
        assert_eq!(affinities.maker(&text("jack"), "r1", now), Some(text("a")));
        assert_eq!(affinities.maker(&text("jill"), "r1", now), None);
        assert_eq!(affinities.maker(&text("jack"), "r2", now), None);
    }

    #[test]
    fn the_oldest_go_first() {
        let affinities = Affinities::new(2, Duration::from_secs(60));
        let now = Instant::now();
        for (second, id) in [(0, "r1"), (1, "r2"), (2, "r1"), (3, "r3")] {
            affinities.note(&text("jack"), id, &text("a"), now + Duration::from_secs(second));
        }
        let known = |id: &str| affinities.maker(&text("jack"), id, now).is_some();
        assert_eq!(["r1", "r2", "r3"].map(known), [true, false, true]);
    }

    #[test]
    fn nothing_is_kept_for_ever() {
        let affinities = Affinities::new(10, Duration::from_secs(60));
        let now = Instant::now();
        affinities.note(&text("jack"), "r1", &text("a"), now);
        let later = now + Duration::from_secs(60);
        assert_eq!(affinities.maker(&text("jack"), "r1", later), None);
        affinities.note(&text("jack"), "r2", &text("a"), later);
        assert_eq!(affinities.table.lock().unwrap().makers.len(), 1);
    }
}
