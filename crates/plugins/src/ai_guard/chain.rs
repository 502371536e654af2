//! What happens to one text: placeholders are resolved, then rules log, block and mask.

use std::sync::Arc;

use sluice_core::Placeholders;
use sluice_record::Text;

use super::matcher::Matcher;
use super::scanner::{Scanned, Scanner};

/// What is looked for in a text, by what is done about it. Separate, so that no rule hides from another what it finds.
#[derive(Clone, Default)]
pub(super) struct Matchers {
    pub(super) log: Option<Arc<Matcher>>,
    pub(super) block: Option<Arc<Matcher>>,
    pub(super) mask: Option<Arc<Matcher>>,
}

impl Matchers {
    pub(super) fn is_empty(&self) -> bool {
        self.log.is_none() && self.block.is_none() && self.mask.is_none()
    }
}

/// How a rule's finds are written.
#[derive(Clone)]
pub(super) struct Label {
    pub(super) text: Text,
    pub(super) reversible: bool,
}

/// Part of a text as it goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// As it came.
    Text(String),
    /// Put there: a placeholder, or the value of one.
    Placed(String),
}

/// What came of a text so far.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) pieces: Vec<Piece>,
    /// Positions of the rules that found something, once per find.
    pub(super) hits: Vec<usize>,
    /// Whether a rule that blocks is among them; the rest of the text was not looked at.
    pub(super) blocked: bool,
}

impl Outcome {
    /// Whether the text is another than the one that came.
    pub(super) fn is_changed(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, Piece::Placed(_)))
    }

    pub(super) fn text(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) | Piece::Placed(text) => &**text,
        });
        pieces.collect()
    }

    /// Appends what came of the text that follows.
    pub(super) fn extend(&mut self, other: Self) {
        self.pieces.extend(other.pieces);
        self.hits.extend(other.hits);
        self.blocked |= other.blocked;
    }
}

/// One text on its way. After its end another one may follow.
pub(super) struct Chain {
    log: Option<Scanner>,
    block: Option<Scanner>,
    mask: Option<Scanner>,
    labels: Arc<[Label]>,
    placeholders: Arc<Placeholders>,
    /// Bytes of the longest placeholder that is put back; 0 puts none back.
    longest: usize,
    /// What could be the beginning of a placeholder.
    bracket: String,
}

impl Chain {
    /// A chain that keeps back at most `window` bytes for each of its rules; `restores` puts back what placeholders stand
    /// for.
    pub(super) fn new(
        matchers: &Matchers,
        labels: Arc<[Label]>,
        placeholders: Arc<Placeholders>,
        window: usize,
        restores: bool,
    ) -> Self {
        let scanner = |matcher: &Option<Arc<Matcher>>| matcher.clone().map(|m| Scanner::new(m, window));
        Self {
            log: scanner(&matchers.log),
            block: scanner(&matchers.block),
            mask: scanner(&matchers.mask),
            labels,
            longest: if restores { placeholders.longest() } else { 0 },
            placeholders,
            bracket: String::new(),
        }
    }

    /// Takes the next piece of the text.
    pub(super) fn feed(&mut self, piece: &str, end: bool) -> Outcome {
        let mut outcome = Outcome::default();
        if self.longest == 0 {
            self.scan(piece, end, &mut outcome);
        } else {
            self.restore(piece, end, &mut outcome);
        }
        outcome
    }

    /// Puts values in the places of placeholders. Rules do not look at them: they are the client's own.
    fn restore(&mut self, piece: &str, end: bool, outcome: &mut Outcome) {
        let mut text = std::mem::take(&mut self.bracket);
        text.push_str(piece);
        let (mut done, mut at) = (0, 0);
        while let Some(offset) = text[at..].find('[') {
            let start = at + offset;
            at = start + 1;
            let is_inner = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
            let inner = text.as_bytes()[at..]
                .iter()
                .take_while(|byte| is_inner(byte))
                .count();
            let close = at + inner;
            if close == text.len() && !end && close - start < self.longest {
                self.scan(&text[done..start], false, outcome);
                text.drain(..start);
                self.bracket = text;
                return;
            }
            let value = match text.as_bytes().get(close) {
                Some(b']') => self.placeholders.value(&text[start..=close]),
                _ => None,
            };
            if let Some(value) = value {
                self.scan(&text[done..start], true, outcome);
                outcome.pieces.push(Piece::Placed(value.into()));
                at = close + 1;
                done = at;
            }
        }
        self.scan(&text[done..], end, outcome);
    }

    fn scan(&mut self, text: &str, end: bool, outcome: &mut Outcome) {
        if outcome.blocked {
            return;
        }
        if let Some(log) = &mut self.log {
            log.feed(text, end, |scanned| {
                if let Scanned::Hit(rule, _) = scanned {
                    outcome.hits.push(rule);
                }
            });
        }
        let Some(block) = &mut self.block else {
            return self.mask(text, end, outcome);
        };
        let mut passed = String::new();
        block.feed(text, end, |scanned| match scanned {
            Scanned::Text(text) if !outcome.blocked => passed.push_str(&text),
            Scanned::Text(_) => {}
            Scanned::Hit(rule, _) => {
                outcome.hits.push(rule);
                outcome.blocked = true;
            }
        });
        self.mask(&passed, end, outcome);
    }

    fn mask(&mut self, text: &str, end: bool, outcome: &mut Outcome) {
        let Some(mask) = &mut self.mask else {
            if !text.is_empty() {
                outcome.pieces.push(Piece::Text(text.to_owned()));
            }
            return;
        };
        let (labels, placeholders) = (&self.labels, &self.placeholders);
        mask.feed(text, end, |scanned| match scanned {
            Scanned::Text(text) => outcome.pieces.push(Piece::Text(text)),
            Scanned::Hit(rule, value) => {
                outcome.hits.push(rule);
                let placeholder = labels
                    .get(rule)
                    .map(|label| placeholders.give(&label.text, &value, label.reversible));
                let placed = placeholder.map_or_else(String::new, |text| text.to_string());
                outcome.pieces.push(Piece::Placed(placed));
            }
        });
    }
}
