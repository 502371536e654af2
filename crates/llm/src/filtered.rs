//! Answers that a provider's filter stopped, with a status of success.

use memchr::memmem;

use crate::chat::StopReason;
use crate::codec::codec;
use crate::protocol::Protocol;

/// What such answers contain, in whichever protocol. Inside texts the quotes would be escaped.
const SIGNS: [&[u8]; 7] = [
    b"content_filter\"",
    b"content_filtered\"",
    b"guardrail_intervened\"",
    b"SAFETY\"",
    b"PROHIBITED_CONTENT\"",
    b"BLOCKLIST\"",
    b"SPII\"",
];

/// Whether a filter ended every alternative of a whole answer in that protocol. That a model refuses is no filter.
///
/// ```
/// use sluice_llm::{Protocol, is_filtered};
///
/// let answer = br#"{"choices":[{"message":{"content":""},"finish_reason":"content_filter"}]}"#;
/// assert!(is_filtered(Protocol::OpenAiChat, answer));
/// ```
#[must_use]
pub fn is_filtered(protocol: Protocol, body: &[u8]) -> bool {
    if !SIGNS.iter().any(|sign| memmem::find(body, sign).is_some()) {
        return false;
    }
    let answer = codec(protocol).and_then(|codec| codec.decode_answer(body).ok());
    answer.is_some_and(|answer| {
        let mut choices = answer.choices.iter();
        !answer.choices.is_empty() && choices.all(|choice| choice.stop == StopReason::ContentFilter)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_told_from_words() {
        for (protocol, body, expected) in [
            (
                Protocol::OpenAiChat,
                r#"{"choices":[{"message":{"content":"x \"content_filter\""},"finish_reason":"stop"}]}"#,
                false,
            ),
            (
                Protocol::OpenAiChat,
                r#"{"choices":[{"index":0,"message":{"content":""},"finish_reason":"content_filter"},{"index":1,"message":{"content":"y"},"finish_reason":"stop"}]}"#,
                false,
            ),
            (
                Protocol::GeminiGenerate,
                r#"{"candidates":[{"content":{"role":"model","parts":[]},"finishReason":"SAFETY"}]}"#,
                true,
            ),
            (
                Protocol::GeminiGenerate,
                r#"{"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}"#,
                true,
            ),
            (
                Protocol::BedrockConverse,
                r#"{"output":{"message":{"role":"assistant","content":[]}},"stopReason":"guardrail_intervened"}"#,
                true,
            ),
            (Protocol::OpenAiChat, "content_filter\"", false),
        ] {
            assert_eq!(is_filtered(protocol, body.as_bytes()), expected, "{body}");
        }
    }
}
