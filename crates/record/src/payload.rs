use serde::{Deserialize, Serialize};

/// Bytes of a body that are kept at most.
pub const PAYLOAD_BODY_MAX: usize = 256 << 10;

/// What a client sent, what went upstream and what came back. Made only where somebody asked for it, bounded, and with
/// the values of secret headers masked, by whoever makes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Payload {
    /// What the client sent.
    pub client_request: PayloadPart,
    /// What went upstream, if anything did.
    pub upstream_request: Option<PayloadPart>,
    /// What the client got.
    pub response: Option<PayloadPart>,
}

impl Payload {
    /// Bytes that it takes, about.
    #[must_use]
    pub fn size(&self) -> usize {
        let parts = [
            Some(&self.client_request),
            self.upstream_request.as_ref(),
            self.response.as_ref(),
        ];
        parts.into_iter().flatten().map(PayloadPart::size).sum()
    }
}

/// Headers and body of one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PayloadPart {
    /// Names and values, as they were sent; those of secrets masked.
    pub headers: Vec<(String, String)>,
    /// The body, or its beginning. What is no UTF-8 is kept as base64.
    pub body: String,
    /// Whether `body` is base64.
    pub base64: bool,
    /// Whether there was more of the body.
    pub truncated: bool,
}

impl PayloadPart {
    fn size(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        self.body.len() + headers.sum::<usize>()
    }
}
