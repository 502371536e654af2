//! What `encrypted_content` holds: the provider's own, or what another provider signed, packed.

use crate::chat::{Signature, SignatureOrigin};

/// Before what a provider hid altogether.
const REDACTED: &str = "sluice-redacted:";
/// Before the signature of a call: this protocol has no place for one beside the call.
const CALL: &str = "sluice-call:";

/// What stands in `encrypted_content`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Opaque {
    /// The signature of the thought that it stands with.
    Thought { signature: Signature, is_redacted: bool },
    /// The signature of the call with that id.
    Call { call_id: String, signature: Signature },
}

impl Opaque {
    /// Reads what [`thought`] or [`call`] wrote, or what OpenAI did.
    pub(super) fn read(text: &str) -> Self {
        let unpack = |text| Signature::unpack(text, SignatureOrigin::OpenAi);
        if let Some((packed, call_id)) = text.strip_prefix(CALL).and_then(|rest| rest.split_once(':')) {
            return Self::Call {
                call_id: call_id.to_owned(),
                signature: unpack(packed),
            };
        }
        let redacted = text.strip_prefix(REDACTED);
        Self::Thought {
            signature: unpack(redacted.unwrap_or(text)),
            is_redacted: redacted.is_some(),
        }
    }
}

/// `encrypted_content` of a thought.
pub(super) fn thought(signature: &Signature, is_redacted: bool) -> String {
    let packed = signature.pack(SignatureOrigin::OpenAi);
    if is_redacted && signature.origin != SignatureOrigin::OpenAi {
        format!("{REDACTED}{packed}")
    } else {
        packed
    }
}

/// `encrypted_content` of the item that carries the signature of a call.
pub(super) fn call(signature: &Signature, call_id: &str) -> String {
    format!("{CALL}{}:{call_id}", signature.pack(SignatureOrigin::OpenAi))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_others_come_back_as_what_they_were() {
        let gemini = Signature::new(SignatureOrigin::Gemini, "a+/=");
        assert_eq!(
            Opaque::read(&call(&gemini, "call:1.x")),
            Opaque::Call {
                call_id: "call:1.x".to_owned(),
                signature: gemini
            }
        );
        let hidden = Signature::new(SignatureOrigin::Anthropic, "EqQB");
        assert_eq!(
            Opaque::read(&thought(&hidden, true)),
            Opaque::Thought {
                signature: hidden,
                is_redacted: true
            }
        );
        let own = Signature::new(SignatureOrigin::OpenAi, "gAAAA");
        assert_eq!(thought(&own, false), "gAAAA");
        assert_eq!(
            Opaque::read("gAAAA"),
            Opaque::Thought {
                signature: own,
                is_redacted: false
            }
        );
    }
}
