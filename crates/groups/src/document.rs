//! `groups.yaml`: who shares the gateway.

mod read;
#[cfg(test)]
mod tests;

use time::Date;

pub use self::read::micro_usd;
pub(crate) use self::read::{check_name, is_email};
use crate::Problem;
use crate::yaml;

/// Longest name of a group or user, in characters.
pub(crate) const MAX_NAME: usize = 100;

/// An event's groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Names the event, so that a second import adds to the first.
    pub event_id: Option<String>,
    /// For people.
    pub title: Option<String>,
    /// In the order of the file.
    pub groups: Vec<Group>,
}

/// A group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// As written; no other group has it.
    pub name: String,
    /// For people.
    pub title: Option<String>,
    /// In the order of the file; names are different within a group.
    pub users: Vec<User>,
    /// Tokens per user and window, instead of the usual number.
    pub rate_limit: Option<u64>,
    /// Seconds of a window, instead of the usual number.
    pub time_window: Option<u64>,
    /// Models that may be used, with `*`; all where it is empty.
    pub models: Vec<String>,
    /// What the group may spend altogether, in millionths of a dollar.
    pub budget_micro_usd: Option<u64>,
    /// The last day on which its keys work, in UTC.
    pub ends: Option<Date>,
    /// Line in the file; 0 where there is none.
    pub line: usize,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct User {
    /// As written.
    pub name: String,
    /// Where to write to.
    pub email: Option<String>,
    /// Line in the file; 0 where there is none.
    pub line: usize,
}

/// A document with what is odd in its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What it says.
    pub document: Document,
    /// What it may not have meant, in the order of lines.
    pub warnings: Vec<Problem>,
}

impl Document {
    /// Reads `groups.yaml`: `groups` as a mapping from names to `{title, users, rate_limit, time_window, models,
    /// budget_usd, ends}` or to a list of users; a user is a name or `{name, email}`.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of lines.
    pub fn from_yaml(text: &str) -> Result<Parsed, Vec<Problem>> {
        let root = yaml::parse(text).map_err(|problem| vec![problem])?;
        let Some(root) = root else {
            return Err(vec![Problem::at(None, "the file is empty: `groups` is missing")]);
        };
        read::document(&root)
    }

    /// Only the group of that name; `None` where there is none.
    #[must_use]
    pub fn only(mut self, group: &str) -> Option<Self> {
        self.groups.retain(|known| known.name == group);
        (!self.groups.is_empty()).then_some(self)
    }

    /// Members of all groups.
    #[must_use]
    pub fn user_count(&self) -> usize {
        self.groups.iter().map(|group| group.users.len()).sum()
    }
}
