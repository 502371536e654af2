//! Walking JSON without copying it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::value::RawValue;

use super::{TextKind, TextSpan};

/// The members of an object.
pub(super) type Members<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

/// A body, and values that lie in it.
#[derive(Clone, Copy)]
pub(super) struct Body<'a>(pub(super) &'a [u8]);

impl<'a> Body<'a> {
    pub(super) fn members(self) -> Option<Members<'a>> {
        serde_json::from_slice(self.0).ok()
    }

    /// A text at `value`, if that is a string with something in it.
    pub(super) fn span(self, value: &'a RawValue, kind: TextKind) -> Option<TextSpan<'a>> {
        let text = text(value)?;
        (!text.is_empty()).then(|| TextSpan {
            kind,
            channel: (0, 0),
            repeats: false,
            range: self.range(value),
            text,
        })
    }

    /// Every string in `value`, names of members excepted. One pass, however deep it is nested.
    pub(super) fn strings(self, value: &'a RawValue, kind: TextKind, out: &mut Vec<TextSpan<'a>>) {
        let raw = value.get();
        let start = self.range(value).start;
        let mut objects = Vec::new();
        let mut is_name = false;
        let mut at = 0;
        while let Some(byte) = raw.as_bytes().get(at) {
            match byte {
                b'{' | b'[' => {
                    is_name = *byte == b'{';
                    objects.push(is_name);
                }
                b'}' | b']' => is_name = objects.pop().is_none(),
                b',' => is_name = objects.last() == Some(&true),
                b':' => is_name = false,
                b'"' => {
                    let end = string_end(raw, at);
                    let text = raw.get(at..end).filter(|_| !is_name).and_then(unquoted);
                    out.extend(text.filter(|text| !text.is_empty()).map(|text| TextSpan {
                        kind,
                        channel: (0, 0),
                        repeats: false,
                        range: start + at..start + end,
                        text,
                    }));
                    at = end;
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
    }

    fn range(self, value: &RawValue) -> Range<usize> {
        let start = value.get().as_ptr().addr() - self.0.as_ptr().addr();
        start..start + value.get().len()
    }
}

pub(super) fn members(value: &RawValue) -> Option<Members<'_>> {
    value
        .get()
        .starts_with('{')
        .then(|| serde_json::from_str(value.get()).ok())
        .flatten()
}

pub(super) fn items(value: &RawValue) -> Option<Vec<&RawValue>> {
    value
        .get()
        .starts_with('[')
        .then(|| serde_json::from_str(value.get()).ok())
        .flatten()
}

/// The elements of an array that are objects.
pub(super) fn objects<'a>(value: Option<&&'a RawValue>) -> Vec<Members<'a>> {
    let items = value.and_then(|value| items(value)).unwrap_or_default();
    items.into_iter().filter_map(members).collect()
}

pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    unquoted(value.get())
}

/// The text of a JSON string.
fn unquoted(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

/// Behind the string that begins at `at`.
fn string_end(raw: &str, at: usize) -> usize {
    let bytes = raw.as_bytes();
    let mut end = at + 1;
    while let Some(found) = bytes
        .get(end..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest))
    {
        end += found;
        if bytes.get(end) == Some(&b'"') {
            return end + 1;
        }
        end += 2;
    }
    bytes.len()
}

pub(super) fn string<'a>(members: &Members<'a>, name: &str) -> Option<Cow<'a, str>> {
    members.get(name).and_then(|value| text(value))
}

pub(super) fn number(members: &Members<'_>, name: &str) -> u32 {
    let value = members.get(name);
    value.and_then(|value| value.get().parse().ok()).unwrap_or(0)
}
