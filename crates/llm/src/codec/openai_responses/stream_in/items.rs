//! The items of an answer that is being read.

use std::collections::{BTreeMap, HashMap};

use crate::codec::pieces::Pieces;

/// Items by their places and by their ids.
#[derive(Default)]
pub(super) struct Items {
    all: Vec<Item>,
    by_index: HashMap<u64, usize>,
    by_id: HashMap<String, usize>,
}

/// An item.
pub(super) struct Item {
    pub(super) kind: ItemKind,
    pub(super) pieces: Pieces,
    /// Whether all of it was read.
    pub(super) is_done: bool,
}

/// What an item is.
pub(super) enum ItemKind {
    /// A message: its content parts by their numbers.
    Message(BTreeMap<u64, Content>),
    Thought(Thought),
    Call(Call),
    /// One that is read when it is complete.
    Other,
}

/// A content part of a message.
pub(super) struct Content {
    /// The part of the answer.
    pub(super) part: u32,
    pub(super) has_text: bool,
    pub(super) annotations: usize,
    pub(super) is_done: bool,
}

/// A thought.
#[derive(Default)]
pub(super) struct Thought {
    /// The part of the answer, once there is something in it.
    pub(super) part: Option<u32>,
    pub(super) is_summary: bool,
    /// The part of the summary or content that was last.
    pub(super) last_index: u64,
}

/// A call.
pub(super) struct Call {
    /// The part of the answer, once the name is known.
    pub(super) part: Option<u32>,
    pub(super) has_arguments: bool,
}

impl Items {
    /// The item that an event names by its id, or else by its place.
    pub(super) fn find(&self, id: Option<&str>, index: Option<u64>) -> Option<usize> {
        let named = id.and_then(|id| self.by_id.get(id));
        named.or_else(|| self.by_index.get(&index?)).copied()
    }

    /// Adds an item.
    pub(super) fn add(&mut self, kind: ItemKind, id: Option<&str>, index: Option<u64>) -> usize {
        let place = self.all.len();
        self.all.push(Item {
            kind,
            pieces: Pieces::default(),
            is_done: false,
        });
        if let Some(index) = index {
            self.by_index.insert(index, place);
        }
        self.name(place, id);
        place
    }

    /// Gives an item a further name: items of some servers have an id in each event.
    pub(super) fn name(&mut self, place: usize, id: Option<&str>) {
        if let Some(id) = id.filter(|id| !id.is_empty()) {
            self.by_id.insert(id.to_owned(), place);
        }
    }

    /// An item.
    pub(super) fn get(&mut self, place: usize) -> Option<&mut Item> {
        self.all.get_mut(place)
    }

    /// The last item, if it is one of that type that goes on.
    pub(super) fn last_open(&self, kind: &str) -> Option<usize> {
        let last = self.all.last()?;
        (last.kind.is(kind) && !last.is_done).then(|| self.all.len() - 1)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

impl ItemKind {
    /// What an item of that type is before anything of it came.
    pub(super) fn of(kind: &str) -> Self {
        match kind {
            "message" => Self::Message(BTreeMap::new()),
            "reasoning" => Self::Thought(Thought::default()),
            "function_call" | "custom_tool_call" => Self::Call(Call {
                part: None,
                has_arguments: false,
            }),
            _ => Self::Other,
        }
    }

    /// Whether an item of that type may be this one.
    pub(super) fn is(&self, kind: &str) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(&Self::of(kind))
    }
}
