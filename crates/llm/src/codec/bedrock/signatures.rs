//! Signatures of thoughts. Bedrock passes on Anthropic's; those of others are packed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chat::{Signature, SignatureOrigin};

/// Whose signatures stand in Converse as they are.
pub(super) const NATIVE: SignatureOrigin = SignatureOrigin::Anthropic;

/// What `redactedContent` holds. It is a blob, in base64 on the wire: a packed signature is encoded once more, since
/// SDKs decode it.
pub(super) fn from_blob(blob: &str) -> Signature {
    let packed = STANDARD
        .decode(blob)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .map(|text| Signature::unpack(&text, NATIVE))
        .filter(|signature| signature.origin != NATIVE);
    packed.unwrap_or_else(|| Signature::new(NATIVE, blob))
}

/// A signature as `redactedContent`.
pub(super) fn to_blob(signature: &Signature) -> String {
    if signature.origin == NATIVE {
        return signature.data.clone();
    }
    STANDARD.encode(signature.pack(NATIVE))
}
