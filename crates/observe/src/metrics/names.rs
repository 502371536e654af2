//! Model names as label values: callers choose them, so they are cut and budgeted.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use sluice_record::AiRecord;

use super::OTHER_MODEL;

/// Bytes of a model name that reach a label (compat §7).
const MAX_BYTES: usize = 128;

/// Label values for the models of one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ModelLabels<'r> {
    /// `request_llm_model`.
    pub(crate) asked: &'r str,
    /// `llm_model`; empty when nothing was sent.
    pub(crate) sent: &'r str,
}

/// The names that may be labels: first come, first served, with a small budget for names that have only ever failed,
/// so that nonsense cannot use up the room of what works.
#[derive(Debug)]
pub(crate) struct ModelNames {
    answered: HashSet<Box<str>, RandomState>,
    failed: HashSet<Box<str>, RandomState>,
    max: usize,
}

impl ModelNames {
    pub(crate) fn new(max: usize) -> Self {
        Self {
            answered: HashSet::default(),
            failed: HashSet::default(),
            max,
        }
    }

    /// The labels of a call; `answered` says whether it succeeded.
    pub(crate) fn labels<'r>(&mut self, ai: &'r AiRecord, answered: bool) -> ModelLabels<'r> {
        ModelLabels {
            asked: self.label(&ai.model_asked, answered),
            sent: self.label(&ai.model_sent, answered),
        }
    }

    fn label<'r>(&mut self, name: &'r str, answered: bool) -> &'r str {
        let name = cut(name);
        if name.is_empty() || self.answered.contains(name) {
            return name;
        }
        let (names, max) = if answered {
            (&mut self.answered, self.max)
        } else {
            (&mut self.failed, self.max / 10)
        };
        if !names.contains(name) {
            if names.len() >= max {
                return OTHER_MODEL;
            }
            names.insert(name.into());
        }
        if answered {
            self.failed.remove(name);
        }
        name
    }
}

/// The first [`MAX_BYTES`] of `name`, less what would split a character.
pub(crate) fn cut(name: &str) -> &str {
    &name[..name.floor_char_boundary(MAX_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(cut(&"x".repeat(200)).len(), 128);
        assert_eq!(cut(&format!("{}ü", "x".repeat(127))).len(), 127);
        assert_eq!(cut("gpt"), "gpt");
    }

    #[test]
    fn failures_cannot_use_up_the_budget() {
        let mut names = ModelNames::new(10);
        assert_eq!(names.label("bad-1", false), "bad-1");
        assert_eq!(names.label("bad-2", false), OTHER_MODEL);
        assert_eq!(names.label("bad-1", false), "bad-1", "what is in stays in");
        for n in 0..10 {
            assert_ne!(names.label(&format!("good-{n}"), true), OTHER_MODEL);
        }
        assert_eq!(names.label("good-10", true), OTHER_MODEL);
        assert_eq!(names.label("good-3", false), "good-3");
        assert_eq!(names.label("", false), "");
    }

    #[test]
    fn a_success_makes_room_among_the_failures() {
        let mut names = ModelNames::new(10);
        assert_eq!(names.label("a", false), "a");
        assert_eq!(names.label("a", true), "a");
        assert_eq!(names.label("b", false), "b");
    }
}
