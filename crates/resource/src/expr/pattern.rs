//! PCRE patterns of users.

use super::ExprError;

/// Steps after which a backtracking match is given up: some milliseconds of CPU.
const BACKTRACK_LIMIT: usize = 100_000;

/// A pattern with the meaning it has in APISIX: PCRE without its UTF mode, so that `\w`, `\d` and case
/// folding know ASCII only.
#[derive(Debug)]
pub(super) enum Pattern {
    /// Matched in linear time.
    Linear(regex::bytes::Regex),
    /// Uses look-around, back-references or other syntax that needs backtracking.
    Backtracking(Box<fancy_regex::Regex>),
}

impl Pattern {
    pub(super) fn new(pattern: &str, ignore_case: bool) -> Result<Self, ExprError> {
        let linear = regex::bytes::RegexBuilder::new(pattern)
            .unicode(false)
            .case_insensitive(ignore_case)
            .build();
        if let Ok(regex) = linear {
            return Ok(Self::Linear(regex));
        }
        fancy_regex::RegexBuilder::new(pattern)
            .case_insensitive(ignore_case)
            .backtrack_limit(BACKTRACK_LIMIT)
            .build()
            .map(|regex| Self::Backtracking(Box::new(regex)))
            .map_err(|error| ExprError::InvalidPattern {
                pattern: pattern.to_owned(),
                reason: error.to_string(),
            })
    }

    /// Whether the pattern is found in `text`. A search that hits the limit has found nothing.
    pub(super) fn is_match(&self, text: &str) -> bool {
        match self {
            Self::Linear(regex) => regex.is_match(text.as_bytes()),
            Self::Backtracking(regex) => regex.is_match(text).unwrap_or(false),
        }
    }
}
