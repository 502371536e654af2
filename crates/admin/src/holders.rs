//! Whose a client key is: what somebody signs in with who has nothing else.

/// Knows the keys of clients.
pub trait Holders: Send + Sync {
    /// Whose key it is; `None` where it is nobody's, or not any more.
    fn holder(&self, key: &str) -> Option<Holder>;
}

/// Whoever has a client's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The consumer.
    pub consumer: String,
    /// Id of the credential; `None` where the key stands on the consumer itself.
    pub credential: Option<String>,
}
