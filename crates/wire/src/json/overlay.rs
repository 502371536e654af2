//! Deep merge of a configured fragment into a body, member by member.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::error::JsonError;
use super::splice::Splice;
use super::view::ObjectView;

/// A JSON object prepared for being merged into many bodies.
///
/// The rule is that of compat §4.1.2: two objects merge recursively; anything else is taken as a whole, when it is
/// missing or when forced; `null` deletes nothing. Only members that both sides have as objects are parsed, and they
/// are spliced in turn, so that what the fragment does not name keeps its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overlay {
    members: Vec<(Box<str>, Layer)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Layer {
    /// The value as JSON text.
    raw: Bytes,
    /// The value's members, if it is an object.
    object: Option<Overlay>,
}

impl Overlay {
    /// Prepares a fragment.
    #[must_use]
    pub fn new(fragment: &Map<String, Value>) -> Self {
        let members = fragment
            .iter()
            .map(|(name, value)| (name.as_str().into(), Layer::new(value)))
            .collect();
        Self { members }
    }

    /// Whether the fragment is empty and thus changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether the fragment has a member of this name.
    #[must_use]
    pub fn names(&self, member: &str) -> bool {
        self.members.iter().any(|(name, _)| **name == *member)
    }

    /// Merges the fragment into what `splice` edits. With `force` its values win over those that are there.
    ///
    /// # Errors
    ///
    /// [`JsonError`] if an object that must be merged into names a member twice or has too many members. Positions
    /// count from that object's start.
    pub fn apply<'a>(&'a self, splice: &mut Splice<'a>, force: bool) -> Result<(), JsonError> {
        for (name, layer) in &self.members {
            match (splice.get(name), &layer.object) {
                (None, _) => splice.set(name, layer.raw.clone()),
                (Some(present), Some(inner)) if present.first() == Some(&b'{') => {
                    let view = ObjectView::parse(present)?;
                    let mut nested = Splice::new(&view);
                    inner.apply(&mut nested, force)?;
                    if !nested.is_unchanged() {
                        splice.set(name, nested.finish());
                    }
                }
                (Some(_), _) if force => splice.set(name, layer.raw.clone()),
                (Some(_), _) => {}
            }
        }
        Ok(())
    }
}

impl Layer {
    fn new(value: &Value) -> Self {
        Self {
            raw: Bytes::from(value.to_string()),
            object: value.as_object().map(Overlay::new),
        }
    }
}
