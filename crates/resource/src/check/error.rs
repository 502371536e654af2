//! Why the Admin API refuses something.

use std::fmt::Display;

use crate::kind::{Kind, Method};

/// A refusal: the status, and the message that stands in `error_msg`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CheckError {
    /// The status of the answer.
    pub status: u16,
    /// What `error_msg` says, to the letter (compat §1.1–1.7).
    pub message: String,
}

impl CheckError {
    /// A 400.
    pub fn refused(message: impl Into<String>) -> Self {
        Self {
            status: 400,
            message: message.into(),
        }
    }

    /// A 400 about a resource that does not hold: `invalid configuration: …`.
    pub fn invalid(fault: impl Display) -> Self {
        Self::refused(format!("invalid configuration: {fault}"))
    }

    /// A 405 for a method that the kind does not have ([`Kind::allows`]).
    pub fn method(kind: Kind, method: Method) -> Self {
        let message = format!(
            "not supported `{}` method for {}",
            method.name(),
            kind.info().name
        );
        Self { status: 405, message }
    }
}
