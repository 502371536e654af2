//! Looking through one text that comes in pieces.

use std::sync::Arc;

use regex_automata::hybrid::dfa::Cache;

use super::matcher::{Found, Matcher};

/// What a [`Scanner`] lets go of, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scanned {
    /// Text in which nothing was found.
    Text(String),
    /// What the rule at this position found.
    Hit(usize, String),
}

/// Finds the same in a text that comes in pieces as in the whole, and keeps back only what could still become a find.
///
/// A find longer than `window` bytes is taken for what it is by then.
pub(super) struct Scanner {
    matcher: Arc<Matcher>,
    /// Made when the first piece comes that is not the last.
    cache: Option<Box<Cache>>,
    window: usize,
    /// The last character that was let go, and what is kept back.
    text: String,
    /// Where what is kept back begins.
    from: usize,
}

impl Scanner {
    pub(super) fn new(matcher: Arc<Matcher>, window: usize) -> Self {
        Self {
            matcher,
            cache: None,
            window,
            text: String::new(),
            from: 0,
        }
    }

    /// Takes the next piece; `end` says that it is the last of its text, after which another text may begin.
    pub(super) fn feed(&mut self, piece: &str, end: bool, mut out: impl FnMut(Scanned)) {
        self.text.push_str(piece);
        let text = std::mem::take(&mut self.text);
        let mut at = self.from;
        let mut let_go = |from: usize, to: usize, hit: Option<Found>| {
            if from < to {
                out(Scanned::Text(text[from..to].to_owned()));
            }
            if let Some(Found { rule, range }) = hit {
                out(Scanned::Hit(rule, text[range].to_owned()));
            }
        };
        loop {
            let open = if end { text.len() } else { self.open(&text, at) };
            let overdue = !end && text.len() - open > self.window;
            let found = if at < open || overdue {
                self.matcher.next(&text, at)
            } else {
                None
            };
            match found {
                Some(found) if found.range.start < open || (overdue && found.range.start == open) => {
                    let start = found.range.start;
                    let from = std::mem::replace(&mut at, found.range.end);
                    let_go(from, start, Some(found));
                }
                _ if overdue => {
                    let past = text.ceil_char_boundary(open + 1);
                    let_go(std::mem::replace(&mut at, past), past, None);
                }
                _ => {
                    let_go(std::mem::replace(&mut at, open), open, None);
                    break;
                }
            }
        }
        if end {
            self.from = 0;
            return;
        }
        let before = text.floor_char_boundary(at.saturating_sub(1));
        self.text.push_str(&text[before..]);
        self.from = at - before;
    }

    fn open(&mut self, text: &str, at: usize) -> usize {
        let cache = self.cache.get_or_insert_with(|| Box::new(self.matcher.cache()));
        self.matcher.open(cache, text, at)
    }
}
