//! Why a body was refused.

use thiserror::Error;

/// Why bytes are not a JSON text that the gateway accepts.
///
/// The texts follow lua-cjson's, since APISIX shows them to clients (compat §0: compared by prefix). Positions in
/// texts count characters from 1, as lua-cjson's do; `at` counts bytes from 0.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum JsonError {
    /// The grammar does not allow what stands at `at`.
    #[error("Expected {expected} but found {found} at character {}", at + 1)]
    Syntax {
        /// What the grammar asks for.
        expected: &'static str,
        /// lua-cjson's name of the token that is there.
        found: &'static str,
        /// Offset of that token.
        at: usize,
    },
    /// The text is not UTF-8.
    #[error("Expected value but found invalid UTF-8 at character {}", at + 1)]
    InvalidUtf8 {
        /// Offset of the first byte that is not part of a character.
        at: usize,
    },
    /// Objects and arrays are nested deeper than the gateway follows.
    #[error("Found too many nested data structures ({limit}) at character {}", at + 1)]
    TooDeep {
        /// Deepest nesting that is accepted.
        limit: u32,
        /// Offset of the bracket that went past it.
        at: usize,
    },
    /// A member of the outermost object occurs twice, so that two parsers could disagree about its value.
    #[error("Found duplicate object key at character {}", at + 1)]
    DuplicateMember {
        /// Offset of the later occurrence.
        at: usize,
    },
    /// The outermost object has more members than the gateway indexes.
    #[error("Found too many object keys ({limit}) at character {}", at + 1)]
    TooManyMembers {
        /// Largest number of members that is accepted.
        limit: usize,
        /// Offset of the member that went past it.
        at: usize,
    },
    /// Valid JSON, but not an object where only an object will do.
    #[error("Expected object but found {found} at character 1")]
    NotAnObject {
        /// lua-cjson's name of the token that is there.
        found: &'static str,
    },
}
