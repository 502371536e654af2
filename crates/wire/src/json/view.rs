//! The members of a JSON object as ranges of its bytes.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;

use super::error::JsonError;
use super::scan::{Kind, MemberSpan, ValueSpan, scan};

/// Up to this many members, comparing each name with all before it is faster than sorting them.
const FEW: usize = 24;

/// A validated JSON text of any type. Owns its bytes by reference count: nothing is copied.
#[derive(Clone, Debug)]
pub enum JsonView {
    /// An object, with its members indexed.
    Object(ObjectView),
    /// An array.
    Array {
        /// The whole text.
        bytes: Bytes,
        /// Number of elements.
        count: usize,
    },
    /// Neither object nor array.
    Scalar {
        /// The whole text.
        bytes: Bytes,
        /// Type of the value.
        kind: Kind,
    },
}

impl JsonView {
    /// Validates `bytes` and indexes the outermost object.
    ///
    /// # Errors
    ///
    /// [`JsonError`] unless `bytes` are one JSON text in UTF-8 within [`MAX_DEPTH`](super::MAX_DEPTH) and
    /// [`MAX_MEMBERS`](super::MAX_MEMBERS), whose outermost object names no member twice.
    pub fn parse(bytes: Bytes) -> Result<Self, JsonError> {
        let (root, members) = scan(&bytes)?;
        match root.kind {
            Kind::Object => ObjectView::new(bytes, &root, members).map(Self::Object),
            Kind::Array => Ok(Self::Array {
                bytes,
                count: root.count,
            }),
            kind => Ok(Self::Scalar { bytes, kind }),
        }
    }

    /// The whole text.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Object(view) => view.bytes(),
            Self::Array { bytes, .. } | Self::Scalar { bytes, .. } => bytes,
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub fn as_object(&self) -> Option<&ObjectView> {
        match self {
            Self::Object(view) => Some(view),
            Self::Array { .. } | Self::Scalar { .. } => None,
        }
    }
}

/// The top level of a JSON object: its members by name, their values as raw bytes.
///
/// No name occurs twice: two parsers that read the same bytes cannot disagree about a member. Nothing below the top
/// level is looked at beyond its validity.
#[derive(Clone)]
pub struct ObjectView {
    bytes: Bytes,
    /// Offset of the opening brace.
    open: usize,
    members: Vec<MemberSpan>,
    /// Positions and names of the members whose names are written with escapes.
    unescaped: Vec<(usize, Box<str>)>,
}

impl ObjectView {
    /// Validates `bytes` and indexes the members.
    ///
    /// # Errors
    ///
    /// As [`JsonView::parse`], and [`JsonError::NotAnObject`].
    pub fn parse(bytes: Bytes) -> Result<Self, JsonError> {
        let (root, members) = scan(&bytes)?;
        if root.kind == Kind::Object {
            Self::new(bytes, &root, members)
        } else {
            Err(JsonError::NotAnObject {
                found: root.kind.token(),
            })
        }
    }

    fn new(bytes: Bytes, root: &ValueSpan, members: Vec<MemberSpan>) -> Result<Self, JsonError> {
        let mut unescaped = Vec::new();
        for (index, member) in members.iter().enumerate().filter(|(_, member)| member.escaped) {
            unescaped.push((index, unescape(&bytes, member)?));
        }
        let view = Self {
            bytes,
            open: root.range.start,
            members,
            unescaped,
        };
        match view.duplicate() {
            Some(index) => Err(JsonError::DuplicateMember {
                at: view.members[index].start(),
            }),
            None => Ok(view),
        }
    }

    /// The first member whose name occurred before.
    fn duplicate(&self) -> Option<usize> {
        if self.members.len() <= FEW {
            return (1..self.members.len()).find(|&later| {
                let name = self.name(later);
                (0..later).any(|earlier| self.name(earlier) == name)
            });
        }
        let mut names: Vec<_> = (0..self.members.len())
            .map(|index| (self.name(index), index))
            .collect();
        names.sort_unstable();
        names
            .windows(2)
            .filter(|pair| pair[0].0 == pair[1].0)
            .map(|pair| pair[1].1)
            .min()
    }

    /// The name of the member at `index`, escapes resolved.
    fn name(&self, index: usize) -> &[u8] {
        let member = &self.members[index];
        if member.escaped
            && let Some((_, name)) = self.unescaped.iter().find(|(unescaped, _)| *unescaped == index)
        {
            return name.as_bytes();
        }
        &self.bytes[member.name.clone()]
    }

    /// The whole text, including what stands around the object.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Number of members.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether the object has no members.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The member of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Member<'_>> {
        self.position(name).map(|index| Member { view: self, index })
    }

    /// The members in the order of the text.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Member<'_>> {
        (0..self.members.len()).map(|index| Member { view: self, index })
    }

    pub(super) fn position(&self, name: &str) -> Option<usize> {
        (0..self.members.len()).find(|&index| self.name(index) == name.as_bytes())
    }

    pub(super) fn members(&self) -> &[MemberSpan] {
        &self.members
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }
}

impl fmt::Debug for ObjectView {
    /// Names and lengths only: values may be anybody's secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.iter().map(|member| (member.name(), member.raw().len())))
            .finish()
    }
}

fn unescape(bytes: &[u8], member: &MemberSpan) -> Result<Box<str>, JsonError> {
    let quoted = &bytes[member.start()..=member.name.end];
    // The scan accepts any escape; what is left to fail is half a surrogate pair.
    serde_json::from_slice(quoted).map_err(|_| JsonError::Syntax {
        expected: "object key string",
        found: "invalid unicode escape code",
        at: member.start(),
    })
}

/// A member of an [`ObjectView`].
#[derive(Clone, Copy)]
pub struct Member<'a> {
    view: &'a ObjectView,
    index: usize,
}

impl<'a> Member<'a> {
    /// The name, escapes resolved.
    #[must_use]
    pub fn name(&self) -> &'a str {
        std::str::from_utf8(self.view.name(self.index)).unwrap_or_default()
    }

    /// The value as it stands in the text, without surrounding whitespace.
    #[must_use]
    pub fn raw(&self) -> &'a [u8] {
        &self.view.bytes[self.value().range.clone()]
    }

    /// [`raw`](Self::raw) as a shared slice of the text.
    #[must_use]
    pub fn raw_bytes(&self) -> Bytes {
        self.view.bytes.slice(self.value().range.clone())
    }

    /// Type of the value.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.value().kind
    }

    /// Number of elements of an array or members of an object, else 0.
    #[must_use]
    pub fn count(&self) -> usize {
        self.value().count
    }

    /// The string, if the value is one and has no half surrogate pair in it. Borrowed unless it has escapes.
    #[must_use]
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        if self.kind() != Kind::String {
            return None;
        }
        let raw = self.raw();
        let inner = &raw[1..raw.len() - 1];
        if memchr::memchr(b'\\', inner).is_none() {
            return std::str::from_utf8(inner).ok().map(Cow::Borrowed);
        }
        serde_json::from_slice(raw).ok().map(Cow::Owned)
    }

    fn value(&self) -> &'a ValueSpan {
        &self.view.members[self.index].value
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member")
            .field("name", &self.name())
            .field("kind", &self.kind())
            .finish_non_exhaustive()
    }
}
