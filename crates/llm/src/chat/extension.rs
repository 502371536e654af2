//! What only one protocol says.

use super::{Drops, Json};
use crate::protocol::Protocol;

/// Members that the canonical model has no word for, with the protocol that they belong to. They come out again where
/// the same protocol is encoded, and are noted as dropped where another is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Extension {
    protocol: Protocol,
    members: Vec<(String, Json)>,
    kept: Vec<(&'static str, Json)>,
}

impl Extension {
    /// An empty extension of a protocol.
    pub(crate) fn of(protocol: Protocol) -> Self {
        Self {
            protocol,
            members: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// An extension of those members.
    pub(crate) fn with(protocol: Protocol, members: Vec<(String, Json)>) -> Self {
        Self {
            protocol,
            members,
            kept: Vec::new(),
        }
    }

    /// The protocol that it belongs to.
    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Adds a member.
    pub(crate) fn push(&mut self, name: impl Into<String>, value: Json) {
        self.members.push((name.into(), value));
    }

    /// Keeps how the protocol spelled something that means the same in every spelling, so that it is spelled like that
    /// again. Nothing is lost where it is left out, and nothing is noted.
    pub(crate) fn keep(&mut self, name: &'static str, value: Json) {
        self.kept.push((name, value));
    }

    /// What was [kept](Self::keep) under a name, if it belongs to that protocol.
    pub(crate) fn kept(&self, protocol: Protocol, name: &str) -> Option<&Json> {
        self.kept
            .iter()
            .find(|(known, _)| self.protocol == protocol && *known == name)
            .map(|(_, value)| value)
    }

    /// The members, if they belong to that protocol.
    pub(crate) fn members(&self, protocol: Protocol) -> &[(String, Json)] {
        if self.protocol == protocol {
            &self.members
        } else {
            &[]
        }
    }

    /// A member, whatever the protocol: for codecs that know what it means.
    pub(crate) fn get(&self, protocol: Protocol, name: &str) -> Option<&Json> {
        self.members(protocol)
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    }

    /// Takes a member out, for codecs that know how to say it in their own protocol.
    pub(crate) fn take(&mut self, name: &str) -> Option<Json> {
        let index = self.members.iter().position(|(known, _)| known == name)?;
        Some(self.members.remove(index).1)
    }

    /// Notes the members as dropped unless they belong to `protocol`, each as `path` + its name.
    pub(crate) fn drop_unless(&self, protocol: Protocol, path: &str, drops: &mut Drops) {
        if self.protocol != protocol {
            for (name, _) in &self.members {
                drops.note(format!("{path}{name}"));
            }
        }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}
