//! Signed thoughts, and how they survive a client that speaks another protocol than the provider.

/// What a provider signs a thought with. Only the provider that made it can read it: it is byte for byte the same when
/// it comes back, or it is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signature {
    /// Who made it.
    pub(crate) origin: SignatureOrigin,
    /// The signature.
    pub(crate) data: String,
}

/// Who makes signatures. Bedrock passes on Anthropic's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum SignatureOrigin {
    /// `signature` and the `data` of redacted thoughts.
    Anthropic,
    /// `thoughtSignature`.
    Gemini,
    /// `encrypted_content` of Responses.
    OpenAi,
}

impl SignatureOrigin {
    const NAMES: [(Self, &'static str); 3] = [
        (Self::Anthropic, "anthropic-claude-v1"),
        (Self::Gemini, "google-gemini-v1"),
        (Self::OpenAi, "openai-responses-v1"),
    ];

    /// The `format` of `reasoning_details` (OpenRouter's word, which OpenAI-compatible clients keep and send back).
    pub(crate) fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(origin, _)| *origin == self)
            .map_or("unknown", |(_, name)| name)
    }

    /// The origin of that name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::NAMES
            .iter()
            .find(|(_, known)| *known == name)
            .map(|(origin, _)| *origin)
    }
}

/// What a packed signature begins with. No provider's own does.
const PACKED: &str = "sluice.";

impl Signature {
    /// A signature of that origin.
    pub(crate) fn new(origin: SignatureOrigin, data: impl Into<String>) -> Self {
        Self {
            origin,
            data: data.into(),
        }
    }

    /// How it stands in a protocol whose own signatures are of origin `native`: as it is if it is one of those, else
    /// packed, so that it is known for what it is when it comes back.
    pub(crate) fn pack(&self, native: SignatureOrigin) -> String {
        if self.origin == native {
            return self.data.clone();
        }
        format!("{PACKED}{}.{}", self.origin.name(), self.data)
    }

    /// Reads what [`pack`](Self::pack) wrote.
    pub(crate) fn unpack(text: &str, native: SignatureOrigin) -> Self {
        let packed = text
            .strip_prefix(PACKED)
            .and_then(|rest| rest.split_once('.'))
            .and_then(|(name, data)| Some(Self::new(SignatureOrigin::from_name(name)?, data)));
        packed.unwrap_or_else(|| Self::new(native, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_survive_foreign_protocols() {
        let gemini = Signature::new(SignatureOrigin::Gemini, "a.b+/=");
        let packed = gemini.pack(SignatureOrigin::Anthropic);
        assert_ne!(packed, gemini.data);
        assert_eq!(Signature::unpack(&packed, SignatureOrigin::Anthropic), gemini);
        assert_eq!(gemini.pack(SignatureOrigin::Gemini), "a.b+/=");
        assert_eq!(
            Signature::unpack("EqQB", SignatureOrigin::Anthropic),
            Signature::new(SignatureOrigin::Anthropic, "EqQB")
        );
        assert_eq!(
            Signature::unpack("sluice.unknown.x", SignatureOrigin::Gemini).data,
            "sluice.unknown.x"
        );
    }
}
