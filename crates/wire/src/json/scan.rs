//! One pass over a JSON text: validates all of it and records the members of the outermost object.
//!
//! Nesting is kept in the bits of one integer, so that depth costs neither stack nor heap.

use std::ops::Range;

use super::error::JsonError;

/// Deepest nesting of objects and arrays that is accepted. It is also serde_json's limit, so what passes here can be
/// deserialised later.
pub const MAX_DEPTH: u32 = 127;

/// Largest number of members that the outermost object may have.
pub const MAX_MEMBERS: usize = 4096;

/// The type of a JSON value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// lua-cjson's name of the token that begins such a value.
    pub(super) fn token(self) -> &'static str {
        match self {
            Self::Null => "T_NULL",
            Self::True | Self::False => "T_BOOLEAN",
            Self::Number => "T_NUMBER",
            Self::String => "T_STRING",
            Self::Array => "T_ARR_BEGIN",
            Self::Object => "T_OBJ_BEGIN",
        }
    }
}

/// A value's place in the text.
#[derive(Clone, Debug)]
pub(super) struct ValueSpan {
    pub(super) range: Range<usize>,
    pub(super) kind: Kind,
    /// Number of elements of an array or members of an object, else 0.
    pub(super) count: usize,
}

/// A member of the outermost object.
#[derive(Clone, Debug)]
pub(super) struct MemberSpan {
    /// The name between its quotes, escapes not resolved.
    pub(super) name: Range<usize>,
    /// Whether the name contains escapes.
    pub(super) escaped: bool,
    pub(super) value: ValueSpan,
}

impl MemberSpan {
    /// Offset of the name's opening quote.
    pub(super) fn start(&self) -> usize {
        self.name.start - 1
    }
}

/// Validates `bytes` and returns the outermost value and, if it is an object, its members in order.
pub(super) fn scan(bytes: &[u8]) -> Result<(ValueSpan, Vec<MemberSpan>), JsonError> {
    if let Err(error) = simdutf8::compat::from_utf8(bytes) {
        return Err(JsonError::InvalidUtf8 {
            at: error.valid_up_to(),
        });
    }
    Scanner {
        bytes,
        pos: 0,
        depth: 0,
        objects: 0,
        root: None,
        members: Vec::with_capacity(16),
    }
    .run()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    pos: usize,
    depth: u32,
    /// One bit per open container, innermost lowest: set for an object.
    objects: u128,
    root: Option<ValueSpan>,
    members: Vec<MemberSpan>,
}

/// What follows a value that has just ended.
enum Next {
    Value,
    End,
}

