//! Edits of top-level members that leave every other byte alone.

use bytes::Bytes;

use super::scan::MemberSpan;
use super::view::ObjectView;

/// A set of edits of an object's members, applied to its bytes in one copy.
///
/// Edits are seen by later ones: a member that was removed can be set again, one that was set can be removed. Without
/// a difference to the original, [`finish`](Self::finish) hands out the original bytes themselves. Values given to it
/// must be JSON texts without surrounding whitespace.
#[derive(Debug)]
pub struct Splice<'a> {
    view: &'a ObjectView,
    /// Edits of members that the object has: position and value, `None` to remove.
    edits: Vec<(usize, Option<Bytes>)>,
    /// Members that the object lacks, in the order in which they were set.
    added: Vec<(&'a str, Bytes)>,
}

impl<'a> Splice<'a> {
    /// Begins without edits.
    #[must_use]
    pub fn new(view: &'a ObjectView) -> Self {
        Self {
            view,
            edits: Vec::new(),
            added: Vec::new(),
        }
    }

    /// The value that the member would have if the edits ended here.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Bytes> {
        match self.view.position(name) {
            Some(index) => match self.edit(index) {
                Some(edited) => edited.clone(),
                None => Some(self.original(index)),
            },
            None => self
                .added
                .iter()
                .find(|(added, _)| *added == name)
                .map(|(_, value)| value.clone()),
        }
    }

    /// Sets a member: in its place if the object has it, else at the end.
    pub fn set(&mut self, name: &'a str, value: Bytes) {
        match self.view.position(name) {
            Some(index) => {
                let unchanged = self.original(index) == value;
                self.put(index, if unchanged { None } else { Some(Some(value)) });
            }
            None => match self.added.iter_mut().find(|(added, _)| *added == name) {
                Some((_, present)) => *present = value,
                None => self.added.push((name, value)),
            },
        }
    }

    /// Removes a member, if it is there.
    pub fn remove(&mut self, name: &str) {
        match self.view.position(name) {
            Some(index) => self.put(index, Some(None)),
            None => self.added.retain(|(added, _)| *added != name),
        }
    }

    /// Whether the result equals the original.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.edits.is_empty() && self.added.is_empty()
    }

    /// The edited text.
    #[must_use]
    pub fn finish(self) -> Bytes {
        if self.is_unchanged() {
            return self.view.bytes().clone();
        }
        Bytes::from(self.assemble())
    }

    fn assemble(&self) -> Vec<u8> {
        let bytes = self.view.bytes();
        let members = self.view.members();
        let mut out = Vec::with_capacity(bytes.len() + self.growth());
        // Where the bytes begin that are still to be copied, and where the last member that was seen ends.
        let mut copy_from = 0;
        let mut end = members.first().map_or(self.view.open() + 1, MemberSpan::start);
        let mut kept = 0;
        for (index, member) in members.iter().enumerate() {
            let value = &member.value.range;
            match self.edit(index) {
                Some(None) => {
                    out.extend_from_slice(&bytes[copy_from..end]);
                    copy_from = value.end;
                }
                edit => {
                    if kept == 0 && index > 0 {
                        // All members before this one are gone, and with them the need for a comma.
                        copy_from = member.start();
                    }
                    if let Some(Some(new)) = edit {
                        out.extend_from_slice(&bytes[copy_from..value.start]);
                        out.extend_from_slice(new);
                        copy_from = value.end;
                    }
                    kept += 1;
                }
            }
            end = value.end;
        }
        out.extend_from_slice(&bytes[copy_from..end]);
        self.append_added(&mut out, kept);
        out.extend_from_slice(&bytes[end..]);
        out
    }

    fn append_added(&self, out: &mut Vec<u8>, kept: usize) {
        for (position, (name, value)) in self.added.iter().enumerate() {
            if kept + position > 0 {
                out.push(b',');
            }
            out.extend_from_slice(quoted(name).as_bytes());
            out.push(b':');
            out.extend_from_slice(value);
        }
    }

    /// Upper bound of the bytes that the edits add.
    fn growth(&self) -> usize {
        let edits: usize = self
            .edits
            .iter()
            .filter_map(|(_, value)| value.as_ref())
            .map(Bytes::len)
            .sum();
        let added: usize = self
            .added
            .iter()
            .map(|(name, value)| name.len() + value.len() + 4)
            .sum();
        edits + added
    }

    fn original(&self, index: usize) -> Bytes {
        self.view
            .bytes()
            .slice(self.view.members()[index].value.range.clone())
    }

    fn edit(&self, index: usize) -> Option<&Option<Bytes>> {
        self.edits
            .iter()
            .find(|(edited, _)| *edited == index)
            .map(|(_, value)| value)
    }

    /// Replaces the edit of a member; `None` takes it back.
    fn put(&mut self, index: usize, edit: Option<Option<Bytes>>) {
        self.edits.retain(|(edited, _)| *edited != index);
        if let Some(value) = edit {
            self.edits.push((index, value));
        }
    }
}

/// `text` as a JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
