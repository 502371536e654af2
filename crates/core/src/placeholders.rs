//! What stands for values that a provider must not see.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use sluice_record::Text;

/// Placeholders of one call, such as `[EMAIL_1]`: the same value has the same one throughout request and answer.
///
/// Its `Debug` shows no values.
#[derive(Default)]
pub struct Placeholders {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By label and value.
    given: HashMap<(Text, Box<str>), Text>,
    /// Values that go back into the answer, by placeholder.
    reversible: HashMap<Text, Box<str>>,
    last: HashMap<Text, u32>,
    /// What stands in the request already and means something else.
    taken: HashSet<Box<str>>,
}

impl Placeholders {
    /// Placeholders, of which those in `taken` are not given out.
    #[must_use]
    pub fn new(taken: HashSet<Box<str>>) -> Self {
        Self {
            state: Mutex::new(State {
                taken,
                ..State::default()
            }),
        }
    }

    /// The placeholder of a value; with `reversible`, one that [`value`](Self::value) knows.
    #[must_use]
    pub fn give(&self, label: &Text, value: &str, reversible: bool) -> Text {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let key = (label.clone(), Box::from(value));
        let placeholder = match state.given.get(&key) {
            Some(placeholder) => placeholder.clone(),
            None => {
                let last = state.last.entry(label.clone()).or_default();
                let placeholder = loop {
                    *last += 1;
                    let placeholder = format!("[{label}_{last}]");
                    if !state.taken.contains(&*placeholder) {
                        break Text::from(placeholder);
                    }
                };
                state.given.insert(key, placeholder.clone());
                placeholder
            }
        };
        if reversible {
            state.reversible.insert(placeholder.clone(), value.into());
        }
        placeholder
    }

    /// What a placeholder stands for, if that may be said.
    #[must_use]
    pub fn value(&self, placeholder: &str) -> Option<Box<str>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reversible.get(placeholder).cloned()
    }

    /// Bytes of the longest placeholder that [`value`](Self::value) knows; 0 when there is none.
    #[must_use]
    pub fn longest(&self) -> usize {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state
            .reversible
            .keys()
            .map(|placeholder| placeholder.len())
            .max()
            .unwrap_or(0)
    }
}

impl std::fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Placeholders").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_placeholder() {
        let placeholders = Placeholders::new(HashSet::from(["[EMAIL_2]".into()]));
        let email = Text::from("EMAIL");
        let give = |value, reversible| placeholders.give(&email, value, reversible).to_string();
        assert_eq!(give("a@b.c", true), "[EMAIL_1]");
        assert_eq!(
            give("d@e.f", false),
            "[EMAIL_3]",
            "the second means something else"
        );
        assert_eq!(give("a@b.c", false), "[EMAIL_1]");
        assert_eq!(
            placeholders.give(&Text::from("X"), "a@b.c", false).as_ref(),
            "[X_1]"
        );
        assert_eq!(placeholders.value("[EMAIL_1]").as_deref(), Some("a@b.c"));
        assert_eq!(placeholders.value("[EMAIL_3]"), None);
        assert_eq!(placeholders.longest(), 9);
        assert!(!format!("{placeholders:?}").contains("a@b"));
    }
}
