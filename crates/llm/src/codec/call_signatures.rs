//! Signatures of tool calls in protocols whose calls have none: a hidden thought behind the call carries them.

use crate::chat::{Part, PartKind, SignatureOrigin};

/// Gives signatures that were packed into a hidden thought behind a call back to the call. `native` is the origin of the
/// protocol's own signatures, which stay where they are.
pub(super) fn rejoin(parts: Vec<Part>, native: SignatureOrigin) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
    for mut part in parts {
        if let PartKind::Reasoning(thought) = &mut part.kind
            && thought.is_redacted
            && let Some(Part {
                kind: PartKind::ToolCall(call),
                ..
            }) = joined.last_mut()
            && call.signature.is_none()
            && thought
                .signature
                .as_ref()
                .is_some_and(|signature| signature.origin != native)
        {
            call.signature = thought.signature.take();
            continue;
        }
        joined.push(part);
    }
    joined
}
