//! Gemini's signatures in protocols that have no place for them: that of a tool call travels in a hidden thought behind
//! the call, that of a text with the thoughts before it.

use std::borrow::Cow;

use crate::chat::{Extension, Part, PartKind, Reasoning, Signature, SignatureOrigin};

/// Gives signatures back to what they are of. `native` is the origin of the protocol's own signatures, which stay where
/// they are.
pub(super) fn rejoin(parts: Vec<Part>, native: SignatureOrigin) -> Vec<Part> {
    let mut joined: Vec<Part> = Vec::with_capacity(parts.len());
    // In turns with calls Gemini signs the calls.
    let signs_texts = !parts
        .iter()
        .any(|part| matches!(part.kind, PartKind::ToolCall(_)));
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
        let is_text = signs_texts && matches!(part.kind, PartKind::Text(_));
        let of_text = is_text.then(|| signature_of_text(joined.last_mut()?)).flatten();
        let protocol = part.extension.protocol();
        joined.push(part);
        if let Some(signature) = of_text {
            let hidden = Reasoning {
                signature: Some(signature),
                ..Reasoning::default()
            };
            joined.push(Part::new(PartKind::Reasoning(hidden), Extension::of(protocol)));
        }
    }
    joined
}

/// The signature that thoughts carry for the text behind them.
fn signature_of_text(before: &mut Part) -> Option<Signature> {
    let PartKind::Reasoning(thought) = &mut before.kind else {
        return None;
    };
    let is_carried = !thought.is_redacted
        && !thought.text.is_empty()
        && thought
            .signature
            .as_ref()
            .is_some_and(|signature| signature.origin == SignatureOrigin::Gemini);
    is_carried.then(|| thought.signature.take()).flatten()
}

/// Whether a thought is but the signature of the text before it.
pub(super) fn is_of_text(thought: &Reasoning, signature: &Signature) -> bool {
    thought.text.is_empty() && !thought.is_redacted && signature.origin == SignatureOrigin::Gemini
}

/// Parts of an answer with the signatures of texts put to the thoughts before them, since an answer must not end with a
/// thought. Those of texts without thoughts are left out: Gemini does without them.
pub(super) fn before_texts(parts: &[Part]) -> Cow<'_, [Part]> {
    let signature = |pair: &[Part]| match pair {
        [
            Part {
                kind: PartKind::Text(_),
                ..
            },
            Part {
                kind: PartKind::Reasoning(thought),
                ..
            },
        ] => thought
            .signature
            .clone()
            .filter(|signature| is_of_text(thought, signature)),
        _ => None,
    };
    if !parts.windows(2).any(|pair| signature(pair).is_some()) {
        return Cow::Borrowed(parts);
    }
    let mut moved: Vec<Part> = Vec::with_capacity(parts.len());
    let mut rest = parts.iter().enumerate();
    while let Some((at, part)) = rest.next() {
        if let Some(signature) = parts.get(at..at + 2).and_then(signature) {
            if let Some(Part {
                kind: PartKind::Reasoning(thought),
                ..
            }) = moved.last_mut()
                && thought.signature.is_none()
            {
                thought.signature = Some(signature);
            }
            rest.next();
        }
        moved.push(part.clone());
    }
    Cow::Owned(moved)
}
