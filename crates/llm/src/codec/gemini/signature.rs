//! `thoughtSignature`: base64 of bytes. SDKs decode it and encode it anew, so what others' signatures are packed into
//! must be base64 as well, in either alphabet.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::chat::{Signature, SignatureOrigin};

/// Reads padded and unpadded base64.
const INDIFFERENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, INDIFFERENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, INDIFFERENT);

/// What stands before a packed signature of a thought that its provider hid.
const HIDDEN: &str = "hidden:";
/// What the base64 of a packed signature begins with: `sluice.` and `hidden:`, cut to whole groups of three bytes.
const STARTS: [&str; 2] = ["c2x1aWNl", "aGlkZGVu"];

/// The documented stand-in for the signature of a call that another model made.
pub(super) const STAND_IN: &str = "skip_thought_signature_validator";

/// A signature as it stands on the wire.
pub(super) fn write(signature: &Signature, is_redacted: bool) -> String {
    if signature.origin == SignatureOrigin::Gemini {
        return signature.data.clone();
    }
    let packed = signature.pack(SignatureOrigin::Gemini);
    STANDARD.encode(if is_redacted {
        format!("{HIDDEN}{packed}")
    } else {
        packed
    })
}

/// Reads what stands on the wire, and whether it belongs to a thought that its provider hid.
pub(super) fn read(text: String) -> (Signature, bool) {
    if STARTS.iter().any(|start| text.starts_with(start)) {
        let bytes = STANDARD.decode(&text).or_else(|_| URL_SAFE.decode(&text));
        if let Some(packed) = bytes.ok().and_then(|bytes| String::from_utf8(bytes).ok()) {
            let (packed, is_redacted) = match packed.strip_prefix(HIDDEN) {
                Some(packed) => (packed, true),
                None => (packed.as_str(), false),
            };
            let signature = Signature::unpack(packed, SignatureOrigin::Gemini);
            if signature.origin != SignatureOrigin::Gemini {
                return (signature, is_redacted);
            }
        }
    }
    (Signature::new(SignatureOrigin::Gemini, text), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_signatures_travel_as_base64() {
        let anthropic = Signature::new(SignatureOrigin::Anthropic, "EqQB+/é?>");
        for is_redacted in [false, true] {
            let wire = write(&anthropic, is_redacted);
            let bytes = STANDARD.decode(&wire).unwrap();
            assert_eq!(read(wire), (anthropic.clone(), is_redacted));
            assert_eq!(read(URL_SAFE.encode(bytes)), (anthropic.clone(), is_redacted));
        }
        let own = Signature::new(SignatureOrigin::Gemini, "c2x1aWNlLg==");
        assert_eq!(write(&own, false), own.data);
        assert_eq!(read(own.data.clone()), (own, false));
    }
}