impl Scanner<'_> {
    fn run(mut self) -> Result<(ValueSpan, Vec<MemberSpan>), JsonError> {
        loop {
            self.skip_whitespace();
            if self.value()? {
                continue;
            }
            if let Next::End = self.after_value()? {
                break;
            }
        }
        self.skip_whitespace();
        if self.pos < self.bytes.len() {
            return Err(self.unexpected("the end"));
        }
        match self.root {
            Some(root) => Ok((root, self.members)),
            None => Err(self.unexpected("value")),
        }
    }

    /// Reads a scalar, an empty container, or the opening of a container up to where its first value begins; the last
    /// is answered with `true`.
    fn value(&mut self) -> Result<bool, JsonError> {
        let start = self.pos;
        let kind = match self.peek() {
            Some(b'"') => {
                self.string()?;
                Kind::String
            }
            Some(b'{') => return self.open(Kind::Object, b'}'),
            Some(b'[') => return self.open(Kind::Array, b']'),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                Kind::Number
            }
            _ => self.literal()?,
        };
        self.begin(start, kind);
        self.end();
        Ok(false)
    }

    /// Enters a container. An empty one is closed again and answered with `false`.
    fn open(&mut self, kind: Kind, closing: u8) -> Result<bool, JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(JsonError::TooDeep {
                limit: MAX_DEPTH,
                at: self.pos,
            });
        }
        self.begin(self.pos, kind);
        self.pos += 1;
        self.depth += 1;
        self.objects = (self.objects << 1) | u128::from(kind == Kind::Object);
        self.skip_whitespace();
        if self.peek() == Some(closing) {
            self.close();
            return Ok(false);
        }
        self.count_child();
        if kind == Kind::Object {
            self.name()?;
        }
        Ok(true)
    }

    fn close(&mut self) {
        self.pos += 1;
        self.depth -= 1;
        self.objects >>= 1;
        self.end();
    }

    /// Reads what separates values: closing brackets, commas, names.
    fn after_value(&mut self) -> Result<Next, JsonError> {
        while self.depth > 0 {
            self.skip_whitespace();
            let in_object = self.objects & 1 == 1;
            match self.peek() {
                Some(b',') => {
                    self.pos += 1;
                    self.count_child();
                    if in_object {
                        self.skip_whitespace();
                        self.name()?;
                    }
                    return Ok(Next::Value);
                }
                Some(b'}') if in_object => self.close(),
                Some(b']') if !in_object => self.close(),
                _ if in_object => return Err(self.unexpected("comma or object end")),
                _ => return Err(self.unexpected("comma or array end")),
            }
        }
        Ok(Next::End)
    }

    /// Reads a member's name and its colon.
    fn name(&mut self) -> Result<(), JsonError> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected("object key string"));
        }
        let start = self.pos;
        let escaped = self.string()?;
        if self.depth == 1 {
            if self.members.len() == MAX_MEMBERS {
                return Err(JsonError::TooManyMembers {
                    limit: MAX_MEMBERS,
                    at: start,
                });
            }
            self.members.push(MemberSpan {
                name: start + 1..self.pos - 1,
                escaped,
                value: ValueSpan {
                    range: 0..0,
                    kind: Kind::Null,
                    count: 0,
                },
            });
        }
        self.skip_whitespace();
        if self.peek() != Some(b':') {
            return Err(self.unexpected("colon"));
        }
        self.pos += 1;
        Ok(())
    }

    /// Records where a value begins, if it is the root or belongs to the root.
    fn begin(&mut self, at: usize, kind: Kind) {
        let span = ValueSpan {
            range: at..at,
            kind,
            count: 0,
        };
        match self.depth {
            0 => self.root = Some(span),
            1 => {
                if let Some(member) = self.members.last_mut() {
                    member.value = span;
                }
            }
            _ => {}
        }
    }

    /// Records where a value ended.
    fn end(&mut self) {
        let end = self.pos;
        if let Some(span) = self.recorded(self.depth) {
            span.range.end = end;
        }
    }

    /// Counts a child of the innermost container, if that is recorded.
    fn count_child(&mut self) {
        if let Some(span) = self.recorded(self.depth - 1) {
            span.count += 1;
        }
    }

    /// The recorded value that begins inside `depth` containers.
    fn recorded(&mut self, depth: u32) -> Option<&mut ValueSpan> {
        match depth {
            0 => self.root.as_mut(),
            1 => self.members.last_mut().map(|member| &mut member.value),
            _ => None,
        }
    }

    /// Reads a string and says whether it contains escapes.
    fn string(&mut self) -> Result<bool, JsonError> {
        let start = self.pos;
        let mut escaped = false;
        self.pos += 1;
        loop {
            self.skip_plain();
            match self.peek() {
                Some(b'"') => {
                    self.pos += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape(start)?;
                }
                Some(_) => return Err(self.broken(start, "invalid token")),
                None => return Err(self.broken(start, "unexpected end of string")),
            }
        }
    }

    /// Skips string content that needs no look at single bytes.
    fn skip_plain(&mut self) {
        self.pos += plain_length(&self.bytes[self.pos..]);
    }

    fn escape(&mut self, string_start: usize) -> Result<(), JsonError> {
        match self.bytes.get(self.pos + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.pos += 2,
            Some(b'u') => {
                let digits = self.bytes.get(self.pos + 2..self.pos + 6);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.broken(string_start, "invalid unicode escape code"));
                }
                self.pos += 6;
            }
            _ => return Err(self.broken(string_start, "invalid escape code")),
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.pos;
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        if self.peek() == Some(b'0') {
            self.pos += 1;
        } else {
            self.digits(start)?;
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digits(start)?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.pos += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.pos += 1;
            }
            self.digits(start)?;
        }
        Ok(())
    }

    /// Reads at least one digit.
    fn digits(&mut self, number_start: usize) -> Result<(), JsonError> {
        let start = self.pos;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.pos += 1;
        }
        if self.pos == start {
            Err(self.broken(number_start, "invalid number"))
        } else {
            Ok(())
        }
    }

    fn literal(&mut self) -> Result<Kind, JsonError> {
        let rest = &self.bytes[self.pos..];
        let (kind, length) = if rest.starts_with(b"true") {
            (Kind::True, 4)
        } else if rest.starts_with(b"false") {
            (Kind::False, 5)
        } else if rest.starts_with(b"null") {
            (Kind::Null, 4)
        } else {
            return Err(self.unexpected("value"));
        };
        self.pos += length;
        Ok(kind)
    }

    fn skip_whitespace(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.pos += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    /// The error for a token that is no token.
    fn broken(&self, at: usize, found: &'static str) -> JsonError {
        JsonError::Syntax {
            expected: "value",
            found,
            at,
        }
    }

    /// The error for a token where the grammar asks for another.
    fn unexpected(&self, expected: &'static str) -> JsonError {
        let rest = &self.bytes[self.pos..];
        let found = match rest.first() {
            None => "T_END",
            Some(b'{') => "T_OBJ_BEGIN",
            Some(b'}') => "T_OBJ_END",
            Some(b'[') => "T_ARR_BEGIN",
            Some(b']') => "T_ARR_END",
            Some(b'"') => "T_STRING",
            Some(b'-' | b'0'..=b'9') => "T_NUMBER",
            Some(b':') => "T_COLON",
            Some(b',') => "T_COMMA",
            _ if rest.starts_with(b"true") || rest.starts_with(b"false") => "T_BOOLEAN",
            _ if rest.starts_with(b"null") => "T_NULL",
            _ => "invalid token",
        };
        JsonError::Syntax {
            expected,
            found,
            at: self.pos,
        }
    }
}

