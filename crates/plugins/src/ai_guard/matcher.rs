//! Finding what rules look for: all patterns in one pass, and, in a text that is still growing, where something could
//! still begin.

use std::ops::Range;

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, MatchKind, PatternSet, meta};
use regex_syntax::hir::{Hir, HirKind};

use super::recognizer::Check;

/// Bytes that the automata of one set of patterns may take.
const AUTOMATON_MAX: usize = 16 << 20;

/// A pattern and whose it is.
#[derive(Clone)]
pub(super) struct Pattern {
    /// The rule's position.
    pub(super) rule: usize,
    pub(super) source: String,
    pub(super) check: Option<Check>,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Position of the rule.
    pub(super) rule: usize,
    pub(super) range: Range<usize>,
}

/// A set of patterns, compiled.
pub(super) struct Matcher {
    regex: meta::Regex,
    patterns: Vec<Pattern>,
    /// All patterns without their assertions, so that it lives on wherever one of them could.
    alive: DFA,
}

/// Parses a pattern.
///
/// # Errors
/// What is wrong with it, in one line.
pub(super) fn parse(source: &str) -> Result<Hir, String> {
    let hir = regex_syntax::Parser::new()
        .parse(source)
        .map_err(|error| match error {
            regex_syntax::Error::Parse(error) => error.kind().to_string(),
            regex_syntax::Error::Translate(error) => error.kind().to_string(),
            _ => "invalid pattern".to_owned(),
        })?;
    if hir.properties().minimum_len() == Some(0) {
        return Err("it matches the empty text".to_owned());
    }
    Ok(hir)
}

impl Matcher {
    /// # Errors
    /// When a pattern is invalid, or all together are too large.
    pub(super) fn new(patterns: Vec<Pattern>) -> Result<Self, String> {
        let hirs = patterns.iter().map(|pattern| parse(&pattern.source));
        let hirs: Vec<Hir> = hirs.collect::<Result<_, _>>()?;
        let too_large = |_| "the patterns are too large".to_owned();
        let config = meta::Config::new()
            .nfa_size_limit(Some(AUTOMATON_MAX))
            .hybrid_cache_capacity(AUTOMATON_MAX / 4);
        let regex = meta::Builder::new()
            .configure(config)
            .build_many_from_hir(&hirs)
            .map_err(too_large)?;
        let bare: Vec<Hir> = hirs.iter().map(without_assertions).collect();
        let nfa = thompson::Compiler::new()
            .configure(thompson::Config::new().nfa_size_limit(Some(AUTOMATON_MAX)))
            .syntax(syntax::Config::new())
            .build_many_from_hir(&bare)
            .map_err(|_| "the patterns are too large".to_owned())?;
        let alive = DFA::builder()
            .configure(
                DFA::config()
                    .match_kind(MatchKind::All)
                    .skip_cache_capacity_check(true),
            )
            .build_from_nfa(nfa)
            .map_err(|_| "the patterns are too large".to_owned())?;
        Ok(Self {
            regex,
            patterns,
            alive,
        })
    }

    /// Working memory of [`open`](Self::open), for one text.
    pub(super) fn cache(&self) -> Cache {
        self.alive.create_cache()
    }

    /// The leftmost find that begins at `from` or later; of those in one place that of the first pattern.
    pub(super) fn next(&self, text: &str, from: usize) -> Option<Found> {
        let mut at = from;
        while at < text.len() {
            let found = self.regex.search(&Input::new(text).span(at..text.len()))?;
            let first = found.pattern().as_usize();
            let here = self.accepted(text, first, found.range());
            if let Some(found) = here.or_else(|| self.other(text, first + 1, found.start())) {
                return Some(found);
            }
            at = text.ceil_char_boundary(found.start() + 1);
        }
        None
    }

    /// What later patterns find in a place where an earlier one was mistaken.
    fn other(&self, text: &str, first: usize, start: usize) -> Option<Found> {
        let here = Input::new(text).span(start..text.len());
        let mut candidates = PatternSet::new(self.patterns.len());
        let any = here.clone().anchored(Anchored::Yes);
        self.regex.which_overlapping_matches(&any, &mut candidates);
        let mut candidates = candidates.iter().filter(|id| id.as_usize() >= first);
        candidates.find_map(|id| {
            let input = here.clone().anchored(Anchored::Pattern(id));
            let found = self.regex.search(&input)?;
            self.accepted(text, id.as_usize(), found.range())
        })
    }

    fn accepted(&self, text: &str, position: usize, range: Range<usize>) -> Option<Found> {
        let pattern = self.patterns.get(position)?;
        let length = match pattern.check {
            Some(check) => check(text.get(range.clone())?)?,
            None => range.len(),
        };
        (length > 0).then_some(Found {
            rule: pattern.rule,
            range: range.start..range.start + length,
        })
    }

    /// The first place, from `from` on, where something begins that more text could make or change; the end, if there is
    /// none. What is found before it is final.
    pub(super) fn open(&self, cache: &mut Cache, text: &str, from: usize) -> usize {
        let starts = text.get(from..).unwrap_or_default().char_indices();
        let mut starts = starts.map(|(offset, _)| from + offset);
        starts
            .find(|&start| self.lives(cache, &text.as_bytes()[start..]))
            .unwrap_or(text.len())
    }

    /// Whether a find that begins with `text` could go on behind it. In doubt yes.
    fn lives(&self, cache: &mut Cache, text: &[u8]) -> bool {
        let input = Input::new(text).anchored(Anchored::Yes);
        let Ok(mut state) = self.alive.start_state_forward(cache, &input) else {
            return true;
        };
        for &byte in text {
            match self.alive.next_state(cache, state, byte) {
                Ok(next) if next.is_dead() => return false,
                Ok(next) if !next.is_quit() => state = next,
                _ => return true,
            }
        }
        true
    }
}

/// The expression without what looks around: it matches whatever the original does, and more.
fn without_assertions(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0.clone()),
        HirKind::Class(class) => Hir::class(class.clone()),
        HirKind::Repetition(repetition) => Hir::repetition(regex_syntax::hir::Repetition {
            sub: Box::new(without_assertions(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => without_assertions(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(without_assertions).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(without_assertions).collect()),
    }
}
