//! What can go wrong.

/// Why a script or command gave no result. Goes to logs: it may name servers, it shows no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisError {
    /// The server is known to be unreachable; nothing was tried.
    #[error("redis is down")]
    Down,
    /// No answer within the bound. Whether the script ran is not known.
    #[error("redis did not answer in time")]
    Timeout,
    /// The connection could not be used. Whether the script ran is not known.
    #[error("connection to redis failed: {0}")]
    Connection(String),
    /// The server refused.
    #[error("redis refused: {0}")]
    Refused(String),
    /// The result has another shape than expected.
    #[error("unexpected reply of redis")]
    Reply,
}

impl RedisError {
    /// What metrics call it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Timeout => "timeout",
            Self::Connection(_) => "connection",
            Self::Refused(_) => "refused",
            Self::Reply => "reply",
        }
    }

    /// Whether the connection that this came from must not be used again.
    pub(crate) fn is_loss(error: &redis::RedisError) -> bool {
        use redis::{ErrorKind, ServerErrorKind};
        match error.kind() {
            // A master that became a replica is to be looked for again; one that loads answers when it is asked again.
            ErrorKind::Server(kind) => matches!(
                kind,
                ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
            ),
            ErrorKind::Extension | ErrorKind::UnexpectedReturnType | ErrorKind::Client => false,
            _ => true,
        }
    }
}

impl From<redis::RedisError> for RedisError {
    fn from(error: redis::RedisError) -> Self {
        match error.kind() {
            redis::ErrorKind::Server(_) | redis::ErrorKind::Extension => Self::Refused(error.to_string()),
            _ if error.is_timeout() => Self::Timeout,
            _ => Self::Connection(error.to_string()),
        }
    }
}