/// Length of what comes before the first quote, backslash or control character.
///
/// Long strings go by in blocks first, which compile to vector instructions.
fn plain_length(bytes: &[u8]) -> usize {
    let ends = |byte: u8| u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < 0x20);
    let (blocks, _) = bytes.as_chunks::<64>();
    let plain = blocks
        .iter()
        .take_while(|block| block.iter().fold(0, |found, byte| found | ends(*byte)) == 0);
    let skipped = plain.count() * 64;
    skipped + plain_words(&bytes[skipped..])
}

/// [`plain_length`], eight bytes at a time: subtracting sets the top bit of a byte that is zero, or below 0x20. The
/// borrow may do so to bytes above such a byte too, but never below, and only the lowest one is asked for.
fn plain_words(bytes: &[u8]) -> usize {
    const ONES: u64 = u64::MAX / 0xff;
    const TOPS: u64 = ONES * 0x80;
    let below = |word: u64, bound: u64| word.wrapping_sub(ONES * bound) & !word;
    let (words, rest) = bytes.as_chunks::<8>();
    for (position, word) in words.iter().enumerate() {
        let word = u64::from_le_bytes(*word);
        let quotes = below(word ^ (ONES * u64::from(b'"')), 1);
        let backslashes = below(word ^ (ONES * u64::from(b'\\')), 1);
        let ends = (quotes | backslashes | below(word, 0x20)) & TOPS;
        if ends != 0 {
            return position * 8 + ends.trailing_zeros() as usize / 8;
        }
    }
    let ends = |&byte: &u8| byte == b'"' || byte == b'\\' || byte < 0x20;
    bytes.len() - rest.len() + rest.iter().position(ends).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::plain_length;

    proptest! {
        /// Bytes that differ from those searched by one or by the top bit are where borrows could mislead.
        #[test]
        fn words_find_what_single_bytes_find(
            bytes in prop::collection::vec(prop::sample::select(b"a !#[]\x1f\x20\x21\"\\\xa0\xa2\xdc\x80\xff\x00".as_slice()), 0..200),
        ) {
            let expected = bytes.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20);
            prop_assert_eq!(plain_length(&bytes), expected.unwrap_or(bytes.len()));
        }
    }
}
