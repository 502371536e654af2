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

    /// Every string in `value`, names of members excepted.
    pub(super) fn strings(self, value: &'a RawValue, kind: TextKind, out: &mut Vec<TextSpan<'a>>) {
        if let Some(span) = self.span(value, kind) {
            out.push(span);
        } else if let Some(items) = items(value) {
            for item in items {
                self.strings(item, kind, out);
            }
        } else if let Some(members) = members(value) {
            let mut values: Vec<_> = members.into_values().collect();
            values.sort_by_key(|value| self.range(value).start);
            for value in values {
                self.strings(value, kind, out);
            }
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
    let raw = value.get();
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

pub(super) fn string<'a>(members: &Members<'a>, name: &str) -> Option<Cow<'a, str>> {
    members.get(name).and_then(|value| text(value))
}

pub(super) fn number(members: &Members<'_>, name: &str) -> u32 {
    let value = members.get(name);
    value.and_then(|value| value.get().parse().ok()).unwrap_or(0)
}
