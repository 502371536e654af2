//! What a translation leaves out, and what it refuses.

use std::borrow::Cow;

use thiserror::Error;

/// Members of a request that the provider's protocol cannot say and that were left out. A client reads their names in
/// the header `x-sluice-dropped`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drops {
    names: Vec<Cow<'static, str>>,
}

impl Drops {
    /// Most names that are kept.
    const MAX: usize = 32;

    /// Notes a member by its name in the client's protocol.
    pub(crate) fn note(&mut self, name: impl Into<Cow<'static, str>>) {
        let name = name.into();
        if self.names.len() < Self::MAX && !self.names.contains(&name) {
            self.names.push(name);
        }
    }

    /// Notes a member if it is there.
    pub(crate) fn note_if(&mut self, is_there: bool, name: &'static str) {
        if is_there {
            self.note(name);
        }
    }

    /// The names, each once, in the order in which they were noted.
    pub(crate) fn names(&self) -> &[Cow<'static, str>] {
        &self.names
    }
}

/// Why a request cannot be understood, or cannot be said in the provider's protocol.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Unsayable {
    /// What is wrong and what to do, for the client.
    pub message: String,
    /// The member of the request that is at fault, as a path.
    pub param: Option<String>,
}

impl Unsayable {
    /// An error about the request as a whole.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: None,
        }
    }

    /// An error about a member.
    pub(crate) fn at(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            param: Some(param.into()),
        }
    }

    /// The same, further up: `param` gets `prefix` before it.
    pub(crate) fn within(mut self, prefix: &str) -> Self {
        self.param = Some(match self.param {
            Some(param) if param.starts_with('[') => format!("{prefix}{param}"),
            Some(param) => format!("{prefix}.{param}"),
            None => prefix.to_owned(),
        });
        self
    }
}
