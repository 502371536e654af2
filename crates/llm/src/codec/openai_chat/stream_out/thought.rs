//! A thought, which is shown again with its signature once that is there.

use super::super::details;
use crate::chat::{Json, Reasoning, Signature};

/// Longest thought that is kept for it.
const MAX: usize = 4 * 1024 * 1024;

/// A thought that goes on.
pub(super) struct ThoughtOut {
    /// Its number among the details.
    number: u32,
    /// The next piece is the first, behind another thought.
    stands_apart: bool,
    /// It is not kept: half a thought under a signature would be refused when it comes back.
    is_too_long: bool,
    has_text: bool,
    thought: Reasoning,
}

impl ThoughtOut {
    pub(super) fn new(number: u32, stands_apart: bool, thought: Reasoning) -> Self {
        Self {
            number,
            stands_apart,
            is_too_long: false,
            has_text: false,
            thought,
        }
    }

    /// Takes a piece; whether something must stand between the thought before and this one.
    pub(super) fn add(&mut self, text: &str) -> bool {
        self.has_text |= !text.is_empty();
        self.is_too_long |= self.thought.text.len().saturating_add(text.len()) > MAX;
        if self.is_too_long {
            self.thought.text = String::new();
        } else {
            self.thought.text.push_str(text);
        }
        std::mem::take(&mut self.stands_apart)
    }

    pub(super) fn sign(&mut self, signature: Signature) {
        self.thought.signature = Some(signature);
    }

    pub(super) fn has_text(&self) -> bool {
        self.has_text
    }

    /// The items of `reasoning_details`, if it is signed.
    pub(super) fn details(&self) -> Option<Json> {
        if self.thought.signature.is_none() || self.is_too_long {
            return None;
        }
        let mut written = Vec::new();
        details::write(&self.thought, self.number, &mut written);
        Some(Json::of(&written))
    }
}
